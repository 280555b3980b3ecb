//! How a command fails, and the exit code that says so.

use std::fmt;

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// `None`: the command has printed it, or its reader has closed the pipe.
    pub(crate) message: Option<String>,
    pub(crate) code: u8,
}

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Something is refused or not found, or there are findings.
    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self::new(1, message)
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(2, message)
    }

    /// A file or database cannot be reached or written.
    pub(crate) fn unreachable(message: impl fmt::Display) -> Self {
        Self::new(3, message)
    }

    /// Ends the tool with the given code and without a message.
    pub(crate) fn silent(code: u8) -> Self {
        let message = None;
        Self { message, code }
    }

    fn new(code: u8, message: impl fmt::Display) -> Self {
        let message = Some(message.to_string());
        Self { message, code }
    }
}
