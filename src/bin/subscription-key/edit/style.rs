//! How a file writes its entries, so that new ones look alike.

use super::literal::{Literal, name};
use super::outline::{Braces, Entry, Outline, Place, Shape};
use super::splice::{content_end_before, line_break, line_start};
use super::{EditError, Fields, Syntax};

/// How blocks of TOML are written here.
pub(super) struct BlockStyle {
    pub(super) header_indent: String,
    indent: String,
    equals: String,
    /// Where values begin, if the equals signs are below one another.
    value_column: Option<usize>,
    pub(super) is_apart: bool,
}

impl BlockStyle {
    pub(super) fn of(text: &str, entry: Option<&Entry>) -> Self {
        let mut style = Self {
            header_indent: String::new(),
            indent: String::new(),
            equals: " = ".to_owned(),
            value_column: None,
            is_apart: true,
        };
        let Some(entry) = entry else { return style };
        if let Shape::Blocks(blocks) = &entry.shape {
            let start = blocks[0].start;
            style.header_indent = indent(text, start).to_owned();
            let above = text[..start].trim_end_matches(' ');
            style.is_apart = content_end_before(text, start) == 0
                || above.ends_with("\n\n")
                || above.ends_with("\n\r\n");
        }
        let pairs = entry
            .members
            .iter()
            .filter_map(|member| match &member.place {
                Place::Pair(pair) => Some((pair.name.clone(), pair.value.start)),
                _ => None,
            });
        let pairs: Vec<_> = pairs.collect();
        if let Some((name, value)) = pairs.first() {
            style.indent = indent(text, line_start(text, name.start)).to_owned();
            style.equals = text[name.end..*value].to_owned();
        }
        let columns: Vec<usize> = pairs
            .iter()
            .map(|(name, value)| value - name.start)
            .collect();
        let is_padded = pairs
            .iter()
            .any(|(name, value)| text[name.end..*value].starts_with("  "));
        if is_padded && columns.windows(2).all(|two| two[0] == two[1]) {
            style.equals = " = ".to_owned();
            style.value_column = columns.first().copied();
        }
        style
    }

    /// One line, without its line break.
    pub(super) fn line(&self, field: &str, value: &str) -> String {
        let mut line = self.indent.clone();
        name(field, Syntax::Toml, &mut line);
        if let Some(column) = self.value_column {
            let width = column.saturating_sub(self.equals.len() + field.len());
            line.extend(std::iter::repeat_n(' ', width));
        }
        line.push_str(&self.equals);
        line.push_str(value);
        line
    }
}

fn indent(text: &str, line_start: usize) -> &str {
    let line = &text[line_start..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// `scopes = ["/"]` is written `scope = "/"`.
pub(super) fn single_scope((name, value): &(String, Literal)) -> (&str, &Literal) {
    match (name.as_str(), value) {
        ("scopes", Literal::List(scopes)) if scopes.len() == 1 => ("scope", &scopes[0]),
        (name, value) => (name, value),
    }
}

/// How a file writes objects in braces.
pub(super) struct Style {
    /// The line break and indentation of one level. `None`: objects are on one line.
    step: Option<String>,
    newline: &'static str,
    pub(super) colon: String,
}

impl Style {
    pub(super) fn of(text: &str, outline: &Outline) -> Self {
        let root = outline.root.as_ref();
        let open = root.and_then(|root| {
            let first = root.members.first()?;
            Some(&text[root.whole.start + 1..first.start])
        });
        let step = open.filter(|open| open.contains('\n'));
        let step = step
            .and_then(|open| open.rsplit('\n').next())
            .map(str::to_owned);
        let colon = root
            .and_then(|root| root.between.clone())
            .map(|between| text[between].to_owned());
        Self {
            step,
            newline: line_break(text),
            colon: colon.unwrap_or_else(|| match root {
                Some(_) => ": ".to_owned(),
                None => " = ".to_owned(),
            }),
        }
    }

    pub(super) fn is_pretty(&self) -> bool {
        self.step.is_some()
    }

    /// The white space before what is indented by `depth` steps.
    pub(super) fn space(&self, depth: usize) -> String {
        match &self.step {
            Some(step) => format!("{}{}", self.newline, step.repeat(depth)),
            None => String::new(),
        }
    }

    /// Between a comma and what follows it on the same line.
    pub(super) fn blank(&self) -> &'static str {
        if self.colon.ends_with(' ') { " " } else { "" }
    }
}

/// How one object is written.
pub(super) struct ObjectStyle {
    open: String,
    pub(super) gap: String,
    close: String,
    pub(super) colon: String,
}

impl ObjectStyle {
    pub(super) fn at_depth(style: &Style, depth: usize, syntax: Syntax) -> Self {
        let (open, close) = match (style.is_pretty(), syntax) {
            (true, _) => (style.space(depth + 1), style.space(depth)),
            (false, Syntax::Toml) => (" ".to_owned(), " ".to_owned()),
            (false, Syntax::Json) => (String::new(), String::new()),
        };
        let gap = if style.is_pretty() {
            open.clone()
        } else {
            style.blank().to_owned()
        };
        let colon = style.colon.clone();
        Self {
            open,
            gap,
            close,
            colon,
        }
    }

    /// The style of an object that is there.
    pub(super) fn like(text: &str, braces: &Braces, style: &Style) -> Self {
        let inner = braces.inner();
        let (Some(first), Some(last)) = (braces.members.first(), braces.members.last()) else {
            return Self {
                open: String::new(),
                gap: style.blank().to_owned(),
                close: String::new(),
                colon: style.colon.clone(),
            };
        };
        let open = space_before(text, inner.start, first.start);
        let gap = match braces.members.get(1) {
            Some(second) => space_before(text, first.end, second.start),
            None if open.contains('\n') => open.clone(),
            None => style.blank().to_owned(),
        };
        let close = space_before(text, last.end, inner.end);
        let colon = braces
            .between
            .clone()
            .map(|between| text[between].to_owned());
        let colon = colon.unwrap_or_else(|| style.colon.clone());
        Self {
            open,
            gap,
            close,
            colon,
        }
    }

    pub(super) fn write(&self, syntax: Syntax, fields: &Fields) -> Result<String, EditError> {
        let mut object = format!("{{{}", self.open);
        for (at, (field, value)) in fields.iter().map(single_scope).enumerate() {
            if at > 0 {
                object.push(',');
                object.push_str(&self.gap);
            }
            name(field, syntax, &mut object);
            object.push_str(&self.colon);
            object.push_str(&value.write(syntax)?);
        }
        object.push_str(&self.close);
        object.push('}');
        Ok(object)
    }
}

/// The white space right before `end`, without commas and comments.
pub(super) fn space_before(text: &str, start: usize, end: usize) -> String {
    let between = &text[start..end];
    let space = between.rfind(|c: char| !c.is_whitespace()).map_or(0, |at| {
        at + between[at..].chars().next().map_or(1, char::len_utf8)
    });
    let space = &between[space..];
    // Blank lines are reduced to one line break.
    match space.rfind('\n') {
        Some(at) if space[..at].ends_with('\r') => space[at - 1..].to_owned(),
        Some(at) => space[at..].to_owned(),
        None if between.contains('#') => " ".to_owned(),
        None => space.to_owned(),
    }
}
