use serde::de::{Deserialize, IgnoredAny};

use crate::catalog::{Api, EntityKind, Product, Subscription};
use crate::document::BYTE_ORDER_MARK;
use crate::document::explain::{Node, Text, Value, duplicate};
use crate::document::reader::{Broken, Read, Reader, Rules, list_of, skip};
use crate::document::schema::{self, DOCUMENT};

/// Where a part of a document may begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    /// Where the document itself does.
    Document,
    /// Between two subscriptions, after the comma.
    Subscription,
}

/// What a part of a document holds.
pub(super) struct Part {
    pub(super) read: Read,
    ends: Border,
    /// The fields of the document that begin in it.
    begun: [bool; DOCUMENT.len()],
}

impl Part {
    /// Reads a part that begins at such a border, and at that byte of the document.
    pub(super) fn read(
        text: &[u8],
        start: usize,
        begins: Border,
        rules: Rules<'_>,
    ) -> Result<Self, Broken> {
        let mut text = std::str::from_utf8(text).map_err(|_| Broken)?;
        if begins == Border::Document {
            text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        }
        let mut walk = Walk {
            text,
            start,
            at: 0,
            reader: Reader::new(rules),
            begun: [false; DOCUMENT.len()],
        };
        let ends = match begins {
            Border::Document => walk.document(),
            Border::Subscription => walk.subscriptions(),
        }?;
        Ok(Self {
            read: walk.reader.read,
            ends,
            begun: walk.begun,
        })
    }

    /// Appends what was read of the text after this part. Fails if this part does
    /// not end between two subscriptions, so that the text was cut at a wrong place.
    pub(super) fn append(&mut self, next: Self) -> Result<(), Broken> {
        let again = self.begun.iter().zip(next.begun).any(|(a, b)| *a && b);
        if self.ends != Border::Subscription || again {
            return Err(Broken);
        }
        self.ends = next.ends;
        for (begun, there) in self.begun.iter_mut().zip(next.begun) {
            *begun |= there;
        }
        self.read.append(next.read);
        Ok(())
    }

    /// All that the document holds, if this is all of it.
    pub(super) fn whole(self) -> Result<Read, Broken> {
        match self.ends {
            Border::Document => Ok(self.read),
            Border::Subscription => Err(Broken),
        }
    }
}

/// Walks the table and the lists of a document by hand, so that it can stop
/// between two entries. The entries themselves are left to `serde_json`.
struct Walk<'t, 'k> {
    text: &'t str,
    /// Where in the document the text begins.
    start: usize,
    at: usize,
    reader: Reader<'k>,
    begun: [bool; DOCUMENT.len()],
}

impl<'t> Walk<'t, '_> {
    fn document(&mut self) -> Result<Border, Broken> {
        if !self.finds(b'{') {
            let mut root = self.outline()?;
            self.reader.tree(&mut root);
            return self.end();
        }
        if self.finds(b'}') {
            return self.end();
        }
        self.fields()
    }

    fn fields(&mut self) -> Result<Border, Broken> {
        loop {
            self.next();
            let name_at = self.place();
            let schema::Text(name) = self.value()?;
            self.expect(b':')?;
            let known = DOCUMENT.iter().position(|known| *known == name);
            let again = known.is_some_and(|field| std::mem::replace(&mut self.begun[field], true));
            if again {
                self.reader.read.notes.push(name_at, duplicate(&name));
                self.skip()?;
            } else if self.field(&name, name_at)? == Border::Subscription {
                return Ok(Border::Subscription);
            }
            if self.finds(b'}') {
                return self.end();
            }
            self.expect(b',')?;
        }
    }

    fn field(&mut self, name: &str, at: usize) -> Result<Border, Broken> {
        match list_of(name) {
            Some(list) if self.finds(b'[') => match self.finds(b']') {
                true => Ok(Border::Document),
                false => self.entries(list),
            },
            _ => {
                let mut node = self.outline()?;
                self.reader.member(name, at, &mut node);
                Ok(Border::Document)
            }
        }
    }

    /// From between two subscriptions on.
    fn subscriptions(&mut self) -> Result<Border, Broken> {
        if self.entries(EntityKind::Subscription)? == Border::Subscription {
            return Ok(Border::Subscription);
        }
        if self.finds(b'}') {
            return self.end();
        }
        self.expect(b',')?;
        self.fields()
    }

    /// The entries of a list, to its end or to that of the text.
    fn entries(&mut self, list: EntityKind) -> Result<Border, Broken> {
        // A list of anything but tables is not worth looking at.
        let mut is_wrong = false;
        loop {
            if is_wrong {
                self.skip()?;
            } else if self.next() == Some(b'{') {
                let (text, at) = (self.rest(), self.place());
                self.at += match list {
                    EntityKind::Api => self.reader.json::<Api>(text, at),
                    EntityKind::Product => self.reader.json::<Product>(text, at),
                    EntityKind::Subscription => self.reader.json::<Subscription>(text, at),
                }?;
            } else {
                is_wrong = true;
                let node = self.outline()?;
                self.reader.nodes(list, &mut [node]);
            }
            if self.finds(b']') {
                return Ok(Border::Document);
            }
            self.expect(b',')?;
            if self.next().is_none() {
                let is_border = list == EntityKind::Subscription;
                return is_border.then_some(Border::Subscription).ok_or(Broken);
            }
        }
    }

    /// The next value.
    fn value<T: Deserialize<'t>>(&mut self) -> Result<T, Broken> {
        let mut deserializer = serde_json::Deserializer::from_str(self.rest());
        let value = T::deserialize(&mut deserializer).map_err(|_| Broken)?;
        self.at += deserializer.into_iter::<IgnoredAny>().byte_offset();
        Ok(value)
    }

    fn skip(&mut self) -> Result<(), Broken> {
        self.at += skip(self.rest())?;
        Ok(())
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The byte of the document that is next.
    fn place(&self) -> usize {
        self.start + self.at
    }

    /// The next value without its content, for a value that cannot be used.
    fn outline(&mut self) -> Result<Node, Broken> {
        let (first, at, text) = (self.next(), self.place(), self.rest());
        self.skip()?;
        let value = match first {
            Some(b'{') => Value::Table(Vec::new()),
            Some(b'[') => Value::List(Vec::new()),
            Some(b'"') => Value::Text(Text::default()),
            Some(b't' | b'f') => Value::Bool(true),
            Some(b'n') => Value::Null,
            _ => Value::number(text[..self.place() - at].parse().ok()),
        };
        Ok(Node::new(at, value))
    }

    /// The next byte that is not white space.
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

    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        self.finds(byte).then_some(()).ok_or(Broken)
    }

    fn end(&mut self) -> Result<Border, Broken> {
        match self.next() {
            None => Ok(Border::Document),
            Some(_) => Err(Broken),
        }
    }
}
