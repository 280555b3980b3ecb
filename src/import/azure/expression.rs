use serde_json::{Map, Value};

/// Why an expression has no value here.
pub(super) type Unresolved = String;

/// The values that expressions of one template refer to.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) parameters: Map<String, Value>,
    pub(super) variables: Map<String, Value>,
    /// What the template says about its parameters.
    pub(super) declared: Map<String, Value>,
    /// Whether parameters without a value have [`UNKNOWN`] for one.
    pub(super) is_lenient: bool,
}

/// The placeholder of an unknown value, in names that do not matter here.
pub(super) const UNKNOWN: char = '\u{1}';

/// How deep expressions and variables may refer to one another.
const MAX_DEPTH: usize = 32;
const TOO_DEEP: &str = "its expressions are nested too deeply or refer to themselves";

impl Scope {
    /// The text of a value, if what is not known of it does not matter: of a name
    /// the first part, of an id all up to the name of the service.
    pub(super) fn evaluate_but_for_service(
        &self,
        value: &Value,
        part_that_matters: fn(&str) -> Option<&str>,
    ) -> Result<Value, Unresolved> {
        self.evaluate(value).or_else(|reason| {
            let mut lenient = self.clone();
            lenient.is_lenient = true;
            let found = lenient.evaluate(value)?;
            let part = found.as_str().and_then(part_that_matters);
            match part {
                Some(part) if !part.contains(UNKNOWN) => Ok(found),
                _ => Err(reason),
            }
        })
    }

    /// The value with its expressions evaluated.
    pub(super) fn evaluate(&self, value: &Value) -> Result<Value, Unresolved> {
        self.evaluate_at(value, 0)
    }

    fn evaluate_at(&self, value: &Value, depth: usize) -> Result<Value, Unresolved> {
        if depth > MAX_DEPTH {
            return Err(TOO_DEEP.to_owned());
        }
        match value {
            Value::String(text) => self.text(text, depth),
            Value::Array(values) => {
                let values = values
                    .iter()
                    .map(|value| self.evaluate_at(value, depth + 1));
                values.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            other => Ok(other.clone()),
        }
    }

    fn text(&self, text: &str, depth: usize) -> Result<Value, Unresolved> {
        let Some(inner) = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        else {
            return Ok(Value::String(text.to_owned()));
        };
        // `[[` is how templates write a text that begins with `[`.
        if inner.starts_with('[') {
            return Ok(Value::String(text[1..].to_owned()));
        }
        let mut reader = Reader {
            scope: self,
            rest: inner,
            depth,
        };
        let value = reader.expression()?;
        match reader.rest.trim().is_empty() {
            true => Ok(value),
            false => Err("an expression cannot be read".to_owned()),
        }
    }

    fn parameter(&self, name: &str, depth: usize) -> Result<Value, Unresolved> {
        if let Some(value) = get(&self.parameters, name) {
            // Values of parameters are data, not expressions.
            return Ok(value.clone());
        }
        let declared = get(&self.declared, name);
        match declared.and_then(|declared| declared.get("defaultValue")) {
            Some(default) => self.evaluate_at(default, depth + 1),
            None if self.is_lenient => Ok(Value::String(UNKNOWN.to_string())),
            None => Err(format!(
                "parameter `{name}` has no value: give it with --parameters"
            )),
        }
    }

    fn variable(&self, name: &str, depth: usize) -> Result<Value, Unresolved> {
        match get(&self.variables, name) {
            Some(value) => self.evaluate_at(value, depth + 1),
            None => Err(format!("there is no variable `{name}`")),
        }
    }
}

/// Names are compared without case, as Azure does.
fn get<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    map.get(name).or_else(|| {
        let mut entries = map.iter();
        entries
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

struct Reader<'a> {
    scope: &'a Scope,
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: char) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expression(&mut self) -> Result<Value, Unresolved> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TOO_DEEP.to_owned());
        }
        self.skip();
        let mut value = if self.rest.starts_with('\'') {
            Value::String(self.string()?)
        } else if self
            .rest
            .starts_with(|c: char| c.is_ascii_digit() || c == '-')
        {
            self.number()?
        } else {
            self.call()?
        };
        loop {
            if self.take('.') {
                let name = self.word();
                value = value
                    .as_object()
                    .and_then(|map| get(map, &name))
                    .cloned()
                    .ok_or_else(|| format!("there is no `{name}` in the value of an expression"))?;
            } else if self.take('[') {
                let index = self.expression()?;
                let found = match &index {
                    Value::Number(at) => at.as_u64().and_then(|at| value.get(at as usize)),
                    Value::String(name) => value.as_object().and_then(|map| get(map, name)),
                    _ => None,
                };
                value = found
                    .cloned()
                    .ok_or("an index in an expression names nothing")?;
                if !self.take(']') {
                    return Err("an expression cannot be read".to_owned());
                }
            } else {
                self.depth -= 1;
                return Ok(value);
            }
        }
    }

    fn string(&mut self) -> Result<String, Unresolved> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, char)) = chars.next() {
            if char != '\'' {
                text.push(char);
            } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
                text.push('\'');
            } else {
                self.rest = &self.rest[at + 1..];
                return Ok(text);
            }
        }
        Err("a text in an expression does not end".to_owned())
    }

    fn number(&mut self) -> Result<Value, Unresolved> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit() && c != '-')
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number: i64 = digits
            .parse()
            .map_err(|_| "a number in an expression is too large")?;
        Ok(number.into())
    }

    fn word(&mut self) -> String {
        self.skip();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self
            .rest
            .find(|c: char| !is_part(c))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn call(&mut self) -> Result<Value, Unresolved> {
        let name = self.word();
        if name.is_empty() || !self.take('(') {
            return Err("an expression cannot be read".to_owned());
        }
        let mut arguments = Vec::new();
        if !self.take(')') {
            loop {
                arguments.push(self.expression()?);
                if self.take(')') {
                    break;
                }
                if !self.take(',') {
                    return Err("an expression cannot be read".to_owned());
                }
            }
        }
        self.function(&name.to_ascii_lowercase(), &arguments)
    }

    fn function(&self, name: &str, arguments: &[Value]) -> Result<Value, Unresolved> {
        let text = |at: usize| {
            arguments
                .get(at)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        Ok(match name {
            "parameters" => return self.scope.parameter(text(0), self.depth),
            "variables" => return self.scope.variable(text(0), self.depth),
            "concat" if arguments.iter().any(Value::is_array) => {
                let parts = arguments.iter().filter_map(Value::as_array);
                Value::Array(parts.flatten().cloned().collect())
            }
            "concat" => Value::String(arguments.iter().map(plain).collect()),
            "format" => Value::String(formatted(text(0), arguments.get(1..).unwrap_or_default())),
            "resourceid" | "subscriptionresourceid" => Value::String(resource_id(arguments)?),
            "tolower" => Value::String(text(0).to_lowercase()),
            "toupper" => Value::String(text(0).to_uppercase()),
            "string" => Value::String(arguments.first().map(plain).unwrap_or_default()),
            "replace" => Value::String(text(0).replace(text(1), text(2))),
            "trim" => Value::String(text(0).trim().to_owned()),
            "bool" => Value::Bool(
                text(0).eq_ignore_ascii_case("true")
                    || arguments.first() == Some(&Value::Bool(true)),
            ),
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            "equals" => Value::Bool(equal(arguments)),
            "not" => Value::Bool(arguments.first() != Some(&Value::Bool(true))),
            "and" => Value::Bool(arguments.iter().all(|value| value == &Value::Bool(true))),
            "or" => Value::Bool(arguments.contains(&Value::Bool(true))),
            "empty" => Value::Bool(match arguments.first() {
                None | Some(Value::Null) => true,
                Some(Value::String(text)) => text.is_empty(),
                Some(Value::Array(values)) => values.is_empty(),
                Some(Value::Object(map)) => map.is_empty(),
                Some(_) => false,
            }),
            "if" => {
                let at = if arguments.first() == Some(&Value::Bool(true)) {
                    1
                } else {
                    2
                };
                arguments.get(at).cloned().unwrap_or_default()
            }
            "createarray" => Value::Array(arguments.to_vec()),
            other => {
                return Err(format!(
                    "the template function `{other}` has a value only in Azure"
                ));
            }
        })
    }
}

/// Texts are equal in any case, as Azure compares them.
fn equal(arguments: &[Value]) -> bool {
    match arguments {
        [Value::String(one), Value::String(other)] => one.eq_ignore_ascii_case(other),
        [one, other] => one == other,
        _ => false,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn formatted(pattern: &str, arguments: &[Value]) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
        } else if let Some((number, after)) = rest.split_once('}').filter(|_| brace == "{") {
            let index: Option<usize> = number.split(':').next().and_then(|n| n.trim().parse().ok());
            text.push_str(
                &index
                    .and_then(|at| arguments.get(at))
                    .map(plain)
                    .unwrap_or_default(),
            );
            rest = after;
        }
    }
    text + rest
}

/// `/TYPE/NAME/TYPE/NAME`, without the subscription and resource group in front.
fn resource_id(arguments: &[Value]) -> Result<String, Unresolved> {
    let texts: Vec<String> = arguments.iter().map(plain).collect();
    let at = texts.iter().position(|text| text.contains('/'));
    let at = at.ok_or("resourceId names no type")?;
    let mut types = texts[at].split('/');
    let mut id = format!("/providers/{}", types.next().unwrap_or_default());
    let mut names = texts[at + 1..].iter();
    for kind in types {
        let name = names.next().ok_or("resourceId has too few names")?;
        id.push_str(&format!("/{kind}/{name}"));
    }
    Ok(id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope() -> Scope {
        let map = |value: Value| value.as_object().unwrap().clone();
        Scope {
            parameters: map(
                json!({ "Svc": "apim", "tags": ["a", "b"], "literal": "[concat('x')]" }),
            ),
            variables: map(
                json!({ "full": "[concat(parameters('svc'), '/echo')]", "loop": "[variables('loop')]" }),
            ),
            is_lenient: false,
            declared: map(
                json!({ "version": { "defaultValue": "v1" }, "secret": { "type": "securestring" } }),
            ),
        }
    }

    #[test]
    fn expression_has_the_value_that_azure_gives_it() {
        for (text, expected) in [
            ("plain", json!("plain")),
            ("[[escaped]", json!("[escaped]")),
            ("[parameters('svc')]", json!("apim")),
            ("[parameters('literal')]", json!("[concat('x')]")),
            ("[ variables('full') ]", json!("apim/echo")),
            (
                "[concat('it''s ', parameters('version'), 1)]",
                json!("it's v11"),
            ),
            (
                "[format('{0}/{1}-{{x}}', parameters('svc'), 'a')]",
                json!("apim/a-{x}"),
            ),
            ("[parameters('tags')[1]]", json!("b")),
            (
                "[if(equals(parameters('version'), 'V1'), 'one', 'two')]",
                json!("one"),
            ),
            (
                "[resourceId('rg', 'Microsoft.ApiManagement/service/products', 'apim', 'starter')]",
                json!("/providers/Microsoft.ApiManagement/service/apim/products/starter"),
            ),
        ] {
            assert_eq!(scope().evaluate(&json!(text)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn expression_without_a_value_says_why() {
        for (text, reason) in [
            ("[parameters('secret')]", "parameter `secret` has no value"),
            ("[variables('loop')]", "refer to themselves"),
            ("[uniqueString('x')]", "only in Azure"),
            ("[reference('x').key]", "only in Azure"),
            ("[concat('x']", "cannot be read"),
            ("[concat('x')]]", "cannot be read"),
            ("['x]", "does not end"),
        ] {
            let error = scope().evaluate(&json!(text)).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
