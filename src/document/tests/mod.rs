#![allow(clippy::unwrap_used, clippy::panic)]

mod accepted;
mod agreement;
mod refused;
mod secrets;
mod syntax;
mod written;

use std::ffi::OsString;

use crate::catalog::Catalog;
use crate::document::{DocumentError, Format, parse_with};

const FORMATS: [Format; 3] = [Format::Toml, Format::Json, Format::Yaml];

/// An environment with nothing but a few variables.
fn environment(name: &str) -> Option<OsString> {
    match name {
        "CONTOSO_KEY" => Some("from-the-environment".into()),
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

fn parse(format: Format, text: &str) -> Result<Catalog, DocumentError> {
    parse_with(format, text.as_bytes(), Some(&environment))
}

/// Everything that is told about a document.
fn told(format: Format, document: impl AsRef<[u8]>) -> Vec<String> {
    match parse_with(format, document.as_ref(), Some(&environment)) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

/// That exactly this is told: the places and the beginnings of the messages.
#[track_caller]
fn assert_told(format: Format, document: impl AsRef<[u8]>, expected: &[&str]) {
    let told = told(format, document);
    let fits = told.len() == expected.len()
        && told
            .iter()
            .zip(expected)
            .all(|(told, expected)| told.starts_with(expected));
    assert!(
        fits,
        "{format:?}: told\n{}\nexpected\n{}",
        told.join("\n"),
        expected.join("\n")
    );
}
