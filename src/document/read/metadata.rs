use serde_json::{Map, Value as Json};

use crate::catalog::Metadata;
use crate::document::read::fields::Fields;
use crate::document::tree::{Member, Node, Value};

impl Fields<'_, '_> {
    /// The field `metadata`, whatever is in it.
    pub(super) fn metadata(&mut self) -> Option<Metadata> {
        let fields = self.inner("metadata")?;
        let node = fields.node();
        Some(self.map(node.members()).into())
    }

    fn map(&mut self, members: &[Member]) -> Map<String, Json> {
        members
            .iter()
            .map(|member| (member.name.to_string(), self.json(&member.node)))
            .collect()
    }

    fn json(&mut self, node: &Node) -> Json {
        match &node.value {
            Value::Refused | Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(value) => Json::Number(value.clone()),
            Value::Time(time) => Json::String(time.clone()),
            Value::Text(text) => Json::String(text.to_string()),
            Value::List(nodes) => nodes.iter().map(|node| self.json(node)).collect(),
            Value::Table(members) => Json::Object(self.map(members)),
            Value::Unbounded => {
                self.refuse(node.at, "metadata", "this number is too large, or none");
                Json::Null
            }
        }
    }
}
