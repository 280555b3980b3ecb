//! The OpenAPI document, made from the table of operations and the types of the
//! answers.

mod operations;
mod requests;

use std::sync::LazyLock;

use utoipa::openapi::path::{
    OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{Components, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, Required,
};

use operations::{OPERATIONS, Operation, Takes};

/// The path before that of each operation.
pub(super) const BASE: &str = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.ApiManagement/service/{serviceName}";

const SECURITY: &str = "authorization";

/// The document, made once.
pub(super) fn document() -> &'static OpenApi {
    static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(build);
    &DOCUMENT
}

fn build() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Management of subscription keys")
        .description(Some("APIs, products, subscriptions and their keys, as Azure API Management has them, and more."))
        .version(env!("CARGO_PKG_VERSION"));
    let mut components = Components::new();
    components.add_security_scheme(
        SECURITY,
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
    );
    for (name, register) in operations::SCHEMAS {
        register(&mut components, name);
    }
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths())
        .components(Some(components))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>(
            SECURITY,
            [],
        )]))
        .build()
}

fn paths() -> Paths {
    let mut paths = PathsBuilder::new();
    for operation in OPERATIONS {
        let item = PathItem::new(method(operation), describe(operation));
        paths = paths.path(format!("{BASE}{}", operation.path), item);
    }
    paths.build()
}

fn method(operation: &Operation) -> HttpMethod {
    match operation.method {
        "HEAD" => HttpMethod::Head,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "POST" => HttpMethod::Post,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn describe(operation: &Operation) -> utoipa::openapi::path::Operation {
    let mut described = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .summary(Some(operation.summary))
        .parameters(Some(parameters(operation)));
    if let Takes::Body(schema) | Takes::Record(schema) = operation.takes {
        let body = RequestBodyBuilder::new().content("application/json", content(schema));
        described = described.request_body(Some(body.build()));
    }
    for (status, schema) in operation.answers {
        described = described.response(status.to_string(), response(*status, *schema));
    }
    let refused = ResponseBuilder::new()
        .description("Refused: see the code and the details")
        .content("application/json", content("ErrorEnvelope"));
    described.response("default", refused).build()
}

fn response(status: u16, schema: Option<&str>) -> Response {
    let description = match status {
        201 => "Created",
        204 => "Done, or nothing to do",
        _ => "OK",
    };
    let response = ResponseBuilder::new().description(description);
    match schema {
        Some(schema) => response
            .content("application/json", content(schema))
            .build(),
        None => response.build(),
    }
}

fn content(schema: &str) -> Content {
    Content::new(Some(Ref::from_schema_name(schema)))
}

fn parameters(operation: &Operation) -> Vec<Parameter> {
    let segments = BASE.split('/').chain(operation.path.split('/'));
    let names = segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Parameter> = names
        .map(|name| parameter(name, ParameterIn::Path, Required::True, Type::String))
        .collect();
    let mut optional = |name, place, r#type| {
        parameters.push(parameter(name, place, Required::False, r#type));
    };
    match operation.takes {
        Takes::Page => {
            optional("$filter", ParameterIn::Query, Type::String);
            optional("$top", ParameterIn::Query, Type::Integer);
            optional("$skip", ParameterIn::Query, Type::Integer);
        }
        Takes::Record(_) => {
            optional("If-Match", ParameterIn::Header, Type::String);
            if operation.method == "PUT" {
                optional("If-None-Match", ParameterIn::Header, Type::String);
            }
        }
        Takes::Deletion => optional("If-Match", ParameterIn::Header, Type::String),
        Takes::DeletionAlong => {
            optional("If-Match", ParameterIn::Header, Type::String);
            optional("deleteSubscriptions", ParameterIn::Query, Type::Boolean);
        }
        Takes::Nothing | Takes::Body(_) | Takes::Document => {}
    }
    if !matches!(operation.takes, Takes::Document) {
        parameters.push(parameter(
            "api-version",
            ParameterIn::Query,
            Required::True,
            Type::String,
        ));
    }
    parameters
}

fn parameter(name: &str, place: ParameterIn, required: Required, r#type: Type) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .schema(Some(ObjectBuilder::new().schema_type(r#type)))
        .build()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use http::Method;
    use serde_json::{Value, json};

    use super::*;
    use crate::manage::rest::fields;
    use crate::manage::rest::route::Route;

    /// Every kind of route has a place here, or this does not compile.
    fn kind(route: &Route) -> usize {
        match route {
            Route::Subscriptions => 0,
            Route::Subscription(_) => 1,
            Route::ListSecrets(_) => 2,
            Route::Regenerate(..) => 3,
            Route::Rotate(_) => 4,
            Route::Products => 5,
            Route::Product(_) => 6,
            Route::ProductApis(_) => 7,
            Route::ProductApi(..) => 8,
            Route::ProductSubscriptions(_) => 9,
            Route::UserSubscriptions(_) => 10,
            Route::UserSubscription(..) => 11,
            Route::Apis => 12,
            Route::Api(_) => 13,
            Route::AuditEvents => 14,
            Route::Replicas => 15,
            Route::Whoami => 16,
            Route::OpenApi => 17,
            Route::Explain => 18,
        }
    }

    const KINDS: usize = 19;

    #[test]
    fn document_every_route_is_described_with_its_methods() {
        let mut kinds = BTreeSet::new();
        let mut methods: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for operation in OPERATIONS {
            methods
                .entry(operation.path)
                .or_default()
                .insert(operation.method);
        }
        for (path, described) in methods {
            let path = format!("{BASE}{path}").replace(['{', '}'], "");
            let (_, route) = Route::parse(&path).unwrap();
            let taken: BTreeSet<&str> = route.methods().iter().map(Method::as_str).collect();
            // That GET comes with HEAD is HTTP's rule and is described for records only.
            let plain = |methods: &BTreeSet<&str>| -> BTreeSet<String> {
                let is_list = methods.contains("GET") && !methods.contains("PUT");
                methods
                    .iter()
                    .filter(|m| !(is_list && **m == "HEAD"))
                    .map(ToString::to_string)
                    .collect()
            };
            assert_eq!(plain(&described), plain(&taken), "{path}");
            kinds.insert(kind(&route));
        }
        assert_eq!(kinds, (0..KINDS).collect());
    }

    #[test]
    fn document_every_schema_that_is_referred_to_exists() {
        let document = serde_json::to_value(document()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let text = document.to_string();
        let mut names: Vec<&str> = text
            .split("#/components/schemas/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() > 10);
        for name in names {
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name}"
            );
        }
    }

    #[test]
    fn document_every_field_of_a_request_is_read() {
        let document = serde_json::to_value(document()).unwrap();
        let schemas = &document["components"]["schemas"];
        for (schema, issues) in [
            (
                "SubscriptionFields",
                (|body: &Value| fields::subscription(body).issues) as fn(&Value) -> _,
            ),
            ("ProductFields", |body| fields::product(body).issues),
            ("ApiFields", |body| fields::api(body).issues),
        ] {
            let properties = schemas[schema]["properties"].as_object().unwrap();
            assert!(properties.len() >= 8, "{schema}");
            for name in properties.keys() {
                // No field is a nested list.
                let issues = issues(&json!({ "properties": { name: [[]] } }));
                let targets: Vec<&str> = issues.iter().map(|issue| issue.field.as_str()).collect();
                assert_eq!(targets, [name], "{schema}");
            }
        }
    }
}
