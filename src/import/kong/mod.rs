//! Kong: declarative configuration in YAML or JSON.
//!
//! Each plain path of a route becomes an API, each consumer with keys of the
//! `key-auth` plugin a subscription. APIs that the same consumers may call, by the
//! `acl` plugin or without it, make a product.
//!
//! | there | here |
//! |---|---|
//! | route without `key-auth` and without other guards | API that requires no subscription |
//! | route with `key-auth` | API of the product `key-auth` |
//! | route with `key-auth` and `acl` | API of a product for these groups |
//! | route with another guard (`jwt`, `request-termination`, …) | API that requires a subscription, and that none opens |
//! | route that also depends on host, method or header | API that requires a subscription |
//! | path that is a regular expression | left out; what it could touch is not open |
//!
//! Paths are prefixes on segment borders here: `/orders` does not take `/orders2`,
//! as it does in Kong. If an API around it lets more callers in, that is reported as an
//! opening, and so is every other request that Kong would refuse.

mod access;
mod consumers;
mod narrow;
mod plugins;
mod routes;

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::import::source::{self, list};
use crate::import::{Found, ImportError, count, report};

use access::Access;
use routes::RouteApi;

const EXPECTED: &str = "a declarative configuration of Kong";

/// The lists that are carried over, as far as they can be.
const CARRIED: [&str; 7] = [
    "services",
    "routes",
    "consumers",
    "plugins",
    "keyauth_credentials",
    "acls",
    "consumer_groups",
];

/// Reads files.
///
/// # Errors
///
/// [`ImportError`] if a file cannot be read, or is something else.
pub fn read(paths: &[PathBuf]) -> Result<Found, ImportError> {
    let mut all = Map::new();
    for path in paths {
        let file = source::read(path)?;
        let is_kong = CARRIED.iter().any(|list| file.value.get(list).is_some());
        let Value::Object(lists) = file.value else {
            return Err(unknown(path));
        };
        if !is_kong && !lists.contains_key("_format_version") {
            return Err(unknown(path));
        }
        for (name, value) in lists {
            match (all.get_mut(&name), value) {
                (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                (None, value) => {
                    all.insert(name, value);
                }
                _ => {}
            }
        }
    }
    Ok(convert(&Value::Object(all)))
}

fn unknown(path: &std::path::Path) -> ImportError {
    let (path, expected) = (path.to_owned(), EXPECTED);
    ImportError::Unknown { path, expected }
}

fn convert(config: &Value) -> Found {
    let mut found = Found::default();
    let plugins = plugins::Plugins::of(config, &mut found.left_out);
    let consumers = consumers::read(config, &mut found.left_out);
    let routes = routes::read(config, &plugins, &consumers, &mut found.left_out);
    let mut apis = routes::apis(&routes, &mut found.left_out);
    narrow::narrow(&routes, &mut apis, &mut found.left_out);
    let mut products = Products::default();
    for RouteApi { api, access } in apis {
        products.add(&access, api.id());
        found
            .apis
            .push(api.with_subscription_required(!access.anonymous));
    }
    consumers::subscriptions(&consumers, &plugins, &products, &mut found);
    found.products = products.products;
    for (name, value) in config.as_object().into_iter().flatten() {
        if !CARRIED.contains(&&**name) && !name.starts_with('_') {
            for _ in value.as_array().map_or(&[][..], Vec::as_slice) {
                let reason = "a catalog has no place for it";
                count(&mut found.left_out, name, reason);
            }
        }
    }
    for group in list(config, "consumer_groups") {
        let name = source::text(group, "name").unwrap_or_default();
        let reason = "a catalog has no groups of consumers";
        report(&mut found.left_out, "consumer_groups", name, reason);
    }
    found
}

/// A product for each set of consumers.
#[derive(Default)]
struct Products {
    keys: Vec<access::Keys>,
    products: Vec<crate::catalog::Product>,
}

impl Products {
    fn add(&mut self, access: &Access, api: &str) {
        if access.keys == access::Keys::None {
            return;
        }
        let at = self.keys.iter().position(|keys| *keys == access.keys);
        let at = at.unwrap_or_else(|| {
            let taken = |id: &str| self.products.iter().any(|product| product.id() == id);
            let id = free_id(&access.keys.product_id(), taken);
            self.products.push(crate::catalog::Product::new(id));
            self.keys.push(access.keys.clone());
            self.keys.len() - 1
        });
        self.products[at] = self.products[at].clone().with_apis([api]);
    }
}

/// Text as an id: what ids cannot have becomes `-`.
fn id_of(text: &str) -> String {
    let id: String = text
        .chars()
        .map(|c| {
            if "*#&+:<>?/".contains(c) || c.is_control() {
                '-'
            } else {
                c
            }
        })
        .take(200)
        .collect();
    let id = id.trim().to_owned();
    if id.is_empty() {
        "unnamed".to_owned()
    } else {
        id
    }
}

/// The id, or with a number the first one that is free.
fn free_id(id: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(id) {
        return id.to_owned();
    }
    let mut numbered = (2u32..).map(|number| format!("{id}-{number}"));
    numbered
        .find(|id| !taken(id))
        .unwrap_or_else(|| id.to_owned())
}

/// The id, name or username that a reference gives: text, or a table with one.
fn reference(value: Option<&Value>) -> Option<&str> {
    let value = value.filter(|value| !value.is_null())?;
    let named = |field: &str| value.get(field)?.as_str();
    value
        .as_str()
        .or(named("id"))
        .or(named("name"))
        .or(named("username"))
        .or(named("custom_id"))
}

/// Whether something has the given id or one of its names.
fn is_named(value: &Value, name: &str) -> bool {
    let fields = ["id", "name", "username", "custom_id"];
    fields
        .iter()
        .any(|field| source::text(value, field) == Some(name))
}
