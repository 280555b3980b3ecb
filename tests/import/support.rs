use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tower_subscription_key::access::{Decision, Question, decide};
use tower_subscription_key::catalog::{Catalog, KeySlot, SubscriptionKey};
use tower_subscription_key::import::{Found, Keys, LeftOut, settle};
use tower_subscription_key::key::{KeyDigest, Presented};

/// A folder for files of another system.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// No variable is set.
pub(crate) struct Bare {
    pub(crate) generates: bool,
}

impl Keys for Bare {
    fn variable(&mut self, name: &str) -> Result<SubscriptionKey, String> {
        match name {
            "SET_KEY" => Ok(SubscriptionKey::new("from-the-environment")),
            name => Err(format!("{name} is not set")),
        }
    }

    fn generates(&self) -> bool {
        self.generates
    }
}

/// What was imported, as a catalog.
pub(crate) struct Imported {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) left_out: Vec<LeftOut>,
}

impl Imported {
    pub(crate) fn of(mut found: Found, generates: bool) -> Self {
        let empty = Catalog::builder().allow_no_apis().build().unwrap();
        let subscriptions = settle(&mut found, &empty, &mut Bare { generates });
        let mut builder = Catalog::builder().allow_no_apis();
        for api in found.apis {
            builder.push_api(api);
        }
        for product in found.products {
            builder.push_product(product);
        }
        for subscription in subscriptions {
            let has_key = subscription.keys().next().is_some();
            let generated = KeyDigest::of(format!("generated for {}", subscription.id()));
            builder.push_subscription(match has_key {
                true => subscription,
                false => subscription.with_primary_key(generated),
            });
        }
        Self {
            catalog: Arc::new(builder.build().unwrap()),
            left_out: found.left_out,
        }
    }

    /// Whether a request gets in. Without a key: whether everyone does.
    pub(crate) fn lets_in(&self, path: &str, key: Option<&str>) -> bool {
        let presented = key.map_or(Presented::Missing, |key| Presented::Key(KeyDigest::of(key)));
        let question = Question::for_path(Arc::clone(&self.catalog), path).with_key(presented);
        matches!(decide(question), Decision::Allow(_))
    }

    /// How many were left out, and why, for one type.
    pub(crate) fn left_out(&self, kind: &str) -> Vec<(Option<&str>, u64)> {
        let of_kind = self.left_out.iter().filter(|out| out.kind == kind);
        of_kind.map(|out| (out.id.as_deref(), out.count)).collect()
    }

    pub(crate) fn reason(&self, id: &str) -> &str {
        let out = self
            .left_out
            .iter()
            .find(|out| out.id.as_deref() == Some(id));
        out.map_or("", |out| &out.reason)
    }

    pub(crate) fn has_key(&self, id: &str, slot: KeySlot, key: &str) -> bool {
        let subscription = self.catalog.subscription(id).unwrap();
        subscription
            .key(slot)
            .is_some_and(|found| *found.digest() == KeyDigest::of(key))
    }
}
