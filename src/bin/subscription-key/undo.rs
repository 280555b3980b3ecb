//! The command that undoes a change, on standard error after each one.

use tower_subscription_key::access::command_line;

use crate::output;
use crate::session::Session;

/// Prints the command. An id that looks like a flag follows `--`.
pub(crate) fn command(session: &Session, words: &[&str]) {
    let name = ["subscription-key".to_owned()];
    let flags = session.flags.iter().cloned();
    // `--` only matters before what looks like a flag.
    let end = words.iter().position(|word| *word == "--");
    let is_needed =
        end.is_some_and(|end| words[end + 1..].iter().any(|word| word.starts_with('-')));
    let words = words.iter().filter(|word| is_needed || **word != "--");
    let words = words.map(|word| (*word).to_owned());
    let line = command_line(name.into_iter().chain(flags).chain(words));
    output::note(&format!("undo: {line}"));
}

/// Says that no command brings the old state back.
pub(crate) fn none(why: &str) {
    output::note(&format!("this cannot be undone: {why}"));
}
