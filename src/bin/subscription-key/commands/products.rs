use tower_subscription_key::catalog::{Metadata, Product};
use tower_subscription_key::manage::{Deletion, Expected, ProductFields as Fields, RecordRef, Set};

use crate::args::{Common, ProductFields, Products, Remove, SetProduct};
use crate::commands::apis::{Flags, metadata};
use crate::commands::{catalog, confirm, database, not_shown, print_record, style};
use crate::failure::{Failure, Result};
use crate::session::{Missing, Session, near_in, suggestion};
use crate::{output, show, undo};

pub(super) async fn run(common: &Common, command: Products) -> Result {
    match command {
        Products::List => list(common).await,
        Products::Show(args) => show_one(common, &args.id).await,
        Products::Add(args) => add(common, &args.id, args.fields).await,
        Products::Set(args) => set(common, args).await,
        Products::Remove(args) => remove(common, &args).await,
    }
}

async fn list(common: &Common) -> Result {
    let catalog = catalog(common).await?;
    if style(common).is_json() {
        return output::json(&catalog.products().map(show::product).collect::<Vec<_>>());
    }
    let heads = ["ID", "DISPLAY NAME", "APIS", "SUBSCRIPTION", "PUBLISHED"];
    let rows = catalog.products().map(|product| {
        let apis = product.apis().join(", ");
        let requires = if product.is_open() {
            "not required"
        } else {
            "required"
        };
        let published = if product.is_published() { "yes" } else { "no" };
        [
            product.id(),
            product.display_name(),
            &apis,
            requires,
            published,
        ]
        .map(str::to_owned)
    });
    output::print(&output::table(heads, rows))
}

async fn show_one(common: &Common, id: &str) -> Result {
    if let Some((manage, caller)) = database(common).await? {
        return match manage.product(&caller, id).await {
            Ok(record) => print_record(common, &show::product_record(&record)),
            Err(error) => Err(not_shown(&manage, &caller, error).await),
        };
    }
    let catalog = catalog(common).await?;
    let Some(product) = catalog.product(id) else {
        let record = RecordRef::product(id);
        let near = near_in(&catalog, &record);
        return Err(Failure::refused(format_args!("there is no {record}{near}")));
    };
    print_record(common, &show::product(product))
}

async fn add(common: &Common, id: &str, given: ProductFields) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    if session.definitions().await?.product(id).is_some() {
        let what =
            format!("product {id:?} exists: choose another id, or change it with `products set`");
        return Err(Failure::refused(what));
    }
    put(
        &session,
        id,
        given,
        &[],
        &Metadata::default(),
        Expected::Absent,
    )
    .await?;
    finish(common, &session, id).await?;
    undo::command(&session, &["products", "remove", "--yes", "--", id]);
    Ok(())
}

async fn put(
    session: &Session,
    id: &str,
    given: ProductFields,
    unset: &[String],
    before: &Metadata,
    expected: Expected,
) -> Result {
    session.note_database_only("--description", given.description.is_some());
    session.note_database_only("--terms", given.terms.is_some());
    session.note_database_only("--approval-required", given.approval_required.is_some());
    session.note_database_only("--subscriptions-limit", given.subscriptions_limit.is_some());
    let catalog = session.definitions().await?;
    if let Some(api) = given.api.iter().find(|api| catalog.api(api).is_none()) {
        let near = suggestion(api, catalog.apis().map(|api| api.id().to_owned()));
        return Err(Failure::refused(format_args!(
            "there is no API {api:?}{near}"
        )));
    }
    let clears = |field: &str| unset.iter().any(|unset| unset == field);
    let text = |value: Option<String>, field: &str| match value {
        Some(value) => Set::To(value),
        None if clears(field) => Set::Clear,
        None => Set::Keep,
    };
    let names_apis = !given.api.is_empty() || clears("apis");
    let fields = Fields {
        display_name: text(given.name, "display_name"),
        apis: names_apis.then_some(given.api),
        subscription_required: given.subscription_required,
        published: given.published,
        metadata: metadata(before, given.metadata, unset),
        description: text(given.description, "description"),
        terms: text(given.terms, "terms"),
        approval_required: given.approval_required,
        subscriptions_limit: match given.subscriptions_limit {
            Some(limit) => Set::To(limit),
            None if clears("subscriptions_limit") => Set::Clear,
            None => Set::Keep,
        },
        ..Fields::default()
    };
    let put = session
        .manage
        .put_product(&session.caller, id, fields, expected)
        .await;
    match put {
        Ok(_) => Ok(()),
        Err(error) => Err(session.failure(error).await),
    }
}

async fn finish(common: &Common, session: &Session, id: &str) -> Result {
    session.commit().await?;
    if style(common).is_json() {
        let catalog = session.definitions().await?;
        return output::json(&catalog.product(id).map(show::product));
    }
    Ok(())
}

async fn set(common: &Common, args: SetProduct) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let before = session.definitions().await?.product(&args.id).cloned();
    let metadata = before
        .as_ref()
        .map(|p| p.metadata().clone())
        .unwrap_or_default();
    put(
        &session,
        &args.id,
        args.fields,
        &args.unset,
        &metadata,
        Expected::Present,
    )
    .await?;
    finish(common, &session, &args.id).await?;
    let after = session.definitions().await?.product(&args.id).cloned();
    if let (Some(before), Some(after)) = (before, after) {
        undo_set(&session, &before, &after);
    }
    Ok(())
}

fn undo_set(session: &Session, before: &Product, after: &Product) {
    let mut flags = Flags::default();
    let name = |p: &Product| (p.display_name() != p.id()).then(|| p.display_name().to_owned());
    flags.text(
        "--name",
        "display_name",
        name(before).as_deref(),
        name(after).as_deref(),
    );
    flags.flag(
        "--subscription-required",
        !before.is_open(),
        !after.is_open(),
    );
    flags.flag("--published", before.is_published(), after.is_published());
    if before.apis() != after.apis() {
        for api in before.apis() {
            flags.push("--api", api);
        }
        if before.apis().is_empty() {
            flags.push("--unset", "apis");
        }
    }
    flags.metadata(before.metadata(), after.metadata());
    flags.undo(session, "products", before.id());
}

async fn remove(common: &Common, args: &Remove) -> Result {
    confirm(&format!("product {:?}", args.id), args.yes)?;
    let session = Session::open(common, Missing::Refuse).await?;
    let before = session.definitions().await?.product(&args.id).cloned();
    let deletion = Deletion {
        expected: Expected::Present,
        with_subscriptions: args.with_subscriptions,
    };
    if let Err(error) = session
        .manage
        .delete_product(&session.caller, &args.id, deletion)
        .await
    {
        return Err(session.failure(error).await);
    }
    session.commit().await?;
    if let Some(before) = before {
        let mut words = vec!["products", "add"];
        for api in before.apis() {
            words.extend(["--api", api]);
        }
        if before.is_open() {
            words.extend(["--subscription-required", "false"]);
        }
        words.extend(["--", before.id()]);
        undo::command(&session, &words);
    }
    Ok(())
}
