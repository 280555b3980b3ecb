use std::fmt;

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::key::KeyDigest;
use crate::manage::Caller;

/// Identifies the caller of a request.
///
/// Implementations must return `None` for every request that they do not
/// recognise: it is answered with 401. What the caller may do is not their
/// concern: the rules of [`Manage`](crate::manage::Manage) decide it.
///
/// A closure from the head of the request to the caller is one. It suits
/// applications that authenticate in a layer around the router:
///
/// ```
/// use http::request::Parts;
/// use tower_subscription_key::manage::Caller;
/// # #[derive(Clone)]
/// # struct User { name: String }
///
/// let authorize = |head: &Parts| {
///     let user = head.extensions.get::<User>()?;
///     Some(Caller::publisher(&user.name))
/// };
/// # fn is_one(_: impl tower_subscription_key::manage::rest::Authorize) {}
/// # is_one(authorize);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not identify the caller of a request",
    note = "use `BearerTokens`, or a closure `|head: &http::request::Parts| -> Option<Caller>`"
)]
pub trait Authorize: Send + Sync + 'static {
    /// The caller of the request, or `None` if it is not recognised.
    fn authorize(&self, head: &Parts) -> Option<Caller>;
}

impl<F> Authorize for F
where
    F: Fn(&Parts) -> Option<Caller> + Send + Sync + 'static,
{
    fn authorize(&self, head: &Parts) -> Option<Caller> {
        self(head)
    }
}

/// Bearer tokens (RFC 6750), each of which belongs to a caller.
///
/// Only digests of the tokens are held, and they are compared in constant time.
/// Use random tokens of 128 bits or more.
#[derive(Clone, Default)]
pub struct BearerTokens(Vec<(KeyDigest, Caller)>);

impl BearerTokens {
    /// No tokens yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token of the given caller.
    #[must_use]
    pub fn with(mut self, token: impl AsRef<[u8]>, caller: Caller) -> Self {
        self.0.push((KeyDigest::of(token.as_ref()), caller));
        self
    }
}

impl Authorize for BearerTokens {
    fn authorize(&self, head: &Parts) -> Option<Caller> {
        let mut values = head.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return None;
        }
        let presented = KeyDigest::of(token.trim_ascii());
        // Every token is compared, so that the time does not reveal which one matches.
        let mut found = None;
        for (digest, caller) in &self.0 {
            if constant_time_eq::constant_time_eq(digest.as_bytes(), presented.as_bytes()) {
                found = Some(caller);
            }
        }
        found.cloned()
    }
}

impl fmt::Debug for BearerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callers = self.0.iter().map(|(_, caller)| caller);
        f.debug_list().entries(callers).finish()
    }
}

/// Accepts every request as a request of the given caller, and logs a warning now.
/// For development only.
pub fn allow_all_for_development(caller: Caller) -> impl Authorize {
    tracing::warn!(
        "the management interface takes every request as {caller}: use this for development only"
    );
    move |_: &Parts| Some(caller.clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::Request;

    fn caller_of(values: &[&str]) -> Option<Caller> {
        let tokens = BearerTokens::new()
            .with("secret", Caller::publisher("admin"))
            .with("a=b", Caller::owner("jane"));
        let mut request = Request::builder();
        for value in values {
            request = request.header(AUTHORIZATION, *value);
        }
        tokens.authorize(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn bearer_token_known_is_its_callers() {
        assert_eq!(
            caller_of(&["Bearer secret"]),
            Some(Caller::publisher("admin"))
        );
        assert_eq!(caller_of(&["bearer a=b"]), Some(Caller::owner("jane")));
    }

    #[test]
    fn bearer_token_unknown_absent_or_repeated_is_nobodys() {
        for values in [
            &[][..],
            &[""],
            &["secret"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer secret2"],
            &["Bearer SECRET"],
            &["Basic secret"],
            &["Bearer secret", "Bearer secret"],
        ] {
            assert_eq!(caller_of(values), None, "{values:?}");
        }
    }

    #[test]
    fn bearer_tokens_debug_shows_no_token() {
        let tokens = BearerTokens::new().with("secret", Caller::publisher("admin"));
        let shown = format!("{tokens:?}");
        assert!(
            shown.contains("admin") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
