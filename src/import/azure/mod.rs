//! Azure API Management: ARM templates, lists of the REST interface, and the
//! folders of APIOps.
//!
//! | there | here |
//! |---|---|
//! | API, its path and version segment | API; a revision that is not current is left out |
//! | product, its APIs | product, its members |
//! | subscription, its scope and owner | subscription; dates are left out, because they end nothing there |
//! | policies, operations, everything else | reported |
//!
//! Policies are not read. What a policy refuses there is not refused here.

mod expression;
mod folder;
mod resource;
mod resources;
mod template;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::import::source::{self, SourceFile};
use crate::import::{Found, ImportError};

use resource::Resource;

const EXPECTED: &str = "an ARM template, a list of the REST interface or a folder of APIOps";

/// Reads files and folders. `parameters` are the values of a template's parameters.
///
/// # Errors
///
/// [`ImportError`] if a file cannot be read, or is something else.
pub fn read(paths: &[PathBuf], parameters: Option<&Path>) -> Result<Found, ImportError> {
    let parameters = parameters.map(read_parameters).transpose()?;
    let parameters = parameters.unwrap_or_default();
    let mut found = Found::default();
    let mut resources = Vec::new();
    for path in paths {
        if folder::is_apiops(path) {
            folder::read(path, &mut resources)?;
        } else if path.is_dir() {
            for path in source::entries(path)? {
                let is_json = path.extension().is_some_and(|ending| ending == "json");
                if is_json && !is_parameters_file(&path) {
                    read_file(
                        source::read(&path)?,
                        &parameters,
                        &mut resources,
                        &mut found,
                    )?;
                }
            }
        } else {
            read_file(source::read(path)?, &parameters, &mut resources, &mut found)?;
        }
    }
    resources::collect(resources, &mut found);
    Ok(found)
}

fn is_parameters_file(path: &Path) -> bool {
    source::name(path).ends_with(".parameters.json")
}

fn read_parameters(path: &Path) -> Result<Map<String, Value>, ImportError> {
    let file = source::read(path)?;
    let parameters = file.value.get("parameters").or(Some(&file.value));
    let parameters = parameters
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let plain = |(name, value): (String, Value)| {
        let inner = value.get("value").cloned();
        // A reference to a vault has no value here.
        let is_reference = value.get("reference").is_some();
        (!is_reference).then(|| (name, inner.unwrap_or(value)))
    };
    Ok(parameters.into_iter().filter_map(plain).collect())
}

fn read_file(
    file: SourceFile,
    parameters: &Map<String, Value>,
    resources: &mut Vec<Resource>,
    found: &mut Found,
) -> Result<(), ImportError> {
    let SourceFile { path, value } = file;
    if value.get("resources").is_some() {
        template::read(&value, parameters, resources, found);
    } else if let Some(list) = value.get("value").and_then(Value::as_array) {
        resources.extend(list.iter().filter_map(Resource::of_rest));
    } else if let Some(resource) = Resource::of_rest(&value) {
        resources.push(resource);
    } else {
        let expected = EXPECTED;
        return Err(ImportError::Unknown { path, expected });
    }
    Ok(())
}
