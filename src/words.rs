use std::fmt;

use crate::catalog::nearest;

/// Text that is not a word of an enum, such as [`State`](crate::catalog::State).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordParseError {
    what: &'static str,
    words: &'static [&'static str],
    suggestion: Option<&'static str>,
}

impl WordParseError {
    pub(crate) fn new(what: &'static str, words: &'static [&'static str], text: &str) -> Self {
        Self {
            what,
            words,
            suggestion: nearest(text, words.iter().copied()),
        }
    }

    /// The word that was probably meant.
    #[must_use]
    pub fn suggestion(self) -> Option<&'static str> {
        self.suggestion
    }
}

impl fmt::Display for WordParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is one of {}", self.what, self.words.join(", "))?;
        match self.suggestion {
            Some(word) => write!(f, ": did you mean `{word}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for WordParseError {}

/// An enum that people and programs write as words.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident: $what:literal {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            const WORDS: &'static [&'static str] = &[$($word),*];

            /// All values.
            pub const ALL: [Self; Self::WORDS.len()] = [$(Self::$variant),*];

            /// The word for it, as catalogs, reports and interfaces write it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::WordParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::WordParseError::new($what, Self::WORDS, text)),
                }
            }
        }
    };
}

pub(crate) use words;
