//! Standard output and standard error: tables for people, one JSON document
//! for machines.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Failure, Result};

/// Prints a line for people on standard error.
pub(crate) fn note(text: &str) {
    let mut stderr = anstream::stderr().lock();
    // Nothing is left to do if standard error is closed.
    let _ = writeln!(stderr, "{text}");
}

pub(crate) fn warning(text: &str) {
    note(&format!("\u{1b}[1m\u{1b}[33mwarning\u{1b}[0m: {text}"));
}

pub(crate) fn error(text: &str) {
    note(&format!("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: {text}"));
}

/// Writes to standard output. A reader that has left ends the tool quietly.
pub(crate) fn print(text: &str) -> Result {
    write(text).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::silent(0),
        _ => Failure::unreachable(format_args!("cannot write to standard output: {error}")),
    })
}

/// Writes keys, which cannot be printed a second time.
pub(crate) fn print_keys(text: &str, cure: &str) -> Result {
    write(text).map_err(|error| {
        let what = "the keys could not be printed";
        Failure::unreachable(format_args!("{what} ({error}): {cure}"))
    })
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

pub(crate) fn json(value: &impl Serialize) -> Result {
    print(&json_text(value)?)
}

pub(crate) fn json_text(value: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::unreachable(format_args!("cannot write JSON: {error}")))?;
    text.push('\n');
    Ok(text)
}

/// A JSON array that is printed in parts.
#[derive(Default)]
pub(crate) struct Array {
    has_some: bool,
}

impl Array {
    pub(crate) fn print(&mut self, values: impl Iterator<Item = Value>) -> Result {
        let mut text = String::new();
        for value in values {
            text.push_str(if self.has_some { ",\n  " } else { "[\n  " });
            text.push_str(json_text(&value)?.trim_end().replace('\n', "\n  ").as_str());
            self.has_some = true;
        }
        print(&text)
    }

    pub(crate) fn end(self) -> Result {
        print(if self.has_some { "\n]\n" } else { "[]\n" })
    }
}

/// A table with aligned columns, without frames, that never cuts a cell.
pub(crate) fn table<const N: usize>(
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if heads.iter().any(|head| !head.is_empty()) {
        table.set_header(heads);
    }
    for row in rows {
        table.add_row(row.map(|cell| single_line(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

/// Control characters of a name must not move the cursor.
pub(crate) fn single_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Whether somebody sits before the tool who can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
