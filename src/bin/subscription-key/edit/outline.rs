use std::ops::Range;

/// Which list of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Api,
    Product,
    Subscription,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Api, Self::Product, Self::Subscription];

    /// The name of the list.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Api => "apis",
            Self::Product => "products",
            Self::Subscription => "subscriptions",
        }
    }
}

/// Where everything of a catalog text is, in bytes.
#[derive(Debug)]
pub(crate) struct Outline {
    /// In the order of [`Kind::ALL`].
    pub(super) lists: [Option<List>; 3],
    /// The root object of JSON.
    pub(super) root: Option<Braces>,
}

impl Outline {
    pub(super) fn list(&self, kind: Kind) -> Option<&List> {
        self.lists[kind as usize].as_ref()
    }

    pub(crate) fn entry(&self, kind: Kind, id: &str) -> Option<&Entry> {
        let entries = &self.list(kind)?.entries;
        entries.iter().find(|entry| entry.id == id)
    }

    pub(crate) fn entries(&self, kind: Kind) -> &[Entry] {
        self.list(kind).map_or(&[], |list| &list.entries)
    }
}

/// A list of entries.
#[derive(Debug)]
pub(super) struct List {
    pub(super) entries: Vec<Entry>,
    /// What is between `[` and `]`. `None` for TOML's `[[…]]` blocks.
    pub(super) inner: Option<Range<usize>>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    /// In the order of the text.
    pub(super) members: Vec<Member>,
    pub(super) shape: Shape,
}

#[derive(Debug)]
pub(super) enum Shape {
    /// `{ … }` in JSON or TOML.
    Braces(Braces),
    /// `[[apis]]` and the tables below it. The first block is the entry's own:
    /// from its header to its last line.
    Blocks(Vec<Range<usize>>),
}

/// An object in braces.
#[derive(Debug)]
pub(super) struct Braces {
    pub(super) whole: Range<usize>,
    pub(super) members: Vec<Range<usize>>,
    /// From the end of a name to the begin of its value.
    pub(super) between: Option<Range<usize>>,
}

impl Braces {
    pub(super) fn inner(&self) -> Range<usize> {
        self.whole.start + 1..self.whole.end - 1
    }
}

/// A field of an entry. A field that TOML spreads over several lines or tables
/// has one for each.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) enum Place {
    /// `name = value`, or `"name": value`.
    Pair(Pair),
    /// `name.inner = value`, from the begin of the name to the end of the value.
    Dotted(Range<usize>),
    /// `[apis.name]`: by its place among the entry's blocks.
    Block(usize),
}

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
    /// The elements of a list, and the elements' text.
    pub(super) elements: Option<Vec<(Range<usize>, Option<String>)>>,
    /// The fields of a table in braces, with their text.
    pub(super) fields: Vec<(String, Option<String>)>,
}

impl Pair {
    pub(super) fn whole(&self) -> Range<usize> {
        self.name.start..self.value.end
    }
}

impl Entry {
    pub(super) fn pair(&self, name: &str) -> Option<&Pair> {
        let mut members = self.members.iter().filter(|member| member.name == name);
        members.find_map(|member| match &member.place {
            Place::Pair(pair) => Some(pair),
            _ => None,
        })
    }

    /// The text of a field of a table: `env` of `primary_key = { env = "…" }`.
    pub(crate) fn inner_text(&self, name: &str, field: &str) -> Option<&str> {
        let fields = &self.pair(name)?.fields;
        let (_, text) = fields.iter().find(|(name, _)| name == field)?;
        text.as_deref()
    }
}
