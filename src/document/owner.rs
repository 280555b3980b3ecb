use serde::Deserialize;

use crate::catalog::{KeySlot, Subscription, validate};
use crate::document::entry::Listed;
use crate::document::explain::{MAX_ENTRY_BYTES, Node, Note, Notes, Place, Reading, Subject};
use crate::document::explain::{fit, json};
use crate::document::key::KeyReader;
use crate::document::problems::{Problems, SLOTS};
use crate::document::schema::{FORMAT, OwnerAnswer, Text};
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
        let mut problems = Problems::without_places();
        let is_newer = answer.format.is_some_and(|format| format > FORMAT);
        let owner = answer.into_owner(&mut problems);
        if problems.notes.is_empty() && !is_newer {
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

/// Reads the answer from its tree, which has the positions of everything in it.
fn explained(text: &str, notes: &mut Notes) -> Option<Owner> {
    const TOO_MANY: &str = "this answer has too many fields that are not known";
    let mut tree = tree(text, notes)?;
    let reads = |tree: &Node| OwnerAnswer::deserialize(Reading::of(tree)).map(drop);
    fit(&mut tree, reads, TOO_MANY, |misfit| {
        if misfit.unknown.is_none() {
            notes.add(misfit.note(Subject::Nothing));
        }
    });
    let answer = OwnerAnswer::deserialize(Reading::of(&tree)).ok()?;
    if let Some(format) = answer.format.filter(|format| *format > FORMAT) {
        notes.add(Note::newer(format));
        return None;
    }
    let mut problems = Problems::of(&tree, Subject::Nothing);
    let owner = answer.into_owner(&mut problems);
    notes.extend(problems.notes);
    Some(owner)
}

fn tree(text: &str, notes: &mut Notes) -> Option<Node> {
    if text.len() > MAX_ENTRY_BYTES {
        notes.push(0, "this answer is larger than 1 MiB");
        return None;
    }
    json::tree(text, notes)
}

impl<'a> From<Option<(&'a Subscription, KeySlot)>> for OwnerAnswer<'a> {
    fn from(owner: Option<(&'a Subscription, KeySlot)>) -> Self {
        Self {
            format: Some(FORMAT),
            subscription: Some(owner.map(|(subscription, _)| subscription.into())),
            slot: owner.map(|(_, slot)| slot.as_str().into()),
        }
    }
}

impl OwnerAnswer<'_> {
    /// The owner, if the answer names one.
    fn into_owner(self, problems: &mut Problems<'_>) -> Owner {
        let Some(subscription) = self.subscription else {
            let advice = "give the subscription that owns the key, or null if none does";
            return problems.missing(Place::default(), "subscription", advice);
        };
        let place = Place::of("slot");
        let slot = self.slot.map(|Text(slot)| problems.slot(place, &slot));
        let Some(subscription) = subscription else {
            if slot.is_some() {
                problems.add(place, "there is no subscription that it could be of");
            }
            return None;
        };
        let mut inner = problems.inside("subscription");
        let subscription = Subscription::read(subscription, &KeyReader::of_machine(), &mut inner);
        for (field, kind) in validate::subscription(&subscription, &inner.unread) {
            inner.add(Place::default(), format!("{field}: {kind}"));
        }
        problems.extend(Place::of("subscription"), inner.notes);
        let slot = match slot {
            Some(slot) => slot?,
            None => problems.missing(Place::default(), "slot", SLOTS)?,
        };
        if subscription.key(slot).is_none() && subscription.retired_key(slot).is_none() {
            problems.add(place, format!("the subscription has no {slot} key"));
        }
        Some((subscription, slot))
    }
}
