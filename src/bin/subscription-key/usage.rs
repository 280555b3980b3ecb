//! Wrong usage, said without repeating any value: a key may be among them.

use std::error::Error as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::output;

/// Prints help or the version (exit code 0), or what is wrong (2).
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that has left is no failure.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        _ => {
            output::error(&sentence(error));
            ExitCode::from(2)
        }
    }
}

fn sentence(error: &clap::Error) -> String {
    let what = match error.kind() {
        ErrorKind::UnknownArgument => match known(error, ContextKind::SuggestedArg) {
            Some(meant) => format!("unknown flag: did you mean `{meant}`?"),
            None => "unknown flag, or one argument too many".to_owned(),
        },
        ErrorKind::InvalidSubcommand => match known(error, ContextKind::SuggestedSubcommand) {
            Some(meant) => format!("unknown command: did you mean `{meant}`?"),
            None => "unknown command".to_owned(),
        },
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "a command is missing".to_owned()
        }
        ErrorKind::MissingRequiredArgument => match known(error, ContextKind::InvalidArg) {
            Some(missing) => format!("missing: {missing}"),
            None => "an argument is missing".to_owned(),
        },
        ErrorKind::ArgumentConflict => conflict(error),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => invalid_value(error),
    };
    let usage = known(error, ContextKind::Usage).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand | ErrorKind::MissingSubcommand => {
            format!("{what}; `subscription-key --help` lists the commands")
        }
        _ => format!("{what}\n{}", usage.trim()).trim_end().to_owned(),
    }
}

fn conflict(error: &clap::Error) -> String {
    let one = known(error, ContextKind::InvalidArg);
    match (one, known(error, ContextKind::PriorArg)) {
        (Some(one), Some(other)) if one != other => {
            format!("`{one}` and `{other}` exclude each other")
        }
        (Some(one), _) => format!("`{one}` is there more than once"),
        _ => "two arguments exclude each other".to_owned(),
    }
}

fn invalid_value(error: &clap::Error) -> String {
    let argument = known(error, ContextKind::InvalidArg);
    let argument = argument.unwrap_or_else(|| "an argument".to_owned());
    // The reason comes from this tool's own readers, which repeat no value.
    let reason = match (error.kind(), error.source()) {
        (ErrorKind::ValueValidation, Some(reason)) if !is_from_std(error) => reason.to_string(),
        (ErrorKind::ValueValidation, _) => "not a number in the allowed range".to_owned(),
        _ => match known(error, ContextKind::ValidValue) {
            Some(values) => format!("one of {values}"),
            None => "a value is missing".to_owned(),
        },
    };
    format!("{argument}: {reason}")
}

/// The readers of numbers quote what they read; only they are for flags `<N>`.
fn is_from_std(error: &clap::Error) -> bool {
    known(error, ContextKind::InvalidArg).is_some_and(|name| name.ends_with("<N>"))
}

/// A part of the error that the tool's own definitions made.
fn known(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        // Of several suggestions the last one is the nearest.
        ContextValue::Strings(texts) if kind != ContextKind::ValidValue => texts.last().cloned(),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        ContextValue::StyledStrs(texts) => {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            Some(texts.join(", "))
        }
        _ => None,
    }
}
