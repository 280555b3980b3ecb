//! Errors as text of bounded length, for logs and for the status.

use std::error::Error;
use std::fmt::{self, Write};
use std::sync::Arc;

/// The number of bytes after which an error's text is cut.
const MOST: usize = 4096;

/// The error and its sources, separated by `: `. At most 4 KiB: formatting stops
/// there, however much an error has to say.
pub(crate) fn describe(error: &dyn Error) -> Arc<str> {
    let mut text = Bounded::default();
    // It fails only where the text is cut.
    let _ = write_chain(&mut text, error);
    if text.is_cut {
        text.text.push_str(" … (cut)");
    }
    text.text.into()
}

fn write_chain(text: &mut Bounded, error: &dyn Error) -> fmt::Result {
    write!(text, "{error}")?;
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, ": {error}")?;
        source = error.source();
    }
    Ok(())
}

#[derive(Default)]
struct Bounded {
    text: String,
    is_cut: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let mut end = part.len().min(MOST - self.text.len().min(MOST));
        while !part.is_char_boundary(end) {
            end -= 1;
        }
        self.text.push_str(&part[..end]);
        self.is_cut = end < part.len();
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Nested(String, #[source] Option<Box<Nested>>);

    #[test]
    fn short_error_is_described_with_its_sources() {
        let inner = Nested("refused".into(), None);
        let outer = Nested("no answer".into(), Some(Box::new(inner)));
        assert_eq!(&*describe(&outer), "no answer: refused");
    }

    #[test]
    fn long_error_is_cut_between_characters() {
        let inner = Nested("é".repeat(MOST), None);
        let outer = Nested("no answer".into(), Some(Box::new(inner)));
        let text = describe(&outer);
        assert!(text.len() <= MOST + 16, "{}", text.len());
        assert!(text.ends_with("é … (cut)"), "{text}");
    }

    #[test]
    fn endless_error_is_described_in_bounded_time() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("again ")?;
                }
            }
        }
        impl fmt::Debug for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("Endless")
            }
        }
        impl Error for Endless {}
        assert!(describe(&Endless).ends_with("(cut)"));
    }
}
