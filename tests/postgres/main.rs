//! The tests of `tests/manage` and the stories of `tests/cli` on PostgreSQL, and those
//! that need a server. Each process starts its own.
#![allow(clippy::unwrap_used, clippy::panic)]

#[cfg(feature = "cli")]
mod cli;
mod outages;
mod server;
#[macro_use]
#[path = "../manage/support.rs"]
mod support;

mod repositories {
    pub(crate) use crate::server::Postgres;
}

each_repository!(Postgres);

#[path = "../manage/keys.rs"]
mod keys;
#[path = "../manage/lists.rs"]
mod lists;
#[path = "../manage/migrations.rs"]
mod migrations;
#[path = "../manage/model.rs"]
mod model;
#[path = "../manage/owners.rs"]
mod owners;
#[path = "../manage/replica.rs"]
mod replica;
#[path = "../manage/rules.rs"]
mod rules;
#[path = "../manage/states.rs"]
mod states;
#[path = "../manage/turning.rs"]
mod turning;
