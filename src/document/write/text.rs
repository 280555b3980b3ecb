//! TOML and YAML as people write them: a line for each field of an entry, and what
//! is inside a field on that line. `serde_json` walks the document and calls these
//! formatters.

use std::io::{self, Error, ErrorKind, Write};

use serde_json::ser::{CharEscape, Formatter};

/// How deep the lists of a document and the fields of their entries are.
const DOCUMENT: usize = 1;
const LIST: usize = 2;
const ENTRY: usize = 3;

/// What both formats need: how deep the value is, and the name that it has.
#[derive(Default)]
struct State {
    depth: usize,
    /// The name that is being written, while it is.
    name: Option<String>,
}

impl State {
    fn string<W: Write + ?Sized>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        match &mut self.name {
            Some(name) => {
                name.push_str(text);
                Ok(())
            }
            None => write_escaped(writer, text),
        }
    }

    fn escape<W: Write + ?Sized>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
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
        self.string(writer, char.encode_utf8(&mut [0; 4]))
    }

    fn quote<W: Write + ?Sized>(&self, writer: &mut W) -> io::Result<()> {
        match self.name {
            Some(_) => Ok(()),
            None => writer.write_all(b"\""),
        }
    }

    /// Writes the name that was collected, without quotes if it needs none.
    fn write_name<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let name = self.name.take().unwrap_or_default();
        let is_bare = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        // YAML reads some words as other values than text.
        let is_word = matches!(name.as_str(), "" | "true" | "false" | "null");
        if !is_word && name.bytes().all(is_bare) {
            return writer.write_all(name.as_bytes());
        }
        writer.write_all(b"\"")?;
        write_escaped(writer, &name)?;
        writer.write_all(b"\"")
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

/// `[[apis]]` and `name = value`.
#[derive(Default)]
pub(super) struct Toml {
    state: State,
    list: String,
}

/// `apis:` and `- name: value`.
#[derive(Default)]
pub(super) struct Yaml {
    state: State,
    /// Whether the list has no entries so far.
    is_empty: bool,
}

/// The methods that are the same in both.
macro_rules! names_and_text {
    () => {
        fn begin_string<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
            self.state.quote(writer)
        }

        fn end_string<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
            self.state.quote(writer)
        }

        fn write_string_fragment<W: Write + ?Sized>(
            &mut self,
            writer: &mut W,
            fragment: &str,
        ) -> io::Result<()> {
            self.state.string(writer, fragment)
        }

        fn write_char_escape<W: Write + ?Sized>(
            &mut self,
            writer: &mut W,
            escape: CharEscape,
        ) -> io::Result<()> {
            self.state.escape(writer, escape)
        }
    };
}

fn comma<W: Write + ?Sized>(writer: &mut W, first: bool) -> io::Result<()> {
    if first {
        Ok(())
    } else {
        writer.write_all(b", ")
    }
}

impl Formatter for Toml {
    names_and_text!();

    fn write_null<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "TOML has no null"))
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.state.depth += 1;
        match self.state.depth {
            DOCUMENT => Ok(()),
            ENTRY => write!(writer, "\n[[{}]]\n", self.list),
            _ => writer.write_all(b"{ "),
        }
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.state.depth -= 1;
        match self.state.depth + 1 {
            DOCUMENT | ENTRY => Ok(()),
            _ => writer.write_all(b" }"),
        }
    }

    fn begin_object_key<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.state.name = Some(String::new());
        match self.state.depth {
            DOCUMENT | ENTRY => Ok(()),
            _ => comma(writer, first),
        }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.state.depth == DOCUMENT {
            self.list = self.state.name.take().unwrap_or_default();
            // The version of the shape is the one field that is not a list.
            return match self.list.as_str() {
                super::FORMAT_FIELD => write!(writer, "{} = ", self.list),
                _ => Ok(()),
            };
        }
        self.state.write_name(writer)?;
        writer.write_all(b" = ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.state.depth {
            DOCUMENT if self.list != super::FORMAT_FIELD => Ok(()),
            DOCUMENT | ENTRY => writer.write_all(b"\n"),
            _ => Ok(()),
        }
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.state.depth += 1;
        if self.state.depth == LIST {
            Ok(())
        } else {
            writer.write_all(b"[")
        }
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.state.depth -= 1;
        if self.state.depth + 1 == LIST {
            Ok(())
        } else {
            writer.write_all(b"]")
        }
    }

    fn begin_array_value<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if self.state.depth == LIST {
            Ok(())
        } else {
            comma(writer, first)
        }
    }
}

impl Formatter for Yaml {
    names_and_text!();

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.state.depth += 1;
        match self.state.depth {
            DOCUMENT | ENTRY => Ok(()),
            _ => writer.write_all(b"{ "),
        }
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.state.depth -= 1;
        match self.state.depth + 1 {
            DOCUMENT | ENTRY => Ok(()),
            _ => writer.write_all(b" }"),
        }
    }

    fn begin_object_key<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.state.name = Some(String::new());
        match self.state.depth {
            DOCUMENT => Ok(()),
            ENTRY if first => writer.write_all(b"- "),
            ENTRY => writer.write_all(b"  "),
            _ => comma(writer, first),
        }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let is_list = self.state.depth == DOCUMENT;
        self.state.write_name(writer)?;
        writer.write_all(if is_list { b":" } else { b": " })
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.state.depth {
            ENTRY => writer.write_all(b"\n"),
            _ => Ok(()),
        }
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.state.depth += 1;
        if self.state.depth != LIST {
            return writer.write_all(b"[");
        }
        self.is_empty = true;
        Ok(())
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.state.depth -= 1;
        match self.state.depth + 1 {
            LIST if self.is_empty => writer.write_all(b" []\n"),
            LIST => Ok(()),
            _ => writer.write_all(b"]"),
        }
    }

    fn begin_array_value<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        match self.state.depth {
            LIST if first => {
                self.is_empty = false;
                writer.write_all(b"\n")
            }
            LIST => Ok(()),
            _ => comma(writer, first),
        }
    }

    fn write_u64<W: Write + ?Sized>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        match self.state.depth {
            // The version of the shape.
            DOCUMENT => writeln!(writer, " {value}"),
            _ => write!(writer, "{value}"),
        }
    }
}
