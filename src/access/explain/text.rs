use std::fmt;
use std::time::SystemTime;

use crate::access::explain::{Explanation, Outcome};
use crate::access::{Access, Decision, Denial};

/// The decision in one line.
pub(super) fn summary(decision: &Decision, obstacle: Option<&Denial>) -> String {
    match decision {
        Decision::Allow(access) => let_in(access, obstacle),
        Decision::Unmatched => "let through: the path belongs to no API".to_owned(),
        Decision::Deny(denial) => format!("denied: {denial}"),
    }
}

fn let_in(access: &Access, obstacle: Option<&Denial>) -> String {
    let api = access.api().id();
    let mut text = format!("let in: API {api:?}");
    if let Some(product) = access.product() {
        text.push_str(&format!(", product {:?}", product.id()));
    }
    match (access.subscription(), access.key_slot(), access.scope()) {
        (Some(subscription), Some(slot), Some(scope)) => text.push_str(&format!(
            ", {slot} key of subscription {:?}, scope {scope}",
            subscription.id()
        )),
        _ => text.push_str(", without a subscription"),
    }
    if let Some(denial) = obstacle {
        text.push_str(&format!("; the key is ignored: {denial}"));
    }
    text
}

/// A time as catalogs write it.
pub(super) fn time(time: Option<SystemTime>) -> String {
    let Some(time) = time else {
        return "no time".to_owned();
    };
    #[cfg(feature = "document")]
    return crate::document::format_time(time);
    #[cfg(not(feature = "document"))]
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => format!("{} s of Unix time", since.as_secs()),
        Err(_) => "a time before 1970".to_owned(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary)?;
        if let Some(message) = self.message {
            writeln!(f, "the client learns only that the key is {message}")?;
        }
        writeln!(f)?;
        let width = self.steps.iter().map(|step| step.rule.len()).max();
        let width = width.unwrap_or_default();
        for step in &self.steps {
            let mark = if step.holds { "yes" } else { "no " };
            writeln!(f, "  {mark}  {:width$}  {}", step.rule, step.text)?;
        }
        if let Some(second) = &self.second {
            writeln!(f, "\na second obstacle waits behind this one: {second}")?;
        }
        if self.cures.is_empty() {
            return Ok(());
        }
        let goal = match self.outcome {
            Outcome::Denied => "to let it in",
            _ => "to make the key count",
        };
        let one_of = if self.cures.len() > 1 { ", one of" } else { "" };
        writeln!(f, "\n{goal}{one_of}:")?;
        for cure in &self.cures {
            writeln!(f, "  - {}", cure.text)?;
            if let Some(command) = cure.command() {
                writeln!(f, "      {command}")?;
            }
        }
        Ok(())
    }
}
