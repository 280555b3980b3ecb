use std::fmt;
use std::str::FromStr;

use crate::catalog::validate::check_id;

/// What a subscription opens.
///
/// ```
/// use tower_subscription_key::catalog::Scope;
///
/// assert_eq!("/products/starter".parse(), Ok(Scope::Product("starter".into())));
/// assert_eq!(Scope::AllApis.to_string(), "/apis");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// A [`Scope`] whose id is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScopeRef<'a> {
    /// `/`: the service, all access.
    Service,
    /// `/apis`: every API.
    AllApis,
    /// `/apis/{id}`: one API.
    Api(&'a str),
    /// `/products/{id}`: the APIs of one product.
    Product(&'a str),
}

/// Text that is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is `/`, `/apis`, `/apis/{{id}}` or `/products/{{id}}`")]
pub struct ScopeParseError;

impl Scope {
    /// The same scope, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> ScopeRef<'_> {
        match self {
            Self::Service => ScopeRef::Service,
            Self::AllApis => ScopeRef::AllApis,
            Self::Api(id) => ScopeRef::Api(id),
            Self::Product(id) => ScopeRef::Product(id),
        }
    }
}

impl ScopeRef<'_> {
    /// The same scope, owned.
    #[must_use]
    pub fn to_scope(self) -> Scope {
        match self {
            Self::Service => Scope::Service,
            Self::AllApis => Scope::AllApis,
            Self::Api(id) => Scope::Api(id.to_owned()),
            Self::Product(id) => Scope::Product(id.to_owned()),
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scope = match text {
            "/" => Self::Service,
            "/apis" => Self::AllApis,
            _ => {
                let (id, scope): (&str, fn(String) -> Self) =
                    if let Some(id) = text.strip_prefix("/apis/") {
                        (id, Self::Api)
                    } else if let Some(id) = text.strip_prefix("/products/") {
                        (id, Self::Product)
                    } else {
                        return Err(ScopeParseError);
                    };
                check_id(id).map_err(|_| ScopeParseError)?;
                scope(id.to_owned())
            }
        };
        Ok(scope)
    }
}

impl fmt::Display for ScopeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("/"),
            Self::AllApis => f.write_str("/apis"),
            Self::Api(id) => write!(f, "/apis/{id}"),
            Self::Product(id) => write!(f, "/products/{id}"),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        for text in ["/", "/apis", "/apis/echo", "/products/starter"] {
            let scope: Scope = text.parse().unwrap();
            assert_eq!(scope.to_string(), text);
            assert_eq!(scope.as_ref().to_scope(), scope);
        }
        for text in [
            "",
            "apis",
            "/apis/",
            "/products",
            "/products/",
            "/apis/a/b",
            "/Apis",
            "/api/x",
            "//",
        ] {
            assert_eq!(text.parse::<Scope>(), Err(ScopeParseError), "{text}");
        }
    }
}
