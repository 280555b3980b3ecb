use serde_json::json;
use tower_subscription_key::catalog::{Catalog, Scope, State, Subscription};
use tower_subscription_key::document::format_time;
use tower_subscription_key::key;
use tower_subscription_key::manage::{
    Caller, Comparison, Filter, FilterField, KeyInput, ListQuery, Manage, Order, RecordRef,
    SubscriptionFields as Fields,
};

use crate::args::{
    Action, AddSubscription, Common, Create, ListSubscriptions, Remove, SetSubscription,
    SubscriptionFields,
};
use crate::commands::records::{self, Change};
use crate::failure::{Failure, Result};
use crate::session::Session;
use crate::source::Source;
use crate::target::Missing;
use crate::values::When;
use crate::{keys, names, output, show, undo};

/// How many subscriptions of a database are in memory at a time.
const PAGE: u32 = 2_000;

pub(super) async fn run(
    common: &Common,
    action: Action<ListSubscriptions, AddSubscription, SetSubscription, Remove>,
) -> Result {
    match action {
        Action::List(args) => list(common, &args).await,
        Action::Show(args) => records::show(common, RecordRef::subscription(args.id)).await,
        Action::Add(args) => add(common, args).await,
        Action::Set(args) => {
            let session = Session::open(common, Missing::Refuse).await?;
            let target = RecordRef::subscription(&args.id);
            let change = Change::set(&session, target, args.unset).await?;
            let fields = fields(&session, &change, args.scope, args.fields).await?;
            put(common, &session, change, &args.id, fields).await
        }
        Action::Remove(args) => {
            let target = RecordRef::subscription(args.id);
            records::remove(common, target, args.yes, false).await
        }
    }
}

async fn list(common: &Common, args: &ListSubscriptions) -> Result {
    let mut printed = List::new(common);
    match Source::open(common).await? {
        Source::File(catalog) => {
            let fits = |subscription: &Subscription| {
                let owner = args.owner.as_deref();
                let scopes = subscription.scopes();
                (owner.is_none() || subscription.owner() == owner)
                    && args
                        .state
                        .is_none_or(|state| show::state(subscription) == state)
                    && args
                        .scope
                        .as_ref()
                        .is_none_or(|scope| scopes.contains(scope))
            };
            printed.page(catalog.subscriptions().filter(fits))?;
        }
        Source::Database(manage, caller) => {
            database_pages(&manage, &caller, args, &mut printed).await?
        }
    }
    printed.end()
}

/// Prints page by page what the database finds.
async fn database_pages(
    manage: &Manage,
    caller: &Caller,
    args: &ListSubscriptions,
    printed: &mut List,
) -> Result {
    let equal = |field, value: String| Filter::compare(field, Comparison::Eq, value);
    let filters = [
        args.owner
            .clone()
            .map(|owner| equal(FilterField::Owner, owner)),
        args.state
            .map(|state| equal(FilterField::State, state.to_string())),
        args.scope
            .as_ref()
            .map(|scope| equal(FilterField::Scope, scope.to_string())),
    ];
    let mut query = ListQuery {
        filter: filters.into_iter().flatten().reduce(Filter::and),
        top: PAGE,
        order: Order::Catalog,
        ..ListQuery::default()
    };
    loop {
        let page = manage.list_subscriptions(caller, &query).await;
        let records = page?.records;
        printed.page(records.iter().map(|record| record.to_catalog()))?;
        if records.len() < PAGE as usize {
            return Ok(());
        }
        query.skip += u64::from(PAGE);
    }
}

/// A list of subscriptions that is printed in parts.
enum List {
    Json(output::Array),
    Table { has_heads: bool },
}

impl List {
    fn new(common: &Common) -> Self {
        match common.json {
            true => Self::Json(output::Array::default()),
            false => Self::Table { has_heads: false },
        }
    }

    fn page(&mut self, subscriptions: impl Iterator<Item = Subscription>) -> Result {
        let has_heads = match self {
            Self::Json(array) => return array.print(subscriptions.map(|s| show::subscription(&s))),
            Self::Table { has_heads } => std::mem::replace(has_heads, true),
        };
        let rows = subscriptions.map(|subscription| {
            let scopes = subscription.scopes().iter().map(ToString::to_string);
            let scopes = scopes.collect::<Vec<_>>().join(", ");
            let end = subscription
                .expires_at()
                .map(format_time)
                .unwrap_or_default();
            let owner = subscription.owner().unwrap_or_default();
            let state = show::state(&subscription).as_str();
            let (id, name) = (subscription.id(), subscription.display_name());
            [id, name, &scopes, state, owner, &end].map(str::to_owned)
        });
        let heads = ["ID", "DISPLAY NAME", "SCOPE", "STATE", "OWNER", "EXPIRES"];
        output::print(&output::table(
            if has_heads { [""; 6] } else { heads },
            rows,
        ))
    }

    fn end(self) -> Result {
        match self {
            Self::Json(array) => array.end(),
            Self::Table { .. } => Ok(()),
        }
    }
}

async fn add(common: &Common, args: AddSubscription) -> Result {
    let what = if args.digests { "digest" } else { "key" };
    let prompts = [
        format!("Primary {what}"),
        format!("Secondary {what} (or nothing)"),
    ];
    // Wrong usage of the target comes before the question for a key.
    crate::target::Target::of(common)?;
    let mut inputs = Vec::new();
    for text in keys::read(&[&prompts[0], &prompts[1]])? {
        inputs.push(match args.digests {
            true => KeyInput::digest(text.parse().map_err(Failure::refused)?),
            false => {
                keys::subscription_key(&text)?;
                KeyInput::text(text.to_string())
            }
        });
    }
    let mut inputs = inputs.into_iter();
    let session = Session::open(common, Missing::Refuse).await?;
    let change = Change::add(&session, RecordRef::subscription(&args.id)).await?;
    let fields = Fields {
        primary_key: inputs.next(),
        secondary_key: inputs.next(),
        leave_keys_out: true,
        ..fields(&session, &change, args.scope, args.fields).await?
    };
    put(common, &session, change, &args.id, fields).await
}

async fn put(
    common: &Common,
    session: &Session,
    change: Change<'_>,
    id: &str,
    fields: Fields,
) -> Result {
    let (caller, expected) = (&session.caller, change.expected());
    let put = session
        .manage
        .put_subscription(caller, id, fields, expected)
        .await;
    change.finish(common, put, None).await
}

async fn fields(
    session: &Session,
    change: &Change<'_>,
    scopes: Vec<Scope>,
    given: SubscriptionFields,
) -> Result<Fields> {
    check_scopes(&session.definitions().await?, &scopes)?;
    let description = session.database_only("--description", given.description);
    let time = |time: Option<When>| time.map(|When(time)| time);
    Ok(Fields {
        scopes: (!scopes.is_empty()).then_some(scopes),
        display_name: change.field("display_name", given.name),
        owner: change.field("owner", given.owner),
        not_before: change.field("not_before", time(given.not_before)),
        expires_at: change.field("expires_at", time(given.expires)),
        metadata: change.metadata(given.metadata),
        description: change.field("description", description),
        ..Fields::default()
    })
}

/// Refuses scopes that name nothing, offering ids that look like theirs.
pub(super) fn check_scopes(catalog: &Catalog, scopes: &[Scope]) -> Result {
    for scope in scopes {
        let scopes: Vec<String> = match scope {
            Scope::Api(id) if catalog.api(id).is_none() => catalog
                .apis()
                .map(|api| format!("/apis/{}", api.id()))
                .collect(),
            Scope::Product(id) if catalog.product(id).is_none() => catalog
                .products()
                .map(|product| format!("/products/{}", product.id()))
                .collect(),
            _ => continue,
        };
        let near = names::suggestion(&scope.to_string(), scopes);
        return Err(Failure::refused(format_args!(
            "scope {scope} does not exist{near}"
        )));
    }
    Ok(())
}

pub(super) async fn create(common: &Common, args: Create) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    // A generated id: the first half of a random key.
    let generated = || key::generate().expose().chars().take(16).collect();
    let id = args.id.unwrap_or_else(generated);
    let change = Change::add(&session, RecordRef::subscription(&id)).await?;
    let fields = Fields {
        key_prefix: args.prefix,
        state: Some(State::Active),
        ..fields(&session, &change, args.scope, args.fields).await?
    };
    let (caller, expected) = (&session.caller, change.expected());
    let put = session
        .manage
        .put_subscription(caller, &id, fields, expected)
        .await;
    let put = session.accepted(put).await?.value;
    session.commit().await?;
    let (Some(primary), Some(secondary)) = (&put.primary_key, &put.secondary_key) else {
        return Err(Failure::refused("no keys were generated"));
    };
    let text = if common.json {
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
