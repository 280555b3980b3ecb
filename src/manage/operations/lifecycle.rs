use crate::catalog::State;
use crate::manage::operations::rules::{check_end, refuse};
use crate::manage::operations::{Changed, Transition, Work};
use crate::manage::{Caller, Manage, ManageError, Operation, RecordRef, Set, SubscriptionRecord};

/// A change of state: where it leads to, and where it starts from.
pub(super) struct Rule {
    operation: Operation,
    to: State,
    from: &'static [State],
}

impl Rule {
    const fn new(operation: Operation, to: State, from: &'static [State]) -> Self {
        Self {
            operation,
            to,
            from,
        }
    }

    /// Refuses a change from a state that it does not start from.
    pub(super) fn check(&self, id: &str, from: State) -> Result<(), ManageError> {
        if self.from.contains(&from) {
            return Ok(());
        }
        Err(ManageError::Transition {
            id: id.to_owned(),
            operation: self.operation,
            from,
            to: self.to,
            allowed: self.from,
        })
    }
}

const APPROVE: Rule = Rule::new(Operation::Approve, State::Active, &[State::Submitted]);
const REJECT: Rule = Rule::new(Operation::Reject, State::Rejected, &[State::Submitted]);
const SUSPEND: Rule = Rule::new(Operation::Suspend, State::Suspended, &[State::Active]);
const ACTIVATE: Rule = Rule::new(
    Operation::Activate,
    State::Active,
    &[
        State::Suspended,
        State::Cancelled,
        State::Rejected,
        State::Expired,
    ],
);
pub(super) const CANCEL: Rule = Rule::new(
    Operation::Cancel,
    State::Cancelled,
    &[State::Active, State::Suspended, State::Submitted],
);

macro_rules! transitions {
    ($($(#[$doc:meta])* $name:ident = $rule:ident;)*) => {
        impl Manage {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                ///
                /// [`ManageError`]; `Transition` if the subscription is in another state.
                pub async fn $name(
                    &self,
                    caller: &Caller,
                    id: &str,
                    details: Transition,
                ) -> Result<Changed<SubscriptionRecord>, ManageError> {
                    self.transition(caller, id, &$rule, details).await
                }
            )*
        }
    };
}

transitions! {
    /// Approves a submitted subscription, which becomes active. For publishers.
    approve = APPROVE;
    /// Rejects a submitted subscription, with a comment. For publishers.
    reject = REJECT;
    /// Suspends an active subscription: its keys open nothing. For publishers.
    suspend = SUSPEND;
    /// Activates a suspended, cancelled, rejected or expired subscription. For
    /// publishers.
    activate = ACTIVATE;
    /// Cancels an active, suspended or submitted subscription. Owners may cancel
    /// their own.
    cancel = CANCEL;
}

impl Manage {
    /// Sets the state of a subscription, whatever it is. For publishers.
    pub async fn set_state(
        &self,
        caller: &Caller,
        id: &str,
        state: State,
        details: Transition,
    ) -> Result<Changed<SubscriptionRecord>, ManageError> {
        let rule = Rule::new(Operation::SetState, state, &State::ALL);
        self.transition(caller, id, &rule, details).await
    }

    async fn transition(
        &self,
        caller: &Caller,
        id: &str,
        rule: &Rule,
        details: Transition,
    ) -> Result<Changed<SubscriptionRecord>, ManageError> {
        let target = RecordRef::subscription(id);
        let mut work = self.work(caller, rule.operation, target).await?;
        let result = work.change_state(id, rule, details).await;
        work.finish(result).await
    }
}

impl Work<'_> {
    async fn change_state(
        &mut self,
        id: &str,
        rule: &Rule,
        details: Transition,
    ) -> Result<SubscriptionRecord, ManageError> {
        let plain = details.comment == Set::Keep && details.expires_at == Set::Keep;
        if rule.operation != Operation::Cancel || !plain {
            self.caller
                .only_publishers("change the state of a subscription other than cancel it")?;
        }
        let before = self.expect_subscription(id, details.expected).await?;
        let from = before.state_at(self.now);
        rule.check(id, from)?;
        let mut after = before.clone();
        details.expires_at.apply_rounded(&mut after.expires_at);
        if rule.to == State::Active && from != State::Active {
            let mut issues = Vec::new();
            check_end(&after, self.now, &mut issues);
            refuse(&RecordRef::subscription(id), issues)?;
        }
        if from != rule.to {
            self.enter(&mut after, rule.to);
        }
        details.comment.apply(&mut after.state_comment);
        self.check_limits(Some(&before), &after).await?;
        self.put_subscription(Some(before), after).await
    }

    /// Puts a record into a state, with the dates that go with it.
    pub(super) fn enter(&self, record: &mut SubscriptionRecord, state: State) {
        record.state = state;
        record.ended_at = match state {
            State::Active => None,
            State::Cancelled | State::Expired => Some(self.now),
            _ => record.ended_at,
        };
        if state == State::Active && record.started_at.is_none() {
            record.started_at = Some(self.now);
        }
    }
}
