use crate::args::{Common, Export};
use crate::failure::{Failure, Result};

pub(super) async fn run(_: &Common, _: &Export) -> Result {
    Err(Failure::refused("not yet"))
}
