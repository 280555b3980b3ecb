//! Paths: fixed segments in any letter case, ids case-sensitive.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::catalog::KeySlot;
use crate::manage::rest::resource::{PLACE, Place, is_dots, without_revision};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Subscriptions,
    Subscription(String),
    ListSecrets(String),
    Regenerate(String, KeySlot),
    Rotate(String),
    Products,
    Product(String),
    ProductApis(String),
    ProductApi(String, String),
    ProductSubscriptions(String),
    UserSubscriptions(String),
    UserSubscription(String, String),
    Apis,
    Api(String),
    Explain,
    AuditEvents,
    Replicas,
    Whoami,
    OpenApi,
}

impl Route {
    /// Reads a path as the client sent it.
    pub(super) fn parse(path: &str) -> Option<(Place, Self)> {
        let segments = path.strip_prefix('/')?.split('/');
        let segments: Vec<String> = segments
            .map(|segment| Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned()))
            .collect::<Option<_>>()?;
        let place = Place::of(&segments)?;
        let rest = &segments[PLACE..];
        if rest.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        Some((place, Self::of(rest)?))
    }

    fn of(segments: &[String]) -> Option<Self> {
        let words: Vec<String> = segments
            .iter()
            .map(|word| word.to_ascii_lowercase())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let id = |at: usize| segments[at].clone();
        let api = |at: usize| without_revision(&segments[at]).to_owned();
        let route = match words.as_slice() {
            ["subscriptions"] => Self::Subscriptions,
            ["subscriptions", _] => Self::Subscription(id(1)),
            ["subscriptions", _, "listsecrets"] => Self::ListSecrets(id(1)),
            ["subscriptions", _, "regenerateprimarykey"] => {
                Self::Regenerate(id(1), KeySlot::Primary)
            }
            ["subscriptions", _, "regeneratesecondarykey"] => {
                Self::Regenerate(id(1), KeySlot::Secondary)
            }
            ["subscriptions", _, "rotate"] => Self::Rotate(id(1)),
            ["products"] => Self::Products,
            ["products", _] => Self::Product(id(1)),
            ["products", _, "apis"] => Self::ProductApis(id(1)),
            ["products", _, "apis", _] => Self::ProductApi(id(1), api(3)),
            ["products", _, "subscriptions"] => Self::ProductSubscriptions(id(1)),
            ["users", _, "subscriptions"] => Self::UserSubscriptions(id(1)),
            ["users", _, "subscriptions", _] => Self::UserSubscription(id(1), id(3)),
            ["apis"] => Self::Apis,
            ["apis", _] => Self::Api(api(1)),
            ["explain"] => Self::Explain,
            ["auditevents"] => Self::AuditEvents,
            ["replicas"] => Self::Replicas,
            ["whoami"] => Self::Whoami,
            ["openapi.json"] => Self::OpenApi,
            _ => return None,
        };
        let ids = segments.iter().skip(1).step_by(2);
        (!ids.map(|id| without_revision(id)).any(is_dots)).then_some(route)
    }

    /// The methods that it takes.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Subscription(_) | Self::Product(_) | Self::Api(_) => &[
                Method::GET,
                Method::HEAD,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ],
            Self::ProductApi(..) => &[Method::HEAD, Method::PUT, Method::DELETE],
            Self::ListSecrets(_) | Self::Regenerate(..) | Self::Rotate(_) | Self::Explain => {
                &[Method::POST]
            }
            _ => &[Method::GET, Method::HEAD],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/v";

    fn route(rest: &str) -> Option<Route> {
        Some(Route::parse(&format!("{BASE}{rest}"))?.1)
    }

    #[test]
    fn path_fixed_segments_are_read_in_any_case_and_ids_in_their_own() {
        assert_eq!(
            route("/Subscriptions/Ab"),
            Some(Route::Subscription("Ab".into()))
        );
        let regenerate = Route::Regenerate("Ab".into(), KeySlot::Secondary);
        assert_eq!(
            route("/SUBSCRIPTIONS/Ab/REGENERATESECONDARYKEY"),
            Some(regenerate)
        );
        let parsed = Route::parse(&format!("{}/apis", BASE.to_uppercase()));
        assert_eq!(parsed.map(|(_, route)| route), Some(Route::Apis));
    }

    #[test]
    fn path_ids_are_decoded_and_lose_their_revision() {
        assert_eq!(route("/apis/a%20b;rev=3"), Some(Route::Api("a b".into())));
        assert_eq!(
            route("/apis/echo%3Brev%3D3"),
            Some(Route::Api("echo".into()))
        );
        assert_eq!(
            route("/apis/echo;rev=x"),
            Some(Route::Api("echo;rev=x".into()))
        );
        let member = Route::ProductApi("p".into(), "echo".into());
        assert_eq!(route("/products/p/apis/echo;rev=1"), Some(member));
    }

    #[test]
    fn path_of_another_shape_is_unknown() {
        for rest in [
            "",
            "/",
            "/subscriptions/",
            "/subscriptions//",
            "/subscriptions/.",
            "/apis/%2e%2e",
            "/apis/..;rev=1",
            "/products/p/apis/.",
            "/users/./subscriptions",
            "/subscriptions/a/b",
            "/apis/a/b",
            "/nothing",
            "/products/%ff",
            "/whoami/",
        ] {
            assert_eq!(route(rest), None, "{rest}");
        }
        assert_eq!(Route::parse("/subscriptions/s/apis"), None);
    }
}
