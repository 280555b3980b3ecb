use std::collections::HashMap;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use tower_subscription_key::catalog::Catalog;
use tower_subscription_key::document;
use tower_subscription_key::key::KeyDigest;

use super::json::name;
use super::{EditError, EntryChange, FieldChange, Fields, Kind, Literal};

/// Where a key of a file comes from, if it is not in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyForm {
    Env(String),
    File(String),
}

/// The keys that are not in the file, by their digest.
pub(crate) type KeyForms = HashMap<KeyDigest, KeyForm>;

/// The entries of one list, by their ids.
type Entries = Vec<(String, Fields)>;

/// The changes that turn a file with the catalog `old` into one with `new`.
pub(crate) fn diff(
    old: &Catalog,
    new: &Catalog,
    forms: &KeyForms,
) -> Result<Vec<EntryChange>, EditError> {
    let (old, new) = (entries(old, forms)?, entries(new, forms)?);
    let mut changes = Vec::new();
    for ((kind, old), new) in Kind::ALL.into_iter().zip(old).zip(new) {
        compare(kind, old, new, &mut changes);
    }
    Ok(changes)
}

fn compare(kind: Kind, old: Entries, new: Entries, changes: &mut Vec<EntryChange>) {
    let mut known: HashMap<String, Fields> = old.into_iter().collect();
    let mut added = Vec::new();
    for (id, after) in new {
        match known.remove(&id) {
            None => added.push(EntryChange::Add(kind, after)),
            Some(before) if after == before => {}
            Some(before) => {
                let fields = changed_fields(&before, after);
                changes.push(EntryChange::Set(kind, id, fields));
            }
        }
    }
    changes.extend(known.into_keys().map(|id| EntryChange::Remove(kind, id)));
    changes.extend(added);
}

fn changed_fields(before: &Fields, after: Fields) -> Vec<FieldChange> {
    let is_in = |fields: &Fields, name: &str| fields.iter().any(|(field, _)| field == name);
    let gone = before.iter().filter(|(name, _)| !is_in(&after, name));
    let gone = gone.map(|(name, _)| FieldChange {
        name: name.clone(),
        value: None,
    });
    let gone: Vec<FieldChange> = gone.collect();
    let new = after.into_iter().filter(|field| !before.contains(field));
    let new = new.map(|(name, value)| FieldChange {
        name,
        value: Some(value),
    });
    new.chain(gone).collect()
}

/// The entries of a catalog as a document has them.
fn entries(catalog: &Catalog, forms: &KeyForms) -> Result<[Entries; 3], EditError> {
    let text = document::to_json(catalog);
    let parsed = parse_to_ast(&text, &CollectOptions::default(), &ParseOptions::default())
        .map_err(|_| EditError::Shape)?;
    let Some(Value::Object(root)) = parsed.value else {
        return Err(EditError::Shape);
    };
    Ok(Kind::ALL.map(|kind| {
        let list = root.get_array(kind.list()).into_iter();
        let entries = list.flat_map(|list| &list.elements).filter_map(|entry| {
            let entry = entry.as_object()?;
            let id = entry.get_string("id")?.value.to_string();
            Some((id, fields(entry, forms)))
        });
        entries.collect()
    }))
}

/// The fields of an object. Scopes are always a list here, and keys that are not in
/// the file a reference.
fn fields(object: &Object<'_>, forms: &KeyForms) -> Fields {
    let field = |property: &jsonc_parser::ast::ObjectProp<'_>| {
        let (name, value) = (name(property), literal(&property.value, forms));
        match (name.as_str(), value) {
            ("scope", scope) => ("scopes".to_owned(), Literal::List(vec![scope])),
            ("sha256", Literal::Text(digest)) => {
                let form = digest.parse().ok().and_then(|digest| forms.get(&digest));
                match form {
                    Some(KeyForm::Env(name)) => ("env".to_owned(), Literal::text(name)),
                    Some(KeyForm::File(path)) => ("file".to_owned(), Literal::text(path)),
                    None => (name, Literal::Text(digest)),
                }
            }
            (_, value) => (name, value),
        }
    };
    object.properties.iter().map(field).collect()
}

fn literal(value: &Value<'_>, forms: &KeyForms) -> Literal {
    match value {
        Value::StringLit(text) => Literal::text(&*text.value),
        Value::Array(array) => {
            let elements = array.elements.iter();
            Literal::List(elements.map(|value| literal(value, forms)).collect())
        }
        Value::Object(object) => Literal::Table(fields(object, forms)),
        Value::NumberLit(number) => Literal::Plain(number.value.to_owned()),
        Value::BooleanLit(flag) => Literal::Plain(flag.value.to_string()),
        Value::NullKeyword(_) => Literal::Null,
    }
}
