use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the system tells about a file without reading it. Two equal stamps:
/// probably nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamp {
    /// There is something.
    There {
        is_file: bool,
        len: u64,
        modified: Option<SystemTime>,
        identity: Identity,
    },
    /// There is nothing, or nothing that may be looked at.
    NotThere(io::ErrorKind),
}

/// Device, inode and time of the last change to either: what a rename or a
/// changed permission changes. Elsewhere than on Unix size and time must do.
pub(super) type Identity = [i64; 4];

/// File systems count time in steps. Two writes inside one look the same.
const COARSEST_STEP: Duration = Duration::from_secs(2);

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) => Self::from(&metadata),
            Err(error) => Self::NotThere(error.kind()),
        }
    }

    /// Whether the file may change once more without the stamp showing it.
    pub(super) fn may_deceive(&self) -> bool {
        let Self::There {
            modified: Some(modified),
            ..
        } = self
        else {
            return false;
        };
        let now = SystemTime::now();
        let distance = now
            .duration_since(*modified)
            .unwrap_or_else(|ahead| ahead.duration());
        distance < COARSEST_STEP
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self::There {
            is_file: metadata.is_file(),
            len: metadata.len(),
            modified: metadata.modified().ok(),
            identity: identity(metadata),
        }
    }
}

/// Which directory that is: one that was removed and made anew is another.
pub(super) fn identity_of(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok()?;
    let [device, inode, ..] = identity(&metadata);
    // Inodes are used again, often at once.
    let born = metadata.created().ok();
    let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let born = born.unwrap_or_default();
    let seconds = born.as_secs().cast_signed();
    Some([device, inode, seconds, born.subsec_nanos().into()])
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    [
        metadata.dev().cast_signed(),
        metadata.ino().cast_signed(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ]
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    [0; 4]
}
