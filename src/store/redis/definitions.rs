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
        state
            .kept
            .iter()
            .map(|(digest, _)| digest.clone())
            .collect()
    }

    /// The newest revision that was read. 0: none.
    pub(super) fn revision(&self) -> u64 {
        self.state()
            .newest
            .as_ref()
            .map_or(0, |newest| newest.revision)
    }

    /// The definitions of a reading. Newer ones than those in use are put in use.
    pub(super) fn of(&self, reading: &Reading) -> Result<Arc<Catalog>, RedisStoreError> {
        let mut state = self.state();
        let catalog = state.take(reading)?;
        let is_newer = state
            .newest
            .as_ref()
            .is_none_or(|newest| newest.revision < reading.version.revision);
        if is_newer {
            self.put_in_use(&mut state, &reading.version, &catalog);
        }
        Ok(catalog)
    }

    /// Puts the definitions of a reading in use, even if they are older.
    pub(super) fn reset_to(&self, reading: &Reading) -> Result<(), RedisStoreError> {
        let mut state = self.state();
        let catalog = state.take(reading)?;
        self.put_in_use(&mut state, &reading.version, &catalog);
        Ok(())
    }

    fn put_in_use(&self, state: &mut State, version: &Version, catalog: &Arc<Catalog>) {
        let before = state.newest.replace(version.clone());
        let is_same = before.is_some_and(|before| before.definitions == version.definitions);
        if !is_same {
            let revision = version.revision.to_string();
            self.replica
                .publish(Catalog::clone(catalog), Some(&revision));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, reading: &Reading) -> Result<Arc<Catalog>, RedisStoreError> {
        let digest = &reading.version.definitions;
        let is_kept = |(kept, _): &(String, Arc<Catalog>)| kept == digest;
        let entry = match self.kept.iter().position(is_kept) {
            Some(at) => self.kept.remove(at),
            None => None,
        };
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
