use crate::args::{Common, Import};
use crate::failure::{Failure, Result};

pub(super) async fn run(_: &Common, _: &Import) -> Result {
    Err(Failure::refused("not yet"))
}
