use tower_subscription_key::manage::{ApiFields as Fields, RecordRef};

use crate::args::{Action, AddApi, ApiFields, Common, NoFlags, RemoveDefinition, SetApi};
use crate::commands::records::{self, Change};
use crate::failure::Result;
use crate::session::Session;
use crate::source::Source;
use crate::target::Missing;
use crate::{output, show};

pub(super) async fn run(
    common: &Common,
    action: Action<NoFlags, AddApi, SetApi, RemoveDefinition>,
) -> Result {
    match action {
        Action::List(_) => list(common).await,
        Action::Show(args) => records::show(common, RecordRef::api(args.id)).await,
        Action::Add(args) => {
            let session = Session::open(common, Missing::MakeFile).await?;
            let change = Change::add(&session, RecordRef::api(&args.id)).await?;
            put(
                common,
                &session,
                change,
                &args.id,
                Some(args.path),
                args.fields,
            )
            .await
        }
        Action::Set(args) => {
            let session = Session::open(common, Missing::Refuse).await?;
            let change = Change::set(&session, RecordRef::api(&args.id), args.unset).await?;
            put(common, &session, change, &args.id, args.path, args.fields).await
        }
        Action::Remove(args) => {
            let target = RecordRef::api(args.remove.id);
            records::remove(common, target, args.remove.yes, args.with_subscriptions).await
        }
    }
}

async fn list(common: &Common) -> Result {
    let catalog = Source::open(common).await?.definitions().await?;
    if common.json {
        return output::json(&catalog.apis().map(show::api).collect::<Vec<_>>());
    }
    let heads = ["ID", "DISPLAY NAME", "PATH", "SUBSCRIPTION"];
    let rows = catalog.apis().map(|api| {
        let requires = show::requirement(api.subscription_required());
        let path = if api.path().is_empty() {
            "/"
        } else {
            api.path()
        };
        [api.id(), api.display_name(), path, requires].map(str::to_owned)
    });
    output::print(&output::table(heads, rows))
}

async fn put(
    common: &Common,
    session: &Session,
    change: Change<'_>,
    id: &str,
    path: Option<String>,
    given: ApiFields,
) -> Result {
    let fields = Fields {
        path,
        display_name: change.field("display_name", given.name),
        subscription_required: given.subscription_required,
        key_header: change.field("header", given.header),
        key_query: change.field("query", given.query),
        metadata: change.metadata(given.metadata),
        ..Fields::default()
    };
    let (caller, expected) = (&session.caller, change.expected());
    let put = session.manage.put_api(caller, id, fields, expected).await;
    change.finish(common, put, None).await
}
