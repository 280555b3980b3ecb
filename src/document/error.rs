use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a document is refused: everything that is wrong with it.
///
/// `Display` and `Debug` write one line for each issue, in the order of the
/// document: `FILE:LINE:COLUMN: message`, without the file if the document has no
/// name. No message holds a key.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentError {
    pub(super) issues: Vec<DocumentIssue>,
    pub(super) more: usize,
}

/// One thing that is wrong with a document, and where.
///
/// `Display` and `Debug` write it as one line.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentIssue {
    pub(super) file: Option<Arc<Path>>,
    pub(super) position: Position,
    pub(super) subject: String,
    pub(super) field: String,
    pub(super) message: String,
    pub(super) advice: Option<String>,
}

/// A position in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The bytes of the name or value that begins there.
    pub span: Range<usize>,
}

impl DocumentError {
    /// Everything that is wrong, in the order of the document. At most 1,000 issues
    /// are described.
    #[must_use]
    pub fn issues(&self) -> &[DocumentIssue] {
        &self.issues
    }

    /// How many more issues there are, which are not described.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// The first issue and the number of the others, as one line for logs.
    #[must_use]
    pub fn summary(&self) -> String {
        let first = self
            .issues
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        match (self.issues.len() + self.more).saturating_sub(1) {
            0 => first,
            1 => format!("{first} (and 1 more problem)"),
            others => format!("{first} (and {others} more problems)"),
        }
    }
}

impl DocumentIssue {
    /// The name of the document, if it has one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.position.line
    }

    /// The column, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> usize {
        self.position.column
    }

    /// The bytes of the name or value that is wrong.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.position.span.clone()
    }

    /// The entry that is wrong, like `subscription "contoso"`. `None`: the document.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        Some(self.subject.as_str()).filter(|subject| !subject.is_empty())
    }

    /// The field that is wrong, like `primary_key, sha256`. `None`: all of the entry.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        Some(self.field.as_str()).filter(|field| !field.is_empty())
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, if the message does not say it.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

impl fmt::Display for DocumentIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
        }
        write!(f, "{}:{}: ", self.position.line, self.position.column)?;
        match (self.subject(), self.field()) {
            (Some(subject), Some(field)) => write!(f, "{subject}, {field}: ")?,
            (Some(one), None) | (None, Some(one)) => write!(f, "{one}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.message)?;
        match &self.advice {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, issue) in self.issues.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{issue}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl fmt::Debug for DocumentIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for DocumentError {}

/// A file name that does not name a format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownFormat {
    /// The extension is of no format.
    #[error("a catalog file ends in `.toml`, `.json`, `.yaml` or `.yml`")]
    Extension,
    /// The feature for the format is not enabled.
    #[error("reading this format needs the feature `{feature}` of tower-subscription-key")]
    Disabled {
        /// The feature.
        feature: &'static str,
    },
}

/// Why a catalog cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// TOML has no null, and the metadata of the catalog has one.
    #[error("TOML cannot express null in metadata: write JSON or YAML")]
    NullInToml,
    /// Writing failed.
    #[error("writing the catalog failed")]
    Io(#[source] std::io::Error),
}

impl From<WriteError> for std::io::Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Io(error) => error,
            error => Self::new(std::io::ErrorKind::Unsupported, error),
        }
    }
}

/// A document by name.
pub(super) fn file_name(name: &Path) -> Option<Arc<Path>> {
    (!name.as_os_str().is_empty()).then(|| PathBuf::from(name).into())
}
