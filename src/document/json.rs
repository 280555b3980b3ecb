use std::borrow::Cow;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::de::IgnoredAny;
use serde_json::Number;
use serde_json::error::Category;

use crate::document::error::Issues;
use crate::document::limits::{MAX_DEPTH, TOO_DEEP};
use crate::document::tree::{Member, Node, Text, Value};

/// Nothing beyond RFC 8259.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

const SURROGATE: &str = "half a `\\u` pair in text: write both halves, or the character itself";

pub(super) fn tree(text: &str, issues: &mut Issues) -> Option<Node> {
    // The parser that tells positions is, even so, too kind: it takes raw line
    // breaks in text, foreign blanks and some missing commas.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let (at, message) = syntax(text, &error);
        issues.push(at, message);
        return None;
    }
    let parsed = match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => parsed.value?,
        Err(error) => {
            issues.push(error.range().start, refused(&error));
            return None;
        }
    };
    Some(node(parsed, 1, issues))
}

/// Where the text stops being JSON, and how. The messages for broken syntax are
/// fixed ones; whatever else could quote the text.
fn syntax(text: &str, error: &serde_json::Error) -> (usize, String) {
    let message = match error.classify() {
        Category::Syntax | Category::Eof => {
            let message = error.to_string();
            let end = message.rfind(" at line ").unwrap_or(message.len());
            format!("this is not JSON: {}", &message[..end])
        }
        Category::Data | Category::Io => "this is not JSON".into(),
    };
    // Only here the byte itself is not counted.
    let is_behind = message.contains("control character");
    let column = error.column() + usize::from(is_behind);
    (offset(text, error.line(), column), message)
}

/// The parser counts bytes up to and including the one it stumbled on.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column).saturating_sub(1).min(text.len())
}

/// What passes the first parser and not this one.
fn refused(error: &ParseError) -> &'static str {
    match error.kind() {
        ParseErrorKind::NestingDepthExceeded => TOO_DEEP,
        _ => SURROGATE,
    }
}

fn node(value: ast::Value<'_>, depth: usize, issues: &mut Issues) -> Node {
    let at = value.start();
    let value = match value {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::NumberLit(literal) => Value::number(number(literal.value)),
        ast::Value::StringLit(literal) => Value::Text(owned(literal.value)),
        ast::Value::Array(_) | ast::Value::Object(_) if depth > MAX_DEPTH => {
            issues.push(at, TOO_DEEP);
            Value::Refused
        }
        ast::Value::Array(array) => {
            let element = |value| node(value, depth + 1, issues);
            Value::List(array.elements.into_iter().map(element).collect())
        }
        ast::Value::Object(object) => {
            let members = object
                .properties
                .into_iter()
                .map(|property| member(property, depth, issues))
                .collect();
            return Node::table(at, members, issues);
        }
    };
    Node::new(at, value)
}

fn member(property: ast::ObjectProp<'_>, depth: usize, issues: &mut Issues) -> Member {
    let at = property.name.start();
    let name = match property.name {
        ast::ObjectPropName::String(literal) => owned(literal.value),
        ast::ObjectPropName::Word(literal) => owned(literal.value.into()),
    };
    let node = node(property.value, depth + 1, issues);
    Member { at, name, node }
}

/// A fraction is read by the standard library: only that gives back exactly the
/// number that was written.
fn number(literal: &str) -> Option<Number> {
    if literal.contains(['.', 'e', 'E']) {
        Number::from_f64(literal.parse().ok()?)
    } else {
        literal.parse().ok()
    }
}

fn owned(text: Cow<'_, str>) -> Text {
    Text::new(text.into_owned())
}
