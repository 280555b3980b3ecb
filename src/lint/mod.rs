//! Findings in a catalog that is valid and may still not be what was meant: an
//! API that is open to everyone, one that no key opens, keys that end soon.
//!
//! A test of your own can hold a catalog to them:
//!
//! ```
//! use tower_subscription_key::catalog::{Api, Catalog};
//! use tower_subscription_key::lint;
//!
//! let catalog = Catalog::builder()
//!     .api(Api::new("status", "/status").with_subscription_required(false))
//!     .build()?;
//! lint::assert_none(&catalog, &[]);
//!
//! let forgotten = Catalog::builder().api(Api::new("orders", "/orders")).build()?;
//! let findings = lint::findings(&forgotten, std::time::SystemTime::now());
//! assert_eq!(findings[0].code(), lint::Code::ApiUnreachable);
//! # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
//! ```

#[cfg(feature = "json")]
mod keys;
mod paths;
mod rules;

use std::fmt;
use std::time::SystemTime;

use crate::catalog::{Catalog, Entity, KeySlot};
use crate::words::words;

#[cfg(feature = "json")]
pub use keys::written_keys;

words! {
    /// How much a finding matters.
    #[derive(PartialOrd, Ord)]
    #[non_exhaustive]
    pub enum Level: "a level" {
        /// Worth knowing.
        Note = "note",
        /// Probably not what was meant.
        Warning = "warning",
        /// The catalog is refused.
        Error = "error",
    }
}

words! {
    /// What a finding is about.
    #[non_exhaustive]
    pub enum Code: "a finding" {
        /// An API that requires a subscription is in an open product, or one that
        /// requires none is in a product that requires one.
        OpenAnonymous = "open-anonymous",
        /// An API that requires a subscription, and that no subscription and no open
        /// product opens.
        ApiUnreachable = "api-unreachable",
        /// A product without APIs.
        ProductEmpty = "product-empty",
        /// A subscription with scopes that contain no API.
        SubscriptionOpensNothing = "subscription-opens-nothing",
        /// An active subscription, or a key of it, that has ended.
        KeysExpired = "keys-expired",
        /// An active subscription, or a key of it, that ends within 30 days.
        KeysExpiring = "keys-expiring",
        /// A subscription with an owner that opens every API.
        AllAccessWithOwner = "all-access-with-owner",
        /// An API with a path inside another's, and other requirements.
        PathShadowed = "path-shadowed",
        /// A key in the file that can be guessed.
        WeakKey = "weak-key",
        /// A key in the file as text.
        PlaintextKey = "plaintext-key",
        /// A key header with a standard meaning, or one that differs from the header of an
        /// enclosing API.
        KeyNameCollision = "key-name-collision",
    }
}

impl Code {
    /// How much findings with this code matter.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Self::ProductEmpty | Self::PlaintextKey => Level::Note,
            _ => Level::Warning,
        }
    }
}

/// One finding. It never holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    code: Code,
    entity: Entity,
    field: Option<&'static str>,
    message: String,
    advice: String,
}

impl Finding {
    fn new(
        code: Code,
        entity: Entity,
        field: Option<&'static str>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            code,
            entity,
            field,
            message: message.into(),
            advice: advice.into(),
        }
    }

    /// What it is about.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// How much it matters.
    #[must_use]
    pub fn level(&self) -> Level {
        self.code.level()
    }

    /// The API, product or subscription.
    #[must_use]
    pub fn entity(&self) -> &Entity {
        &self.entity
    }

    /// The field, by its name in catalog files. `None`: all of the entity.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// What was found.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (level, code) = (self.level(), self.code);
        write!(f, "{level}[{code}]: {}: {}", self.entity, self.message)?;
        write!(f, ": {}", self.advice)
    }
}

/// Everything worth knowing about a catalog at the given time, in the order of
/// the catalog.
///
/// What only a file shows, keys as text and weak keys, is found by
/// `written_keys` (feature `json`).
#[must_use]
pub fn findings(catalog: &Catalog, now: SystemTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    rules::apis(catalog, &mut findings);
    paths::apis(catalog, &mut findings);
    rules::products(catalog, &mut findings);
    rules::subscriptions(catalog, now, &mut findings);
    findings
}

/// Asserts that a catalog has no findings now, except those with a code in `allowed`.
///
/// # Panics
///
/// If it has. The message lists all of them.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion for tests")]
pub fn assert_none(catalog: &Catalog, allowed: &[Code]) {
    let findings = findings(catalog, SystemTime::now());
    let left = findings
        .iter()
        .filter(|finding| !allowed.contains(&finding.code));
    let left: Vec<String> = left.map(ToString::to_string).collect();
    if !left.is_empty() {
        panic!("the catalog has findings:\n{}", left.join("\n"));
    }
}

/// The name of a slot's field.
fn key_field(slot: KeySlot) -> &'static str {
    match slot {
        KeySlot::Primary => "primary_key",
        KeySlot::Secondary => "secondary_key",
    }
}
