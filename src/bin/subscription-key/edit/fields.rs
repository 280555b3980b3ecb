use std::ops::Range;

use super::entries::with_surroundings;
use super::literal::{Literal, name};
use super::outline::{Entry, Outline, Pair, Place, Shape};
use super::splice::{Splices, cut_elements, line_break, line_end, line_start};
use super::style::{BlockStyle, ObjectStyle, Style, space_before};
use super::{EditError, EntryChange, FieldChange, Syntax};

/// Changes fields of entries.
pub(super) fn splices(
    syntax: Syntax,
    text: &str,
    outline: &Outline,
    changes: &[EntryChange],
) -> Result<Splices, EditError> {
    let mut splices = Splices::default();
    for change in changes {
        if let EntryChange::Set(kind, id, fields) = change {
            let entry = outline.entry(*kind, id).ok_or(EditError::Shape)?;
            let mut edit = EntryEdit {
                syntax,
                text,
                outline,
                entry,
                splices: &mut splices,
                cut: Vec::new(),
                added: Vec::new(),
            };
            for field in fields {
                edit.field(field)?;
            }
            edit.finish();
        }
    }
    Ok(splices)
}

struct EntryEdit<'a> {
    syntax: Syntax,
    text: &'a str,
    outline: &'a Outline,
    entry: &'a Entry,
    splices: &'a mut Splices,
    /// Members to cut, by their place.
    cut: Vec<usize>,
    added: Vec<(String, String)>,
}

impl EntryEdit<'_> {
    fn field(&mut self, change: &FieldChange) -> Result<(), EditError> {
        match (&change.value, change.name.as_str()) {
            (Some(Literal::List(scopes)), "scopes") => self.scopes(scopes),
            (Some(value), name) => self.set(name, value),
            (None, name) => self.unset(name),
        }
    }

    fn set(&mut self, name: &str, value: &Literal) -> Result<(), EditError> {
        let Some(pair) = self.entry.pair(name) else {
            // Dotted names and tables make way for a value on one line.
            self.cut_all(name);
            let value = value.write(self.syntax)?;
            self.added.push((name.to_owned(), value));
            return Ok(());
        };
        match (value, &pair.elements) {
            (Literal::List(new), Some(old)) if self.edit_list(pair, old, new)? => {}
            _ => self
                .splices
                .replace(pair.value.clone(), value.write(self.syntax)?),
        }
        Ok(())
    }

    /// Removes a field. One with a default that someone has written out keeps
    /// being written out; the tool's own additions are last in their entry.
    fn unset(&mut self, name: &str) -> Result<(), EditError> {
        let mut own = self.entry.members.iter().rev();
        let last = own.find(|member| !matches!(member.place, Place::Block(_)));
        let is_last = last.is_some_and(|member| member.name == name);
        let default = match name {
            "state" => Some("\"active\""),
            "subscription_required" | "published" => Some("true"),
            _ => None,
        };
        match (default, self.entry.pair(name)) {
            (Some(default), Some(pair)) if !is_last => {
                self.splices.replace(pair.value.clone(), default);
            }
            _ => self.cut_all(name),
        }
        Ok(())
    }

    fn scopes(&mut self, new: &[Literal]) -> Result<(), EditError> {
        let one = match new {
            [scope] => Some(scope.write(self.syntax)?),
            _ => None,
        };
        let all = Literal::List(new.to_vec()).write(self.syntax)?;
        if let Some(pair) = self.entry.pair("scope") {
            match one {
                Some(one) => self.splices.replace(pair.value.clone(), one),
                None => self.rename(pair, "scopes", all),
            }
        } else if let Some(pair) = self.entry.pair("scopes") {
            let is_one_line = !self.text[pair.value.clone()].contains('\n');
            let elements = pair.elements.as_deref().unwrap_or_default();
            match one {
                Some(one) if is_one_line && elements.len() > 1 => self.rename(pair, "scope", one),
                _ if self.edit_list(pair, elements, new)? => {}
                _ => self.splices.replace(pair.value.clone(), all),
            }
        }
        Ok(())
    }

    fn rename(&mut self, pair: &Pair, new: &str, value: String) {
        let mut written = String::new();
        name(new, self.syntax, &mut written);
        self.splices.replace(pair.name.clone(), written);
        self.splices.replace(pair.value.clone(), value);
    }

    /// Adds and removes elements, so that the others keep their lines and
    /// comments. `false` if that is not all that changes.
    fn edit_list(
        &mut self,
        pair: &Pair,
        old: &[(Range<usize>, Option<String>)],
        new: &[Literal],
    ) -> Result<bool, EditError> {
        let new: Option<Vec<&str>> = new
            .iter()
            .map(|literal| match literal {
                Literal::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let Some(new) = new.filter(|_| !old.is_empty()) else {
            return Ok(false);
        };
        let is_kept =
            |text: &Option<String>| text.as_deref().is_some_and(|text| new.contains(&text));
        let kept: Vec<&str> = old
            .iter()
            .filter(|(_, text)| is_kept(text))
            .filter_map(|(_, text)| text.as_deref())
            .collect();
        if kept.is_empty() || kept.len() > new.len() || kept[..] != new[..kept.len()] {
            return Ok(false);
        }
        let ranges: Vec<Range<usize>> = old.iter().map(|(range, _)| range.clone()).collect();
        let inner = pair.value.start + 1..pair.value.end - 1;
        cut_elements(self.splices, inner, &ranges, |at| !is_kept(&old[at].1));
        let last = &ranges[ranges.len() - 1];
        let gap = match ranges.len() {
            1 => space_before(self.text, pair.value.start + 1, last.start),
            n => space_before(self.text, ranges[n - 2].end, last.start),
        };
        let is_spaced = Style::of(self.text, self.outline).colon.ends_with(' ');
        let gap = if gap.is_empty() && is_spaced {
            " ".to_owned()
        } else {
            gap
        };
        let mut added = String::new();
        for text in &new[kept.len()..] {
            let text = Literal::text(*text).write(self.syntax)?;
            added.push_str(&format!(",{gap}{text}"));
        }
        self.splices.insert(last.end, added);
        Ok(true)
    }

    fn cut_all(&mut self, name: &str) {
        let members = self.entry.members.iter().enumerate();
        let of_name = members.filter(|(_, member)| member.name == name);
        self.cut.extend(of_name.map(|(at, _)| at));
    }

    fn finish(self) {
        match &self.entry.shape {
            Shape::Braces(braces) => {
                let is_cut = |at: usize| self.cut.contains(&at);
                cut_elements(self.splices, braces.inner(), &braces.members, is_cut);
                let Some(last) = braces.members.last() else {
                    return;
                };
                let style = Style::of(self.text, self.outline);
                let style = ObjectStyle::like(self.text, braces, &style);
                let mut added = String::new();
                for (field, value) in &self.added {
                    added.push(',');
                    added.push_str(&style.gap);
                    name(field, self.syntax, &mut added);
                    added.push_str(&style.colon);
                    added.push_str(value);
                }
                self.splices.insert(last.end, added);
            }
            Shape::Blocks(blocks) => {
                for at in &self.cut {
                    let range = match &self.entry.members[*at].place {
                        Place::Pair(pair) => lines(self.text, &pair.whole()),
                        Place::Dotted(range) => lines(self.text, range),
                        Place::Block(at) => with_surroundings(self.text, &blocks[*at]),
                    };
                    self.splices.cut(range);
                }
                let style = BlockStyle::of(self.text, Some(self.entry));
                let newline = line_break(self.text);
                let added = self
                    .added
                    .iter()
                    .map(|(name, value)| format!("{newline}{}", style.line(name, value)));
                self.splices
                    .insert(blocks[0].end, added.collect::<String>());
            }
        }
    }
}

/// The lines of a range, with the line break before them.
fn lines(text: &str, range: &Range<usize>) -> Range<usize> {
    let start = line_start(text, range.start).saturating_sub(1);
    let start = if text[..start].ends_with('\r') {
        start - 1
    } else {
        start
    };
    start..line_end(text, range.end)
}
