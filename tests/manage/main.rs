//! The rules of management over every repository that needs no server: in
//! memory and on SQLite. `tests/postgres` runs the same tests on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic)]

#[macro_use]
mod support;

mod repositories {
    pub(crate) use crate::support::{Memory, Sqlite};
}

each_repository!(Memory, Sqlite);

mod keys;
mod lists;
mod migrations;
mod model;
mod owners;
mod replica;
mod rules;
mod sqlite;
mod states;
mod turning;
