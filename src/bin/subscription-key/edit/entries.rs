use std::ops::Range;

use super::literal::{Literal, name};
use super::outline::{Braces, Entry, Kind, List, Outline, Place, Shape};
use super::splice::{Splices, content_end_before, cut_elements, line_break, line_start};
use super::{EditError, EntryChange, Syntax};

type Fields = [(&'static str, Literal)];

/// Takes entries out of their lists.
pub(super) fn removals(
    syntax: Syntax,
    text: &str,
    outline: &Outline,
    changes: &[EntryChange],
) -> Result<Splices, EditError> {
    let mut splices = Splices::default();
    for kind in Kind::ALL {
        let is_removed = |entry: &Entry| {
            changes.iter().any(
                |change| matches!(change, EntryChange::Remove(of, id) if *of == kind && *id == entry.id),
            )
        };
        let Some(list) = outline
            .list(kind)
            .filter(|list| list.entries.iter().any(is_removed))
        else {
            continue;
        };
        let Some(inner) = &list.inner else {
            for entry in list.entries.iter().filter(|entry| is_removed(entry)) {
                cut_blocks(&mut splices, text, entry);
            }
            continue;
        };
        let is_emptied = list.entries.iter().all(is_removed);
        if syntax == Syntax::Json && is_emptied && is_own_list(text, outline, inner) {
            cut_list(&mut splices, outline, inner);
        } else {
            let elements = elements(list);
            let is_cut = |at: usize| is_removed(&list.entries[at]);
            cut_elements(&mut splices, inner.clone(), &elements, is_cut);
        }
    }
    Ok(splices)
}

/// Whether [`additions`] made that list, together with its first entry. It then
/// looks different from a list that was there (empty) before.
fn is_own_list(text: &str, outline: &Outline, inner: &Range<usize>) -> bool {
    let is_tight = text[inner.clone()].starts_with('{');
    is_tight == Style::of(text, outline).is_pretty()
}

fn cut_list(splices: &mut Splices, outline: &Outline, inner: &Range<usize>) {
    let Some(root) = &outline.root else { return };
    let is_cut = |at: usize| root.members[at].contains(&inner.start);
    cut_elements(splices, root.inner(), &root.members, is_cut);
}

fn cut_blocks(splices: &mut Splices, text: &str, entry: &Entry) {
    if let Shape::Blocks(blocks) = &entry.shape {
        for block in blocks {
            splices.cut(with_surroundings(text, block));
        }
    }
}

/// The block, the blank lines before it and the comment right above it.
pub(super) fn with_surroundings(text: &str, block: &Range<usize>) -> Range<usize> {
    let mut start = block.start;
    while start > 0 {
        let above = line_start(text, start - 1);
        if !text[above..start].trim_start().starts_with('#') {
            break;
        }
        // The comment at the head of a file is about the file.
        if above == 0 {
            start = block.start;
            break;
        }
        start = above;
    }
    let start = content_end_before(text, start);
    if start > 0 {
        return start..block.end;
    }
    let rest = &text[block.end..];
    let blank = rest.len() - rest.trim_start().len();
    start..line_start(text, block.end + blank).max(block.end)
}

fn elements(list: &List) -> Vec<Range<usize>> {
    let whole = |entry: &Entry| match &entry.shape {
        Shape::Braces(braces) => braces.whole.clone(),
        Shape::Blocks(_) => 0..0,
    };
    list.entries.iter().map(whole).collect()
}

/// Puts new entries after the last of their kind.
pub(super) fn additions(
    syntax: Syntax,
    text: &str,
    outline: &Outline,
    changes: &[EntryChange],
) -> Result<Splices, EditError> {
    let mut splices = Splices::default();
    for kind in Kind::ALL {
        let new: Vec<&Fields> = changes
            .iter()
            .filter_map(|change| match change {
                EntryChange::Add(of, fields) if *of == kind => Some(fields.as_slice()),
                _ => None,
            })
            .collect();
        if new.is_empty() {
            continue;
        }
        match (outline.list(kind), syntax) {
            (Some(list), _) => match &list.inner {
                Some(inner) => {
                    add_elements(&mut splices, syntax, text, outline, list, inner, &new)?
                }
                None => add_blocks(&mut splices, text, outline, kind, list.entries.last(), &new)?,
            },
            (None, Syntax::Toml) => add_blocks(&mut splices, text, outline, kind, None, &new)?,
            (None, Syntax::Json) => add_list(&mut splices, text, outline, kind, &new)?,
        }
    }
    Ok(splices)
}

/// How blocks of TOML are written here.
pub(super) struct BlockStyle {
    header_indent: String,
    indent: String,
    equals: String,
    /// Where values begin, if the equals signs are below one another.
    value_column: Option<usize>,
    is_apart: bool,
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

fn add_blocks(
    splices: &mut Splices,
    text: &str,
    outline: &Outline,
    kind: Kind,
    last: Option<&Entry>,
    new: &[&Fields],
) -> Result<(), EditError> {
    let model = last.or_else(|| {
        Kind::ALL.iter().rev().find_map(|kind| {
            let entry = outline.entries(*kind).last()?;
            matches!(entry.shape, Shape::Blocks(_)).then_some(entry)
        })
    });
    let style = BlockStyle::of(text, model);
    let end = match last.map(|entry| &entry.shape) {
        Some(Shape::Blocks(blocks)) => blocks.iter().map(|block| block.end).max().unwrap_or(0),
        _ => text.trim_end().len(),
    };
    let newline = line_break(text);
    let mut added = String::new();
    if text.is_empty() && !splices.is_empty() {
        // A list of another kind is there before, with its last line break.
        added.push_str(newline);
    }
    for (at, fields) in new.iter().enumerate() {
        if end > 0 || at > 0 {
            added.push_str(newline);
            if style.is_apart {
                added.push_str(newline);
            }
        }
        added.push_str(&style.header_indent);
        added.push_str(&format!("[[{}]]", kind.list()));
        for (name, value) in fields.iter().map(single_scope) {
            added.push_str(newline);
            added.push_str(&style.line(name, &value.write(Syntax::Toml)?));
        }
    }
    if text.is_empty() {
        added.push_str(newline);
    }
    splices.insert(end, added);
    Ok(())
}

/// `scopes = ["/"]` is written `scope = "/"`.
fn single_scope<'f>((name, value): &'f (&'static str, Literal)) -> (&'f str, &'f Literal) {
    match (*name, value) {
        ("scopes", Literal::List(scopes)) if scopes.len() == 1 => ("scope", &scopes[0]),
        (name, value) => (name, value),
    }
}

/// How a file writes objects in braces.
pub(super) struct Style {
    /// What an indented line begins with, line break and all. `None`: one line.
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

    fn is_pretty(&self) -> bool {
        self.step.is_some()
    }

    /// The white space before what is indented by `depth` steps.
    fn space(&self, depth: usize) -> String {
        match &self.step {
            Some(step) => format!("{}{}", self.newline, step.repeat(depth)),
            None => String::new(),
        }
    }

    /// Between a comma and what follows it on the same line.
    fn blank(&self) -> &'static str {
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
    fn at_depth(style: &Style, depth: usize, syntax: Syntax) -> Self {
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

    fn write(&self, syntax: Syntax, fields: &Fields) -> Result<String, EditError> {
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
    // Of blank lines only one break is kept.
    match space.rfind('\n') {
        Some(at) if space[..at].ends_with('\r') => space[at - 1..].to_owned(),
        Some(at) => space[at..].to_owned(),
        None if between.contains('#') => " ".to_owned(),
        None => space.to_owned(),
    }
}

fn add_elements(
    splices: &mut Splices,
    syntax: Syntax,
    text: &str,
    outline: &Outline,
    list: &List,
    inner: &Range<usize>,
    new: &[&Fields],
) -> Result<(), EditError> {
    let style = Style::of(text, outline);
    let elements = elements(list);
    let Some(last) = elements.last() else {
        let object = ObjectStyle::at_depth(&style, 2, syntax);
        let mut added = String::new();
        for (at, fields) in new.iter().enumerate() {
            if at > 0 {
                added.push(',');
            }
            added.push_str(&if at > 0 && !style.is_pretty() {
                style.blank().to_owned()
            } else {
                style.space(2)
            });
            added.push_str(&object.write(syntax, fields)?);
        }
        added.push_str(&style.space(1));
        splices.replace(inner.clone(), added);
        return Ok(());
    };
    let object = match list.entries.last().map(|entry| &entry.shape) {
        Some(Shape::Braces(braces)) => ObjectStyle::like(text, braces, &style),
        _ => ObjectStyle::at_depth(&style, 2, syntax),
    };
    let gap = match elements.len() {
        1 => space_before(text, inner.start, last.start),
        n => space_before(text, elements[n - 2].end, last.start),
    };
    let gap = if gap.is_empty() {
        style.blank().to_owned()
    } else {
        gap
    };
    let mut added = String::new();
    for fields in new {
        added.push(',');
        added.push_str(&gap);
        added.push_str(&object.write(syntax, fields)?);
    }
    splices.insert(last.end, added);
    Ok(())
}

/// A list that JSON has not yet, as the last member of the root.
fn add_list(
    splices: &mut Splices,
    text: &str,
    outline: &Outline,
    kind: Kind,
    new: &[&Fields],
) -> Result<(), EditError> {
    let root = outline.root.as_ref().ok_or(EditError::Shape)?;
    let last = root.members.last().ok_or(EditError::Shape)?;
    let style = Style::of(text, outline);
    let root_style = ObjectStyle::like(text, root, &style);
    let object = ObjectStyle::at_depth(&style, 1, Syntax::Json);
    // Distinguishes it from an existing empty list: see `is_own_list`.
    let space = if style.is_pretty() { "" } else { " " };
    let objects = new.iter().map(|fields| object.write(Syntax::Json, fields));
    let objects = objects.collect::<Result<Vec<_>, _>>()?.join(", ");
    let (gap, colon, list) = (&root_style.gap, &root_style.colon, kind.list());
    splices.insert(
        last.end,
        format!(",{gap}\"{list}\"{colon}[{space}{objects}{space}]"),
    );
    Ok(())
}
