use std::borrow::Cow;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::de::IgnoredAny;
use serde_json::Number;
use serde_json::error::Category;

use crate::document::explain::Notes;
use crate::document::explain::node::{Member, Node, Text, Value};
use crate::document::explain::{MAX_DEPTH, TOO_DEEP};

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

/// Where and how the text stops being JSON, if it does.
pub(in crate::document) fn syntax_error(text: &str) -> Option<(usize, String)> {
    let error = serde_json::from_str::<IgnoredAny>(text).err()?;
    Some(syntax(text, &error))
}

/// The tree of a value that `serde_json` takes, and that is at `base` in its
/// document and so deep in it. `None`: it is broken after all.
///
/// This parser alone would be too kind: it takes raw line breaks in text, foreign
/// blanks and some missing commas.
pub(in crate::document) fn tree(
    text: &str,
    base: usize,
    depth: usize,
    notes: &mut Notes,
) -> Option<Node> {
    match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => Some(Tree { base, notes }.node(parsed.value?, depth)),
        Err(error) => {
            notes.push(base + error.range().start, refused(&error));
            None
        }
    }
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

struct Tree<'i> {
    base: usize,
    notes: &'i mut Notes,
}

impl Tree<'_> {
    fn node(&mut self, value: ast::Value<'_>, depth: usize) -> Node {
        let at = self.base + value.start();
        let value = match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
            ast::Value::NumberLit(literal) => Value::number(number(literal.value)),
            ast::Value::StringLit(literal) => Value::Text(owned(literal.value)),
            ast::Value::Array(_) | ast::Value::Object(_) if depth > MAX_DEPTH => {
                self.notes.push(at, TOO_DEEP);
                Value::Refused
            }
            ast::Value::Array(array) => {
                let element = |value| self.node(value, depth + 1);
                Value::List(array.elements.into_iter().map(element).collect())
            }
            ast::Value::Object(object) => {
                let member = |property| self.member(property, depth);
                let members = object.properties.into_iter().map(member).collect();
                return Node::table(at, members, self.notes);
            }
        };
        Node::new(at, value)
    }

    fn member(&mut self, property: ast::ObjectProp<'_>, depth: usize) -> Member {
        let at = self.base + property.name.start();
        let name = match property.name {
            ast::ObjectPropName::String(literal) => owned(literal.value),
            ast::ObjectPropName::Word(literal) => owned(literal.value.into()),
        };
        let node = self.node(property.value, depth + 1);
        Member { at, name, node }
    }
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
