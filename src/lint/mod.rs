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
use std::str::FromStr;
use std::time::SystemTime;

use crate::catalog::{Catalog, Entity, KeySlot};

#[cfg(feature = "json")]
pub use keys::written_keys;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Probably not what was meant.
    Warning,
    /// The catalog is refused.
    Error,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// An API that requires a subscription is in an open product, or one that
    /// requires none is in a product that requires one.
    OpenAnonymous,
    /// An API that requires a subscription, and that no subscription and no open
    /// product opens.
    ApiUnreachable,
    /// A product without APIs.
    ProductEmpty,
    /// A subscription with scopes that contain no API.
    SubscriptionOpensNothing,
    /// An active subscription, or a key of it, that has ended.
    KeysExpired,
    /// An active subscription, or a key of it, that ends within 30 days.
    KeysExpiring,
    /// A subscription with an owner that opens every API.
    AllAccessWithOwner,
    /// An API with a path inside another's, and other requirements.
    PathShadowed,
    /// A key in the file that can be guessed.
    WeakKey,
    /// A key in the file as text.
    PlaintextKey,
    /// A key header with a standard meaning, or one that differs from the header of an
    /// enclosing API.
    KeyNameCollision,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 11] = [
        Self::OpenAnonymous,
        Self::ApiUnreachable,
        Self::ProductEmpty,
        Self::SubscriptionOpensNothing,
        Self::KeysExpired,
        Self::KeysExpiring,
        Self::AllAccessWithOwner,
        Self::PathShadowed,
        Self::WeakKey,
        Self::PlaintextKey,
        Self::KeyNameCollision,
    ];

    /// The code as text, like `open-anonymous`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAnonymous => "open-anonymous",
            Self::ApiUnreachable => "api-unreachable",
            Self::ProductEmpty => "product-empty",
            Self::SubscriptionOpensNothing => "subscription-opens-nothing",
            Self::KeysExpired => "keys-expired",
            Self::KeysExpiring => "keys-expiring",
            Self::AllAccessWithOwner => "all-access-with-owner",
            Self::PathShadowed => "path-shadowed",
            Self::WeakKey => "weak-key",
            Self::PlaintextKey => "plaintext-key",
            Self::KeyNameCollision => "key-name-collision",
        }
    }

    /// How much findings with this code matter.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Self::ProductEmpty | Self::PlaintextKey => Level::Note,
            _ => Level::Warning,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is not the code of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no finding has this code: `Code::ALL` has all of them")]
pub struct CodeParseError;

impl FromStr for Code {
    type Err = CodeParseError;

    fn from_str(text: &str) -> Result<Self, CodeParseError> {
        let mut codes = Self::ALL.into_iter();
        codes
            .find(|code| code.as_str() == text)
            .ok_or(CodeParseError)
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
        message: String,
        advice: impl Into<String>,
    ) -> Self {
        let advice = advice.into();
        Self {
            code,
            entity,
            field,
            message,
            advice,
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
