use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the system says about a file without reading it. If two stamps are equal,
/// probably nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamp {
    /// There is something.
    There {
        is_file: bool,
        is_unlinked: bool,
        len: u64,
        modified: Option<SystemTime>,
        identity: Identity,
    },
    /// There is nothing, or nothing that may be looked at.
    NotThere(io::ErrorKind),
}

/// Device, inode and time of the last change of the inode: a rename or a changed
/// permission changes them. Other systems than Unix have only size and time.
pub(super) type Identity = [i64; 4];

/// File systems count time in steps. Two writes within one step look the same.
const COARSEST_STEP: Duration = Duration::from_secs(2);

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) => Self::from(&metadata),
            Err(error) => Self::NotThere(error.kind()),
        }
    }

    /// Whether the file has no name any more, although a path leads to it: that of
    /// a mount, if the file was removed elsewhere.
    pub(super) fn is_unlinked(&self) -> bool {
        matches!(self, Self::There { is_unlinked, .. } if *is_unlinked)
    }

    pub(super) fn is_empty_file(&self) -> bool {
        matches!(
            self,
            Self::There {
                is_file: true,
                len: 0,
                ..
            }
        )
    }

    /// Whether the file may change once more without the stamp showing it.
    pub(super) fn may_deceive(&self) -> bool {
        self.may_deceive_at(SystemTime::now())
    }

    fn may_deceive_at(&self, now: SystemTime) -> bool {
        let Self::There {
            modified, identity, ..
        } = self
        else {
            return false;
        };
        // A file that was written can be given any time of writing (`cp -p`), but
        // not any time of change.
        let times = [*modified, changed(identity)];
        times.into_iter().flatten().any(|time| {
            let distance = now
                .duration_since(time)
                .unwrap_or_else(|ahead| ahead.duration());
            distance < COARSEST_STEP
        })
    }
}

/// When the inode was changed last. On other systems than Unix: long ago.
fn changed(&[.., seconds, nanoseconds]: &Identity) -> Option<SystemTime> {
    let seconds = u64::try_from(seconds).ok()?;
    let nanoseconds = u32::try_from(nanoseconds).ok()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self::There {
            is_file: metadata.is_file(),
            is_unlinked: is_unlinked(metadata),
            len: metadata.len(),
            modified: metadata.modified().ok(),
            identity: identity(metadata),
        }
    }
}

/// The identity of a directory: one that was removed and created again is another.
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

fn is_unlinked(metadata: &Metadata) -> bool {
    links(metadata) == 0
}

#[cfg(unix)]
fn links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u64 {
    1
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn stamp(modified: SystemTime, changed: SystemTime) -> Stamp {
        let changed = changed.duration_since(UNIX_EPOCH).unwrap();
        let seconds = changed.as_secs().cast_signed();
        Stamp::There {
            is_file: true,
            is_unlinked: false,
            len: 1,
            modified: Some(modified),
            identity: [1, 2, seconds, changed.subsec_nanos().into()],
        }
    }

    #[test]
    fn stamp_of_a_recent_change_may_deceive() {
        let now = SystemTime::now();
        let long_ago = now - Duration::from_secs(3600);
        for (seconds, expected) in [(0, true), (1, true), (2, false), (3600, false)] {
            let distance = Duration::from_secs(seconds);
            for time in [now - distance, now + distance] {
                for stamp in [stamp(time, long_ago), stamp(long_ago, time)] {
                    assert_eq!(stamp.may_deceive_at(now), expected, "{stamp:?}");
                }
            }
        }
        assert!(!Stamp::NotThere(io::ErrorKind::NotFound).may_deceive());
    }

    #[test]
    #[cfg(unix)]
    fn stamp_of_a_new_file_with_an_old_time_may_deceive() {
        let directory = tempfile::tempdir().unwrap();
        let file = fs::File::create(directory.path().join("file")).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        let hour = Duration::from_secs(3600);
        file.set_modified(written - hour).unwrap();
        let stamp = Stamp::from(&file.metadata().unwrap());
        // On a busy machine it may be a while ago by now.
        let Stamp::There { identity, .. } = &stamp else {
            panic!("{stamp:?}");
        };
        let changed = changed(identity).unwrap();
        assert!(changed >= written);
        assert!(stamp.may_deceive_at(changed));
        assert!(!stamp.may_deceive_at(changed + hour / 2));
    }

    #[test]
    fn directory_created_again_has_another_identity() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inner");
        fs::create_dir(&path).unwrap();
        let before = identity_of(&path);
        assert_eq!(before, identity_of(&path));
        fs::write(path.join("file"), "x").unwrap();
        assert_eq!(before, identity_of(&path));
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(identity_of(&path), None);
    }
}
