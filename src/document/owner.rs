use serde::Deserialize;

use crate::catalog::{KeySlot, Subscription};
use crate::document::entry::Problems;
use crate::document::explain::{Node, Note, Notes, Reading, Subject, json};
use crate::document::limits::MAX_ENTRY_BYTES;
use crate::document::schema::{FORMAT, OwnerAnswer};
use crate::document::{DocumentError, Format, Source, explain_notes, utf8};

type Owner = Option<(Subscription, KeySlot)>;

/// Reads what [`owner_to_json`](super::owner_to_json) writes: the owner of a key and
/// the slot of the key, or `None` if the document says that no subscription has the
/// key.
///
/// The rules are those of a catalog, as far as they concern one subscription. Fields
/// that are not known are ignored; keys given as `env` or `file` are refused.
///
/// # Errors
///
/// [`DocumentError`] with everything that is wrong.
pub fn parse_owner(document: impl AsRef<[u8]>) -> Result<Owner, DocumentError> {
    let source = Source::new("", Format::Json, document.as_ref());
    let text = utf8(&source)?;
    if let Ok(answer) = serde_json::from_str::<OwnerAnswer<'_>>(text) {
        let mut problems = Problems::default();
        let is_newer = answer.format.is_some_and(|format| format > FORMAT);
        let owner = answer.into_owner(&mut problems);
        if problems.list.is_empty() && !is_newer {
            return Ok(owner);
        }
    }
    let mut notes = Notes::default();
    let owner = explained(text, &mut notes);
    match owner.filter(|_| notes.is_empty()) {
        Some(owner) => Ok(owner),
        None => Err(explain_notes(&source, text, notes)),
    }
}

/// Reads the answer from its tree, which knows where everything is.
fn explained(text: &str, notes: &mut Notes) -> Option<Owner> {
    const MOST: usize = 64;
    let mut tree = tree(text, notes)?;
    for _ in 0..MOST {
        let misfit = match OwnerAnswer::deserialize(Reading::of(&tree)) {
            Ok(answer) => return answer_of(answer, &tree, notes),
            Err(misfit) => misfit,
        };
        if misfit.unknown.is_none() {
            let at = misfit.at.unwrap_or(tree.at);
            notes.add(misfit.note(Subject::Nothing, at));
        }
        if misfit.path.is_empty() {
            return None;
        }
        tree.refuse(&misfit.path);
    }
    notes.push(
        tree.at,
        "this answer has too many fields that are not known",
    );
    None
}

fn answer_of(answer: OwnerAnswer<'_>, tree: &Node, notes: &mut Notes) -> Option<Owner> {
    if let Some(format) = answer.format.filter(|format| *format > FORMAT) {
        notes.add(Note::newer(format));
        return None;
    }
    let mut problems = Problems::default();
    let owner = answer.into_owner(&mut problems);
    for problem in problems.list {
        notes.extend(problem.note(Subject::Nothing, tree));
    }
    Some(owner)
}

fn tree(text: &str, notes: &mut Notes) -> Option<Node> {
    if text.len() > MAX_ENTRY_BYTES {
        notes.push(0, "this answer is larger than 1 MiB");
        return None;
    }
    match json::syntax_error(text) {
        Some((at, what)) => notes.push(at, what),
        None => return json::tree(text, 0, 1, notes),
    }
    None
}
