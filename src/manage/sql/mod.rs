//! The repository on SQLite and PostgreSQL: one set of SQL texts over both.

mod database;
mod lists;
mod repository;
mod rows;
mod schema;
mod session;
mod transaction;

pub(crate) use database::{Database, SqlTransaction};
pub(crate) use repository::SqlRepository;
pub(crate) use rows::subscription;
pub(crate) use session::{Dialect, Row, Session, SqlResult, Value};
