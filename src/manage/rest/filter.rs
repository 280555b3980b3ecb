//! `$filter`: a part of OData's grammar.
//!
//! ```text
//! or      = and ("or" and)*
//! and     = term ("and" term)*
//! term    = "(" or ")" | field op text | function
//! op      = "eq" | "ne" | "ge" | "le" | "gt" | "lt"
//! function = ("contains" | "startswith" | "endswith") "(" field "," text ")"
//!          | "substringof" "(" text "," field ")"
//! text    = "'" (any but "'" | "''")* "'"
//! ```

use crate::catalog::State;
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::resource;
use crate::manage::{Comparison, Filter, FilterField};

const TARGET: &str = "$filter";

/// How many comparisons a filter may have, and how deep its parentheses may be.
const MAX_TERMS: usize = 100;
const MAX_DEPTH: usize = 20;

/// Which records a filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Subscriptions.
    Subscriptions,
    /// Products or APIs.
    Definitions,
}

/// Reads a filter.
pub(super) fn parse(text: &str, of: Of) -> Result<Filter, Refusal> {
    let field = |name: &str, comparison, value: String| {
        let (field, value) = match (name.to_ascii_lowercase().as_str(), of) {
            ("name", _) => (FilterField::Id, value),
            ("displayname", _) => (FilterField::DisplayName, value),
            ("statecomment", Of::Subscriptions) => (FilterField::StateComment, value),
            ("ownerid" | "userid", Of::Subscriptions) => {
                (FilterField::Owner, resource::owner(&value).to_owned())
            }
            ("productid", Of::Subscriptions) => (FilterField::Product, product(&value)),
            ("scope", Of::Subscriptions) => (FilterField::Scope, scope(&value)),
            ("state", Of::Subscriptions) => (FilterField::State, state(comparison, value)?),
            _ => return Err(format!("`{name}` is not a field that can be compared")),
        };
        Ok(Filter::compare(field, comparison, value))
    };
    parse_with(text, field)
}

/// Reads a filter. The given function makes the comparisons. Its error is a sentence
/// that says what is wrong with the comparison.
pub(super) fn parse_with(
    text: &str,
    compare: impl FnMut(&str, Comparison, String) -> Result<Filter, String>,
) -> Result<Filter, Refusal> {
    let mut parser = Parser {
        rest: text,
        terms: 0,
        compare,
    };
    let filter = parser
        .or(0)
        .and_then(|filter| match parser.rest.trim_start() {
            "" => Ok(filter),
            _ => Err("expected `and`, `or` or the end".to_owned()),
        });
    filter.map_err(|message| {
        let at = text.len() - parser.rest.trim_start().len();
        Refusal::field(TARGET, format!("{message} (at byte {at})"))
    })
}

fn state(comparison: Comparison, value: String) -> Result<String, String> {
    if !matches!(comparison, Comparison::Eq | Comparison::Ne) {
        return Err("`state` can only be compared with `eq` and `ne`".to_owned());
    }
    let value = value.to_ascii_lowercase();
    match value.parse::<State>() {
        Ok(_) => Ok(value),
        Err(error) => Err(error.to_string()),
    }
}

/// A scope as records have it. Text that is only a part of one stays.
fn scope(value: &str) -> String {
    match resource::scope(value) {
        Ok(scope) => scope.to_string(),
        Err(_) => resource::short(value).to_owned(),
    }
}

fn product(value: &str) -> String {
    let short = resource::short(value);
    match short.split_at_checked("/products/".len()) {
        Some((kind, id)) if kind.eq_ignore_ascii_case("/products/") => id.to_owned(),
        _ => short.to_owned(),
    }
}

struct Parser<'t, C> {
    rest: &'t str,
    terms: usize,
    compare: C,
}

impl<C: FnMut(&str, Comparison, String) -> Result<Filter, String>> Parser<'_, C> {
    fn or(&mut self, depth: usize) -> Result<Filter, String> {
        let mut filter = self.and(depth)?;
        while self.word("or") {
            filter = filter.or(self.and(depth)?);
        }
        Ok(filter)
    }

    fn and(&mut self, depth: usize) -> Result<Filter, String> {
        let mut filter = self.term(depth)?;
        while self.word("and") {
            filter = filter.and(self.term(depth)?);
        }
        Ok(filter)
    }

    fn term(&mut self, depth: usize) -> Result<Filter, String> {
        if self.sign('(') {
            if depth == MAX_DEPTH {
                return Err(format!("parentheses are at most {MAX_DEPTH} deep"));
            }
            let filter = self.or(depth + 1)?;
            self.expect(')')?;
            return Ok(filter);
        }
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(format!("a filter has at most {MAX_TERMS} comparisons"));
        }
        let name = self.name()?;
        if !self.sign('(') {
            let comparison = self.operator()?;
            let value = self.text()?;
            return (self.compare)(&name, comparison, value);
        }
        let (field, comparison, value) = self.function(&name)?;
        self.expect(')')?;
        (self.compare)(&field, comparison, value)
    }

    /// A function after its opening parenthesis.
    fn function(&mut self, name: &str) -> Result<(String, Comparison, String), String> {
        let comparison = match name.to_ascii_lowercase().as_str() {
            "contains" => Comparison::Contains,
            "startswith" => Comparison::StartsWith,
            "endswith" => Comparison::EndsWith,
            "substringof" => {
                let value = self.text()?;
                self.expect(',')?;
                return Ok((self.name()?, Comparison::Contains, value));
            }
            _ => return Err(format!("`{name}` is not a function")),
        };
        let field = self.name()?;
        self.expect(',')?;
        Ok((field, comparison, self.text()?))
    }

    fn operator(&mut self) -> Result<Comparison, String> {
        let name = self
            .name()
            .map_err(|_| "expected an operator such as `eq`")?;
        Ok(match name.to_ascii_lowercase().as_str() {
            "eq" => Comparison::Eq,
            "ne" => Comparison::Ne,
            "ge" => Comparison::Ge,
            "le" => Comparison::Le,
            "gt" => Comparison::Gt,
            "lt" => Comparison::Lt,
            _ => return Err(format!("`{name}` is not an operator")),
        })
    }

    fn name(&mut self) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err("expected a field or a function".to_owned());
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn text(&mut self) -> Result<String, String> {
        const EXPECTED: &str = "expected text in single quotes";
        let mut rest = self.rest.trim_start().strip_prefix('\'').ok_or(EXPECTED)?;
        let mut text = String::new();
        loop {
            let (before, after) = rest
                .split_once('\'')
                .ok_or("the text has no closing quote")?;
            text.push_str(before);
            match after.strip_prefix('\'') {
                Some(after) => {
                    text.push('\'');
                    rest = after;
                }
                None => {
                    self.rest = after;
                    return Ok(text);
                }
            }
        }
    }

    /// Takes the word if it comes next.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest.split_at_checked(word.len()) {
            Some((found, after))
                if found.eq_ignore_ascii_case(word)
                    && !after.starts_with(|c: char| c.is_ascii_alphanumeric()) =>
            {
                self.rest = after;
                true
            }
            _ => false,
        }
    }

    /// Takes the sign if it comes next.
    fn sign(&mut self, sign: char) -> bool {
        let after = self.rest.trim_start().strip_prefix(sign);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        self.sign(sign)
            .then_some(())
            .ok_or_else(|| format!("expected `{sign}`"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use Comparison::{Contains, Eq, Ge, Ne, StartsWith};
    use FilterField::{DisplayName, Id, Owner, Product, Scope, State as StateField};

    fn read(text: &str) -> Option<Filter> {
        parse(text, Of::Subscriptions).ok()
    }

    #[test]
    fn filter_and_binds_closer_than_or() {
        let compare = |value| Filter::compare(Id, Eq, value);
        let (a, b, c) = (compare("a"), compare("b"), compare("c"));
        let text = "name eq 'a' or name eq 'b' and name eq 'c'";
        assert_eq!(read(text), Some(a.clone().or(b.clone().and(c.clone()))));
        let text = "(name eq 'a' or name eq 'b')and(name eq 'c')";
        assert_eq!(read(text), Some(a.or(b).and(c)));
    }

    #[test]
    fn filter_quote_is_written_twice() {
        let filter = Filter::compare(DisplayName, Ne, "O'Neil's");
        assert_eq!(read("displayName ne 'O''Neil''s'"), Some(filter));
        assert_eq!(
            read("displayName ne ''"),
            Some(Filter::compare(DisplayName, Ne, ""))
        );
    }

    #[test]
    fn filter_functions_are_comparisons() {
        let filter = Filter::compare(Id, Contains, "x");
        assert_eq!(read("contains(name,'x')"), Some(filter.clone()));
        assert_eq!(read("substringof( 'x' , name )"), Some(filter));
        assert_eq!(
            read("startswith(name, 'x')"),
            Some(Filter::compare(Id, StartsWith, "x"))
        );
        assert_eq!(read("name ge 'x'"), Some(Filter::compare(Id, Ge, "x")));
    }

    #[test]
    fn filter_resource_ids_compare_in_each_form() {
        let place = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/v";
        for (text, filter) in [
            (
                "scope eq 'PLACE/products/p'",
                Filter::compare(Scope, Eq, "/products/p"),
            ),
            (
                "scope eq '/apis/a;rev=2'",
                Filter::compare(Scope, Eq, "/apis/a"),
            ),
            (
                "startswith(scope,'PLACE/products/')",
                Filter::compare(Scope, StartsWith, "/products/"),
            ),
            (
                "ownerId eq 'PLACE/users/u'",
                Filter::compare(Owner, Eq, "u"),
            ),
            ("userId eq '/users/u'", Filter::compare(Owner, Eq, "u")),
            ("ownerId eq 'u'", Filter::compare(Owner, Eq, "u")),
            (
                "productId eq 'PLACE/products/p'",
                Filter::compare(Product, Eq, "p"),
            ),
            (
                "state eq 'ACTIVE'",
                Filter::compare(StateField, Eq, "active"),
            ),
        ] {
            assert_eq!(read(&text.replace("PLACE", place)), Some(filter), "{text}");
        }
    }

    #[test]
    fn filter_with_unknown_fields_or_syntax_is_refused() {
        for text in [
            "",
            "name",
            "name eq",
            "name eq x",
            "name eq 'x",
            "name is 'x'",
            "(name eq 'x'",
            "name eq 'x')",
            "name eq 'x' name eq 'y'",
            "name eq 'x' and",
            "colour eq 'x'",
            "length(name,'x')",
            "contains('x',name)",
            "state eq 'odd'",
            "state gt 'active'",
            "contains(state,'a')",
            "not name eq 'x'",
            "'x' eq name",
            "name eq 'x' orname eq 'y'",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(parse("ownerId eq 'x'", Of::Definitions).is_err());
        assert!(parse("displayName eq 'x'", Of::Definitions).is_ok());
    }

    #[test]
    fn filter_size_and_depth_are_bounded() {
        let terms = |count| vec!["name eq 'x'"; count].join(" or ");
        assert!(read(&terms(MAX_TERMS)).is_some() && read(&terms(MAX_TERMS + 1)).is_none());
        let deep = |depth| format!("{}name eq 'x'{}", "(".repeat(depth), ")".repeat(depth));
        assert!(read(&deep(MAX_DEPTH)).is_some() && read(&deep(100_000)).is_none());
    }
}
