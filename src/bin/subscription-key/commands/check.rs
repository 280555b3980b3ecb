use crate::args::{Check, Common};
use crate::failure::{Failure, Result};

pub(super) async fn run(_: &Common, _: &Check) -> Result {
    Err(Failure::refused("not yet"))
}
