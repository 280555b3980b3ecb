use crate::catalog::{Definitions, KeySlot, Scope, State, Target, Validity};

/// What the owner of a key brings to a decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) slot: KeySlot,
    pub(crate) state: State,
    pub(crate) validity: Validity,
    pub(crate) key_validity: Validity,
    pub(crate) scopes: Scopes<'a>,
}

/// The scopes of a subscription, as memory holds them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scopes<'a> {
    One(Target),
    Resolved(&'a [Target]),
    Named(&'a [Scope]),
}

impl Scopes<'_> {
    /// The scopes by name.
    pub(crate) fn to_scopes(self, definitions: &Definitions) -> Vec<Scope> {
        let named = |target: &Target| definitions.scope(*target).to_scope();
        match self {
            Self::One(target) => vec![named(&target)],
            Self::Resolved(targets) => targets.iter().map(named).collect(),
            Self::Named(scopes) => scopes.to_vec(),
        }
    }
}
