use std::collections::HashMap;

use crate::catalog::{Api, Catalog, Entity, EntityKind};
use crate::key::KeyHeader;
use crate::lint::{Code, Finding};

/// Headers to which browsers, proxies and frameworks give a meaning.
const MEANINGFUL: [&str; 24] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "age",
    "cache-control",
    "date",
    "etag",
    "forwarded",
    "from",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "origin",
    "pragma",
    "range",
    "referer",
    "server",
    "user-agent",
    "vary",
    "via",
    "x-forwarded-for",
    "x-request-id",
];

/// Findings about paths that lie inside one another, and about key headers.
pub(super) fn apis(catalog: &Catalog, findings: &mut Vec<Finding>) {
    let by_path: HashMap<&str, &Api> = catalog.apis().map(|api| (api.path(), api)).collect();
    for (index, api) in catalog.apis().enumerate() {
        let entity = Entity::new(EntityKind::Api, index, api.id());
        if let Some(header) = api.key_header().filter(|header| is_meaningful(header)) {
            let name = header.spelling();
            let message = format!("the header {name:?} already has a standard meaning");
            let advice = "choose a header of your own, like X-Api-Key";
            let (code, field) = (Code::KeyNameCollision, Some("key_names"));
            findings.push(Finding::new(code, entity.clone(), field, message, advice));
        }
        let Some(around) = around(api, &by_path) else {
            continue;
        };
        if around.subscription_required() != api.subscription_required() {
            findings.push(shadowed(api, around, entity.clone()));
        }
        let header = |api: &Api| api.key_header().map(|header| header.name().clone());
        if header(api) != header(around) {
            let message = format!(
                "its path lies inside that of API {:?}, which takes its key from another header",
                around.id()
            );
            let (code, advice) = (Code::KeyNameCollision, "give both the same key_names");
            let field = Some("key_names");
            findings.push(Finding::new(code, entity, field, message, advice));
        }
    }
}

fn is_meaningful(header: &KeyHeader) -> bool {
    MEANINGFUL.contains(&header.name().as_str())
}

/// The API with the longest path around that of `api`.
fn around<'c>(api: &Api, by_path: &HashMap<&str, &'c Api>) -> Option<&'c Api> {
    let mut path = api.path();
    while !path.is_empty() {
        path = path.rfind('/').map_or("", |at| &path[..at]);
        if let Some(around) = by_path.get(path) {
            return Some(around);
        }
    }
    None
}

fn shadowed(api: &Api, around: &Api, entity: Entity) -> Finding {
    let requires = |api: &Api| match api.subscription_required() {
        true => "requires a subscription",
        false => "requires none",
    };
    Finding::new(
        Code::PathShadowed,
        entity,
        Some("path"),
        format!(
            "it {}, and lies inside API {:?}, which {}",
            requires(api),
            around.id(),
            requires(around)
        ),
        "give both the same subscription_required, or paths apart",
    )
}
