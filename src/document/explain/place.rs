use crate::catalog::{Field, KeySlot};
use crate::document::entry::{Place, key_field};
use crate::document::explain::node::Node;

/// The field of an entry, or what is around it if it is not there.
pub(in crate::document) fn find(entry: &Node, place: Place) -> &Node {
    let Some(mut node) = entry.get(place.field) else {
        return entry;
    };
    if let Some(index) = place.index {
        // Elements that do not fit the schema were not counted.
        let mut counted = node.list().iter().filter(|node| !node.is_refused());
        node = counted.nth(index).unwrap_or(node);
    }
    node.get(place.inner).unwrap_or(node)
}

/// The place of a field of the catalog in the entry.
pub(in crate::document) fn field_place(entry: &Node, field: Field) -> Place {
    match field {
        Field::Id => Place::of("id"),
        Field::DisplayName => Place::of("display_name"),
        Field::Metadata => Place::of("metadata"),
        Field::Path => Place::of("path"),
        Field::Apis(at) => Place::of("apis").at(at),
        Field::SubscriptionRequired => Place::of("subscription_required"),
        Field::Scope(at) => scope_place(entry, at),
        Field::Key(slot) => Place::of(key_field(slot)),
        Field::RetiredKey(slot) => retired_place(entry, slot),
        _ => Place::default(),
    }
}

fn scope_place(entry: &Node, at: usize) -> Place {
    let has = |field| entry.get(field).is_some_and(|node| !node.is_null());
    let before = usize::from(has("scope"));
    match has("scopes") {
        true if at >= before => Place::of("scopes").at(at - before),
        _ if before > 0 => Place::of("scope"),
        _ => Place::default(),
    }
}

/// The last one of that slot is the one that counts.
fn retired_place(entry: &Node, slot: KeySlot) -> Place {
    let place = Place::of("retired_keys");
    let keys = entry.get("retired_keys").map_or(&[][..], Node::list);
    let fitting = keys.iter().filter(|node| !node.is_refused()).enumerate();
    let of_slot = |node: &Node| node.get("slot").and_then(Node::text) == Some(slot.as_str());
    let last = fitting.filter(|(_, node)| of_slot(node)).last();
    last.map_or(place, |(index, _)| place.at(index))
}
