//! The repository on SQLite and PostgreSQL: one set of SQL texts over both.

mod audit;
mod database;
mod lists;
mod repository;
mod rows;
mod schema;
mod session;
#[cfg(all(test, feature = "sqlite"))]
mod tests;
mod transaction;

pub(crate) use database::{Database, SqlTransaction};
pub(crate) use repository::SqlRepository;
pub(crate) use rows::{broken, read_digest, record};
pub(crate) use session::{Dialect, Row, SqlError, SqlResult, Value};
