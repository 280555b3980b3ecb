use std::fmt;

use crate::manage::{ManageError, ProductRecord, SubscriptionRecord};

/// On behalf of which person or program an operation is made.
///
/// Authentication is the job of the face (REST, page, tool); the rules only ask
/// who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Administers everything. The name appears in the audit trail.
    Publisher(String),
    /// Serves itself: the owner with the given id, limited to published products
    /// and its own subscriptions.
    Owner(String),
}

impl Caller {
    /// A publisher with the given name.
    pub fn publisher(name: impl Into<String>) -> Self {
        Self::Publisher(name.into())
    }

    /// The owner with the given id.
    pub fn owner(id: impl Into<String>) -> Self {
        Self::Owner(id.into())
    }

    /// `publisher` or `owner`.
    #[must_use]
    pub fn role(&self) -> &'static str {
        match self {
            Self::Publisher(_) => "publisher",
            Self::Owner(_) => "owner",
        }
    }

    /// The publisher's name or the owner's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Publisher(id) | Self::Owner(id) => id,
        }
    }

    /// The owner's id, if the caller is an owner.
    pub(crate) fn as_owner(&self) -> Option<&str> {
        match self {
            Self::Publisher(_) => None,
            Self::Owner(id) => Some(id),
        }
    }

    /// Refuses callers other than publishers.
    pub(crate) fn only_publishers(&self, action: &str) -> Result<(), ManageError> {
        match self {
            Self::Publisher(_) => Ok(()),
            Self::Owner(_) => Err(ManageError::Forbidden {
                caller: self.to_string(),
                action: action.to_owned(),
            }),
        }
    }

    /// Whether a product exists to the caller.
    pub(crate) fn sees_product(&self, product: &ProductRecord) -> bool {
        self.as_owner().is_none() || product.is_offered()
    }

    /// Whether a subscription exists to the caller.
    pub(crate) fn sees(&self, subscription: &SubscriptionRecord) -> bool {
        self.as_owner()
            .is_none_or(|owner| subscription.owner.as_deref() == Some(owner))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.role(), self.id())
    }
}
