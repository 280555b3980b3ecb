use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::EditError;
use super::outline::{Braces, Entry, Kind, List, Member, Outline, Pair, Place, Shape};

/// Where everything of a JSON catalog is.
pub(super) fn outline(text: &str) -> Result<Outline, EditError> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default())
        .map_err(|_| EditError::Shape)?;
    let Some(Value::Object(root)) = parsed.value else {
        return Err(EditError::Shape);
    };
    let lists = Kind::ALL.map(|kind| list(&root, kind));
    let root = Some(braces(&root));
    Ok(Outline { lists, root })
}

fn list(root: &Object<'_>, kind: Kind) -> Option<List> {
    let array = root.get_array(kind.list())?;
    let entries = array.elements.iter().filter_map(|element| match element {
        Value::Object(object) => Some(entry(object)),
        _ => None,
    });
    Some(List {
        entries: entries.collect(),
        inner: Some(array.start() + 1..array.end() - 1),
    })
}

fn entry(object: &Object<'_>) -> Entry {
    let id = object.get_string("id");
    Entry {
        id: id.map(|id| id.value.to_string()).unwrap_or_default(),
        members: object.properties.iter().map(member).collect(),
        shape: Shape::Braces(braces(object)),
    }
}

fn member(property: &ObjectProp<'_>) -> Member {
    let elements = match &property.value {
        Value::Array(array) => {
            let element = |value: &Value<'_>| (range(value), text(value));
            Some(array.elements.iter().map(element).collect())
        }
        _ => None,
    };
    let fields = match &property.value {
        Value::Object(object) => {
            let field = |field: &ObjectProp<'_>| (name(field), text(&field.value));
            object.properties.iter().map(field).collect()
        }
        _ => Vec::new(),
    };
    Member {
        name: name(property),
        place: Place::Pair(Pair {
            name: range(&property.name),
            value: range(&property.value),
            elements,
            fields,
        }),
    }
}

fn braces(object: &Object<'_>) -> Braces {
    let first = object.properties.first();
    Braces {
        whole: range(object),
        members: object
            .properties
            .iter()
            .map(|p| p.start()..p.end())
            .collect(),
        between: first.map(|first| first.name.end()..first.value.start()),
    }
}

pub(super) fn name(property: &ObjectProp<'_>) -> String {
    match &property.name {
        ObjectPropName::String(literal) => literal.value.to_string(),
        ObjectPropName::Word(literal) => literal.value.to_owned(),
    }
}

fn text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::StringLit(literal) => Some(literal.value.to_string()),
        _ => None,
    }
}

fn range(node: &impl Ranged) -> Range<usize> {
    node.start()..node.end()
}
