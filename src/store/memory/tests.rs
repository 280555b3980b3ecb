//! Random lives of a store, against lists; and many threads at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod lists;
mod model;
mod steps;
mod threads;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::MemoryStore;
use crate::catalog::{KeySlot, Subscription};
use crate::key::KeyDigest;
use crate::store::SubscriptionStore;

/// What `find` answers; it has nothing to wait for.
fn find(store: &MemoryStore, key: &KeyDigest) -> Option<(Subscription, KeySlot)> {
    let found = pin!(store.find(key)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(found)) = found else {
        panic!("a store in memory waits");
    };
    found.map(|owner| (owner.subscription().clone(), owner.slot()))
}
