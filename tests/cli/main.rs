//! The tool as a process: arguments, standard output and error, exit codes, and
//! files byte by byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod agreement;
mod check;
mod database;
mod edits;
mod explain;
mod files;
mod full_disk;
mod keys;
mod lint;
mod session;
mod stories;
mod support;
mod usage;

mod toml_file {
    use super::stories::{CATALOG, stories};
    use super::support::Place;
    stories!(Place::file("catalog.toml", CATALOG));
}

mod json_file {
    use super::stories::{CATALOG, stories};
    use super::support::Place;
    stories!(Place::file("catalog.json", CATALOG));
}

mod sqlite {
    use super::stories::{CATALOG, stories};
    use super::support::Place;
    stories!(Place::database("keys.db", CATALOG));
}
