//! Security schemes for the OpenAPI document of a service, so that its readers and
//! generated clients know where the key goes.

use serde::Serialize;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};

use crate::catalog::Api;
use crate::key::default_names;

/// The name of the scheme for the header, as Azure API Management exports it.
pub const HEADER_SCHEME: &str = "apiKeyHeader";

/// The name of the scheme for the query parameter, as Azure API Management exports
/// it.
pub const QUERY_SCHEME: &str = "apiKeyQuery";

/// Where the callers of one API send their key, as the `securitySchemes` of an
/// OpenAPI document: either place will do.
///
/// It serializes to these schemes, for documents that something else than utoipa
/// makes. Names that are set at the layer are not known here; those of the catalog
/// and the defaults are.
///
/// ```
/// use tower_subscription_key::catalog::Api;
/// use tower_subscription_key::openapi::SecuritySchemes;
/// use utoipa::openapi::OpenApi;
///
/// let orders = Api::new("orders", "/orders");
/// let mut document = OpenApi::default();
/// SecuritySchemes::of(&orders).add_to(&mut document);
///
/// let document = serde_json::to_value(&document)?;
/// let scheme = &document["components"]["securitySchemes"]["apiKeyHeader"];
/// assert_eq!(scheme["name"], "Ocp-Apim-Subscription-Key");
/// assert_eq!(document["security"][0]["apiKeyHeader"], serde_json::json!([]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecuritySchemes {
    #[serde(rename = "apiKeyHeader")]
    header: Scheme,
    #[serde(rename = "apiKeyQuery")]
    query: Scheme,
    #[serde(skip)]
    is_required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Scheme {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    #[serde(rename = "in")]
    place: &'static str,
}

impl SecuritySchemes {
    /// The schemes of an API.
    #[must_use]
    pub fn of(api: &Api) -> Self {
        let defaults = default_names();
        let header = api.key_header().unwrap_or(defaults.header);
        let query = api.key_query().unwrap_or(defaults.query);
        let scheme = |name: &str, place| Scheme {
            kind: "apiKey",
            name: name.to_owned(),
            place,
        };
        Self {
            header: scheme(header.spelling(), "header"),
            query: scheme(query.name(), "query"),
            is_required: api.subscription_required(),
        }
    }

    /// Adds the schemes to a document, and requires one of them for every operation
    /// that has no requirement yet. If the API requires no subscription, a request
    /// without a key is allowed too.
    pub fn add_to(&self, document: &mut OpenApi) {
        let key = |name: &str| ApiKeyValue::with_description(name, "A subscription key.");
        let header = SecurityScheme::ApiKey(ApiKey::Header(key(&self.header.name)));
        let query = SecurityScheme::ApiKey(ApiKey::Query(key(&self.query.name)));
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme(HEADER_SCHEME, header);
        components.add_security_scheme(QUERY_SCHEME, query);
        let none: [&str; 0] = [];
        let requirements = document.security.get_or_insert_with(Vec::new);
        requirements.push(SecurityRequirement::new(HEADER_SCHEME, none));
        requirements.push(SecurityRequirement::new(QUERY_SCHEME, none));
        if !self.is_required {
            requirements.push(SecurityRequirement::default());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::key::{KeyHeader, KeyQuery};
    use serde_json::json;

    #[test]
    fn schemes_have_the_names_of_the_api_and_no_key_as_an_alternative_if_none_is_needed() {
        let api = Api::new("free", "/free")
            .with_subscription_required(false)
            .with_key_header(KeyHeader::new("X-Api-Key").unwrap())
            .with_key_query(KeyQuery::new("api_key").unwrap());
        let schemes = SecuritySchemes::of(&api);
        assert_eq!(
            serde_json::to_value(&schemes).unwrap(),
            json!({
                "apiKeyHeader": { "type": "apiKey", "name": "X-Api-Key", "in": "header" },
                "apiKeyQuery": { "type": "apiKey", "name": "api_key", "in": "query" },
            })
        );
        let mut document = OpenApi::default();
        schemes.add_to(&mut document);
        let document = serde_json::to_value(&document).unwrap();
        let expected = json!([{ "apiKeyHeader": [] }, { "apiKeyQuery": [] }, {}]);
        assert_eq!(document["security"], expected);
    }
}
