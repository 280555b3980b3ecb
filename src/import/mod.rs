//! Configuration files of other systems, as a catalog: Azure API Management's
//! ([`azure`]) and Kong's ([`kong`]).
//!
//! What cannot be carried over is reported ([`LeftOut`]), with what depended on
//! it, and does not refuse the rest. A key becomes its digest at once; a
//! placeholder for one stays a reference ([`Key::Env`]), and never becomes the key
//! itself. Whatever is unclear ends on the safe side: nothing is opened that was
//! not open before.

pub mod azure;
pub mod kong;

mod placeholder;
mod settle;
mod source;

use std::path::PathBuf;

use crate::catalog::{Api, KeySlot, Product, Subscription};
use crate::key::KeyDigest;

pub use settle::{Keys, settle};

/// What was read from the files of another system.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Found {
    /// The APIs.
    pub apis: Vec<Api>,
    /// The products.
    pub products: Vec<Product>,
    /// Memberships in products that the files do not define: product, API.
    pub memberships: Vec<(String, String)>,
    /// The subscriptions, without their keys.
    pub subscriptions: Vec<FoundSubscription>,
    /// Everything else.
    pub left_out: Vec<LeftOut>,
}

/// A subscription and where its keys come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FoundSubscription {
    /// The subscription, without keys.
    pub subscription: Subscription,
    /// The keys that the files have.
    pub keys: Vec<(KeySlot, Key)>,
}

/// A key of another system's file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// The digest of a key that was in the file.
    Digest(KeyDigest),
    /// The environment variable that has the key, as the file says.
    Env(String),
}

/// Something that could not be carried over.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// What it is, in the words of the other system.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name, if it has one.
    pub id: Option<String>,
    /// How many.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// Adds something with a name to a report.
fn report(
    left_out: &mut Vec<LeftOut>,
    kind: impl AsRef<str>,
    id: impl AsRef<str>,
    reason: impl Into<String>,
) {
    add(
        left_out,
        kind.as_ref(),
        Some(id.as_ref().to_owned()),
        reason.into(),
    );
}

/// Counts something without a name in a report.
fn count(left_out: &mut Vec<LeftOut>, kind: impl AsRef<str>, reason: impl Into<String>) {
    add(left_out, kind.as_ref(), None, reason.into());
}

fn add(left_out: &mut Vec<LeftOut>, kind: &str, id: Option<String>, reason: String) {
    let same =
        |known: &&mut LeftOut| known.kind == kind && known.reason == reason && known.id == id;
    match left_out.iter_mut().find(same) {
        Some(known) => known.count += 1,
        None => left_out.push(LeftOut {
            kind: kind.to_owned(),
            id,
            count: 1,
            reason,
        }),
    }
}

/// Files that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not in the expected language.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The path.
        path: PathBuf,
        /// What is wrong with it, without its text.
        message: String,
    },
    /// A Bicep file.
    #[error("{} is Bicep: make an ARM template of it with `bicep build`, and import that", path.display())]
    Bicep {
        /// The path.
        path: PathBuf,
    },
    /// A file of some other kind.
    #[error("{}: this is not {expected}", path.display())]
    Unknown {
        /// The path.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
}
