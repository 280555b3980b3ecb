use tower_subscription_key::manage::{ProductFields as Fields, RecordRef};

use crate::args::{
    Action, AddProduct, Common, NoFlags, ProductFields, RemoveDefinition, SetProduct,
};
use crate::commands::records::{self, Change};
use crate::failure::{Failure, Result};
use crate::names;
use crate::session::Session;
use crate::source::Source;
use crate::target::Missing;
use crate::{output, show};

pub(super) async fn run(
    common: &Common,
    action: Action<NoFlags, AddProduct, SetProduct, RemoveDefinition>,
) -> Result {
    match action {
        Action::List(_) => list(common).await,
        Action::Show(args) => records::show(common, RecordRef::product(args.id)).await,
        Action::Add(args) => {
            let session = Session::open(common, Missing::Refuse).await?;
            let change = Change::add(&session, RecordRef::product(&args.id)).await?;
            put(common, &session, change, &args.id, args.fields, false).await
        }
        Action::Set(args) => {
            let session = Session::open(common, Missing::Refuse).await?;
            let empties = args.unset.iter().any(|field| field == "apis");
            let change = Change::set(&session, RecordRef::product(&args.id), args.unset).await?;
            put(common, &session, change, &args.id, args.fields, empties).await
        }
        Action::Remove(args) => {
            let target = RecordRef::product(args.remove.id);
            records::remove(common, target, args.remove.yes, args.with_subscriptions).await
        }
    }
}

async fn list(common: &Common) -> Result {
    let catalog = Source::open(common).await?.definitions().await?;
    if common.json {
        return output::json(&catalog.products().map(show::product).collect::<Vec<_>>());
    }
    let heads = ["ID", "DISPLAY NAME", "APIS", "SUBSCRIPTION", "PUBLISHED"];
    let rows = catalog.products().map(|product| {
        let apis = product.apis().join(", ");
        let requires = show::requirement(!product.is_open());
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

async fn put(
    common: &Common,
    session: &Session,
    change: Change<'_>,
    id: &str,
    given: ProductFields,
    empties: bool,
) -> Result {
    let catalog = session.definitions().await?;
    if let Some(api) = given.api.iter().find(|api| catalog.api(api).is_none()) {
        let near = names::suggestion(api, catalog.apis().map(|api| api.id().to_owned()));
        return Err(Failure::refused(format_args!(
            "there is no API {api:?}{near}"
        )));
    }
    let description = session.database_only("--description", given.description);
    let terms = session.database_only("--terms", given.terms);
    let limit = session.database_only("--subscriptions-limit", given.subscriptions_limit);
    let fields = Fields {
        display_name: change.field("display_name", given.name),
        apis: (empties || !given.api.is_empty()).then_some(given.api),
        subscription_required: given.subscription_required,
        published: given.published,
        metadata: change.metadata(given.metadata),
        description: change.field("description", description),
        terms: change.field("terms", terms),
        approval_required: session.database_only("--approval-required", given.approval_required),
        subscriptions_limit: change.field("subscriptions_limit", limit),
        ..Fields::default()
    };
    let (caller, expected) = (&session.caller, change.expected());
    let put = session
        .manage
        .put_product(caller, id, fields, expected)
        .await;
    change.finish(common, put, None).await
}
