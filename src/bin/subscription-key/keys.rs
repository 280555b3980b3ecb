//! Keys come from standard input or from a prompt without echo, never from
//! arguments.

use std::io::{self, IsTerminal, Read};

use tower_subscription_key::catalog::{Api, Catalog, Scope, Subscription, SubscriptionKey};
use zeroize::Zeroizing;

use crate::failure::{Failure, Result};
use crate::output;

/// More than this is not a key, whatever it is.
const MAX_INPUT: u64 = 64 * 1024;

/// One line of standard input, or the answer to a prompt.
pub(crate) fn read_one(prompt: &str) -> Result<Zeroizing<String>> {
    let mut keys = read(&[prompt])?;
    Ok(keys.swap_remove(0))
}

/// One line for each prompt; the first is always there.
pub(crate) fn read(prompts: &[&str]) -> Result<Vec<Zeroizing<String>>> {
    if io::stdin().is_terminal() {
        return ask(prompts);
    }
    let mut input = Zeroizing::new(Vec::new());
    io::stdin()
        .lock()
        .take(MAX_INPUT)
        .read_to_end(&mut input)
        .map_err(|error| {
            Failure::unreachable(format_args!("cannot read standard input: {error}"))
        })?;
    let text = std::str::from_utf8(&input)
        .map_err(|_| Failure::usage("standard input is not UTF-8 text: a key is"))?;
    let text = strip_line_end(text);
    let lines: Vec<&str> = text.split('\n').collect();
    if lines.len() > prompts.len() {
        let most = prompts.len();
        return Err(Failure::usage(format_args!(
            "standard input has more than {most} {}: give {}",
            if most == 1 { "line" } else { "lines" },
            if most == 1 {
                "one key"
            } else {
                "each key on its own line"
            },
        )));
    }
    let keys = lines.iter().map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        Zeroizing::new(line.to_owned())
    });
    Ok(keys.collect())
}

fn ask(prompts: &[&str]) -> Result<Vec<Zeroizing<String>>> {
    if !output::is_interactive() {
        return Err(Failure::usage(
            "a key is read from standard input: pipe it in, or run this on a terminal",
        ));
    }
    let mut keys = Vec::new();
    for prompt in prompts {
        let key = rpassword::prompt_password(format!("{prompt}: "))
            .map_err(|error| Failure::unreachable(format_args!("cannot ask for a key: {error}")))?;
        keys.push(Zeroizing::new(key));
    }
    while keys.len() > 1 && keys.last().is_some_and(|key| key.is_empty()) {
        keys.pop();
    }
    Ok(keys)
}

/// Secrets are often made with one line end behind them.
fn strip_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// A key that a client can send, by its digest. What is wrong with others is
/// said without them.
pub(crate) fn subscription_key(text: &str) -> Result<SubscriptionKey> {
    let key = SubscriptionKey::new(text);
    // The catalog has the rules; a catalog of this key alone applies them.
    let subscription = Subscription::new("key")
        .with_scope(Scope::AllApis)
        .with_primary_key(key.clone());
    let catalog = Catalog::builder()
        .api(Api::new("api", "/"))
        .subscription(subscription)
        .build();
    match catalog {
        Ok(_) => Ok(key),
        Err(error) => {
            let kinds = error.issues().iter().map(|issue| issue.kind.to_string());
            Err(Failure::refused(kinds.collect::<Vec<_>>().join("; ")))
        }
    }
}
