//! JSON as machines exchange it, and TOML and YAML as people write them: a line for
//! each field of an entry, and what is inside a field on that line.

use std::io::{self, Error, ErrorKind, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::{CharEscape, Formatter};

use crate::catalog::{Catalog, Subscription};
use crate::document::Format;
use crate::document::schema::{
    APIS, ApiEntry, FORMAT, FORMAT_FIELD, PRODUCTS, ProductEntry, SUBSCRIPTIONS, SubscriptionEntry,
};

pub(super) fn write(catalog: &Catalog, format: Format, writer: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => write!(writer, "{{\"{FORMAT_FIELD}\":{FORMAT}")?,
        Format::Toml => writeln!(writer, "{FORMAT_FIELD} = {FORMAT}")?,
        Format::Yaml => writeln!(writer, "{FORMAT_FIELD}: {FORMAT}")?,
    }
    write_list(writer, format, APIS, catalog.apis().map(ApiEntry::from))?;
    let products = catalog.products().map(ProductEntry::from);
    write_list(writer, format, PRODUCTS, products)?;
    let subscriptions = catalog.subscriptions().map(Unpacked);
    write_list(writer, format, SUBSCRIPTIONS, subscriptions)?;
    match format {
        Format::Json => writer.write_all(b"}"),
        Format::Toml | Format::Yaml => Ok(()),
    }
}

fn write_list(
    writer: &mut impl Write,
    format: Format,
    name: &str,
    entries: impl Iterator<Item: Serialize>,
) -> io::Result<()> {
    let mut entries = entries.peekable();
    match format {
        Format::Json => write!(writer, ",\"{name}\":[")?,
        Format::Toml => {}
        Format::Yaml if entries.peek().is_none() => writeln!(writer, "{name}: []")?,
        Format::Yaml => writeln!(writer, "{name}:")?,
    }
    while let Some(entry) = entries.next() {
        if format == Format::Json {
            serde_json::to_writer(&mut *writer, &entry)?;
            if entries.peek().is_some() {
                writer.write_all(b",")?;
            }
            continue;
        }
        if format == Format::Toml {
            write!(writer, "\n[[{name}]]\n")?;
        }
        let lines = Lines {
            format,
            depth: 0,
            name: None,
        };
        let mut serializer = serde_json::Serializer::with_formatter(&mut *writer, lines);
        entry.serialize(&mut serializer)?;
    }
    match format {
        Format::Json => writer.write_all(b"]"),
        Format::Toml | Format::Yaml => Ok(()),
    }
}

/// A catalog unpacks its subscriptions one by one.
struct Unpacked(Subscription);

impl Serialize for Unpacked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SubscriptionEntry::from(&self.0).serialize(serializer)
    }
}

/// The lines of one entry in TOML or YAML. `serde_json` walks it and calls these methods.
struct Lines {
    format: Format,
    /// How many lists and tables are open. The first is the entry.
    depth: usize,
    /// The name that is being written, while it is.
    name: Option<String>,
}

const ENTRY: usize = 1;

impl Lines {
    fn comma<W: Write + ?Sized>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }
}

impl Formatter for Lines {
    fn write_null<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.format {
            Format::Toml => Err(Error::new(ErrorKind::Unsupported, "TOML has no null")),
            _ => writer.write_all(b"null"),
        }
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        match self.depth {
            ENTRY => Ok(()),
            _ => writer.write_all(b"{ "),
        }
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        match self.depth + 1 {
            ENTRY => Ok(()),
            _ => writer.write_all(b" }"),
        }
    }

    fn begin_object_key<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.name = Some(String::new());
        match (self.depth, self.format) {
            (ENTRY, Format::Toml) => Ok(()),
            (ENTRY, _) => writer.write_all(if first { b"- " } else { b"  " }),
            _ => self.comma(writer, first),
        }
    }

    /// Writes the name, without quotes if it needs none.
    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let name = self.name.take().unwrap_or_default();
        let is_bare = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        // YAML reads some words as other values than text.
        let is_word = matches!(name.as_str(), "" | "true" | "false" | "null");
        if !is_word && name.bytes().all(is_bare) {
            writer.write_all(name.as_bytes())?;
        } else {
            writer.write_all(b"\"")?;
            write_escaped(writer, &name)?;
            writer.write_all(b"\"")?;
        }
        writer.write_all(match self.format {
            Format::Toml => b" = ",
            _ => b": ",
        })
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.depth {
            ENTRY => writer.write_all(b"\n"),
            _ => Ok(()),
        }
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.comma(writer, first)
    }

    fn begin_string<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.name {
            Some(_) => Ok(()),
            None => writer.write_all(b"\""),
        }
    }

    fn end_string<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin_string(writer)
    }

    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        match &mut self.name {
            Some(name) => {
                name.push_str(fragment);
                Ok(())
            }
            None => write_escaped(writer, fragment),
        }
    }

    fn write_char_escape<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let char = match escape {
            CharEscape::Quote => '"',
            CharEscape::ReverseSolidus => '\\',
            CharEscape::Solidus => '/',
            CharEscape::Backspace => '\u{8}',
            CharEscape::FormFeed => '\u{c}',
            CharEscape::LineFeed => '\n',
            CharEscape::CarriageReturn => '\r',
            CharEscape::Tab => '\t',
            CharEscape::AsciiControl(byte) => byte.into(),
        };
        self.write_string_fragment(writer, char.encode_utf8(&mut [0; 4]))
    }
}

/// Writes text for double quotes. Both formats know these escapes, and both allow
/// fewer raw characters than JSON.
fn write_escaped<W: Write + ?Sized>(writer: &mut W, text: &str) -> io::Result<()> {
    for char in text.chars() {
        match char {
            '"' => writer.write_all(b"\\\"")?,
            '\\' => writer.write_all(b"\\\\")?,
            '\n' => writer.write_all(b"\\n")?,
            '\t' => writer.write_all(b"\\t")?,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                write!(writer, "\\u{:04X}", u32::from(char))?;
            }
            char if char.is_control() => write!(writer, "\\u{:04X}", u32::from(char))?,
            char => writer.write_all(char.encode_utf8(&mut [0; 4]).as_bytes())?,
        }
    }
    Ok(())
}
