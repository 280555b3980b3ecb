//! Catalog documents: what is accepted, what is refused and where, what is written.
#![allow(clippy::unwrap_used, clippy::panic)]

mod accepted;
mod bounded;
mod keys;
mod near;
mod refused;
mod secrets;
mod syntax;
mod written;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use tower_subscription_key::catalog::Catalog;
use tower_subscription_key::document::{DocumentError, Format, KeySources, Source, parse_all};

const FORMATS: [Format; 3] = [Format::Toml, Format::Json, Format::Yaml];

/// A machine with a few variables and key files.
struct Machine;

impl KeySources for Machine {
    fn env(&self, name: &str) -> Option<OsString> {
        match name {
            "CONTOSO_KEY" => Some("from-the-environment".into()),
            "LINE_KEY" => Some("from-the-environment\r\n".into()),
            "EMPTY_KEY" => Some("".into()),
            "LONG_KEY" => Some("k".repeat(257).into()),
            #[cfg(unix)]
            "BINARY_KEY" => {
                use std::os::unix::ffi::OsStringExt;
                Some(OsString::from_vec(vec![0xff, 0xfe]))
            }
            _ => None,
        }
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("config/secrets/contoso") => Ok(b"from-a-file\n".to_vec()),
            Some("config/secrets/two-lines") => Ok(b"from-a-file\n\n".to_vec()),
            Some("config/secrets/empty") => Ok(Vec::new()),
            Some("/run/secrets/contoso") => Ok(b"from-a-secret".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn parse(format: Format, text: impl AsRef<[u8]>) -> Result<Catalog, DocumentError> {
    parse_all(&[Source::new("", format, text.as_ref())], &Machine)
}

/// All issues of a document, as lines.
fn issues(format: Format, document: impl AsRef<[u8]>) -> Vec<String> {
    match parse(format, document) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

/// Asserts that there are exactly these issues, by their beginnings.
#[track_caller]
fn assert_issues(format: Format, document: impl AsRef<[u8]>, expected: &[&str]) {
    let issues = issues(format, document);
    let begins = |(issue, expected): (&String, &&str)| issue.starts_with(*expected);
    let fits = issues.len() == expected.len() && issues.iter().zip(expected).all(begins);
    assert!(
        fits,
        "{format:?}: found\n{}\nexpected\n{}",
        issues.join("\n"),
        expected.join("\n")
    );
}
