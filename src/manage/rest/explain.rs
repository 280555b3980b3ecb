//! The explanation of a decision: by the function that decides.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use crate::access::{InapplicableKey, Policy, Question, Unmatched, explain};
use crate::catalog::{Catalog, KeySlot};
use crate::key::{KeyDigest, MAX_KEY_BYTES, Presented};
use crate::manage::rest::body::{Draft, text, time};
use crate::manage::rest::call::{Answer, Call, json};
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::resource;
use crate::manage::rest::subscriptions::slot;

impl Call<'_> {
    pub(super) async fn explain(&self) -> Answer {
        let catalog = self.catalog().await?;
        let mut draft = Draft::of(&self.body);
        let path = draft.option("path", text);
        let api = draft.option("api", text);
        let question = match (&path, &api) {
            (Some(path), None) => Some(Question::for_path(Arc::clone(&catalog), path)),
            (None, Some(api)) => {
                let api = resource::without_revision(api);
                Some(Question::for_api(Arc::clone(&catalog), api))
            }
            // A value of a wrong type is already reported.
            _ if !draft.issues.is_empty() => None,
            _ => {
                draft.refuse("path", "name the path of a request, or the `api`, not both");
                None
            }
        };
        let presented = presented(&catalog, &mut draft);
        let inapplicable = draft
            .option("inapplicableKey", inapplicable_key)
            .unwrap_or_default();
        let unmatched = draft.option("unmatched", unmatched).unwrap_or_default();
        let at = draft.option("at", time);
        let Some(question) = question.filter(|_| draft.issues.is_empty()) else {
            return Err(Refusal::validation(draft.issues));
        };
        let question = question
            .with_key(presented)
            .with_policy(Policy::new(inapplicable, unmatched));
        let question = match at {
            Some(time) => question.at(time),
            None => question,
        };
        Ok(json(StatusCode::OK, &explain(question, path.as_deref())))
    }
}

/// The key of the request that the question is about.
fn presented(catalog: &Catalog, draft: &mut Draft<'_>) -> Presented {
    let key = draft.option("key", text);
    let id = draft.option("subscription", text);
    let slot = draft.option("slot", slot);
    match (key, id) {
        (None, None) => Presented::Missing,
        (Some(key), None) => of_text(&key),
        (None, Some(id)) => of_subscription(catalog, &id, slot).unwrap_or_else(|message| {
            draft.refuse("subscription", message);
            Presented::Missing
        }),
        (Some(_), Some(_)) => {
            draft.refuse("key", "name a key or a `subscription`, not both");
            Presented::Missing
        }
    }
}

/// The key as the layer takes it from a header.
fn of_text(key: &str) -> Presented {
    let key = key.trim_matches([' ', '\t']);
    match key.len() {
        0 => Presented::Empty,
        1..=MAX_KEY_BYTES => Presented::Key(KeyDigest::of(key)),
        _ => Presented::Malformed,
    }
}

fn of_subscription(
    catalog: &Catalog,
    id: &str,
    slot: Option<KeySlot>,
) -> Result<Presented, &'static str> {
    let found = catalog
        .subscription(id)
        .ok_or("no subscription has this id")?;
    let key = match slot {
        Some(slot) => found.key(slot),
        None => found.keys().next().map(|(_, key)| key),
    };
    let key = key.ok_or("the subscription has no key in this slot")?;
    Ok(Presented::Key(*key.digest()))
}

fn inapplicable_key(value: &Value) -> Result<InapplicableKey, String> {
    match text(value)?.as_str() {
        "ignore" => Ok(InapplicableKey::Ignore),
        "deny" => Ok(InapplicableKey::Deny),
        _ => Err("expected `ignore` or `deny`".to_owned()),
    }
}

fn unmatched(value: &Value) -> Result<Unmatched, String> {
    match text(value)?.as_str() {
        "deny" => Ok(Unmatched::Deny),
        "pass" => Ok(Unmatched::Pass),
        _ => Err("expected `deny` or `pass`".to_owned()),
    }
}
