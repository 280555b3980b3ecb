use serde_json::{Map, Value};

use crate::import::azure::expression::Scope;
use crate::import::azure::resource::{Resource, below_service};
use crate::import::source::text;
use crate::import::{Found, count, report};

/// Reads the resources of a template: flat, nested in one another, or by symbols.
pub(super) fn read(
    template: &Value,
    parameters: &Map<String, Value>,
    resources: &mut Vec<Resource>,
    found: &mut Found,
) {
    let object = |field: &str| {
        let value = template.get(field).and_then(Value::as_object);
        value.cloned().unwrap_or_default()
    };
    let mut reader = Reader {
        scope: Scope {
            parameters: parameters.clone(),
            variables: object("variables"),
            declared: object("parameters"),
            is_lenient: false,
        },
        resources,
        found,
    };
    reader.list(template.get("resources"), None);
}

struct Reader<'r> {
    scope: Scope,
    resources: &'r mut Vec<Resource>,
    found: &'r mut Found,
}

/// The resource around a nested one.
struct Parent {
    kind: String,
    name: String,
}

const SERVICE: &str = "microsoft.apimanagement/service";

impl Reader<'_> {
    fn list(&mut self, resources: Option<&Value>, parent: Option<&Parent>) {
        match resources {
            Some(Value::Array(list)) => list
                .iter()
                .for_each(|resource| self.resource(resource, parent)),
            // Symbolic names.
            Some(Value::Object(map)) => map
                .values()
                .for_each(|resource| self.resource(resource, parent)),
            _ => {}
        }
    }

    fn resource(&mut self, resource: &Value, parent: Option<&Parent>) {
        let given = text(resource, "type").unwrap_or_default();
        let kind = match parent {
            Some(parent) if !given.to_ascii_lowercase().starts_with("microsoft.") => {
                format!("{}/{given}", parent.kind)
            }
            _ => given.to_owned(),
        };
        if resource.get("existing") == Some(&Value::Bool(true)) {
            return;
        }
        if kind.eq_ignore_ascii_case("Microsoft.Resources/deployments") {
            return self.deployment(resource);
        }
        let short = short_kind(&kind);
        let mut leave_out = |reason: String| {
            let name = text(resource, "name").filter(|name| !name.starts_with('['));
            let left_out = &mut self.found.left_out;
            match name {
                Some(name) => report(left_out, &short, name, reason),
                None => count(left_out, &short, reason),
            }
        };
        if resource.get("copy").is_some() {
            return leave_out("loops of templates are not carried out".to_owned());
        }
        match resource
            .get("condition")
            .map(|condition| self.scope.evaluate(condition))
        {
            Some(Ok(Value::Bool(false))) => return leave_out("its condition is false".to_owned()),
            Some(Err(reason)) => return leave_out(format!("its condition has no value: {reason}")),
            _ => {}
        }
        let given = resource.get("name").unwrap_or(&Value::Null);
        let name = match self.scope.evaluate_but_for_service(
            given,
            match parent {
                // The name of a nested resource has no service in it.
                Some(_) => |name| Some(name),
                None => |name| name.split_once('/').map(|(_, rest)| rest),
            },
        ) {
            Ok(Value::String(name)) => name,
            Ok(_) => return leave_out("it has no name".to_owned()),
            Err(reason) => return leave_out(format!("its name has no value: {reason}")),
        };
        let segments = kind.matches('/').count();
        let name = match parent {
            Some(parent) if name.matches('/').count() + 1 < segments => {
                format!("{}/{name}", parent.name)
            }
            _ => name,
        };
        let (properties, unresolved) = self.properties(resource.get("properties"));
        // The service itself is not part of a catalog; what is in it is.
        if !kind.eq_ignore_ascii_case(SERVICE) {
            let names = name.split('/').skip(1).map(str::to_owned).collect();
            self.resources.push(Resource {
                kind: short,
                names,
                properties,
                unresolved,
            });
        }
        let parent = Parent { kind, name };
        self.list(resource.get("resources"), Some(&parent));
    }

    /// The properties with a value, and why the others have none.
    fn properties(&self, properties: Option<&Value>) -> (Map<String, Value>, Map<String, Value>) {
        let ids = [
            "scope",
            "productId",
            "ownerId",
            "userId",
            "apiId",
            "apiVersionSetId",
        ];
        let (mut values, mut unresolved) = (Map::new(), Map::new());
        for (name, value) in properties.and_then(Value::as_object).into_iter().flatten() {
            let value = match value {
                Value::Object(inner) => {
                    let inner = inner
                        .iter()
                        .map(|(name, value)| Ok((name.clone(), self.scope.evaluate(value)?)));
                    inner
                        .collect::<Result<Map<_, _>, String>>()
                        .map(Value::Object)
                }
                value if ids.contains(&&**name) => {
                    self.scope.evaluate_but_for_service(value, below_service)
                }
                value => self.scope.evaluate(value),
            };
            match value {
                Ok(value) => values.insert(name.clone(), value),
                Err(reason) => unresolved.insert(name.clone(), Value::String(reason)),
            };
        }
        (values, unresolved)
    }

    /// A template within the template.
    fn deployment(&mut self, resource: &Value) {
        let properties = resource.get("properties");
        let Some(template) = properties.and_then(|p| p.get("template")) else {
            let reason = "a linked template is not followed: import its file";
            return count(&mut self.found.left_out, "deployments", reason);
        };
        let given = properties
            .and_then(|p| p.get("parameters"))
            .and_then(Value::as_object);
        let given = given.into_iter().flatten().filter_map(|(name, value)| {
            let value = value.get("value").unwrap_or(value);
            Some((name.clone(), self.scope.evaluate(value).ok()?))
        });
        let mut parameters = self.scope.parameters.clone();
        parameters.extend(given);
        read(template, &parameters, self.resources, self.found);
    }
}

/// The type without the name of the service, as the REST interface writes it.
fn short_kind(kind: &str) -> String {
    let prefix = kind
        .get(..SERVICE.len())
        .filter(|prefix| prefix.eq_ignore_ascii_case(SERVICE));
    match prefix {
        Some(_) if kind.len() > SERVICE.len() => kind[SERVICE.len() + 1..].to_owned(),
        _ => kind.to_owned(),
    }
}
