use crate::catalog::{CatalogError, Entity, Field, Issue, IssueKind, Scope};
use crate::document::error::Issues;
use crate::document::names::meant;
use crate::document::read::entities::scope_places;
use crate::document::read::fields::{Kind, Subject};
use crate::document::read::{APIS, PRODUCTS, Places, SUBSCRIPTIONS, key};
use crate::document::tree::{Node, Value};

/// Tells where in the document the rules of the catalog are broken.
pub(super) fn tell(error: &CatalogError, root: &Node, places: &Places, issues: &mut Issues) {
    let teller = Teller {
        places,
        root,
        apis_unread: is_unread(root, APIS),
        products_unread: is_unread(root, PRODUCTS),
    };
    for issue in error.issues() {
        if !teller.is_told_already(issue) {
            let (at, message) = teller.message(issue);
            issues.push(at, message);
        }
    }
}

struct Teller<'n> {
    places: &'n Places,
    root: &'n Node,
    apis_unread: bool,
    products_unread: bool,
}

/// Whether there is something that could not be read as that list, or stands
/// under a name that was meant to be this one.
fn is_unread(root: &Node, name: &str) -> bool {
    let known = [APIS, PRODUCTS, SUBSCRIPTIONS];
    match root.get(name) {
        Some(node) => !matches!(node.value, Value::List(_)),
        None => root
            .members()
            .iter()
            .any(|member| meant(&member.name, &known) == Some(name)),
    }
}

impl Teller<'_> {
    /// Whether the shape of the document was refused for it already, or it only
    /// follows from that.
    fn is_told_already(&self, issue: &Issue) -> bool {
        match &issue.kind {
            IssueKind::NoScope | IssueKind::NoKey => true,
            IssueKind::Id(_) | IssueKind::DuplicateId => self
                .entry(&issue.entity)
                .is_some_and(|(subject, _)| !subject.has_id()),
            IssueKind::Path(_) => self
                .entry(&issue.entity)
                .is_some_and(|(_, node)| node.get("path").and_then(Node::text).is_none()),
            IssueKind::NoApis => {
                self.apis_unread || !self.root.get(APIS).map_or(&[][..], Node::list).is_empty()
            }
            IssueKind::UnknownApi { .. } => self.apis_unread,
            IssueKind::UnknownScope { scope, .. } => match scope {
                Scope::Api(_) => self.apis_unread,
                Scope::Product(_) => self.products_unread,
                Scope::Service | Scope::AllApis => false,
            },
            _ => false,
        }
    }

    fn message(&self, issue: &Issue) -> (usize, String) {
        let Some((subject, node)) = self.entry(&issue.entity) else {
            let at = self.root.get(APIS).unwrap_or(self.root).at;
            return (at, issue.kind.to_string());
        };
        let (field, at) = place(node, issue.field);
        let separator = if field.is_empty() { "" } else { ", " };
        (at, format!("{subject}{separator}{field}: {}", issue.kind))
    }

    fn entry(&self, entity: &Entity) -> Option<(Subject<'_>, &Node)> {
        let (kind, name, places, index) = match entity {
            Entity::Catalog => return None,
            Entity::Api { index, .. } => (Kind::Api, APIS, &self.places.apis, index),
            Entity::Product { index, .. } => {
                (Kind::Product, PRODUCTS, &self.places.products, index)
            }
            Entity::Subscription { index, .. } => {
                let places = &self.places.subscriptions;
                (Kind::Subscription, SUBSCRIPTIONS, places, index)
            }
        };
        let place = *places.get(*index)?;
        let node = self.root.get(name)?.list().get(place)?;
        Some((Subject::entry(kind, place, node), node))
    }
}

/// The name of a field, and where its value stands.
fn place(node: &Node, field: Field) -> (&'static str, usize) {
    let name = match field {
        Field::Whole => "",
        Field::Id => "id",
        Field::DisplayName => "display_name",
        Field::Metadata => "metadata",
        Field::Path => "path",
        Field::SubscriptionRequired => "subscription_required",
        Field::Key(slot) => key::field(slot),
        Field::RetiredKey(_) => "retired_keys",
        Field::Apis(at) => {
            let apis = node.get("apis").map_or(&[][..], Node::list);
            let mut texts = apis.iter().filter(|api| api.text().is_some());
            let api = texts.nth(at);
            return ("apis", api.map_or(node.at, |api| api.at));
        }
        Field::Scope(at) => {
            let scope = scope_places(node).nth(at);
            return scope.unwrap_or(("scope", node.at));
        }
    };
    (name, node.get(name).map_or(node.at, |node| node.at))
}
