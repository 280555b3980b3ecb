use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::RedisStoreError;
use super::source::{Reading, Version, parse_definitions};
use crate::catalog::Catalog;
use crate::store::replica::Replica;

/// This many versions of the definitions are kept, so that catalogs which take turns
/// are not read again each time.
const KEPT: usize = 4;

/// The definitions that were read last. The newest are in use.
pub(super) struct DefinitionsCache {
    replica: Arc<Replica>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By digest; the one used last comes last.
    kept: VecDeque<(String, Arc<Catalog>)>,
    newest: Option<Version>,
}

impl DefinitionsCache {
    pub(super) fn new(replica: Arc<Replica>) -> Self {
        Self {
            replica,
            state: Mutex::default(),
        }
    }

    /// The digests of the definitions that need not be read.
    pub(super) fn known(&self) -> Vec<String> {
        let state = self.state();
        let digests = state.kept.iter().map(|(digest, _)| digest.clone());
        digests.collect()
    }

    /// The newest revision that was read. 0: none.
    pub(super) fn revision(&self) -> u64 {
        let state = self.state();
        state.newest.as_ref().map_or(0, |newest| newest.revision)
    }

    /// The definitions of a reading. Newer ones than those in use are put in use.
    pub(super) fn of(&self, reading: &Reading) -> Result<Arc<Catalog>, RedisStoreError> {
        let is_newer = |newest: &Version| newest.revision < reading.version.revision;
        self.put(reading, is_newer)
    }

    /// Puts the definitions of a reading in use, even if they are older.
    pub(super) fn reset_to(&self, reading: &Reading) -> Result<Arc<Catalog>, RedisStoreError> {
        self.put(reading, |_| true)
    }

    fn put(
        &self,
        reading: &Reading,
        replaces: impl FnOnce(&Version) -> bool,
    ) -> Result<Arc<Catalog>, RedisStoreError> {
        let mut state = self.state();
        let catalog = state.take(reading)?;
        let version = &reading.version;
        if state.newest.as_ref().is_none_or(replaces) {
            let before = state.newest.replace(version.clone());
            if before.is_none_or(|before| before.definitions != version.definitions) {
                let revision = version.revision.to_string();
                let definitions = Catalog::clone(&catalog);
                self.replica.publish(definitions, Some(&revision));
            }
        }
        Ok(catalog)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, reading: &Reading) -> Result<Arc<Catalog>, RedisStoreError> {
        let digest = &reading.version.definitions;
        let is_kept = |(kept, _): &(String, Arc<Catalog>)| kept == digest;
        let at = self.kept.iter().position(is_kept);
        let entry = at.and_then(|at| self.kept.remove(at));
        let catalog = match (entry, &reading.document) {
            (Some((_, catalog)), _) => catalog,
            (None, Some(document)) => Arc::new(parse_definitions(digest, document)?),
            // They were replaced while Redis was asked.
            (None, None) => return Err(RedisStoreError::Changed),
        };
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((digest.clone(), Arc::clone(&catalog)));
        Ok(catalog)
    }
}
