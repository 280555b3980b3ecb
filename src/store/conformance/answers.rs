use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::catalogs::Expected;
use crate::catalog::KeyOwner;
use crate::catalog::{Api, Catalog, Product, Subscription};
use crate::key::KeyDigest;
use crate::store::{Holdings, SubscriptionStore};

/// The answer of a store to a lookup.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Found(KeyOwner),
    Absent,
    Failed(String),
    /// No answer within the harness's patience.
    Nothing,
}

pub(super) async fn ask<S: SubscriptionStore>(
    store: &S,
    digest: &KeyDigest,
    patience: Duration,
) -> Said {
    match timeout(patience, store.find(digest)).await {
        Ok(Ok(Some(owner))) => Said::Found(owner),
        Ok(Ok(None)) => Said::Absent,
        Ok(Err(error)) => Said::Failed(error.to_string()),
        Err(_) => Said::Nothing,
    }
}

/// What `lookup_cached` returns.
pub(super) fn lookup_cached<S: SubscriptionStore>(store: &S, digest: &KeyDigest) -> Option<Said> {
    let answer = store.lookup_cached(digest)?;
    Some(answer.into_owner().map_or(Said::Absent, Said::Found))
}

/// Describes what is wrong with an answer. If `expected` is `None`, the digest is of no key.
pub(super) fn fault(expected: Option<&Expected>, said: &Said) -> Option<String> {
    let name = expected.map_or_else(|| "a digest that no key has".into(), Expected::name);
    match (expected, said) {
        (Some(expected), Said::Found(owner)) => difference(expected, owner),
        (None, Said::Absent) => None,
        (Some(_), Said::Absent) => Some(format!("{name} is not found")),
        (None, Said::Found(owner)) => {
            let id = owner.subscription().id();
            Some(format!("{name} is found, as a key of `{id}`"))
        }
        (_, Said::Failed(error)) => Some(format!("{name} is answered with an error: {error}")),
        (_, Said::Nothing) => Some(format!("{name} is not answered")),
    }
}

fn difference(expected: &Expected, owner: &KeyOwner) -> Option<String> {
    let (ours, theirs) = (&expected.subscription, owner.subscription());
    let name = expected.name();
    if ours.id() != theirs.id() {
        let other = theirs.id();
        return Some(format!("{name} is found as a key of `{other}`"));
    }
    let key_end = |subscription: &Subscription| {
        subscription
            .key(expected.slot)
            .and_then(|key| key.expires_at())
    };
    let differing: Vec<_> = [
        ("key slot", owner.slot() == expected.slot),
        ("display name", ours.display_name() == theirs.display_name()),
        ("scopes", ours.scopes() == theirs.scopes()),
        ("owner", ours.owner() == theirs.owner()),
        ("state", ours.state() == theirs.state()),
        ("not_before", ours.not_before() == theirs.not_before()),
        ("expires_at", ours.expires_at() == theirs.expires_at()),
        ("key's expires_at", key_end(ours) == key_end(theirs)),
        ("metadata", ours.metadata() == theirs.metadata()),
    ]
    .into_iter()
    .filter_map(|(field, same)| (!same).then_some(field))
    .collect();
    (!differing.is_empty())
        .then(|| format!("{name} is found, but with another {}", differing.join(", ")))
}

/// What is wrong with what a store holds in memory.
pub(super) fn holdings_faults<S: SubscriptionStore>(
    store: &S,
    given: &Catalog,
    keys: &[Expected],
    strangers: &[KeyDigest],
) -> Vec<String> {
    let (held, has_keys) = match store.holdings() {
        Ok(Holdings::Keys) => return Vec::new(),
        Ok(Holdings::Definitions(held)) => (held, false),
        Ok(Holdings::Everything(held)) => (held, true),
        Err(error) => return vec![format!("`holdings` is an error: {error}")],
    };
    let mut faults = interface_faults(&held, given);
    if !has_keys {
        return faults;
    }
    let said = |digest: &KeyDigest| held.owner(digest).map_or(Said::Absent, Said::Found);
    faults.extend(
        keys.iter()
            .filter_map(|key| fault(Some(key), &said(&key.digest)))
            .chain(strangers.iter().filter_map(|key| fault(None, &said(key))))
            .map(|fault| format!("in the catalog, {fault}")),
    );
    faults
}

fn interface_faults(held: &Catalog, given: &Catalog) -> Vec<String> {
    let mut faults = Vec::new();
    if !pairwise(held.apis(), given.apis(), same_api) {
        faults.push("the catalog has other APIs, or in another order".into());
    }
    if !pairwise(held.products(), given.products(), same_product) {
        faults.push("the catalog has other products, or in another order".into());
    }
    faults
}

fn pairwise<T: Copy>(
    mut left: impl Iterator<Item = T>,
    mut right: impl Iterator<Item = T>,
    same: fn(T, T) -> bool,
) -> bool {
    loop {
        match (left.next(), right.next()) {
            (Some(left), Some(right)) if same(left, right) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

/// Compares content: a display name that equals the id may be spelled out.
fn same_api(left: &Api, right: &Api) -> bool {
    left.id() == right.id()
        && left.display_name() == right.display_name()
        && left.path() == right.path()
        && left.subscription_required() == right.subscription_required()
        && left.key_header() == right.key_header()
        && left.key_query() == right.key_query()
        && left.metadata() == right.metadata()
}

fn same_product(left: &Product, right: &Product) -> bool {
    left.id() == right.id()
        && left.display_name() == right.display_name()
        && left.apis() == right.apis()
        && left.is_open() == right.is_open()
        && left.is_published() == right.is_published()
        && left.metadata() == right.metadata()
}

/// Begins two lookups of the same key and drops the first. Returns the answer to
/// the second.
pub(super) async fn lookup_next_to_a_dropped_one<S: SubscriptionStore>(
    store: &S,
    digest: &KeyDigest,
    patience: Duration,
) -> Said {
    let mut first = Box::pin(store.find(digest));
    let mut second = pin!(ask(store, digest, patience));
    let mut answered = None;
    poll_fn(|task| {
        let _ = first.as_mut().poll(task);
        if let Poll::Ready(said) = second.as_mut().poll(task) {
            answered = Some(said);
        }
        Poll::Ready(())
    })
    .await;
    drop(first);
    match answered {
        Some(said) => said,
        None => second.await,
    }
}
