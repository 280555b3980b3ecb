//! The command that undoes a change, on standard error after each one.

use tower_subscription_key::access::command_line;

use crate::output;
use crate::session::Session;

/// Prints the command. An id that looks like a flag stands behind `--`.
pub(crate) fn command(session: &Session, words: &[&str]) {
    let name = ["subscription-key".to_owned()];
    let flags = session.flags.iter().cloned();
    let words = words.iter().map(|word| (*word).to_owned());
    let line = command_line(name.into_iter().chain(flags).chain(words));
    output::note(&format!("undo: {line}"));
}

/// Says that no command brings the old state back.
pub(crate) fn none(why: &str) {
    output::note(&format!("this cannot be undone: {why}"));
}
