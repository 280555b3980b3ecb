use std::sync::Arc;

use tower_subscription_key::access::{InapplicableKey, Policy, Question, Unmatched, explain};
use tower_subscription_key::catalog::{Catalog, KeySlot};
use tower_subscription_key::key::{KeyDigest, MAX_KEY_BYTES, Presented};
use tower_subscription_key::manage::RecordRef;

use crate::args::{Common, Explain, Inapplicable, UnmatchedPath};
use crate::commands::subscriptions::unknown;
use crate::commands::{catalog, style};
use crate::failure::{Failure, Result};
use crate::session::near_in;
use crate::target::{self, Target};
use crate::values::When;
use crate::{keys, output};

pub(super) async fn run(common: &Common, args: &Explain) -> Result {
    Target::of(common)?;
    let stdin = args.key_stdin.then(|| keys::read_one("Key")).transpose()?;
    let catalog = catalog(common).await?;
    let presented = match (&stdin, &args.subscription) {
        (Some(key), _) => presented(key),
        (None, Some(id)) => of_subscription(&catalog, id, args.slot.map(KeySlot::from))?,
        (None, None) => Presented::Missing,
    };
    let question = match (&args.path, &args.api) {
        (Some(path), _) => Question::for_path(Arc::clone(&catalog), path),
        (None, Some(id)) if catalog.api(id).is_some() => {
            Question::for_api(Arc::clone(&catalog), id)
        }
        (None, id) => {
            let record = RecordRef::api(id.as_deref().unwrap_or_default());
            let near = near_in(&catalog, &record);
            return Err(Failure::refused(format_args!("there is no {record}{near}")));
        }
    };
    let inapplicable = match args.inapplicable_key {
        Inapplicable::Ignore => InapplicableKey::Ignore,
        Inapplicable::Deny => InapplicableKey::Deny,
    };
    let unmatched = match args.unmatched {
        UnmatchedPath::Deny => Unmatched::Deny,
        UnmatchedPath::Pass => Unmatched::Pass,
    };
    let mut question = question
        .with_key(presented)
        .with_policy(Policy::new(inapplicable, unmatched));
    if let Some(When(time)) = args.at {
        question = question.at(time);
    }
    let explanation = explain(question, args.path.as_deref()).with_flags(&target::flags(common));
    if style(common).is_json() {
        output::json(&explanation)?;
    } else {
        output::print(&explanation.to_string())?;
    }
    if explanation.lets_in() {
        Ok(())
    } else {
        Err(Failure::said(1))
    }
}

/// The key as the layer would take it from a header.
fn presented(key: &str) -> Presented {
    let key = key.trim_matches([' ', '\t']);
    if key.is_empty() {
        Presented::Empty
    } else if key.len() > MAX_KEY_BYTES {
        Presented::Malformed
    } else {
        Presented::Key(KeyDigest::of(key))
    }
}

fn of_subscription(catalog: &Catalog, id: &str, slot: Option<KeySlot>) -> Result<Presented> {
    let subscription = catalog
        .subscription(id)
        .ok_or_else(|| unknown(catalog, id))?;
    let key = match slot {
        Some(slot) => subscription.key(slot),
        None => subscription.keys().next().map(|(_, key)| key),
    };
    match (key, slot) {
        (Some(key), _) => Ok(Presented::Key(*key.digest())),
        (None, Some(slot)) => Err(Failure::refused(format_args!(
            "subscription {id:?} has no {slot} key: make one with `subscription-key regenerate`"
        ))),
        (None, None) => Err(Failure::refused(format_args!(
            "subscription {id:?} has no key"
        ))),
    }
}
