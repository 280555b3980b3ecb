use std::ops::Range;

use super::outline::{Entry, Kind, List, Outline, Shape};
use super::splice::{Splices, content_end_before, cut_elements, line_break, line_start};
use super::style::{BlockStyle, ObjectStyle, Style, single_scope, space_before};
use super::{EditError, EntryChange, Fields, Syntax};

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
                EntryChange::Add(of, fields) if *of == kind => Some(fields),
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
