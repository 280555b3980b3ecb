use std::path::Path;

use serde_json::{Map, Value};

use crate::import::ImportError;
use crate::import::azure::resource::Resource;
use crate::import::source::{self, entries, name};

/// Whether a folder has the form that APIOps extracts.
pub(super) fn is_apiops(path: &Path) -> bool {
    let folders = ["apis", "products", "subscriptions"];
    folders.iter().any(|folder| {
        let entries = entries(&path.join(folder)).unwrap_or_default();
        entries.iter().any(|entry| entry.is_dir())
    })
}

/// Reads the folders of APIs, products and subscriptions; counts all others.
pub(super) fn read(path: &Path, resources: &mut Vec<Resource>) -> Result<(), ImportError> {
    for folder in entries(path)?.iter().filter(|entry| entry.is_dir()) {
        let kind = match &*name(folder) {
            "version sets" => "apiVersionSets".to_owned(),
            other => camel_case(other),
        };
        for entry in entries(folder)? {
            read_entry(&entry, &kind, &[], resources)?;
        }
    }
    let policy = path.join("policy.xml");
    if policy.exists() {
        resources.push(plain("policies", vec!["policy".to_owned()]));
    }
    Ok(())
}

fn camel_case(text: &str) -> String {
    let mut words = text.split(' ');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        all + &head.to_uppercase() + tail
    })
}

fn plain(kind: &str, names: Vec<String>) -> Resource {
    Resource {
        kind: kind.to_owned(),
        names,
        properties: Map::new(),
        unresolved: Map::new(),
    }
}

fn read_entry(
    entry: &Path,
    kind: &str,
    around: &[String],
    resources: &mut Vec<Resource>,
) -> Result<(), ImportError> {
    if !entry.is_dir() {
        return Ok(());
    }
    let mut names = around.to_vec();
    names.push(name(entry));
    let mut resource = plain(kind, names.clone());
    let mut inner = Vec::new();
    for path in entries(entry)? {
        let file = name(&path);
        if path.is_dir() {
            let kind = format!("{kind}/{}", camel_case(&file));
            for entry in entries(&path)? {
                read_entry(&entry, &kind, &names, &mut inner)?;
            }
        } else if file.ends_with("nformation.json") {
            let value = source::read(&path)?.value;
            let properties = value.get("properties").and_then(Value::as_object);
            resource.properties = properties.cloned().unwrap_or_default();
        } else if file == "policy.xml" {
            let mut names = names.clone();
            names.push("policy".to_owned());
            inner.push(plain(&format!("{kind}/policies"), names));
        } else if let Some(list) = file.strip_suffix(".json") {
            // Older versions list members in one file.
            for member in source::read(&path)?.value.as_array().into_iter().flatten() {
                let mut names = names.clone();
                names.push(source::text(member, "name").unwrap_or_default().to_owned());
                inner.push(plain(&format!("{kind}/{list}"), names));
            }
        }
    }
    resources.push(resource);
    resources.append(&mut inner);
    Ok(())
}
