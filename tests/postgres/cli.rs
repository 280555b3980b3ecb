//! The stories of the command-line tool.

#[path = "../cli/stories/mod.rs"]
mod stories;
#[allow(dead_code)]
#[path = "../cli/support.rs"]
mod support;

mod database {
    use super::stories::{CATALOG, stories};
    use super::support::Place;
    use crate::server::shared_database;
    stories!(Place::database(&shared_database(), CATALOG));
}
