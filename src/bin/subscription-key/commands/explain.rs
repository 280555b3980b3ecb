use std::sync::Arc;

use tower_subscription_key::access::{Policy, Question, explain};
use tower_subscription_key::catalog::{Change, KeySlot, Subscription};
use tower_subscription_key::key::{KeyDigest, MAX_KEY_BYTES, Presented};
use tower_subscription_key::manage::RecordRef;

use crate::args::{Common, Explain};
use crate::failure::{Failure, Result};
use crate::source::Source;
use crate::target::{self, Target};
use crate::values::When;
use crate::{keys, names, output};

pub(super) async fn run(common: &Common, args: &Explain) -> Result {
    // Wrong usage of the target comes before the question for a key.
    Target::of(common)?;
    let key = args.key_stdin.then(|| keys::read_one("Key")).transpose()?;
    let source = Source::open(common).await?;
    let mut catalog = source.definitions().await?;
    let (presented, holder) = match (&key, &args.subscription) {
        (Some(key), _) => match presented(key) {
            Presented::Key(digest) => (Presented::Key(digest), source.holder(&digest).await?),
            other => (other, None),
        },
        (None, Some(id)) => {
            let subscription = source.subscription(id).await?;
            (key_of(&subscription, args.slot)?, Some(subscription))
        }
        (None, None) => (Presented::Missing, None),
    };
    if let (Source::Database(..), Some(holder)) = (&source, holder) {
        let with_holder = catalog.apply([Change::PutSubscription(holder)]);
        catalog = Arc::new(with_holder.map_err(Failure::refused)?);
    }
    let question = match (&args.path, &args.api) {
        (Some(path), _) => Question::for_path(catalog, path),
        (None, id) => {
            let id = id.as_deref().unwrap_or_default();
            if catalog.api(id).is_none() {
                return Err(names::not_in(&catalog, &RecordRef::api(id)));
            }
            Question::for_api(catalog, id)
        }
    };
    let policy = Policy::new(
        args.inapplicable_key.unwrap_or_default(),
        args.unmatched.unwrap_or_default(),
    );
    let mut question = question.with_key(presented).with_policy(policy);
    if let Some(When(time)) = args.at {
        question = question.at(time);
    }
    let explanation = explain(question, args.path.as_deref()).with_flags(&target::flags(common));
    if common.json {
        output::json(&explanation)?;
    } else {
        output::print(&explanation.to_string())?;
    }
    match explanation.lets_in() {
        true => Ok(()),
        false => Err(Failure::silent(1)),
    }
}

/// The key as the layer would take it from a header.
fn presented(key: &str) -> Presented {
    let key = key.trim_matches([' ', '\t']);
    match key.len() {
        0 => Presented::Empty,
        1..=MAX_KEY_BYTES => Presented::Key(KeyDigest::of(key)),
        _ => Presented::Malformed,
    }
}

fn key_of(subscription: &Subscription, slot: Option<KeySlot>) -> Result<Presented> {
    let key = match slot {
        Some(slot) => subscription.key(slot),
        None => subscription.keys().next().map(|(_, key)| key),
    };
    let key = key.ok_or_else(|| {
        let what = slot.map_or("no key".to_owned(), |slot| format!("no {slot} key"));
        Failure::refused(format_args!(
            "subscription {:?} has {what}: make one with `subscription-key regenerate`",
            subscription.id()
        ))
    })?;
    Ok(Presented::Key(*key.digest()))
}
