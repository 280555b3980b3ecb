use serde_json::json;
use tower_subscription_key::catalog::{KeySlot, State};
use tower_subscription_key::document::format_time;
use tower_subscription_key::key;
use tower_subscription_key::manage::{
    Changed, Expected, ManageError, Rotation, Set, SubscriptionFields, SubscriptionRecord,
    Transition,
};

use crate::args::{Activate, Common, Create, IdAndScope, Regenerate, Reject};
use crate::commands::style;
use crate::commands::subscriptions::{check_scopes, exists};
use crate::failure::{Failure, Result};
use crate::session::{Missing, Session};
use crate::values::{End, When};
use crate::{output, show, undo};

pub(super) async fn create(common: &Common, args: Create) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    session.note_database_only("--description", args.description.is_some());
    check_scopes(&session.definitions().await?, &args.scope)?;
    let id = match args.id {
        Some(id) if session.subscription(&id).await?.is_some() => return Err(exists(&id)),
        Some(id) => id,
        None => generated_id(),
    };
    let set = |text: Option<String>| text.map_or(Set::Keep, Set::To);
    let fields = SubscriptionFields {
        scopes: Some(args.scope),
        display_name: set(args.name),
        description: set(args.description),
        owner: set(args.owner),
        key_prefix: args.prefix,
        expires_at: args.expires.map_or(Set::Keep, |When(end)| Set::To(end)),
        state: Some(State::Active),
        ..SubscriptionFields::default()
    };
    let put = session
        .manage
        .put_subscription(&session.caller, &id, fields, Expected::Absent)
        .await;
    let put = match put {
        Ok(put) => put.value,
        Err(error) => return Err(session.failure(error).await),
    };
    session.commit().await?;
    let (Some(primary), Some(secondary)) = (&put.primary_key, &put.secondary_key) else {
        return Err(Failure::refused("no keys were generated"));
    };
    let text = if style(common).is_json() {
        let record = &put.record;
        let scopes: Vec<String> = record.scopes.iter().map(ToString::to_string).collect();
        output::json_text(&json!({
            "id": id,
            "primary_key": primary.expose(),
            "secondary_key": secondary.expose(),
            "display_name": record.display_name(),
            "scopes": scopes,
            "owner": record.owner,
            "state": record.state.as_str(),
            "expires_at": record.expires_at.map(format_time),
        }))?
    } else {
        let rows = [
            ["id", &id],
            ["primary key", primary.expose()],
            ["secondary key", secondary.expose()],
        ];
        output::table(["", ""], rows.map(|row| row.map(str::to_owned)))
    };
    let cure =
        format!("subscription {id:?} exists: get new ones with `subscription-key regenerate`");
    output::print_keys(&text, &cure)?;
    undo::command(&session, &["subscriptions", "remove", "--yes", "--", &id]);
    Ok(())
}

/// A generated id: the first half of a random key.
fn generated_id() -> String {
    key::generate().expose().chars().take(16).collect()
}

pub(super) async fn regenerate(common: &Common, args: Regenerate) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let slot = KeySlot::from(args.slot);
    let id = &args.id;
    let grace = args.grace.unwrap_or_default();
    if let Some(subscription) = session.subscription(id).await?
        && let Some(old) = subscription.key(slot)
        && !grace.is_zero()
        && session.is_unknown_key(old.digest())
    {
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
    let regenerated = match regenerated {
        Ok(regenerated) => regenerated.value,
        Err(error) => return Err(session.failure(error).await),
    };
    session.commit().await?;
    let end = regenerated.replaced_key_expires_at.map(format_time);
    let key = regenerated.key.expose();
    let text = if style(common).is_json() {
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

pub(super) async fn suspend(common: &Common, id: &str) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let changed = session
        .manage
        .suspend(&session.caller, id, Transition::default())
        .await;
    finish(common, &session, changed).await?;
    undo::command(&session, &["activate", "--", id]);
    Ok(())
}

pub(super) async fn activate(common: &Common, args: &Activate) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let before = session.subscription(&args.id).await?;
    let details = Transition {
        expires_at: end(args.expires),
        ..Transition::default()
    };
    let changed = session
        .manage
        .activate(&session.caller, &args.id, details)
        .await;
    finish(common, &session, changed).await?;
    match before.map(|before| before.state()) {
        Some(State::Suspended) => undo::command(&session, &["suspend", "--", &args.id]),
        Some(State::Cancelled) => undo::command(&session, &["cancel", "--", &args.id]),
        _ => undo::command(&session, &["suspend", "--", &args.id]),
    }
    Ok(())
}

pub(super) async fn cancel(common: &Common, id: &str) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let changed = session
        .manage
        .cancel(&session.caller, id, Transition::default())
        .await;
    finish(common, &session, changed).await?;
    undo::command(&session, &["activate", "--", id]);
    Ok(())
}

pub(super) async fn approve(common: &Common, id: &str) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let changed = session
        .manage
        .approve(&session.caller, id, Transition::default())
        .await;
    finish(common, &session, changed).await?;
    undo::command(&session, &["cancel", "--", id]);
    Ok(())
}

pub(super) async fn reject(common: &Common, args: Reject) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    session.note_database_only("--comment", args.comment.is_some());
    let details = Transition {
        comment: args.comment.map_or(Set::Keep, Set::To),
        ..Transition::default()
    };
    let changed = session
        .manage
        .reject(&session.caller, &args.id, details)
        .await;
    finish(common, &session, changed).await?;
    undo::command(&session, &["activate", "--", &args.id]);
    Ok(())
}

pub(super) async fn grant(common: &Common, args: &IdAndScope) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    check_scopes(
        &session.definitions().await?,
        std::slice::from_ref(&args.scope),
    )?;
    let changed = session
        .manage
        .grant(&session.caller, &args.id, &args.scope)
        .await;
    if finish(common, &session, changed).await? {
        undo::command(
            &session,
            &["revoke", "--", &args.id, &args.scope.to_string()],
        );
    }
    Ok(())
}

pub(super) async fn revoke(common: &Common, args: &IdAndScope) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let changed = session
        .manage
        .revoke(&session.caller, &args.id, &args.scope)
        .await;
    if finish(common, &session, changed).await? {
        undo::command(
            &session,
            &["grant", "--", &args.id, &args.scope.to_string()],
        );
    }
    Ok(())
}

/// Writes and prints a changed subscription. Returns whether it has changed.
async fn finish(
    common: &Common,
    session: &Session,
    changed: Result<Changed<SubscriptionRecord>, ManageError>,
) -> Result<bool> {
    let changed = match changed {
        Ok(changed) => changed,
        Err(error) => return Err(session.failure(error).await),
    };
    session.commit().await?;
    if style(common).is_json() {
        let subscription = session.subscription(&changed.value.id).await?;
        output::json(&subscription.as_ref().map(show::subscription))?;
    }
    Ok(changed.number.is_some())
}
