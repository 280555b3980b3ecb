use std::sync::Arc;
use std::time::SystemTime;

use crate::store::file::FileError;

/// Which version of a file is in use, and what is wrong with the file since.
#[derive(Debug, Clone)]
pub struct FileStatus {
    pub(super) version: u64,
    pub(super) loaded_at: SystemTime,
    pub(super) last_error: Option<Arc<FileError>>,
}

impl FileStatus {
    /// How often the file has been taken into use: 1 after it was opened.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When that version was taken into use.
    #[must_use]
    pub fn loaded_at(&self) -> SystemTime {
        self.loaded_at
    }

    /// Why the file as it is now is not in use. `None`: it is.
    #[must_use]
    pub fn last_error(&self) -> Option<&Arc<FileError>> {
        self.last_error.as_ref()
    }
}
