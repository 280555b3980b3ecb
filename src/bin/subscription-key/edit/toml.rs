use std::ops::Range;

use toml_edit::{Document, InlineTable, Item, Table, Value};

use super::EditError;
use super::outline::{Braces, Entry, Kind, List, Member, Outline, Pair, Place, Shape};
use super::splice::{line_end, line_start};

/// Where everything of a TOML catalog is.
pub(super) fn outline(text: &str) -> Result<Outline, EditError> {
    let document = Document::parse(text).map_err(|_| EditError::Shape)?;
    let root = document.as_table();
    let mut lists = [None, None, None];
    for kind in Kind::ALL {
        lists[kind as usize] = match root.get(kind.list()) {
            None => None,
            Some(Item::ArrayOfTables(tables)) => Some(List {
                entries: tables
                    .iter()
                    .map(|table| block_entry(text, table))
                    .collect::<Option<_>>()
                    .ok_or(EditError::Shape)?,
                inner: None,
            }),
            Some(Item::Value(Value::Array(array))) => {
                let span = array.span().ok_or(EditError::Shape)?;
                let entries = array
                    .iter()
                    .map(|value| inline_entry(text, value.as_inline_table()?));
                Some(List {
                    entries: entries.collect::<Option<_>>().ok_or(EditError::Shape)?,
                    inner: Some(span.start + 1..span.end - 1),
                })
            }
            Some(_) => return Err(EditError::Shape),
        };
    }
    Ok(Outline { lists, root: None })
}

fn block_entry(text: &str, table: &Table) -> Option<Entry> {
    let mut blocks = vec![block(text, table)?];
    let mut members = Vec::new();
    for (name, item) in table.iter() {
        let name = name.to_owned();
        match item {
            Item::Value(value) => {
                let (key, _) = table.get_key_value(&name)?;
                let pair = pair(key.span()?, value)?;
                members.push(Member {
                    name,
                    place: Place::Pair(pair),
                });
            }
            Item::Table(inner) if inner.is_dotted() => {
                for value in leaves(inner) {
                    let start = line_start(text, value.start);
                    let indent = text[start..].len() - text[start..].trim_start().len();
                    let place = Place::Dotted(start + indent..value.end);
                    members.push(Member {
                        name: name.clone(),
                        place,
                    });
                }
            }
            Item::Table(inner) => sub_blocks(text, &name, inner, &mut blocks, &mut members),
            Item::ArrayOfTables(tables) => {
                for inner in tables.iter() {
                    sub_blocks(text, &name, inner, &mut blocks, &mut members);
                }
            }
            Item::None => {}
        }
    }
    members.sort_by_key(|member| position(member, &blocks));
    Some(Entry {
        id: table
            .get("id")
            .and_then(Item::as_str)
            .unwrap_or_default()
            .to_owned(),
        members,
        shape: Shape::Blocks(blocks),
    })
}

fn position(member: &Member, blocks: &[Range<usize>]) -> usize {
    match &member.place {
        Place::Pair(pair) => pair.name.start,
        Place::Dotted(range) => range.start,
        Place::Block(at) => blocks[*at].start,
    }
}

/// The tables with a header of their own at and below `table`.
fn sub_blocks(
    text: &str,
    name: &str,
    table: &Table,
    blocks: &mut Vec<Range<usize>>,
    members: &mut Vec<Member>,
) {
    if let Some(block) = block(text, table) {
        let place = Place::Block(blocks.len());
        members.push(Member {
            name: name.to_owned(),
            place,
        });
        blocks.push(block);
    }
    for (_, item) in table.iter() {
        match item {
            Item::Table(inner) if !inner.is_dotted() => {
                sub_blocks(text, name, inner, blocks, members);
            }
            Item::ArrayOfTables(tables) => {
                for inner in tables.iter() {
                    sub_blocks(text, name, inner, blocks, members);
                }
            }
            _ => {}
        }
    }
}

/// From the header's line to the end of the last line that belongs to it. A
/// table without a header has none.
fn block(text: &str, table: &Table) -> Option<Range<usize>> {
    let header = table.span().filter(|_| !table.is_implicit())?;
    let last = leaves(table)
        .map(|value| value.end)
        .max()
        .unwrap_or(header.start);
    let last = last.max(line_end(text, header.start));
    Some(line_start(text, header.start)..line_end(text, last))
}

/// The values that are written in the table's own lines.
fn leaves(table: &Table) -> Box<dyn Iterator<Item = Range<usize>> + '_> {
    Box::new(
        table
            .iter()
            .flat_map(|(_, item)| -> Box<dyn Iterator<Item = Range<usize>>> {
                match item {
                    Item::Value(value) => Box::new(value.span().into_iter()),
                    Item::Table(inner) if inner.is_dotted() => leaves(inner),
                    _ => Box::new(std::iter::empty()),
                }
            }),
    )
}

fn inline_entry(text: &str, table: &InlineTable) -> Option<Entry> {
    let mut members = Vec::new();
    let mut between = None;
    for (name, value) in table.iter() {
        let (key, _) = table.get_key_value(name)?;
        let name = name.to_owned();
        match value {
            Value::InlineTable(inner) if inner.is_dotted() => {
                for value in inline_leaves(inner) {
                    let start = text[..value.start].rfind([',', '{']).map_or(0, |at| at + 1);
                    let blank = text[start..].len() - text[start..].trim_start().len();
                    let place = Place::Dotted(start + blank..value.end);
                    members.push(Member {
                        name: name.clone(),
                        place,
                    });
                }
            }
            _ => {
                let pair = pair(key.span()?, value)?;
                between.get_or_insert(pair.name.end..pair.value.start);
                members.push(Member {
                    name,
                    place: Place::Pair(pair),
                });
            }
        }
    }
    members.sort_by_key(|member| position(member, &[]));
    let ranges = members.iter().filter_map(|member| match &member.place {
        Place::Pair(pair) => Some(pair.whole()),
        Place::Dotted(range) => Some(range.clone()),
        Place::Block(_) => None,
    });
    let braces = Braces {
        whole: table.span()?,
        members: ranges.collect(),
        between,
    };
    Some(Entry {
        id: table
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        members,
        shape: Shape::Braces(braces),
    })
}

fn inline_leaves(table: &InlineTable) -> Vec<Range<usize>> {
    let values = table.iter().flat_map(|(_, value)| match value {
        Value::InlineTable(inner) if inner.is_dotted() => inline_leaves(inner),
        value => value.span().into_iter().collect(),
    });
    values.collect()
}

fn pair(name: Range<usize>, value: &Value) -> Option<Pair> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let elements = match value {
        Value::Array(array) => {
            let element = |value: &Value| Some((value.span()?, text(value)));
            Some(array.iter().map(element).collect::<Option<_>>()?)
        }
        _ => None,
    };
    let fields = match value {
        Value::InlineTable(table) => {
            let field = |(name, value): (&str, &Value)| (name.to_owned(), text(value));
            table.iter().map(field).collect()
        }
        _ => Vec::new(),
    };
    Some(Pair {
        name,
        value: value.span()?,
        elements,
        fields,
    })
}
