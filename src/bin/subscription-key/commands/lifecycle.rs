use serde_json::json;
use tower_subscription_key::document::format_time;
use tower_subscription_key::manage::{Operation, RecordRef, Rotation, Set, Transition};

use crate::args::{Activate, Common, IdAndScope, Regenerate, Reject};
use crate::commands::records::Change;
use crate::commands::subscriptions::check_scopes;
use crate::failure::{Failure, Result};
use crate::session::Session;
use crate::target::Missing;
use crate::values::End;
use crate::{output, undo};

pub(super) async fn regenerate(common: &Common, args: Regenerate) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let (id, slot) = (&args.id, args.slot);
    let grace = args.grace.unwrap_or_default();
    if !grace.is_zero() && session.has_unknown_key(id, slot).await? {
        return Err(Failure::refused(format_args!(
            "the {slot} key of subscription {id:?} comes from an environment variable that is \
             not set here, so that its grace period cannot be written: set it, or leave out --grace"
        )));
    }
    let rotation = Rotation {
        grace,
        expires_at: end(args.expires),
        prefix: args.prefix,
        ..Rotation::default()
    };
    let regenerated = session
        .manage
        .regenerate(&session.caller, id, slot, rotation)
        .await;
    let regenerated = session.accepted(regenerated).await?.value;
    session.commit().await?;
    let end = regenerated.replaced_key_expires_at.map(format_time);
    let key = regenerated.key.expose();
    let text = if common.json {
        output::json_text(&json!({
            "id": id,
            "slot": slot.as_str(),
            "key": key,
            "replaced_key_expires_at": end,
        }))?
    } else {
        let slot = format!("{slot} key");
        let mut rows = vec![["id".to_owned(), id.clone()], [slot, key.to_owned()]];
        rows.extend(end.map(|end| ["replaced key ends".to_owned(), end]));
        output::table(["", ""], rows)
    };
    let cure =
        format!("the new one is in force: run `subscription-key regenerate` for {id:?} again");
    output::print_keys(&text, &cure)?;
    undo::none("the replaced key does not come back");
    Ok(())
}

fn end(end: Option<End>) -> Set<std::time::SystemTime> {
    end.map_or(Set::Keep, |end| Set::from(end.time()))
}

pub(super) async fn activate(common: &Common, args: Activate) -> Result {
    let details = Transition {
        expires_at: end(args.expires),
        ..Transition::default()
    };
    change_state(common, Operation::Activate, args.id, details).await
}

pub(super) async fn reject(common: &Common, args: Reject) -> Result {
    let details = Transition {
        comment: args.comment.map_or(Set::Keep, Set::To),
        ..Transition::default()
    };
    change_state(common, Operation::Reject, args.id, details).await
}

/// Suspends, activates, cancels, approves or rejects.
pub(super) async fn change_state(
    common: &Common,
    operation: Operation,
    id: String,
    mut details: Transition,
) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    if let Set::To(comment) = details.comment {
        details.comment = match session.database_only("--comment", Some(comment)) {
            Some(comment) => Set::To(comment),
            None => Set::Keep,
        };
    }
    let change = Change::set(&session, RecordRef::subscription(&id), Vec::new()).await?;
    let (manage, caller) = (&session.manage, &session.caller);
    let changed = match operation {
        Operation::Suspend => manage.suspend(caller, &id, details).await,
        Operation::Cancel => manage.cancel(caller, &id, details).await,
        Operation::Approve => manage.approve(caller, &id, details).await,
        Operation::Reject => manage.reject(caller, &id, details).await,
        _ => manage.activate(caller, &id, details).await,
    };
    change.finish(common, changed, None).await
}

pub(super) async fn grant(common: &Common, args: &IdAndScope) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let (id, scope) = (&args.id, &args.scope);
    check_scopes(&session.definitions().await?, std::slice::from_ref(scope))?;
    let change = Change::set(&session, RecordRef::subscription(id), Vec::new()).await?;
    let granted = session.manage.grant(&session.caller, id, scope).await;
    let undo = ["revoke", "--", id, &scope.to_string()];
    change.finish(common, granted, Some(&undo)).await
}

pub(super) async fn revoke(common: &Common, args: &IdAndScope) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let (id, scope) = (&args.id, &args.scope);
    let change = Change::set(&session, RecordRef::subscription(id), Vec::new()).await?;
    let revoked = session.manage.revoke(&session.caller, id, scope).await;
    let undo = ["grant", "--", id, &scope.to_string()];
    change.finish(common, revoked, Some(&undo)).await
}
