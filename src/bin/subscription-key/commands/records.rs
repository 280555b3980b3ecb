//! What the commands on APIs, products and subscriptions have in common.

use tower_subscription_key::catalog::{Metadata, State};
use tower_subscription_key::manage::{
    Changed, Comparison, Deletion, Expected, Filter, FilterField, ListQuery, ManageError,
    ProductRecord, RecordKind, RecordRef, Set,
};

use crate::args::Common;
use crate::commands::confirm;
use crate::failure::{Failure, Result};
use crate::record::{Record, difference};
use crate::session::Session;
use crate::source::Source;
use crate::target::Missing;
use crate::values::Assignment;
use crate::{output, show, undo};

/// `apis`, `products` or `subscriptions`.
fn group(record: &RecordRef) -> &'static str {
    match record.kind {
        RecordKind::Api => "apis",
        RecordKind::Product => "products",
        _ => "subscriptions",
    }
}

/// A change of one record.
pub(super) struct Change<'s> {
    session: &'s Session,
    target: RecordRef,
    before: Option<Record>,
    is_new: bool,
    unset: Vec<String>,
}

impl<'s> Change<'s> {
    /// The addition of a record that does not exist.
    pub(super) async fn add(session: &'s Session, target: RecordRef) -> Result<Self> {
        let mut change = Self::set(session, target, Vec::new()).await?;
        change.is_new = true;
        if change.before.is_some() {
            let (target, group) = (&change.target, group(&change.target));
            return Err(Failure::refused(format_args!(
                "{target} exists: choose another id, or change it with `{group} set`"
            )));
        }
        Ok(change)
    }

    /// The change of a record that exists: otherwise the rules refuse it.
    pub(super) async fn set(
        session: &'s Session,
        target: RecordRef,
        unset: Vec<String>,
    ) -> Result<Self> {
        Ok(Self {
            before: session.record(&target).await?,
            session,
            target,
            is_new: false,
            unset,
        })
    }

    /// Whether the record must exist or must not.
    pub(super) fn expected(&self) -> Expected {
        match self.is_new {
            true => Expected::Absent,
            false => Expected::Present,
        }
    }

    /// The change of a field: its new value, or cleared with `--unset`.
    pub(super) fn field<T>(&self, name: &str, value: Option<T>) -> Set<T> {
        match value {
            Some(value) => Set::To(value),
            None if self.unset.iter().any(|unset| unset == name) => Set::Clear,
            None => Set::Keep,
        }
    }

    /// Metadata with single values set and cleared.
    pub(super) fn metadata(&self, given: Vec<Assignment>) -> Set<Metadata> {
        let unset = self
            .unset
            .iter()
            .filter_map(|field| field.strip_prefix("metadata."));
        let unset: Vec<&str> = unset.collect();
        let all = self.field::<Metadata>("metadata", None);
        if given.is_empty() && unset.is_empty() {
            return all;
        }
        let before = self.before.as_ref().map(Record::metadata).into_iter();
        let kept = before
            .flat_map(Metadata::iter)
            .filter(|(name, _)| all == Set::Keep && !unset.contains(name))
            .map(|(name, value)| (name.to_owned(), value.clone()));
        // A later value replaces an earlier one.
        let given = given.into_iter().map(|given| (given.key, given.value));
        Set::To(kept.chain(given).collect())
    }

    /// Writes the accepted change, and prints the record and the command that undoes the
    /// change: the words of `undo`, or else the flags that restore the old values.
    pub(super) async fn finish<T>(
        self,
        common: &Common,
        changed: Result<Changed<T>, ManageError>,
        undo: Option<&[&str]>,
    ) -> Result {
        let session = self.session;
        let changed = session.accepted(changed).await?;
        session.commit().await?;
        let after = session.record(&self.target).await?;
        if common.json {
            let is_file = session.is_file();
            output::json(&after.as_ref().map(|record| record.show(is_file)))?;
        }
        if let Some(path) = session.new_file() {
            // Its only API cannot be removed from it.
            undo::new_file(path);
            return Ok(());
        }
        match (undo, self.before, after) {
            _ if changed.number.is_none() => {}
            (Some(words), ..) => undo::command(session, words),
            (None, Some(before), Some(after)) => back(session, &self.target, &before, &after),
            _ => {
                let words = [
                    group(&self.target),
                    "remove",
                    "--yes",
                    "--",
                    &self.target.id,
                ];
                undo::command(session, &words);
            }
        }
        Ok(())
    }
}

/// Prints the command that turns the record into what it was.
fn back(session: &Session, target: &RecordRef, before: &Record, after: &Record) {
    let flags = difference(before, after);
    if !flags.is_empty() {
        let mut words = vec![group(target), "set"];
        words.extend(flags.iter().map(String::as_str));
        words.extend(["--", &target.id]);
        return undo::command(session, &words);
    }
    let (Some(before), Some(after)) = (before.state(), after.state()) else {
        return;
    };
    let command = match (before, after) {
        (State::Active, State::Suspended | State::Cancelled) => "activate",
        (State::Suspended, State::Active) => "suspend",
        (State::Cancelled, State::Active) => "cancel",
        _ => {
            let (command, effect) = match after {
                State::Active => ("cancel", "ends it"),
                _ => ("activate", "lets it in"),
            };
            let command = undo::line(session, &[command, "--", &target.id]);
            let what = format!("no command makes it {before} again; `{command}` {effect}");
            return undo::none(&what);
        }
    };
    undo::command(session, &[command, "--", &target.id]);
}

pub(super) async fn show(common: &Common, target: RecordRef) -> Result {
    let value = Source::open(common).await?.show(&target).await?;
    if common.json {
        output::json(&value)
    } else {
        output::print(&show::record(&value))
    }
}

pub(super) async fn remove(
    common: &Common,
    target: RecordRef,
    yes: bool,
    with_subscriptions: bool,
) -> Result {
    confirm(&target.to_string(), yes)?;
    let session = Session::open(common, Missing::Refuse).await?;
    let (manage, caller) = (&session.manage, &session.caller);
    let before = session.record(&target).await?;
    let lost = lost(&session, &target, with_subscriptions).await?;
    let memberships = memberships(&session, &target).await?;
    let deletion = Deletion {
        expected: Expected::Present,
        with_subscriptions,
    };
    let id = &target.id;
    let deleted = match target.kind {
        RecordKind::Api => manage.delete_api(caller, id, deletion).await,
        RecordKind::Product => manage.delete_product(caller, id, deletion).await,
        _ => {
            manage
                .delete_subscription(caller, id, deletion.expected)
                .await
        }
    };
    session.accepted(deleted).await?;
    session.commit().await?;
    let Some(before) = before else { return Ok(()) };
    if common.json {
        output::json(&before.show(session.is_file()))?;
    }
    if let Some(lost) = lost {
        undo::none(lost);
        return Ok(());
    }
    let flags = before.flag_words();
    let mut words = vec![group(&target), "add"];
    words.extend(flags.iter().map(String::as_str));
    words.extend(["--", id]);
    let mut lines = vec![undo::line(&session, &words)];
    for product in memberships {
        let apis: Vec<String> = product
            .apis
            .iter()
            .map(|api| format!("--api={api}"))
            .collect();
        let mut words = vec!["products", "set"];
        words.extend(apis.iter().map(String::as_str));
        words.extend(["--", &product.id]);
        lines.push(undo::line(&session, &words));
    }
    output::note(&format!("undo: {}", lines.join(" && ")));
    Ok(())
}

/// What a removal also removes and no command restores.
async fn lost(
    session: &Session,
    target: &RecordRef,
    with_subscriptions: bool,
) -> Result<Option<&'static str>> {
    const KEYS: &str =
        "its keys are gone; `subscription-key create` makes a subscription with new ones";
    let scope = match target.kind {
        RecordKind::Subscription => return Ok(Some(KEYS)),
        _ if !with_subscriptions => return Ok(None),
        _ => format!("/{}/{}", group(target), target.id),
    };
    let query = ListQuery {
        filter: Some(Filter::compare(FilterField::Scope, Comparison::Eq, scope)),
        top: 1,
        ..ListQuery::default()
    };
    let page = session
        .manage
        .list_subscriptions(&session.caller, &query)
        .await;
    let has_some = page?.total > 0;
    Ok(has_some.then_some("the subscriptions that it took along, or their scopes, are gone"))
}

/// The products that an API is removed from when it is deleted.
async fn memberships(session: &Session, target: &RecordRef) -> Result<Vec<ProductRecord>> {
    if target.kind != RecordKind::Api {
        return Ok(Vec::new());
    }
    let query = ListQuery {
        top: u32::MAX,
        ..ListQuery::default()
    };
    let products = session.manage.list_products(&session.caller, &query).await;
    let mut products = products?.records;
    products.retain(|product| product.apis.contains(&target.id));
    Ok(products)
}
