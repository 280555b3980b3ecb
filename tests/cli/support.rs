use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A key of the catalog below.
pub(crate) const KEY: &str = "264a41411c0b43e782f483eb6f3eaeab";

/// A catalog with comments, spacing and an API in no product.
pub(crate) const CATALOG: &str = r#"# Our catalog, kept by hand

[[apis]]
id = "echo"
path = "/echo"   # echoes

[[apis]]
id = "orders"
path = "/orders"

[[products]]
id = "starter"
apis = [
  "echo", # the first
]

# Contoso's keys rotate every year
[[subscriptions]]
id = "contoso"
scope = "/products/starter"
primary_key = "264a41411c0b43e782f483eb6f3eaeab" # to be hashed
expires_at = "2099-01-01T00:00:00Z"
"#;

/// A folder with a catalog file.
pub(crate) struct Home {
    folder: TempDir,
    name: &'static str,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::with("catalog.toml", CATALOG)
    }

    pub(crate) fn with(name: &'static str, text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        Self { folder, name }
    }

    pub(crate) fn empty(name: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder, name }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The tool in this folder, on its catalog.
    pub(crate) fn tool(&self, words: &[&str]) -> Command {
        let mut tool = bare(words);
        tool.current_dir(&self.folder);
        tool.env("SUBSCRIPTION_KEY_CATALOG", self.name);
        tool
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.tool(words).output().unwrap())
    }

    pub(crate) fn run_with(&self, words: &[&str], stdin: &str) -> Ran {
        Ran::of(self.tool(words).write_stdin(stdin).output().unwrap())
    }

    /// Runs a line that the tool printed, as a shell does.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        shell(line, self.folder(), "SUBSCRIPTION_KEY_CATALOG", self.name)
    }
}

/// A catalog file or a database with a catalog, in a folder of its own.
pub(crate) struct Place {
    folder: TempDir,
    /// The variable that names it, and its value.
    target: (&'static str, String),
}

impl Place {
    pub(crate) fn file(name: &str, catalog: &str) -> Self {
        Self::new(("SUBSCRIPTION_KEY_CATALOG", name), catalog)
    }

    pub(crate) fn database(target: &str, catalog: &str) -> Self {
        Self::new(("SUBSCRIPTION_KEY_DATABASE", target), catalog)
    }

    fn new((variable, target): (&'static str, &str), catalog: &str) -> Self {
        let place = Self {
            folder: TempDir::new().unwrap(),
            target: (variable, target.to_owned()),
        };
        place.write("start.toml", catalog);
        match target.ends_with(".toml") {
            true => place.write(target, catalog),
            false => {
                place.run(&["import", "catalog", "start.toml"]).expect(0);
            }
        }
        place
    }

    pub(crate) fn is_file(&self) -> bool {
        self.target.0 == "SUBSCRIPTION_KEY_CATALOG"
    }

    /// The flag that names it, and its value.
    pub(crate) fn flag(&self) -> (&'static str, &str) {
        let flag = if self.is_file() {
            "--catalog"
        } else {
            "--database"
        };
        (flag, &self.target.1)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, "")
    }

    pub(crate) fn run_with(&self, words: &[&str], stdin: &str) -> Ran {
        let mut tool = bare(words);
        tool.current_dir(&self.folder);
        tool.env(self.target.0, &self.target.1);
        Ran::of(tool.write_stdin(stdin).output().unwrap())
    }

    /// Runs a line that the tool printed, as a shell does.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        let (variable, target) = &self.target;
        shell(line, self.folder.path(), variable, target)
    }
}

fn shell(line: &str, folder: &Path, variable: &str, target: &str) -> Ran {
    let tool = assert_cmd::cargo::cargo_bin("subscription-key");
    let path = format!("{}:/usr/bin:/bin", tool.parent().unwrap().display());
    let output = std::process::Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .env(variable, target)
        .stdin(std::process::Stdio::null())
        .output();
    Ran::of(output.unwrap())
}

/// The tool without a catalog.
pub(crate) fn bare(words: &[&str]) -> Command {
    let mut tool = Command::cargo_bin("subscription-key").unwrap();
    tool.args(words);
    tool.env_remove("SUBSCRIPTION_KEY_CATALOG");
    tool.env_remove("SUBSCRIPTION_KEY_DATABASE");
    tool
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The run, which must have ended with that code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The command that undoes the change.
    #[track_caller]
    pub(crate) fn undo(&self) -> &str {
        let line = self
            .err
            .lines()
            .find_map(|line| line.strip_prefix("undo: "));
        line.unwrap_or_else(|| panic!("no undo: {self:#?}"))
    }
}
