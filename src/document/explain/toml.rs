use std::borrow::Cow;

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue, Error};

use crate::document::explain::Notes;
use crate::document::explain::node::{Member, Node, Text, Value, duplicate};
use crate::document::explain::{MAX_DEPTH, TOO_DEEP};

pub(crate) fn tree(text: &str, notes: &mut Notes) -> Option<Node> {
    let (root, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().unwrap_or_default().start);
    if !report(text, &errors, notes) {
        return None;
    }
    let table = DeValue::Table(root.into_inner());
    Some(node(Spanned::new(0..0, table), 1, notes))
}

/// More syntax errors would not help the reader.
const MOST_BROKEN: usize = 5;

/// Reports the errors of the parser, and returns whether the tree can still be read.
///
/// The descriptions are fixed texts. `Display` of these errors quotes the source, and
/// keys with it, so it is never used. Of a line only the first error is reported:
/// after it the parser guesses.
fn report(text: &str, errors: &[Error], notes: &mut Notes) -> bool {
    let mut last_line = None;
    let mut readable = true;
    let (mut line_start, mut searched, mut broken) = (0, 0, 0);
    for error in errors {
        let span = error.span().unwrap_or_default();
        let between = text.get(searched..span.start).unwrap_or_default();
        if let Some(at) = between.rfind('\n') {
            line_start = searched + at + 1;
        }
        searched = searched.max(span.start);
        let is_header = text[line_start..].trim_start().starts_with('[');
        let is_duplicate = error.message() == "duplicate key";
        let is_guess = last_line.replace(line_start) == Some(line_start);
        if is_guess && !is_duplicate {
            continue;
        }
        broken += usize::from(!is_duplicate);
        if broken > MOST_BROKEN {
            return false;
        }
        // A table that was opened twice takes the place of the first.
        readable &= is_duplicate && !is_header;
        let message = if is_duplicate {
            duplicate(text.get(span.clone()).unwrap_or_default())
        } else if error.message().contains("recursion") {
            TOO_DEEP.into()
        } else {
            let message = error.message();
            let message = message
                .strip_suffix(", expected nothing")
                .unwrap_or(message);
            format!("this is not TOML: {message}")
        };
        notes.push(span.start, message);
    }
    readable
}

fn node(value: Spanned<DeValue<'_>>, depth: usize, notes: &mut Notes) -> Node {
    let at = value.span().start;
    let value = match value.into_inner() {
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(value) => Value::number(integer(&value)),
        DeValue::Float(value) => Value::number(float(&value)),
        DeValue::String(text) => Value::Text(owned(text)),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) if depth > MAX_DEPTH => {
            notes.push(at, TOO_DEEP);
            Value::Refused
        }
        DeValue::Array(array) => {
            let element = |value| node(value, depth + 1, notes);
            Value::List(array.into_iter().map(element).collect())
        }
        DeValue::Table(table) => {
            let member = |(name, value): (Spanned<Cow<'_, str>>, _)| Member {
                at: name.span().start,
                name: owned(name.into_inner()),
                node: node(value, depth + 1, notes),
            };
            Value::Table(table.into_iter().map(member).collect())
        }
    };
    Node::new(at, value)
}

fn owned(text: Cow<'_, str>) -> Text {
    Text::new(text.into_owned())
}

fn integer(value: &DeInteger<'_>) -> Option<Number> {
    let (digits, radix) = (value.as_str(), value.radix());
    if let Ok(value) = i64::from_str_radix(digits, radix) {
        return Some(value.into());
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    Some(value.into())
}

fn float(value: &DeFloat<'_>) -> Option<Number> {
    Number::from_f64(value.as_str().parse().ok()?)
}
