//! What is wrong with a document, and where: trees that know the position of every
//! value, and the problems that were found.

mod de;
#[cfg(feature = "json")]
pub(super) mod json;
/// Without a parser that knows positions, nothing can be explained.
#[cfg(not(feature = "json"))]
pub(super) mod json {
    use crate::document::explain::{Node, Notes};

    pub(in crate::document) fn syntax_error(_: &str) -> Option<(usize, String)> {
        Some((0, "this is not JSON".into()))
    }

    pub(in crate::document) fn tree(
        _: &str,
        at: usize,
        _: usize,
        notes: &mut Notes,
    ) -> Option<Node> {
        notes.push(at, "something in here is wrong");
        None
    }
}
mod names;
#[cfg_attr(
    not(any(feature = "json", feature = "toml", feature = "yaml")),
    allow(dead_code, reason = "without a parser there are no trees")
)]
mod node;
mod notes;
mod place;
mod position;
#[cfg(feature = "toml")]
pub(super) mod toml;
#[cfg(feature = "yaml")]
pub(super) mod yaml;

pub(super) use de::{Reading, fit, unknown_field};
pub(super) use names::quoted;
pub(super) use node::{MAX_DEPTH, MAX_ENTRY_BYTES, NOTHING, Node, TOO_DEEP, Value, duplicate};
pub(super) use notes::{MAX_NOTES, Note, Notes, Subject};
pub(super) use place::Place;
pub(super) use position::positions;
