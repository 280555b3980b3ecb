//! What is wrong with a document, and where: trees that know the position of every
//! value, and the problems that were found.

mod de;
#[cfg(feature = "json")]
pub(super) mod json;
mod names;
mod node;
mod notes;
mod place;
mod position;
#[cfg(feature = "toml")]
pub(super) mod toml;
#[cfg(feature = "yaml")]
pub(super) mod yaml;

pub(super) use de::{Misfit, Reading, unknown_field};
pub(super) use names::{meant, quoted};
pub(super) use node::{Member, Node, Value, duplicate};
pub(super) use notes::{MAX_NOTES, Note, Notes, Subject};
pub(super) use place::{field_place, find};
pub(super) use position::positions;
