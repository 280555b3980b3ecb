use std::fmt;
use std::time::SystemTime;

use crate::document::error::Issues;
use crate::document::names::{meant, quoted};
use crate::document::read::time;
use crate::document::tree::{Member, Node, Value};

const FLAG: &str = "true or false";

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Document,
    Api,
    Product,
    Subscription,
}

/// Whom a message is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'n> {
    kind: Kind,
    place: usize,
    id: Option<&'n str>,
}

impl<'n> Subject<'n> {
    pub(super) fn document() -> Self {
        Self {
            kind: Kind::Document,
            place: 0,
            id: None,
        }
    }

    pub(super) fn entry(kind: Kind, place: usize, node: &'n Node) -> Self {
        let id = node.get("id").and_then(Node::text);
        Self { kind, place, id }
    }

    pub(super) fn place(&self) -> usize {
        self.place
    }

    pub(super) fn has_id(&self) -> bool {
        self.id.is_some()
    }
}

/// `subscription "contoso"`, or `subscription number 3` where it has no id.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Document => return f.write_str("the document"),
            Kind::Api => "API ",
            Kind::Product => "product ",
            Kind::Subscription => "subscription ",
        })?;
        match self.id {
            Some(id) => write!(f, "{id:?}"),
            None => write!(f, "number {}", self.place + 1),
        }
    }
}

/// The fields of one table, whoever it belongs to.
pub(super) struct Fields<'n, 'i> {
    subject: Subject<'n>,
    /// The field that the table is the value of, if it is no entry itself.
    owner: Option<&'static str>,
    node: &'n Node,
    issues: &'i mut Issues,
}

impl<'n, 'i> Fields<'n, 'i> {
    /// `None` where the node is no table, which is then told.
    pub(super) fn of(subject: Subject<'n>, node: &'n Node, issues: &'i mut Issues) -> Option<Self> {
        let mut fields = Self {
            subject,
            owner: None,
            node,
            issues,
        };
        fields.is_table(node, "").then_some(fields)
    }

    /// The fields of a table in this one.
    pub(super) fn inner(&mut self, field: &'static str) -> Option<Fields<'n, '_>> {
        let node = self.node.get(field)?;
        self.is_table(node, field).then_some(Fields {
            subject: self.subject,
            owner: Some(field),
            node,
            issues: self.issues,
        })
    }

    fn is_table(&mut self, node: &Node, field: &str) -> bool {
        let is_table = matches!(node.value, Value::Table(_));
        if !is_table {
            self.refuse_kind(node, field, "a table");
        }
        is_table
    }

    pub(super) fn subject(&self) -> Subject<'n> {
        self.subject
    }

    pub(super) fn node(&self) -> &'n Node {
        self.node
    }

    pub(super) fn get(&self, field: &str) -> Option<&'n Node> {
        self.node.get(field)
    }

    /// Tells what is wrong with a field; with the whole, where that is empty.
    pub(super) fn refuse(&mut self, at: usize, field: &str, what: impl fmt::Display) {
        let mut message = String::new();
        if self.subject.kind != Kind::Document || self.is_whole(field) {
            message = format!("{}", self.subject);
        }
        for name in [self.owner.unwrap_or_default(), field] {
            if !name.is_empty() {
                let separator = if message.is_empty() { "" } else { ", " };
                message = format!("{message}{separator}{name}");
            }
        }
        self.issues.push(at, format!("{message}: {what}"));
    }

    fn is_whole(&self, field: &str) -> bool {
        self.owner.is_none() && field.is_empty()
    }

    /// Tells that a value is of the wrong kind.
    pub(super) fn refuse_kind(&mut self, node: &Node, field: &str, expected: &str) {
        let kind = node.value.kind();
        let advice = match node.value {
            Value::Refused => return,
            Value::Null => ": leave the field out, or give it a value",
            Value::Bool(_) | Value::Number(_) | Value::Unbounded | Value::Time(_)
                if expected.starts_with("text") =>
            {
                ": put it in quotes"
            }
            Value::Text(ref text)
                if expected == FLAG && matches!(text.as_str(), "true" | "false") =>
            {
                ": write it without quotes"
            }
            Value::Table(_) if expected == "a list" => ": put it in brackets",
            _ => "",
        };
        let what = format!("must be {expected}, not {kind}{advice}");
        self.refuse(node.at, field, what);
    }

    /// Refuses every other field.
    pub(super) fn only(&mut self, known: &[&str]) {
        self.check_names(known, quoted);
    }

    /// Refuses every other field without telling its name: in a table that is a
    /// key, a name can easily be the key itself.
    pub(super) fn only_untold(&mut self, known: &[&str]) {
        self.check_names(known, |_| None);
    }

    fn check_names(&mut self, known: &[&str], told: fn(&str) -> Option<String>) {
        let node = self.node;
        for Member { at, name, .. } in node.members() {
            if known.contains(&name.as_str()) {
                continue;
            }
            let (told, advice) = match meant(name, known) {
                // So near to a field, it is no key.
                Some(meant) => (
                    Some(format!("`{}`", **name)),
                    format!("did you mean `{meant}`?"),
                ),
                None => (
                    told(name),
                    format!("the fields here are {}", known.join(", ")),
                ),
            };
            let name = told.map_or(String::new(), |name| format!(" {name}"));
            self.refuse(*at, "", format!("unknown field{name}: {advice}"));
        }
    }

    /// Refuses a table without that field.
    pub(super) fn needs(&mut self, field: &str, advice: &str) -> bool {
        let is_there = self.get(field).is_some();
        if !is_there {
            let what = format!("`{field}` is missing: {advice}");
            self.refuse(self.node.at, "", what);
        }
        is_there
    }

    pub(super) fn text(&mut self, field: &str) -> Option<&'n str> {
        let node = self.get(field)?;
        if node.text().is_none() {
            self.refuse_kind(node, field, "text");
        }
        node.text()
    }

    pub(super) fn flag(&mut self, field: &str) -> Option<bool> {
        let node = self.get(field)?;
        if let Value::Bool(flag) = node.value {
            return Some(flag);
        }
        self.refuse_kind(node, field, FLAG);
        None
    }

    pub(super) fn list(&mut self, field: &str) -> &'n [Node] {
        let Some(node) = self.get(field) else {
            return &[];
        };
        if !matches!(node.value, Value::List(_)) {
            self.refuse_kind(node, field, "a list");
        }
        node.list()
    }

    /// The elements of a list that are text. The others are told.
    pub(super) fn texts(&mut self, field: &str) -> Vec<(usize, &'n str)> {
        let mut texts = Vec::new();
        for node in self.list(field) {
            match node.text() {
                Some(text) => texts.push((node.at, text)),
                None => self.refuse_kind(node, field, "text"),
            }
        }
        texts
    }

    pub(super) fn time(&mut self, field: &str) -> Option<SystemTime> {
        let node = self.get(field)?;
        let text = match &node.value {
            Value::Time(time) => time,
            Value::Text(text) => text.as_str(),
            _ => {
                self.refuse_kind(node, field, "text with a time");
                return None;
            }
        };
        time::parse(text)
            .map_err(|error| self.refuse(node.at, field, error))
            .ok()
    }
}
