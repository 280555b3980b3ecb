use std::path::PathBuf;

/// What a watching thread hears.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// Something happened to the path.
    Changed(PathBuf, Change),
    /// Notifications were lost.
    Lost,
    /// The last handle of the store is gone.
    Stop,
}

/// What the system says about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// There is a new file, or a new link to one.
    Created,
    /// A program writes the file.
    Written,
    /// A program that had opened the file for writing has closed it.
    Closed,
    /// The path leads to another file, or to none.
    Replaced,
    Other,
}
