/// Who may call something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    /// Whether a key is not needed.
    pub(super) anonymous: bool,
    pub(super) keys: Keys,
}

/// Which consumers' keys open something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Keys {
    None,
    Any,
    Acl(Acl),
}

/// The `acl` plugin: groups that may, or groups that may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acl {
    pub(super) allow: Vec<String>,
    pub(super) deny: Vec<String>,
}

impl Acl {
    pub(super) fn admits(&self, groups: &[String]) -> bool {
        let is_in = |list: &[String]| groups.iter().any(|group| list.contains(group));
        !is_in(&self.deny) && (self.allow.is_empty() || is_in(&self.allow))
    }
}

impl Keys {
    pub(super) fn product_id(&self) -> String {
        match self {
            Self::None => "closed".to_owned(),
            Self::Any => "key-auth".to_owned(),
            Self::Acl(acl) if acl.allow.is_empty() => {
                super::id_of(&format!("acl-not-{}", acl.deny.join("-")))
            }
            Self::Acl(acl) => super::id_of(&format!("acl-{}", acl.allow.join("-"))),
        }
    }

    pub(super) fn admits(&self, groups: &[String]) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Acl(acl) => acl.admits(groups),
        }
    }
}

impl Access {
    pub(super) const OPEN: Self = Self {
        anonymous: true,
        keys: Keys::None,
    };
    pub(super) const CLOSED: Self = Self {
        anonymous: false,
        keys: Keys::None,
    };

    /// What is allowed by both, or by one that everyone may call and the other.
    pub(super) fn narrowed(&self, other: &Self) -> Self {
        let keys = if self.keys == other.keys {
            self.keys.clone()
        } else if *self == Self::OPEN {
            other.keys.clone()
        } else if *other == Self::OPEN {
            self.keys.clone()
        } else {
            Keys::None
        };
        Self {
            anonymous: self.anonymous && other.anonymous,
            keys,
        }
    }
}
