use std::fmt;

use crate::document::position;

/// A document that is refused, with everything that is wrong with it.
///
/// `Display` writes one line for each issue: `LINE:COLUMN: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    issues: Vec<DocumentIssue>,
}

/// One thing that is wrong with a document, and where. It never tells a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentIssue {
    line: usize,
    column: usize,
    message: String,
}

impl DocumentError {
    pub(super) fn not_utf8(document: &[u8], valid_up_to: usize) -> Self {
        let valid = String::from_utf8_lossy(&document[..valid_up_to]);
        let mut issues = Issues::default();
        issues.push(
            valid_up_to,
            "this is not UTF-8: save the file in that encoding",
        );
        issues.locate(&valid)
    }

    /// Everything that is wrong, in the order of the document.
    #[must_use]
    pub fn issues(&self) -> &[DocumentIssue] {
        &self.issues
    }
}

impl DocumentIssue {
    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong and what to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for DocumentIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, issue) in self.issues.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{issue}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DocumentError {}

/// A file whose name does not tell what language it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(
    feature = "file",
    error("a catalog file ends in `.toml`, `.json`, `.yaml` or `.yml`")
)]
#[cfg_attr(
    not(feature = "file"),
    error(
        "a catalog file ends in `.json` (or `.toml`, `.yaml` and `.yml`, with the feature `file`)"
    )
)]
pub struct UnknownFormat;

/// Issues on their way: by byte offset, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Issues {
    found: Vec<(usize, String)>,
}

impl Issues {
    pub(super) fn push(&mut self, at: usize, message: impl Into<String>) {
        self.found.push((at, message.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The error that tells them all, by line and column of that text.
    pub(super) fn locate(mut self, text: &str) -> DocumentError {
        self.found.sort_by_key(|(at, _)| *at);
        let offsets = self.found.iter().map(|(at, _)| *at);
        let places = position::line_columns(text, offsets);
        let located = |(place, (_, message)): (position::LineColumn, (usize, String))| {
            let position::LineColumn { line, column } = place;
            DocumentIssue {
                line,
                column,
                message,
            }
        };
        DocumentError {
            issues: places.into_iter().zip(self.found).map(located).collect(),
        }
    }
}
