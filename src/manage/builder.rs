use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::manage::memory::MemoryRepository;
use crate::manage::operations::new_master;
use crate::manage::record::KeyRecord;
use crate::manage::repository::{Repository, SealedKeys};
use crate::manage::seal::Sealer;
use crate::manage::{Manage, ManageError, SLOTS, Secret, Shared, SubscriptionRecord};

/// Opens a [`Manage`]. Made by [`Manage::builder`].
#[must_use = "a builder does nothing until it opens a repository"]
pub struct ManageBuilder {
    encryption_key: Option<Zeroizing<[u8; 32]>>,
}

/// Does not print the encryption key.
impl fmt::Debug for ManageBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManageBuilder").finish_non_exhaustive()
    }
}

impl ManageBuilder {
    pub(super) fn new() -> Self {
        Self {
            encryption_key: None,
        }
    }

    /// Stores keys encrypted with this key besides their digests, so that they
    /// can be read back. Default: keys are stored as digests only.
    pub fn encryption_key(mut self, key: [u8; 32]) -> Self {
        self.encryption_key = Some(Zeroizing::new(key));
        self
    }

    /// A control plane over a new database in memory, for tests and demos.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the system's random source fails.
    pub fn in_memory(self) -> Result<Manage, ManageError> {
        let sealer = self.sealer();
        let (master, sealed) = master(sealer.as_ref())?;
        Ok(manage(MemoryRepository::new(master, &sealed), sealer))
    }

    /// Opens the database at a path (SQLite) or a `postgres://` URL.
    ///
    /// A SQLite file is made if it does not exist. Tables are made, or brought to
    /// the current version. A new database gets the all-access subscription
    /// `master`.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the database cannot be opened, or its keys were
    /// encrypted with another key.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub async fn open(self, target: &str) -> Result<Manage, ManageError> {
        let sealer = self.sealer();
        let (master, sealed) = master(sealer.as_ref())?;
        let repository =
            super::sql::SqlRepository::open(target, master, &sealed, sealer.as_ref()).await?;
        Ok(manage(repository, sealer))
    }

    fn sealer(&self) -> Option<Sealer> {
        self.encryption_key.as_ref().map(|key| Sealer::new(key))
    }
}

fn manage(repository: impl Repository + 'static, sealer: Option<Sealer>) -> Manage {
    let repository = Box::new(repository);
    let shared = Arc::new(Shared { repository, sealer });
    Manage { shared }
}

/// The all-access subscription of a new database, with keys that are shown to no
/// one.
fn master(sealer: Option<&Sealer>) -> Result<(SubscriptionRecord, SealedKeys), ManageError> {
    let mut record = new_master(SystemTime::now());
    let mut sealed = SealedKeys::new();
    for slot in SLOTS {
        let key = Secret::random();
        *record.key_mut(slot) = Some(KeyRecord::new(key.digest(), record.created_at));
        if let Some(sealer) = sealer {
            sealed.insert(key.digest(), sealer.seal(&record.id, slot, &key)?);
        }
    }
    Ok((record, sealed))
}
