use std::io::IsTerminal;
use std::time::SystemTime;

use annotate_snippets::{AnnotationKind, Level as Marker, Renderer, Snippet};
use serde::Serialize;
use tower_subscription_key::catalog::{Field, KeySlot};
use tower_subscription_key::document::{HostKeys, Position, Positions};
use tower_subscription_key::lint::{self, Finding, Level};

use crate::args::{Check, Common};
use crate::failure::{Failure, Result};
use crate::file::CatalogFile;
use crate::output;
use crate::session::EditKeys;
use crate::source::Source;
use crate::target::Target;

/// A finding or a problem, with its position.
#[derive(Serialize)]
struct Report {
    code: String,
    level: &'static str,
    entity: Option<String>,
    field: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    advice: Option<String>,
    #[serde(skip)]
    span: Option<std::ops::Range<usize>>,
}

pub(super) async fn run(common: &Common, args: &Check) -> Result {
    let (name, text, mut reports) = match Target::of(common)? {
        Target::File(path) => {
            let file = CatalogFile::new(path)?;
            let text = file.read()?;
            let reports = check_file(&file, &text, args.env_unset_ok);
            (file.path().display().to_string(), text, reports)
        }
        Target::Database(_) => {
            let catalog = Source::open(common).await?.catalog().await?;
            let findings = lint::findings(&catalog, SystemTime::now());
            let reports = findings
                .iter()
                .map(|finding| report(finding, None))
                .collect();
            ("database".to_owned(), String::new(), reports)
        }
    };
    reports.retain(|report| !args.allow.contains(&report.code));
    if common.json {
        output::json(&reports)?;
    } else {
        let is_terminal = std::io::stdout().is_terminal();
        let lines = reports.iter().map(|report| match is_terminal {
            true => snippet(&name, &text, report),
            false => line(&name, report) + "\n",
        });
        output::print(&lines.collect::<String>())?;
    }
    let is_denied = |report: &&Report| match report.level {
        "error" => true,
        "warning" => args.deny_warnings,
        _ => false,
    };
    match reports.iter().find(is_denied) {
        Some(_) => Err(Failure::silent(1)),
        None => Ok(()),
    }
}

fn check_file(file: &CatalogFile, text: &str, env_unset_ok: bool) -> Vec<Report> {
    let parsed = match env_unset_ok {
        true => file.parse_with(text, &EditKeys::default()),
        false => file.parse_with(text, &HostKeys::new()),
    };
    let catalog = match parsed {
        Ok(catalog) => catalog,
        Err(error) => {
            let issues = error.issues().iter().map(|issue| Report {
                code: if issue.subject().is_some() {
                    "invalid"
                } else {
                    "syntax"
                }
                .to_owned(),
                level: Level::Error.as_str(),
                entity: issue.subject().map(str::to_owned),
                field: issue.field().map(str::to_owned),
                line: Some(issue.line()),
                column: Some(issue.column()),
                message: issue.message().to_owned(),
                advice: issue.advice().map(str::to_owned),
                span: Some(issue.span()),
            });
            return issues.collect();
        }
    };
    let mut findings = lint::findings(&catalog, SystemTime::now());
    findings.extend(lint::written_keys(text, file.format()).unwrap_or_default());
    let positions = Positions::of(text, file.format()).ok();
    let mut reports: Vec<Report> = findings
        .iter()
        .map(|finding| {
            let field = field(finding.field());
            let find = |positions: &Positions<'_>| positions.find(finding.entity(), field);
            report(finding, positions.as_ref().and_then(find))
        })
        .collect();
    reports.sort_by_key(|report| (report.line, report.column));
    reports
}

/// The field of the catalog with that name, or the whole entry.
fn field(name: Option<&str>) -> Field {
    match name {
        Some("path") => Field::Path,
        Some("subscription_required") => Field::SubscriptionRequired,
        Some("scope") => Field::Scope(0),
        Some("primary_key") => Field::Key(KeySlot::Primary),
        Some("secondary_key") => Field::Key(KeySlot::Secondary),
        _ => Field::Whole,
    }
}

fn report(finding: &Finding, position: Option<Position>) -> Report {
    Report {
        code: finding.code().to_string(),
        level: finding.level().as_str(),
        entity: Some(finding.entity().to_string()),
        field: finding.field().map(str::to_owned),
        line: position.as_ref().map(|position| position.line),
        column: position.as_ref().map(|position| position.column),
        message: finding.message().to_owned(),
        advice: Some(finding.advice().to_owned()),
        span: position.map(|position| position.span),
    }
}

/// What is wrong, with the entry and field that it is about.
fn what(report: &Report) -> String {
    let mut text = match (&report.entity, &report.field) {
        (Some(entity), Some(field)) => format!("{entity}, {field}: "),
        (Some(one), None) | (None, Some(one)) => format!("{one}: "),
        (None, None) => String::new(),
    };
    text.push_str(&report.message);
    text
}

fn line(name: &str, report: &Report) -> String {
    let (level, code) = (report.level, &report.code);
    let place = match (report.line, report.column) {
        (Some(line), Some(column)) => format!("{name}:{line}:{column}"),
        _ => name.to_owned(),
    };
    let advice = report
        .advice
        .as_ref()
        .map_or_else(String::new, |advice| format!(": {advice}"));
    output::single_line(&format!(
        "{place}: {level}[{code}]: {}{advice}",
        what(report)
    ))
}

/// The finding with its line of the file, for people. Lines about keys are not
/// shown, and what could be a key is blotted out in others.
fn snippet(name: &str, text: &str, report: &Report) -> String {
    let is_secret = |field: &String| {
        ["key", "value", "sha256"]
            .iter()
            .any(|word| field.contains(word))
    };
    let is_shown = report.entity.is_some() && !report.field.as_ref().is_some_and(is_secret);
    let span = report.span.clone().filter(|_| is_shown);
    let marker = match report.level {
        "error" => Marker::ERROR,
        "warning" => Marker::WARNING,
        _ => Marker::NOTE,
    };
    let (Some(span), true) = (span, text.is_ascii() || text.len() < 1 << 20) else {
        return line(name, report) + "\n";
    };
    let title = output::single_line(&what(report));
    let masked = masked(text);
    let snippet = Snippet::source(&masked)
        .path(name)
        .annotation(AnnotationKind::Primary.span(span));
    let mut group = marker
        .primary_title(title)
        .id(&*report.code)
        .element(snippet);
    if let Some(advice) = &report.advice {
        group = group.element(Marker::HELP.message(output::single_line(advice)));
    }
    Renderer::styled().render(&[group]) + "\n\n"
}

/// The text with stars, byte for byte, where a key could be.
fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let secret = ["_key", "value", "sha256"]
            .iter()
            .filter_map(|word| line.find(word))
            .min();
        let secret = secret.and_then(|at| Some(at + line[at..].find([':', '='])?));
        let shown = secret.unwrap_or(line.len());
        masked.push_str(&line[..shown]);
        for char in line[shown..].chars() {
            match char.is_alphanumeric() {
                true => masked.extend(std::iter::repeat_n('*', char.len_utf8())),
                false => masked.push(char),
            }
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_text_has_the_same_length_and_no_key() {
        let text = "id = \"contoso\"\nprimary_key = \"264aé1\" # note\nscope = \"/\"\n";
        let masked = masked(text);
        assert_eq!(masked.len(), text.len());
        assert!(masked.contains("contoso") && masked.contains("scope = \"/\""));
        assert!(!masked.contains("264a"));
    }
}
