use crate::catalog::{Catalog, IssueKind, KeySlot, Subscription};
use crate::document::error::Issues;
use crate::document::read::fields::{Fields, Kind, Subject};
use crate::document::read::{Places, Reader};
use crate::document::tree::{Node, Value};
use crate::document::{OWNER, SLOT};

const NEEDS_OWNER: &str = "give the subscription that owns the key, or null where none does";
const NEEDS_SLOT: &str = "say which of its keys was asked for, `primary` or `secondary`";

/// Whose key it is, and in which slot, if it is anybody's.
type Owner = Option<(Subscription, KeySlot)>;

/// The answer in that document. Issues may have been found even so.
pub(in crate::document) fn owner(root: &Node, issues: &mut Issues) -> Option<Owner> {
    let mut fields = Fields::of(Subject::document(), root, issues)?;
    fields.only(&[OWNER, SLOT]);
    if !fields.needs(OWNER, NEEDS_OWNER) {
        return None;
    }
    let node = root.get(OWNER)?;
    if matches!(node.value, Value::Null) {
        if let Some(slot) = root.get(SLOT) {
            fields.refuse(
                slot.at,
                SLOT,
                "there is no subscription that it could be of",
            );
        }
        return Some(None);
    }
    fields.needs(SLOT, NEEDS_SLOT);
    let slot = slot(&mut fields);
    let subscription = subscription(node, issues)?;
    let slot = slot?;
    if subscription.key(slot).is_none() {
        issues.push(node.at, format!("slot: the subscription has no {slot} key"));
    }
    Some(Some((subscription, slot)))
}

fn slot(fields: &mut Fields<'_, '_>) -> Option<KeySlot> {
    match fields.text(SLOT)? {
        "primary" => Some(KeySlot::Primary),
        "secondary" => Some(KeySlot::Secondary),
        _ => {
            let at = fields.get(SLOT)?.at;
            fields.refuse(at, SLOT, "a slot is `primary` or `secondary`");
            None
        }
    }
}

fn subscription(node: &Node, issues: &mut Issues) -> Option<Subscription> {
    let mut reader = Reader {
        environment: None,
        issues,
        builder: Catalog::builder(),
        places: Places::default(),
    };
    let subject = Subject::entry(Kind::Subscription, 0, node);
    let subscription = reader.read_subscription(subject, node)?;
    for issue in subscription.issues() {
        // The shape was refused for the others already.
        let is_told = match issue.kind {
            IssueKind::Id(_) => !subject.has_id(),
            IssueKind::SameKeys => false,
            _ => true,
        };
        if !is_told {
            issues.push(node.at, issue.to_string());
        }
    }
    Some(subscription)
}
