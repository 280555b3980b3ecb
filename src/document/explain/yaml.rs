use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::document::explain::Notes;
use crate::document::explain::node::{Member, Node, Text, Value};
use crate::document::explain::{MAX_DEPTH, TOO_DEEP};

mod scalar;

/// How many bytes aliases may repeat and anchors may keep: a few lines that double
/// each other would otherwise fill the memory.
const COPIED_BYTES: usize = 16 << 20;

const TOO_LARGE: &str = "aliases and anchors make this document too large: write the values out";
const IN_ITSELF: &str = "this alias is inside the value that it repeats";
const ONE_DOCUMENT: &str = "a catalog file holds one document: remove the others";
const TAG: &str = "tags other than `!!str` mean nothing here: remove this one";
const NAME: &str = "a name in a table is text: put it in quotes";
const QUOTES: &str = "text that begins like this needs quotes";
const MERGE: &str = "YAML 1.2 has no merge keys (`<<`): write the fields out";

pub(crate) fn tree(text: &str, notes: &mut Notes) -> Option<Node> {
    let mut loader = Loader::new(text, notes);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                loader.syntax(&error);
                return None;
            }
        };
        let at = loader.cursor.seek(span.start.index());
        if let Err(message) = loader.take(event, at) {
            loader.notes.push(at, message);
            return None;
        }
    }
    // A file without a document is an empty one.
    let nothing = || Node::new(0, Value::Table(Vec::new()));
    Some(loader.root.unwrap_or_else(nothing))
}

/// Puts events together.
struct Loader<'t, 'i> {
    notes: &'i mut Notes,
    cursor: Cursor<'t>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    copied_bytes: usize,
    has_document: bool,
    root: Option<Node>,
}

/// A list or table that has not ended yet.
struct Open {
    at: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Table {
        members: Vec<Member>,
        name: Option<Name>,
    },
}

/// A name that waits for its value.
struct Name {
    at: usize,
    /// `None`: it was refused, and the value is dropped.
    text: Option<Text>,
}

impl<'t, 'i> Loader<'t, 'i> {
    fn new(text: &'t str, notes: &'i mut Notes) -> Self {
        Self {
            notes,
            cursor: Cursor::new(text),
            open: Vec::new(),
            anchors: HashMap::new(),
            copied_bytes: COPIED_BYTES.max(8 * text.len()),
            has_document: false,
            root: None,
        }
    }

    /// The parser's descriptions are fixed texts, but for one that quotes a
    /// character, which may be the first of a key.
    fn syntax(&mut self, error: &ScanError) {
        let at = self.cursor.seek(error.marker().index());
        let info = match error.info() {
            "recursion limit exceeded" => return self.notes.push(at, TOO_DEEP),
            info if info.starts_with("unexpected character") => QUOTES,
            info => info,
        };
        self.notes.push(at, format!("this is not YAML: {info}"));
    }

    /// Fails if there is no use in going on.
    fn take(&mut self, event: Event<'_>, at: usize) -> Result<(), &'static str> {
        match event {
            Event::DocumentStart(_) if self.has_document => return Err(ONE_DOCUMENT),
            Event::DocumentStart(_) => self.has_document = true,
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(text, style, tag.as_deref(), at);
                self.complete(Node::new(at, value), anchor)?;
            }
            Event::Alias(anchor) => {
                let node = self.repeat(anchor, at)?;
                self.complete(node, 0)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", at);
                self.begin(at, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", at);
                let (members, name) = (Vec::new(), None);
                self.begin(at, anchor, Content::Table { members, name })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: usize,
    ) -> Value {
        if tag.is_some() {
            if !self.check_tag(tag, "str", at) {
                return Value::Refused;
            }
        } else if style == ScalarStyle::Plain {
            if text == "<<" && self.awaits_name() {
                self.notes.push(at, MERGE);
                return Value::Refused;
            }
            return scalar::resolve(text);
        }
        Value::Text(Text::new(text.into_owned()))
    }

    /// Whether the next value is the name of a member of a table.
    fn awaits_name(&self) -> bool {
        let content = self.open.last().map(|open| &open.content);
        matches!(content, Some(Content::Table { name: None, .. }))
    }

    fn check_tag(&mut self, tag: Option<&Tag>, allowed: &str, at: usize) -> bool {
        let is_core = |tag: &Tag| tag.is_yaml_core_schema() && tag.suffix == allowed;
        let is_allowed = tag.is_none_or(is_core);
        if !is_allowed {
            self.notes.push(at, TAG);
        }
        is_allowed
    }

    fn begin(&mut self, at: usize, anchor: usize, content: Content) -> Result<(), &'static str> {
        if self.open.len() >= MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        self.open.push(Open {
            at,
            anchor,
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), &'static str> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let node = match open.content {
            Content::List(nodes) => Node::new(open.at, Value::List(nodes)),
            Content::Table { members, .. } => Node::table(open.at, members, self.notes),
        };
        self.complete(node, open.anchor)
    }

    /// Puts a value into its list or table. Anchors are numbered from 1.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), &'static str> {
        if anchor > 0 {
            self.count(Size::of(&node).bytes)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(nodes) => nodes.push(node),
            Content::Table { members, name } => match name.take() {
                None => *name = Some(as_name(node, self.notes)),
                Some(Name { at, text }) => {
                    members.extend(text.map(|name| Member { at, name, node }));
                }
            },
        }
        Ok(())
    }

    /// The value of an alias. A problem with all of it is reported at the alias, a
    /// problem inside it at the anchor.
    fn repeat(&mut self, anchor: usize, at: usize) -> Result<Node, &'static str> {
        let node = self.anchors.get(&anchor).ok_or(IN_ITSELF)?;
        let size = Size::of(node);
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        let node = Node { at, ..node.clone() };
        self.count(size.bytes)?;
        Ok(node)
    }

    /// Counts what an alias repeats, or an anchor keeps.
    fn count(&mut self, bytes: usize) -> Result<(), &'static str> {
        let left = self.copied_bytes.checked_sub(bytes);
        self.copied_bytes = left.ok_or(TOO_LARGE)?;
        Ok(())
    }
}

fn as_name(node: Node, notes: &mut Notes) -> Name {
    let text = match node.value {
        Value::Text(text) => Some(text),
        Value::Refused => None,
        _ => {
            notes.push(node.at, NAME);
            None
        }
    };
    Name { at: node.at, text }
}

/// What repeating a value costs.
struct Size {
    bytes: usize,
    depth: usize,
}

impl Size {
    fn of(node: &Node) -> Self {
        let text = node.text().map_or(0, str::len);
        let mut size = Self {
            bytes: size_of::<Member>() + text,
            depth: 1,
        };
        for member in node.members() {
            size.bytes += member.name.len();
            size.hold(Self::of(&member.node));
        }
        for node in node.list() {
            size.hold(Self::of(node));
        }
        size
    }

    fn hold(&mut self, inner: Self) {
        self.bytes += inner.bytes;
        self.depth = self.depth.max(inner.depth + 1);
    }
}

/// The parser counts characters; everything here counts bytes. Its places come
/// nearly in order, so that stepping from the last one is cheap.
struct Cursor<'t> {
    text: &'t str,
    chars: usize,
    bytes: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Self {
        let (chars, bytes) = (0, 0);
        Self { text, chars, bytes }
    }

    fn seek(&mut self, chars: usize) -> usize {
        while self.chars < chars {
            let Some(char) = self.text[self.bytes..].chars().next() else {
                break;
            };
            self.chars += 1;
            self.bytes += char.len_utf8();
        }
        while self.chars > chars {
            let Some(char) = self.text[..self.bytes].chars().next_back() else {
                break;
            };
            self.chars -= 1;
            self.bytes -= char.len_utf8();
        }
        self.bytes
    }
}
