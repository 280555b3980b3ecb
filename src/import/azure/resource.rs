use serde_json::{Map, Value};

/// A part of an API Management service.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// The resource type below the service, such as `products/apis`.
    pub(super) kind: String,
    /// The names after that of the service.
    pub(super) names: Vec<String>,
    pub(super) properties: Map<String, Value>,
    /// Why some properties have no value.
    pub(super) unresolved: Map<String, Value>,
}

impl Resource {
    /// From an answer of the REST interface. Its id says what it is.
    pub(super) fn of_rest(value: &Value) -> Option<Self> {
        let id = value.get("id")?.as_str()?;
        let properties = value.get("properties")?.as_object()?.clone();
        let path = below_service(id)?;
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let (mut kinds, mut names) = (Vec::new(), Vec::new());
        while let (Some(kind), Some(name)) = (segments.next(), segments.next()) {
            kinds.push(kind);
            names.push(name.to_owned());
        }
        (!kinds.is_empty()).then(|| Self {
            kind: kinds.join("/"),
            names,
            properties,
            unresolved: Map::new(),
        })
    }

    pub(super) fn id(&self) -> String {
        self.names
            .last()
            .map(|name| without_revision(name).to_owned())
            .unwrap_or_default()
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.properties.get(field)?.as_str()
    }

    pub(super) fn flag(&self, field: &str) -> Option<bool> {
        match self.properties.get(field)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn unresolved(&self, field: &str) -> Option<&str> {
        self.unresolved.get(field)?.as_str()
    }
}

/// What follows the name of the service in a full id, or a short id as it is.
pub(super) fn below_service(id: &str) -> Option<&str> {
    let lower = id.to_ascii_lowercase();
    let Some(at) = lower.find("/service/") else {
        return id.starts_with('/').then_some(id);
    };
    let rest = &id[at + "/service/".len()..];
    Some(rest.find('/').map_or("", |at| &rest[at..]))
}

pub(super) fn without_revision(name: &str) -> &str {
    name.split(";rev=").next().unwrap_or(name)
}
