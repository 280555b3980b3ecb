use std::time::SystemTime;

use tower_subscription_key::catalog::{Catalog, Scope, Subscription};
use tower_subscription_key::document::format_time;
use tower_subscription_key::manage::{
    Expected, KeyInput, RecordRef, Set, SubscriptionFields as Fields,
};

use crate::args::{
    AddSubscription, Common, ListSubscriptions, RemoveSubscription, SetSubscription,
    SubscriptionFields, Subscriptions,
};
use crate::commands::apis::{Flags, metadata};
use crate::commands::{catalog, confirm, database, not_shown, print_record, style};
use crate::failure::{Failure, Result};
use crate::session::{Missing, Session, near_in, suggestion};
use crate::values::When;
use crate::{keys, output, show, undo};

pub(super) async fn run(common: &Common, command: Subscriptions) -> Result {
    match command {
        Subscriptions::List(args) => list(common, &args).await,
        Subscriptions::Show(args) => show_one(common, &args.id).await,
        Subscriptions::Add(args) => add(common, args).await,
        Subscriptions::Set(args) => set(common, args).await,
        Subscriptions::Remove(args) => remove(common, &args).await,
    }
}

async fn list(common: &Common, args: &ListSubscriptions) -> Result {
    let catalog = catalog(common).await?;
    let fits = |subscription: &Subscription| {
        let owner = args.owner.as_deref();
        (owner.is_none() || subscription.owner() == owner)
            && args
                .state
                .is_none_or(|state| show::state(subscription) == state)
            && args
                .scope
                .as_ref()
                .is_none_or(|scope| subscription.scopes().contains(scope))
    };
    let subscriptions = catalog.subscriptions().filter(fits);
    if style(common).is_json() {
        let values: Vec<_> = subscriptions.map(|s| show::subscription(&s)).collect();
        return output::json(&values);
    }
    let heads = ["ID", "DISPLAY NAME", "SCOPE", "STATE", "OWNER", "EXPIRES"];
    let rows = subscriptions.map(|subscription| {
        let scopes: Vec<String> = subscription
            .scopes()
            .iter()
            .map(ToString::to_string)
            .collect();
        let end = subscription
            .expires_at()
            .map(format_time)
            .unwrap_or_default();
        let owner = subscription.owner().unwrap_or_default();
        let state = show::state(&subscription).as_str();
        [
            subscription.id(),
            subscription.display_name(),
            &scopes.join(", "),
            state,
            owner,
            &end,
        ]
        .map(str::to_owned)
    });
    output::print(&output::table(heads, rows))
}

async fn show_one(common: &Common, id: &str) -> Result {
    if let Some((manage, caller)) = database(common).await? {
        return match manage.subscription(&caller, id).await {
            Ok(record) => print_record(common, &show::subscription_record(&record)),
            Err(error) => Err(not_shown(&manage, &caller, error).await),
        };
    }
    let catalog = catalog(common).await?;
    let Some(subscription) = catalog.subscription(id) else {
        return Err(unknown(&catalog, id));
    };
    print_record(common, &show::subscription(&subscription))
}

/// A refusal that offers ids that look like the given one.
pub(super) fn unknown(catalog: &Catalog, id: &str) -> Failure {
    let record = RecordRef::subscription(id);
    let near = near_in(catalog, &record);
    Failure::refused(format_args!("there is no {record}{near}"))
}

async fn add(common: &Common, args: AddSubscription) -> Result {
    let what = if args.digests { "digest" } else { "key" };
    let prompts = [
        format!("Primary {what}"),
        format!("Secondary {what} (or nothing)"),
    ];
    // Wrong usage of the target comes before the question for a key.
    crate::target::Target::of(common)?;
    let texts = keys::read(&[&prompts[0], &prompts[1]])?;
    let mut inputs = Vec::new();
    for text in &texts {
        inputs.push(match args.digests {
            true => KeyInput::digest(keys::digest(text)?),
            false => {
                keys::subscription_key(text)?;
                KeyInput::text(text.to_string())
            }
        });
    }
    let mut inputs = inputs.into_iter();
    let session = Session::open(common, Missing::Refuse).await?;
    check_scopes(&session.definitions().await?, &args.scope)?;
    if session.subscription(&args.id).await?.is_some() {
        return Err(exists(&args.id));
    }
    let mut fields = fields(&session, args.scope, args.fields, &[], None);
    fields.primary_key = inputs.next();
    fields.secondary_key = inputs.next();
    fields.leave_keys_out = true;
    put(&session, &args.id, fields, Expected::Absent).await?;
    finish(common, &session, &args.id).await?;
    undo::command(
        &session,
        &["subscriptions", "remove", "--yes", "--", &args.id],
    );
    Ok(())
}

pub(super) fn exists(id: &str) -> Failure {
    Failure::refused(format_args!(
        "subscription {id:?} exists: choose another id, or change it with `subscriptions set`"
    ))
}

/// Refuses scopes that name nothing, offering ids that look like theirs.
pub(super) fn check_scopes(catalog: &Catalog, scopes: &[Scope]) -> Result {
    for scope in scopes {
        let near = match scope {
            Scope::Api(id) if catalog.api(id).is_none() => {
                let near = suggestion(id, catalog.apis().map(|api| api.id().to_owned()));
                near.replace('"', "`")
                    .replace("did you mean `", "did you mean `/apis/")
            }
            Scope::Product(id) if catalog.product(id).is_none() => {
                let near = suggestion(id, catalog.products().map(|p| p.id().to_owned()));
                near.replace('"', "`")
                    .replace("did you mean `", "did you mean `/products/")
            }
            _ => continue,
        };
        return Err(Failure::refused(format_args!(
            "scope {scope} names nothing{near}"
        )));
    }
    Ok(())
}

async fn put(session: &Session, id: &str, fields: Fields, expected: Expected) -> Result {
    let put = session
        .manage
        .put_subscription(&session.caller, id, fields, expected)
        .await;
    match put {
        Ok(_) => Ok(()),
        Err(error) => Err(session.failure(error).await),
    }
}

fn fields(
    session: &Session,
    scopes: Vec<Scope>,
    given: SubscriptionFields,
    unset: &[String],
    before: Option<&Subscription>,
) -> Fields {
    session.note_database_only("--description", given.description.is_some());
    let clears = |field: &str| unset.iter().any(|unset| unset == field);
    let text = |value: Option<String>, field: &str| match value {
        Some(value) => Set::To(value),
        None if clears(field) => Set::Clear,
        None => Set::Keep,
    };
    let time = |value: Option<When>, field: &str| match value {
        Some(When(time)) => Set::To(time),
        None if clears(field) => Set::Clear,
        None => Set::Keep,
    };
    let before = before
        .map(|before| before.metadata().clone())
        .unwrap_or_default();
    Fields {
        scopes: (!scopes.is_empty()).then_some(scopes),
        display_name: text(given.name, "display_name"),
        owner: text(given.owner, "owner"),
        not_before: time(given.not_before, "not_before"),
        expires_at: time(given.expires, "expires_at"),
        metadata: metadata(&before, given.metadata, unset),
        description: text(given.description, "description"),
        ..Fields::default()
    }
}

async fn finish(common: &Common, session: &Session, id: &str) -> Result {
    session.commit().await?;
    if style(common).is_json() {
        let subscription = session.subscription(id).await?;
        return output::json(&subscription.as_ref().map(show::subscription));
    }
    Ok(())
}

async fn set(common: &Common, args: SetSubscription) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let before = session.subscription(&args.id).await?;
    check_scopes(&session.definitions().await?, &args.scope)?;
    let fields = fields(
        &session,
        args.scope,
        args.fields,
        &args.unset,
        before.as_ref(),
    );
    put(&session, &args.id, fields, Expected::Present).await?;
    finish(common, &session, &args.id).await?;
    let after = session.subscription(&args.id).await?;
    if let (Some(before), Some(after)) = (before, after) {
        undo_set(&session, &before, &after);
    }
    Ok(())
}

fn undo_set(session: &Session, before: &Subscription, after: &Subscription) {
    let mut flags = Flags::default();
    let name = |s: &Subscription| (s.display_name() != s.id()).then(|| s.display_name().to_owned());
    flags.text(
        "--name",
        "display_name",
        name(before).as_deref(),
        name(after).as_deref(),
    );
    flags.text("--owner", "owner", before.owner(), after.owner());
    if before.scopes() != after.scopes() {
        for scope in before.scopes() {
            flags.push("--scope", scope.to_string());
        }
    }
    let time = |time: Option<SystemTime>| time.map(format_time);
    let (start, end) = (time(before.not_before()), time(before.expires_at()));
    flags.text(
        "--not-before",
        "not_before",
        start.as_deref(),
        time(after.not_before()).as_deref(),
    );
    flags.text(
        "--expires",
        "expires_at",
        end.as_deref(),
        time(after.expires_at()).as_deref(),
    );
    flags.metadata(before.metadata(), after.metadata());
    flags.undo(session, "subscriptions", before.id());
}

async fn remove(common: &Common, args: &RemoveSubscription) -> Result {
    confirm(
        &format!("subscription {:?} and its keys", args.id),
        args.yes,
    )?;
    let session = Session::open(common, Missing::Refuse).await?;
    let expected = Expected::Present;
    let deleted = session
        .manage
        .delete_subscription(&session.caller, &args.id, expected)
        .await;
    if let Err(error) = deleted {
        return Err(session.failure(error).await);
    }
    session.commit().await?;
    undo::none("its keys are gone; `subscription-key create` makes a subscription with new ones");
    Ok(())
}
