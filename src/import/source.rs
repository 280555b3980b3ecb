use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::document::{self, Format};
use crate::import::ImportError;

/// A file that was read.
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) value: Value,
}

pub(super) fn read(path: &Path) -> Result<SourceFile, ImportError> {
    if path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("bicep"))
    {
        return Err(ImportError::Bicep {
            path: path.to_owned(),
        });
    }
    let text = fs::read(path).map_err(|source| read_error(path, source))?;
    let format = match path.extension().and_then(|ending| ending.to_str()) {
        Some("yaml" | "yml") => Format::Yaml,
        _ => Format::Json,
    };
    let value = document::value(&text, format).map_err(|error| ImportError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    let path = path.to_owned();
    Ok(SourceFile { path, value })
}

pub(super) fn read_error(path: &Path, source: std::io::Error) -> ImportError {
    let path = path.to_owned();
    ImportError::Read { path, source }
}

/// The entries of a folder by name, so that every run has the same order.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let entries = fs::read_dir(folder).map_err(|source| read_error(folder, source))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|source| read_error(folder, source))?.path());
    }
    paths.sort();
    Ok(paths)
}

pub(super) fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The text of a field.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field)?.as_str()
}

pub(super) fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
