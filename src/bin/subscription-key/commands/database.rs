use tower_subscription_key::manage::Manage;

use crate::args::{Audit, Common};
use crate::failure::{Failure, Result};
use crate::session::Missing;

pub(crate) async fn open(_: &str, _: Missing) -> Result<Manage> {
    Err(Failure::unreachable("not yet"))
}

pub(super) async fn audit(_: &Common, _: &Audit) -> Result {
    Err(Failure::refused("not yet"))
}

pub(super) async fn status(_: &Common) -> Result {
    Err(Failure::refused("not yet"))
}

pub(super) async fn replicas(_: &Common) -> Result {
    Err(Failure::refused("not yet"))
}
