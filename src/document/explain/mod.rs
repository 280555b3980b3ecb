//! What is wrong with a document, and where: trees that know the position of every
//! value, and the problems that were found.

mod de;
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

#[cfg(feature = "json")]
pub(super) use de::free_form;
pub(super) use de::{Reading, fit, unknown_field};
pub(super) use names::quoted;
pub(super) use node::{
    MAX_DEPTH, MAX_ENTRY_BYTES, Member, NOTHING, Node, TOO_DEEP, Text, Value, duplicate,
};
pub(super) use notes::{MAX_NOTES, Note, Notes, Subject};
pub(super) use place::Place;
pub(super) use position::positions;
