use serde::de::{DeserializeSeed, IgnoredAny};

use crate::catalog::{Catalog, CatalogBuilder};
use crate::document::Environment;
use crate::document::stream::entities::{ApiFields, ProductFields, SubscriptionFields};
use crate::document::stream::values::OneOf;
use crate::document::stream::{Entry, Table};

/// What a document holds, in any order.
const LISTS: [&str; 3] = ["apis", "products", "subscriptions"];
const SUBSCRIPTIONS: usize = 2;

/// Where a part of a document may begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    /// Where the document itself does.
    Document,
    /// Between two subscriptions, behind the comma.
    Subscription,
}

/// What stands in a part of a document.
pub(super) struct Part {
    pub(super) builder: CatalogBuilder,
    ends: Border,
    /// The lists that begin in it.
    begun: [bool; LISTS.len()],
}

impl Part {
    /// Reads a part that begins at such a border. `None` where there is anything
    /// to complain about, and where it does not end at a border.
    pub(super) fn read(text: &[u8], begins: Border, environment: Environment<'_>) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let text = match begins {
            Border::Document => text.strip_prefix('\u{feff}').unwrap_or(text),
            Border::Subscription => text,
        };
        let mut walk = Walk {
            text,
            at: 0,
            environment,
            builder: Catalog::builder(),
            begun: [false; LISTS.len()],
        };
        let ends = match begins {
            Border::Document => walk.document(),
            Border::Subscription => walk.subscriptions(),
        }?;
        Some(Self {
            builder: walk.builder,
            ends,
            begun: walk.begun,
        })
    }

    /// Appends what was read of the text behind this part, on the guess that this
    /// one ends between subscriptions. `None` where it does not.
    pub(super) fn append(&mut self, next: Self) -> Option<()> {
        let again = self.begun.iter().zip(next.begun).any(|(a, b)| *a && b);
        if self.ends != Border::Subscription || again {
            return None;
        }
        self.ends = next.ends;
        for (begun, there) in self.begun.iter_mut().zip(next.begun) {
            *begun |= there;
        }
        self.builder.append(next.builder);
        Some(())
    }

    /// All that the document holds, if this is all of it.
    pub(super) fn whole(self) -> Option<CatalogBuilder> {
        (self.ends == Border::Document).then_some(self.builder)
    }
}

/// Walks the table and the lists of a document by hand, so that it can stop
/// between two entries. Whatever stands in an entry is left to `serde_json`.
struct Walk<'t, 'e> {
    text: &'t str,
    at: usize,
    environment: Environment<'e>,
    builder: CatalogBuilder,
    begun: [bool; LISTS.len()],
}

impl<'t> Walk<'t, '_> {
    fn document(&mut self) -> Option<Border> {
        self.expect(b'{')?;
        if self.finds(b'}') {
            return self.end();
        }
        self.lists()
    }

    fn lists(&mut self) -> Option<Border> {
        loop {
            let list = self.value(OneOf(&LISTS))?;
            if std::mem::replace(&mut self.begun[list], true) {
                return None;
            }
            self.expect(b':')?;
            self.expect(b'[')?;
            if !self.finds(b']') && self.entries(list)? == Border::Subscription {
                return Some(Border::Subscription);
            }
            if self.finds(b'}') {
                return self.end();
            }
            self.expect(b',')?;
        }
    }

    /// From between two subscriptions on.
    fn subscriptions(&mut self) -> Option<Border> {
        if self.entries(SUBSCRIPTIONS)? == Border::Subscription {
            return Some(Border::Subscription);
        }
        if self.finds(b'}') {
            return self.end();
        }
        self.expect(b',')?;
        self.lists()
    }

    /// The entries of a list, to its end or to that of the text.
    fn entries(&mut self, list: usize) -> Option<Border> {
        loop {
            match list {
                0 => self.entry::<ApiFields<'t>>()?,
                1 => self.entry::<ProductFields<'t>>()?,
                _ => self.entry::<SubscriptionFields<'t>>()?,
            }
            if self.finds(b']') {
                return Some(Border::Document);
            }
            self.expect(b',')?;
            if self.next().is_none() {
                return (list == SUBSCRIPTIONS).then_some(Border::Subscription);
            }
        }
    }

    fn entry<F: Entry<'t>>(&mut self) -> Option<()> {
        let mut entry = F::default();
        self.value(Table {
            environment: self.environment,
            fields: &mut entry,
        })?;
        entry.enter(&mut self.builder)
    }

    /// The value that is next.
    fn value<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Option<S::Value> {
        let rest = self.text.get(self.at..)?;
        let mut deserializer = serde_json::Deserializer::from_str(rest);
        let value = seed.deserialize(&mut deserializer).ok()?;
        self.at += deserializer.into_iter::<IgnoredAny>().byte_offset();
        Some(value)
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let blank = rest.iter().take_while(|byte| is_space(byte)).count();
        self.at += blank;
        rest.get(blank).copied()
    }

    /// Steps over that byte, if it is the next one.
    fn finds(&mut self, byte: u8) -> bool {
        let found = self.next() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.finds(byte).then_some(())
    }

    fn end(&mut self) -> Option<Border> {
        self.next().is_none().then_some(Border::Document)
    }
}
