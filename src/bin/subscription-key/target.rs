//! What a command works on: a catalog file or a database.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::args::Common;
use crate::failure::{Failure, Result};

const CATALOG: &str = "SUBSCRIPTION_KEY_CATALOG";
const DATABASE: &str = "SUBSCRIPTION_KEY_DATABASE";

/// The ways to name one.
const WAYS: &str = "give `--catalog FILE` or `--database PATH|URL`, \
                    or set SUBSCRIPTION_KEY_CATALOG or SUBSCRIPTION_KEY_DATABASE";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    File(PathBuf),
    Database(String),
}

/// Whether a file that is missing is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Refuse,
    /// A file is made, a database is not.
    MakeFile,
    Make,
}

impl Target {
    /// Flags win over the environment; one of each kind is one too many.
    pub(crate) fn of(common: &Common) -> Result<Self> {
        match (&common.catalog, &common.database) {
            (Some(_), Some(_)) => {
                let what = "`--catalog` and `--database` exclude each other: give one of them";
                return Err(Failure::usage(what));
            }
            (Some(path), None) => return Ok(Self::File(path.clone())),
            (None, Some(url)) => return Ok(Self::Database(url.clone())),
            (None, None) => {}
        }
        match (variable(CATALOG), variable(DATABASE)) {
            (Some(_), Some(_)) => Err(Failure::usage(format_args!(
                "both {CATALOG} and {DATABASE} are set: {WAYS}"
            ))),
            (Some(path), None) => Ok(Self::File(path.into())),
            (None, Some(url)) => url
                .into_string()
                .map(Self::Database)
                .map_err(|_| Failure::usage(format_args!("{DATABASE} is not UTF-8"))),
            (None, None) => Err(Failure::usage(format_args!(
                "no catalog and no database is named: {WAYS}"
            ))),
        }
    }
}

/// An empty variable is as good as none.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The flags that repeat the target in a command that is printed. A URL with a
/// password is left to the environment.
pub(crate) fn flags(common: &Common) -> Vec<String> {
    if let Some(path) = &common.catalog {
        return vec!["--catalog".to_owned(), path.display().to_string()];
    }
    match &common.database {
        Some(url) if !has_password(url) => vec!["--database".to_owned(), url.clone()],
        _ => Vec::new(),
    }
}

/// Whether a URL may hold a password: user information with a colon, or a
/// parameter of that name.
fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    let in_user = user.contains(':')
        || (authority.contains('@') && authority.contains(':') && user.is_empty());
    in_user || url.to_ascii_lowercase().contains("password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_seen_wherever_a_url_can_hold_one() {
        for url in [
            "postgres://jane:secret@db/keys",
            "postgres://jane:s@cr/et@db/keys",
            "postgres://db/keys?user=jane&password=secret",
        ] {
            assert!(has_password(url), "{url}");
        }
        for url in [
            "keys.db",
            "postgres://db:5432/keys",
            "postgres://jane@db:5432/keys",
            "a:b@c",
        ] {
            assert!(!has_password(url), "{url}");
        }
    }
}
