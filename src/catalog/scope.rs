use std::fmt;
use std::str::FromStr;

use crate::catalog::nearest;
use crate::catalog::validate::check_id;

/// What a subscription opens.
///
/// ```
/// use tower_subscription_key::catalog::Scope;
///
/// assert_eq!("/products/starter".parse(), Ok(Scope::product("starter")));
/// assert_eq!(Scope::AllApis.to_string(), "/apis");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// `/`: the service, all access.
    Service,
    /// `/apis`: every API.
    AllApis,
    /// `/apis/{id}`: one API.
    Api(String),
    /// `/products/{id}`: the APIs of one product.
    Product(String),
}

/// Text that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope is `/`, `/apis`, `/apis/{{id}}` or `/products/{{id}}`{}",
    meant(suggestion)
)]
pub struct ScopeParseError {
    suggestion: Option<Scope>,
}

fn meant(suggestion: &Option<Scope>) -> String {
    match suggestion {
        // Not its id: the text may be a key in the wrong place.
        Some(Scope::Product(_)) => ": did you mean `/products/{id}`?".to_owned(),
        Some(Scope::Api(_)) => ": did you mean `/apis/{id}`?".to_owned(),
        Some(scope) => format!(": did you mean `{scope}`?"),
        None => String::new(),
    }
}

impl ScopeParseError {
    /// The scope that was probably meant. The message does not contain its id,
    /// because the text may be a key in the wrong place.
    #[must_use]
    pub fn suggestion(&self) -> Option<&Scope> {
        self.suggestion.as_ref()
    }

    pub(crate) fn of(text: &str) -> Self {
        let parts = text.split('/').map(str::trim);
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let suggestion = match parts[..] {
            [all] if nearest(all, ["apis"]).is_some() => Some(Scope::AllApis),
            [id] => valid(Scope::Product, id),
            [.., kind, id] => match nearest(kind, ["apis", "products"]) {
                Some("apis") => valid(Scope::Api, id),
                Some(_) => valid(Scope::Product, id),
                None => None,
            },
            [] => None,
        };
        Self { suggestion }
    }
}

fn valid(scope: fn(String) -> Scope, id: &str) -> Option<Scope> {
    check_id(id).ok().map(|()| scope(id.to_owned()))
}

impl Scope {
    /// The scope of one API: `/apis/{id}`.
    #[must_use]
    pub fn api(id: impl Into<String>) -> Self {
        Self::Api(id.into())
    }

    /// The scope of one product: `/products/{id}`.
    #[must_use]
    pub fn product(id: impl Into<String>) -> Self {
        Self::Product(id.into())
    }
}

impl FromStr for Scope {
    type Err = ScopeParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scope = match text {
            "/" => Some(Self::Service),
            "/apis" => Some(Self::AllApis),
            _ => {
                let api = text.strip_prefix("/apis/");
                let product = text.strip_prefix("/products/");
                api.and_then(|id| valid(Self::Api, id))
                    .or_else(|| valid(Self::Product, product?))
            }
        };
        scope.ok_or_else(|| ScopeParseError::of(text))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("/"),
            Self::AllApis => f.write_str("/apis"),
            Self::Api(id) => write!(f, "/apis/{id}"),
            Self::Product(id) => write!(f, "/products/{id}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_scope_is_read_as_the_same_scope() {
        for text in ["/", "/apis", "/apis/echo", "/products/starter"] {
            let scope: Scope = text.parse().unwrap();
            assert_eq!(scope.to_string(), text);
        }
    }

    #[test]
    fn other_text_is_refused_with_the_scope_that_was_meant() {
        for (text, meant) in [
            ("", None),
            ("//", None),
            ("apis", Some("/apis")),
            ("/Apis", Some("/apis")),
            ("/apis/", Some("/apis")),
            ("starter", Some("/products/starter")),
            ("products/starter", Some("/products/starter")),
            ("/product/starter", Some("/products/starter")),
            ("/api/x", Some("/apis/x")),
            ("/subscriptions/1/service/s/apis/x", Some("/apis/x")),
            ("/users/x", None),
            ("/apis/a?b", None),
        ] {
            let error = text.parse::<Scope>().unwrap_err();
            let suggestion = error.suggestion().map(Scope::to_string);
            assert_eq!(suggestion.as_deref(), meant, "{text}");
            let hinted = error.to_string().contains("did you mean");
            assert_eq!(hinted, meant.is_some(), "{error}");
        }
    }
}
