use std::fmt;

use crate::catalog::validate::Findings;
use crate::catalog::{Entity, EntityKind, Issue};

/// Everything that is wrong with a catalog or a change to one.
///
/// It lists at most 1,000 issues and counts the others. `Debug` prints the same
/// text as `Display`, so that a program that returns it from `main` explains itself.
#[derive(Clone, PartialEq, Eq)]
pub struct CatalogError {
    issues: Issues,
}

/// A bounded list of issues.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Issues {
    listed: Vec<Issue>,
    /// How many were not listed.
    more: usize,
}

const MAX_LISTED: usize = 1_000;

impl Issues {
    pub(crate) fn push(&mut self, issue: Issue) {
        self.push_with(|| issue);
    }

    /// Makes the issue only if it is listed.
    pub(crate) fn push_with(&mut self, issue: impl FnOnce() -> Issue) {
        if self.listed.len() < MAX_LISTED {
            self.listed.push(issue());
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn append(&mut self, other: Self) {
        other.listed.into_iter().for_each(|issue| self.push(issue));
        self.more += other.more;
    }

    /// Adds what was found in one API, product or subscription.
    pub(crate) fn extend(&mut self, findings: Findings, entity: impl Fn() -> Entity) {
        for (field, kind) in findings {
            self.push_with(|| Issue::new(entity(), field, kind));
        }
    }

    /// Puts the issues into the order of the catalog.
    pub(crate) fn sort(&mut self) {
        let place = |entity: &Entity| (entity.kind, entity.index);
        self.listed
            .sort_by_key(|issue| issue.entity.as_ref().map(place));
    }

    /// The issues of lists that come behind others.
    #[cfg(feature = "document")]
    pub(crate) fn moved(mut self, first: impl Fn(EntityKind) -> usize) -> Self {
        for entity in self.listed.iter_mut().flat_map(|issue| &mut issue.entity) {
            entity.index += first(entity.kind);
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The error, if there are any issues.
    pub(crate) fn into_result(self) -> Result<(), CatalogError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(CatalogError { issues: self })
        }
    }
}

impl fmt::Debug for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = self.listed.len();
        write!(f, "{} issues", listed + self.more)
    }
}

impl CatalogError {
    /// The issues in the order of the catalog, at most 1,000.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues.listed
    }

    /// How many more issues there are.
    #[must_use]
    pub fn more(&self) -> usize {
        self.issues.more
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the catalog is refused")?;
        for issue in self.issues() {
            write!(f, "\n  {issue}")?;
        }
        match self.more() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl fmt::Debug for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CatalogError {}
