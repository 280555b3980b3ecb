use std::borrow::Cow;

/// A condition on the records of a list. Repositories evaluate it; faces only
/// parse text into it.
///
/// An absent value compares like an empty text. Text is compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Both hold.
    And(Box<Filter>, Box<Filter>),
    /// At least one holds.
    Or(Box<Filter>, Box<Filter>),
    /// A field compares to a value as named.
    Compare(FilterField, Comparison, String),
}

impl Filter {
    /// A comparison of a field with a value.
    pub fn compare(field: FilterField, comparison: Comparison, value: impl Into<String>) -> Self {
        Self::Compare(field, comparison, value.into())
    }

    /// Both this filter and the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }

    /// This filter or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }

    /// Whether the filter holds for a record with the given values of its fields.
    pub(crate) fn holds(&self, record: &impl Filtered) -> bool {
        match self {
            Self::And(one, two) => one.holds(record) && two.holds(record),
            Self::Or(one, two) => one.holds(record) || two.holds(record),
            Self::Compare(field, Comparison::Ne, value) => {
                !record.values(*field).iter().any(|found| found == value)
            }
            Self::Compare(field, comparison, value) => record
                .values(*field)
                .iter()
                .any(|found| comparison.holds(found, value)),
        }
    }
}

/// A field that a [`Filter`] can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilterField {
    /// The id of any record.
    Id,
    /// The display name of any record.
    DisplayName,
    /// The comment on a subscription's state.
    StateComment,
    /// The owner of a subscription.
    Owner,
    /// Any scope of a subscription, in its short form (`/products/starter`).
    Scope,
    /// The id of any product in a subscription's scopes.
    Product,
    /// The state of a subscription, in lower case. An active subscription that
    /// has ended is `expired`.
    State,
}

/// How a [`Filter`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal. For scopes: none of them is equal.
    Ne,
    /// Greater or equal, by the bytes of the text.
    Ge,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Less.
    Lt,
    /// Contains the value.
    Contains,
    /// Starts with the value.
    StartsWith,
    /// Ends with the value.
    EndsWith,
}

impl Comparison {
    fn holds(self, found: &str, value: &str) -> bool {
        match self {
            Self::Eq => found == value,
            Self::Ne => found != value,
            Self::Ge => found >= value,
            Self::Le => found <= value,
            Self::Gt => found > value,
            Self::Lt => found < value,
            Self::Contains => found.contains(value),
            Self::StartsWith => found.starts_with(value),
            Self::EndsWith => found.ends_with(value),
        }
    }
}

/// A record that a filter can look at.
pub(crate) trait Filtered {
    /// The values of the field: one for most, several for scopes.
    fn values(&self, field: FilterField) -> Vec<Cow<'_, str>>;
}

/// Which records to list. Default: the first 100, ordered by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Only records for which the filter holds.
    pub filter: Option<Filter>,
    /// Only records with a greater id: the last one of the page before. Cheaper than
    /// `skip`, and not counted by the total.
    pub after: Option<String>,
    /// How many records to leave out.
    pub skip: u64,
    /// At most how many records to return.
    pub top: u32,
    /// The order.
    pub order: Order,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            filter: None,
            after: None,
            skip: 0,
            top: 100,
            order: Order::Id,
        }
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Order {
    /// By id, by the bytes of its text.
    #[default]
    Id,
    /// As the catalog has them: by the time of creation, or as imported.
    Catalog,
}

/// Some of the records of a list.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The records.
    pub records: Vec<T>,
    /// The number of records on all pages.
    pub total: u64,
}
