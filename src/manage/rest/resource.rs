//! Resource ids: the place of the service, and scopes, owners and API ids in
//! their full and short forms.

use std::fmt::Display;

use crate::catalog::{Scope, ScopeParseError};

/// The fixed segments of a service's place, in lower case. The others are free.
const FIXED: [(usize, &str); 5] = [
    (0, "subscriptions"),
    (2, "resourcegroups"),
    (4, "providers"),
    (5, "microsoft.apimanagement"),
    (6, "service"),
];

/// How many segments the place of a service has.
pub(super) const PLACE: usize = 8;

/// The place of the service, as the request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place(String);

impl Place {
    /// The place in the first segments of a path.
    pub(super) fn of(segments: &[impl AsRef<str>]) -> Option<Self> {
        let segments = segments.get(..PLACE)?;
        let fits = FIXED
            .iter()
            .all(|&(at, word)| segments[at].as_ref().eq_ignore_ascii_case(word));
        if !fits || segments.iter().any(|segment| segment.as_ref().is_empty()) {
            return None;
        }
        let [subscription, group, service] = [1, 3, 7].map(|at| segments[at].as_ref());
        Some(Self(format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ApiManagement/service/{service}"
        )))
    }

    /// The full id of what has the given short one, such as `/products/starter`.
    pub(super) fn id(&self, short: impl Display) -> String {
        format!("{}{short}", self.0)
    }
}

/// The short form of a resource id. One that is not a service's stays as it is.
pub(super) fn short(id: &str) -> &str {
    let mut ends = id.match_indices('/').map(|(at, _)| at).skip(PLACE);
    let end = ends.next().unwrap_or(id.len());
    let segments: Vec<&str> = id[..end].split('/').skip(1).collect();
    match Place::of(&segments) {
        Some(_) if end == id.len() => "/",
        Some(_) => &id[end..],
        None => id,
    }
}

/// Reads a scope in its full or short form.
pub(super) fn scope(id: &str) -> Result<Scope, ScopeParseError> {
    let short = short(id);
    let Some((kind, id)) = short
        .strip_prefix('/')
        .and_then(|rest| rest.split_once('/'))
    else {
        return short.to_ascii_lowercase().parse();
    };
    let kind = kind.to_ascii_lowercase();
    let id = if kind == "apis" {
        without_revision(id)
    } else {
        id
    };
    if is_dots(id) {
        return Err(ScopeParseError::of(short));
    }
    format!("/{kind}/{id}").parse()
}

/// The owner in its full (`/subscriptions/…/users/jane`), short (`/users/jane`)
/// or bare form.
pub(super) fn owner(id: &str) -> &str {
    let short = short(id);
    match short.split_at_checked("/users/".len()) {
        Some((kind, owner)) if kind.eq_ignore_ascii_case("/users/") => owner,
        _ => short,
    }
}

/// An API's id without the revision that clients may append to it.
pub(super) fn without_revision(id: &str) -> &str {
    match id.split_once(";rev=") {
        Some((api, revision))
            if !revision.is_empty() && revision.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            api
        }
        _ => id,
    }
}

/// Whether the id is one that clients and proxies take out of a path.
pub(super) fn is_dots(id: &str) -> bool {
    matches!(id, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/v";

    #[test]
    fn scope_full_and_short_are_equal() {
        for (short, scope) in [
            ("/apis", Scope::AllApis),
            ("/apis/echo", Scope::Api("echo".into())),
            ("/apis/echo;rev=12", Scope::Api("echo".into())),
            ("/products/Starter", Scope::Product("Starter".into())),
            ("/Products/Starter", Scope::Product("Starter".into())),
            ("/", Scope::Service),
        ] {
            assert_eq!(super::scope(short), Ok(scope.clone()), "{short}");
            assert_eq!(
                super::scope(&format!("{PLACE}{short}")),
                Ok(scope.clone()),
                "{short}"
            );
            let lower = PLACE.to_lowercase();
            assert_eq!(
                super::scope(&format!("{lower}{short}")),
                Ok(scope),
                "{short}"
            );
        }
        assert_eq!(super::scope(PLACE), Ok(Scope::Service));
    }

    #[test]
    fn scope_of_another_shape_is_refused() {
        for text in [
            "",
            "apis",
            "/users/jane",
            "/apis/",
            "/apis/a/b",
            "/apis/..",
            "/subscriptions/s",
            "/products/a?b",
        ] {
            assert!(scope(text).is_err(), "{text}");
        }
    }

    #[test]
    fn owner_in_each_form_is_the_same() {
        for text in ["jane", "/users/jane", &format!("{PLACE}/users/jane")] {
            assert_eq!(owner(text), "jane", "{text}");
        }
    }

    #[test]
    fn place_is_repeated_with_its_fixed_segments_as_azure_writes_them() {
        let segments = [
            "SUBSCRIPTIONS",
            "S",
            "resourcegroups",
            "G",
            "Providers",
            "microsoft.apimanagement",
            "service",
            "V",
        ];
        let place = Place::of(&segments).map(|place| place.id("/apis"));
        let id =
            "/subscriptions/S/resourceGroups/G/providers/Microsoft.ApiManagement/service/V/apis";
        assert_eq!(place.as_deref(), Some(id));
        assert_eq!(Place::of(&segments[..7]), None);
    }
}
