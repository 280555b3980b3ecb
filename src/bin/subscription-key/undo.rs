//! Prints how to undo a change, on standard error after each one.

use std::path::Path;

use tower_subscription_key::access::command_line;

use crate::output;
use crate::session::Session;

/// A whole line that runs the tool on the same catalog. An id that looks like a
/// flag follows `--`.
pub(crate) fn line(session: &Session, words: &[&str]) -> String {
    // `--` only matters before what looks like a flag.
    let end = words.iter().position(|word| *word == "--");
    let is_needed = end.is_some_and(|end| words[end + 1..].iter().any(|w| w.starts_with('-')));
    let words = words.iter().filter(|word| is_needed || **word != "--");
    let flags = session.flags.iter().map(String::as_str);
    command_line(
        ["subscription-key"]
            .into_iter()
            .chain(flags)
            .chain(words.copied()),
    )
}

/// Prints the command.
pub(crate) fn command(session: &Session, words: &[&str]) {
    output::note(&format!("undo: {}", line(session, words)));
}

/// Prints the command that removes a file that the change made.
pub(crate) fn new_file(path: &Path) {
    let line = command_line(["rm", "--", &path.to_string_lossy()]);
    output::note(&format!("undo: {line}"));
}

/// Says that no command brings the old state back.
pub(crate) fn none(why: &str) {
    output::note(&format!("this cannot be undone: {why}"));
}
