//! How a command fails, and the exit code that says so.

use std::fmt;
use std::process::ExitCode;

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Refused, not found, or there are findings.
    Refused,
    Usage,
    /// The database or file could not be reached or written.
    Unreachable,
    /// No message: the command has printed it, or its reader has closed the pipe.
    Said(u8),
}

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self::new(Kind::Refused, message)
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn unreachable(message: impl fmt::Display) -> Self {
        Self::new(Kind::Unreachable, message)
    }

    /// Ends the tool with the given code and without a word.
    pub(crate) fn said(code: u8) -> Self {
        Self::new(Kind::Said(code), "")
    }

    fn new(kind: Kind, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        Self { kind, message }
    }

    /// Prints the sentence, if there is one left to say, and returns the code.
    pub(crate) fn report(&self) -> ExitCode {
        let code = match self.kind {
            Kind::Refused => 1,
            Kind::Usage => 2,
            Kind::Unreachable => 3,
            Kind::Said(code) => return ExitCode::from(code),
        };
        crate::output::error(&self.message);
        ExitCode::from(code)
    }
}
