use serde_json::Value;
use tower_subscription_key::catalog::{Api, Metadata};
use tower_subscription_key::manage::{ApiFields as Fields, Deletion, Expected, RecordRef, Set};

use crate::args::{ApiFields, Apis, Common, Remove, SetApi};
use crate::commands::{catalog, confirm, database, not_shown, print_record, style};
use crate::failure::{Failure, Result};
use crate::session::{Missing, Session, near_in};
use crate::values::Assignment;
use crate::{output, show, undo};

pub(super) async fn run(common: &Common, command: Apis) -> Result {
    match command {
        Apis::List => list(common).await,
        Apis::Show(args) => show_one(common, &args.id).await,
        Apis::Add(args) => {
            let fields = fields(Some(args.path), args.fields, &[], &Metadata::default());
            add(common, &args.id, fields).await
        }
        Apis::Set(args) => set(common, args).await,
        Apis::Remove(args) => remove(common, &args).await,
    }
}

async fn list(common: &Common) -> Result {
    let catalog = catalog(common).await?;
    if style(common).is_json() {
        return output::json(&catalog.apis().map(show::api).collect::<Vec<_>>());
    }
    let heads = ["ID", "DISPLAY NAME", "PATH", "SUBSCRIPTION"];
    let rows = catalog.apis().map(|api| {
        let requires = if api.subscription_required() {
            "required"
        } else {
            "not required"
        };
        let path = if api.path().is_empty() {
            "/"
        } else {
            api.path()
        };
        [api.id(), api.display_name(), path, requires].map(str::to_owned)
    });
    output::print(&output::table(heads, rows))
}

async fn show_one(common: &Common, id: &str) -> Result {
    if let Some((manage, caller)) = database(common).await? {
        return match manage.api(&caller, id).await {
            Ok(record) => print_record(common, &show::api_record(&record)),
            Err(error) => Err(not_shown(&manage, &caller, error).await),
        };
    }
    let catalog = catalog(common).await?;
    let Some(api) = catalog.api(id) else {
        let record = RecordRef::api(id);
        let near = near_in(&catalog, &record);
        return Err(Failure::refused(format_args!("there is no {record}{near}")));
    };
    print_record(common, &show::api(api))
}

async fn add(common: &Common, id: &str, fields: Fields) -> Result {
    let session = Session::open(common, Missing::MakeFile).await?;
    if session.definitions().await?.api(id).is_some() {
        let what = format!("API {id:?} exists: choose another id, or change it with `apis set`");
        return Err(Failure::refused(what));
    }
    put(&session, id, fields, Expected::Absent).await?;
    finish(common, &session, id).await?;
    undo::command(&session, &["apis", "remove", "--yes", "--", id]);
    Ok(())
}

async fn put(session: &Session, id: &str, fields: Fields, expected: Expected) -> Result {
    let put = session
        .manage
        .put_api(&session.caller, id, fields, expected)
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
        return output::json(&catalog.api(id).map(show::api));
    }
    Ok(())
}

async fn set(common: &Common, args: SetApi) -> Result {
    let session = Session::open(common, Missing::Refuse).await?;
    let before = session.definitions().await?.api(&args.id).cloned();
    let metadata = before
        .as_ref()
        .map(|api| api.metadata().clone())
        .unwrap_or_default();
    let fields = fields(args.path, args.fields, &args.unset, &metadata);
    put(&session, &args.id, fields, Expected::Present).await?;
    finish(common, &session, &args.id).await?;
    let after = session.definitions().await?.api(&args.id).cloned();
    if let (Some(before), Some(after)) = (before, after) {
        undo_set(&session, &before, &after);
    }
    Ok(())
}

fn fields(path: Option<String>, given: ApiFields, unset: &[String], before: &Metadata) -> Fields {
    let clears = |field: &str| unset.iter().any(|unset| unset == field);
    let text = |value: Option<String>, field: &str| match value {
        Some(value) => Set::To(value),
        None if clears(field) => Set::Clear,
        None => Set::Keep,
    };
    Fields {
        path,
        display_name: text(given.name, "display_name"),
        subscription_required: given.subscription_required,
        key_header: text(given.header, "header"),
        key_query: text(given.query, "query"),
        metadata: metadata(before, given.metadata, unset),
        ..Fields::default()
    }
}

/// Metadata with single values set and cleared.
pub(super) fn metadata(
    before: &Metadata,
    given: Vec<Assignment>,
    unset: &[String],
) -> Set<Metadata> {
    let clears_all = unset.iter().any(|field| field == "metadata");
    let cleared: Vec<&str> = unset
        .iter()
        .filter_map(|field| field.strip_prefix("metadata."))
        .collect();
    if given.is_empty() && cleared.is_empty() {
        return if clears_all { Set::Clear } else { Set::Keep };
    }
    let kept = before
        .iter()
        .filter(|(name, _)| !clears_all && !cleared.contains(name));
    let kept = kept.map(|(name, value)| (name.to_owned(), value.clone()));
    let given = given.into_iter().map(|given| (given.key, given.value));
    // A later value replaces an earlier one.
    let values: serde_json::Map<String, Value> = kept.chain(given).collect();
    if values.is_empty() {
        Set::Clear
    } else {
        Set::To(values.into())
    }
}

fn undo_set(session: &Session, before: &Api, after: &Api) {
    let mut flags = Flags::default();
    flags.text("--path", "path", Some(before.path()), Some(after.path()));
    let name = |api: &Api| (api.display_name() != api.id()).then(|| api.display_name().to_owned());
    flags.text(
        "--name",
        "display_name",
        name(before).as_deref(),
        name(after).as_deref(),
    );
    flags.flag(
        "--subscription-required",
        before.subscription_required(),
        after.subscription_required(),
    );
    let header = |api: &Api| api.key_header().map(|header| header.spelling().to_owned());
    flags.text(
        "--header",
        "header",
        header(before).as_deref(),
        header(after).as_deref(),
    );
    let query = |api: &Api| api.key_query().map(|query| query.name().to_owned());
    flags.text(
        "--query",
        "query",
        query(before).as_deref(),
        query(after).as_deref(),
    );
    flags.metadata(before.metadata(), after.metadata());
    flags.undo(session, "apis", before.id());
}

/// The flags that set fields back.
#[derive(Default)]
pub(super) struct Flags(Vec<String>);

impl Flags {
    pub(super) fn push(&mut self, flag: &str, value: impl Into<String>) {
        self.0.push(flag.to_owned());
        self.0.push(value.into());
    }

    pub(super) fn text(
        &mut self,
        flag: &str,
        field: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) {
        match before {
            _ if before == after => {}
            // A value that looks like a flag stays with its own.
            Some(before) => self.0.push(format!("{flag}={before}")),
            None => self.push("--unset", field),
        }
    }

    pub(super) fn flag(&mut self, flag: &str, before: bool, after: bool) {
        if before != after {
            self.push(flag, before.to_string());
        }
    }

    pub(super) fn metadata(&mut self, before: &Metadata, after: &Metadata) {
        for (name, value) in before.iter() {
            if after.get(name) != Some(value) {
                self.push("--metadata", format!("{name}={value}"));
            }
        }
        for (name, _) in after.iter() {
            if before.get(name).is_none() {
                self.push("--unset", format!("metadata.{name}"));
            }
        }
    }

    /// Prints nothing if nothing has changed.
    pub(super) fn undo(&self, session: &Session, group: &str, id: &str) {
        if self.0.is_empty() {
            return;
        }
        let mut words = vec![group, "set"];
        words.extend(self.0.iter().map(String::as_str));
        words.extend(["--", id]);
        undo::command(session, &words);
    }
}

async fn remove(common: &Common, args: &Remove) -> Result {
    confirm(&format!("API {:?}", args.id), args.yes)?;
    let session = Session::open(common, Missing::Refuse).await?;
    let before = session.definitions().await?.api(&args.id).cloned();
    let deletion = Deletion {
        expected: Expected::Present,
        with_subscriptions: args.with_subscriptions,
    };
    if let Err(error) = session
        .manage
        .delete_api(&session.caller, &args.id, deletion)
        .await
    {
        return Err(session.failure(error).await);
    }
    session.commit().await?;
    if let Some(before) = before {
        let mut flags = Flags::default();
        flags.0.push(format!("--path={}", before.path()));
        if !before.subscription_required() {
            flags.push("--subscription-required", "false");
        }
        let mut words = vec!["apis", "add"];
        words.extend(flags.0.iter().map(String::as_str));
        words.extend(["--", before.id()]);
        undo::command(&session, &words);
    }
    Ok(())
}
