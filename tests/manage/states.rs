use std::time::{Duration, SystemTime};

use tower_subscription_key::catalog::State;
use tower_subscription_key::manage::{
    AuditQuery, Changed, Manage, ManageError, Operation, Set, SubscriptionFields,
    SubscriptionRecord, Transition,
};

use crate::support::*;

tests!(
    each_operation_starts_from_its_states_only,
    dates_follow_the_state,
    subscription_past_its_end_reads_as_expired_everywhere,
    subscription_that_was_set_expired_is_revived_by_a_new_end_alone,
    rejection_keeps_its_comment,
);

const OPERATIONS: [(Operation, State, &[State]); 5] = [
    (Operation::Approve, State::Active, &[State::Submitted]),
    (Operation::Reject, State::Rejected, &[State::Submitted]),
    (Operation::Suspend, State::Suspended, &[State::Active]),
    (
        Operation::Activate,
        State::Active,
        &[
            State::Suspended,
            State::Cancelled,
            State::Rejected,
            State::Expired,
        ],
    ),
    (
        Operation::Cancel,
        State::Cancelled,
        &[State::Active, State::Suspended, State::Submitted],
    ),
];

async fn run(
    manage: &Manage,
    operation: Operation,
    id: &str,
) -> Result<Changed<SubscriptionRecord>, ManageError> {
    let (admin, details) = (admin(), Transition::default());
    match operation {
        Operation::Approve => manage.approve(admin, id, details).await,
        Operation::Reject => manage.reject(admin, id, details).await,
        Operation::Suspend => manage.suspend(admin, id, details).await,
        Operation::Activate => manage.activate(admin, id, details).await,
        _ => manage.cancel(admin, id, details).await,
    }
}

async fn each_operation_starts_from_its_states_only(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    subscribe(&manage, "contoso").await;
    for (operation, to, starts) in OPERATIONS {
        for from in State::ALL {
            let set = manage.set_state(admin(), "contoso", from, Transition::default());
            set.await.unwrap();
            let result = run(&manage, operation, "contoso").await;
            if starts.contains(&from) {
                let record = result.unwrap().value;
                assert_eq!(record.state, to, "{operation} from {from}");
                continue;
            }
            let error = result.unwrap_err();
            let text = error.to_string();
            let ManageError::Transition {
                from: named,
                to: target,
                ..
            } = error
            else {
                panic!("{operation} from {from}: {text}");
            };
            assert_eq!((named, target), (from, to));
            let record = manage.subscription(admin(), "contoso").await.unwrap();
            assert_eq!(record.state, from);
        }
    }
}

async fn dates_follow_the_state(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let fields = SubscriptionFields {
        state: Some(State::Submitted),
        ..scoped(product("starter"))
    };
    let record = put(&manage, "contoso", fields).await.unwrap().record;
    assert_eq!((record.started_at, record.ended_at), (None, None));
    let details = Transition::default;
    let record = manage
        .approve(admin(), "contoso", details())
        .await
        .unwrap()
        .value;
    let started = record.started_at;
    assert!(started.is_some());
    let record = manage
        .cancel(admin(), "contoso", details())
        .await
        .unwrap()
        .value;
    assert!(record.ended_at.is_some());
    let record = manage
        .activate(admin(), "contoso", details())
        .await
        .unwrap()
        .value;
    assert_eq!((record.started_at, record.ended_at), (started, None));
}

async fn subscription_past_its_end_reads_as_expired_everywhere(repository: impl Repository) {
    use tower_subscription_key::manage::{Comparison, Filter, FilterField, ListQuery};
    let manage = with_starter(&repository).await;
    let past = SystemTime::now() - Duration::from_secs(60);
    let fields = SubscriptionFields {
        expires_at: Set::To(past),
        ..scoped(product("starter"))
    };
    put(&manage, "contoso", fields).await.unwrap();
    let record = manage.subscription(admin(), "contoso").await.unwrap();
    assert_eq!(record.state, State::Expired);
    assert_eq!(record.ended_at, record.expires_at);
    let of_state = |state: &str| ListQuery {
        filter: Some(Filter::compare(FilterField::State, Comparison::Eq, state)),
        ..ListQuery::default()
    };
    let expired = manage
        .list_subscriptions(admin(), &of_state("expired"))
        .await
        .unwrap();
    assert_eq!((expired.total, &*expired.records[0].id), (1, "contoso"));
    let active = manage
        .list_subscriptions(admin(), &of_state("active"))
        .await
        .unwrap();
    assert!(active.records.iter().all(|record| record.id != "contoso"));
    // Activation needs another end, and the computed state made no version.
    let details = Transition::default();
    let error = manage
        .activate(admin(), "contoso", details)
        .await
        .unwrap_err();
    assert_eq!(fields_of(&error), ["expires_at"]);
    let without_end = Transition {
        expires_at: Set::Clear,
        ..Transition::default()
    };
    let record = manage
        .activate(admin(), "contoso", without_end)
        .await
        .unwrap()
        .value;
    assert_eq!((record.state, record.version), (State::Active, 2));
    // A new end alone revives a record that reads as expired.
    for (end, state) in [
        (past, State::Expired),
        (past + Duration::from_secs(600), State::Active),
    ] {
        let ended = SubscriptionFields {
            expires_at: Set::To(end),
            ..SubscriptionFields::default()
        };
        let record = put(&manage, "contoso", ended).await.unwrap().record;
        assert_eq!(record.state, state);
        assert_eq!(record.ended_at.is_some(), state == State::Expired);
    }
}

async fn subscription_that_was_set_expired_is_revived_by_a_new_end_alone(
    repository: impl Repository,
) {
    let manage = with_starter(&repository).await;
    put(&manage, "contoso", scoped(product("starter")))
        .await
        .unwrap();
    let end = |days: u64| Set::To(SystemTime::now() + Duration::from_secs(days * 24 * 60 * 60));
    let past = Set::To(SystemTime::now() - Duration::from_secs(60));
    // Each with the state that it leads to.
    for (state, expires_at, expected) in [
        (Some(State::Expired), Set::Keep, State::Expired),
        (None, past.clone(), State::Expired),
        (None, end(1), State::Active),
        (None, past, State::Expired),
        (Some(State::Expired), end(2), State::Expired),
        (None, Set::Clear, State::Active),
        (Some(State::Expired), Set::Keep, State::Expired),
        (None, Set::Clear, State::Expired),
    ] {
        let fields = SubscriptionFields {
            state,
            expires_at,
            ..Default::default()
        };
        let record = put(&manage, "contoso", fields.clone())
            .await
            .unwrap()
            .record;
        assert_eq!(record.state, expected, "{fields:?}");
    }
}

fn fields_of(error: &ManageError) -> Vec<String> {
    fields(error)
}

async fn rejection_keeps_its_comment(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let submitted = SubscriptionFields {
        state: Some(State::Submitted),
        ..scoped(product("starter"))
    };
    put(&manage, "contoso", submitted).await.unwrap();
    let comment = Transition {
        comment: Set::To("no budget".into()),
        ..Transition::default()
    };
    manage.reject(admin(), "contoso", comment).await.unwrap();
    let record = manage.subscription(admin(), "contoso").await.unwrap();
    assert_eq!(record.state_comment.as_deref(), Some("no budget"));
    let audit = manage.audit(admin(), &AuditQuery::default()).await.unwrap();
    let changed: Vec<&str> = audit.records[0].changes.iter().map(|c| &*c.field).collect();
    assert_eq!(changed, ["state", "state_comment"]);
}
