//! A change: on a database at once, on a file when it is committed.

use std::ffi::OsString;
use std::path::Path;

use tower_subscription_key::catalog::{Catalog, KeySlot};
use tower_subscription_key::document::{Format, HostKeys, KeySources};
use tower_subscription_key::key::KeyDigest;
use tower_subscription_key::manage::{
    Caller, Expected, Import, ImportOptions, Manage, ManageError, RecordRef,
};

use crate::args::Common;
use crate::edit::{self, KeyForm, KeyForms, Kind, Outline, Syntax};
use crate::failure::{Failure, Result};
use crate::file::{CatalogFile, Lock, refused};
use crate::record::Record;
use crate::target::{self, Missing, Target};
use crate::{database, names, output};

/// The all-access subscription that every new repository has.
const MASTER: &str = "master";

/// A repository that is being changed.
pub(crate) struct Session {
    pub(crate) manage: Manage,
    pub(crate) caller: Caller,
    pub(crate) flags: Vec<String>,
    file: Option<FileEdit>,
}

/// A file with its catalog in memory.
struct FileEdit {
    file: CatalogFile,
    lock: Lock,
    text: String,
    before: Catalog,
    forms: KeyForms,
    /// Digests of keys that are not known here.
    unknown: Vec<KeyDigest>,
}

impl Session {
    pub(crate) async fn open(common: &Common, missing: Missing) -> Result<Self> {
        let (manage, file) = match Target::of(common)? {
            Target::File(path) => {
                let file = CatalogFile::new(path)?;
                let (manage, edit) = FileEdit::open(file, missing).await?;
                (manage, Some(edit))
            }
            Target::Database(url) => (database::open(&url, missing).await?, None),
        };
        Ok(Self {
            manage,
            caller: caller(common),
            flags: target::flags(common),
            file,
        })
    }

    /// A session for a dry run: a missing database is not made.
    pub(crate) async fn open_to_look(common: &Common) -> Result<Self> {
        let target = Target::of(common)?;
        let is_new = matches!(&target, Target::Database(url) if database::is_missing_file(url));
        if !is_new {
            return Self::open(common, Missing::Make).await;
        }
        Ok(Self {
            manage: Manage::in_memory()?,
            caller: caller(common),
            flags: target::flags(common),
            file: None,
        })
    }

    pub(crate) fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// The file, if this session makes it: one that exists has APIs.
    pub(crate) fn new_file(&self) -> Option<&Path> {
        let edit = self.file.as_ref()?;
        let is_new = edit.before.apis().next().is_none();
        is_new.then(|| edit.file.path())
    }

    /// The value of a flag, which a file has no place for.
    pub(crate) fn database_only<T>(&self, flag: &str, value: Option<T>) -> Option<T> {
        if value.is_none() || !self.is_file() {
            return value;
        }
        let what = "a catalog file has no place for";
        output::warning(&format!("{what} {flag}: it is left out"));
        None
    }

    /// Whether the key in a slot comes from a variable that is not set here.
    pub(crate) async fn has_unknown_key(&self, id: &str, slot: KeySlot) -> Result<bool> {
        let Some(edit) = &self.file else {
            return Ok(false);
        };
        let record = self.record(&RecordRef::subscription(id)).await?;
        let digest = match &record {
            Some(Record::Subscription(record)) => {
                record.to_catalog().key(slot).map(|key| *key.digest())
            }
            _ => None,
        };
        Ok(digest.is_some_and(|digest| edit.unknown.contains(&digest)))
    }

    /// Writes new keys of the given digests as references, not as digests.
    pub(crate) fn add_forms(&mut self, forms: KeyForms) {
        if let Some(edit) = &mut self.file {
            edit.forms.extend(forms);
        }
    }

    /// The APIs and products as they are now.
    pub(crate) async fn definitions(&self) -> Result<Catalog> {
        Ok(self.manage.export_definitions(&self.caller).await?)
    }

    /// The record as it is now, if it exists.
    pub(crate) async fn record(&self, record: &RecordRef) -> Result<Option<Record>> {
        Record::find(&self.manage, &self.caller, record).await
    }

    /// Writes what has changed back to the file.
    pub(crate) async fn commit(&self) -> Result {
        let Some(edit) = &self.file else {
            return Ok(());
        };
        let after = self.manage.export(&self.caller).await?;
        let refused =
            |error| Failure::refused(format_args!("{}: {error}", edit.file.path().display()));
        let changes = edit::diff(&edit.before, &after, &edit.forms).map_err(refused)?;
        if changes.is_empty() {
            return Ok(());
        }
        let text = edit::apply(edit.file.format(), &edit.text, &changes).map_err(refused)?;
        // Nothing is written that the reader would not take.
        read(&edit.file, &text)?;
        edit.file.replace(&edit.lock, &text)
    }

    /// The accepted value, or a refusal that names the flag of the wrong field.
    pub(crate) async fn accepted<T>(&self, result: Result<T, ManageError>) -> Result<T> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        Err(match &error {
            ManageError::NotFound { record } => {
                names::not_found(&self.manage, &self.caller, record).await
            }
            ManageError::Invalid { issues, .. } => {
                let lines = issues.iter().map(|issue| match flag(&issue.field) {
                    Some(flag) => format!("{flag}: {}", issue.message),
                    None => issue.to_string(),
                });
                Failure::refused(lines.collect::<Vec<_>>().join("\n"))
            }
            _ => error.into(),
        })
    }
}

/// The flag that sets a field.
fn flag(field: &str) -> Option<&'static str> {
    Some(match field {
        "display_name" => "--name",
        "path" => "--path",
        "key_header" => "--header",
        "key_query" => "--query",
        "apis" => "--api",
        "scope" | "scopes" => "--scope",
        "owner" => "--owner",
        "not_before" => "--not-before",
        "expires_at" => "--expires",
        "key_prefix" => "--prefix",
        "grace" => "--grace",
        "metadata" => "--metadata",
        "description" => "--description",
        "terms" => "--terms",
        "subscriptions_limit" => "--subscriptions-limit",
        "subscription_required" => "--subscription-required",
        _ => return None,
    })
}

fn caller(common: &Common) -> Caller {
    let name = common.caller.clone().unwrap_or_else(|| {
        let user = ["USER", "LOGNAME", "USERNAME"];
        let user = user.iter().find_map(|name| std::env::var(name).ok());
        let user = user.filter(|user| !user.is_empty()).or_else(system_user);
        format!("cli:{}", user.unwrap_or_else(|| "unknown".to_owned()))
    });
    Caller::publisher(name)
}

/// The name of the user that runs this process, or its number.
#[cfg(unix)]
fn system_user() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = users.lines().map(|line| line.split(':'));
    let name = lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1) == Some(&uid)).then(|| name.to_owned())
    });
    name.or(Some(uid))
}

#[cfg(not(unix))]
fn system_user() -> Option<String> {
    None
}

impl FileEdit {
    async fn open(file: CatalogFile, missing: Missing) -> Result<(Manage, Self)> {
        // A file that cannot be edited is not locked.
        let syntax = Syntax::of(file.format()).map_err(|error| {
            Failure::refused(format_args!("{}: {error}", file.path().display()))
        })?;
        if !file.exists() && missing == Missing::Refuse {
            file.read()?;
        }
        let lock = file.lock()?;
        let is_new = !file.exists();
        let text = if is_new {
            new_text(file.format()).to_owned()
        } else {
            file.read()?
        };
        let manage = Manage::in_memory()?;
        let caller = Caller::publisher("file");
        let mut edit = Self {
            before: Catalog::builder()
                .allow_no_apis()
                .build()
                .map_err(Failure::refused)?,
            lock,
            text,
            forms: KeyForms::new(),
            unknown: Vec::new(),
            file,
        };
        let mut has_master = false;
        if !is_new {
            let catalog = read(&edit.file, &edit.text)?;
            has_master = catalog.subscription(MASTER).is_some();
            edit.find_forms(syntax, &catalog)?;
            let options = ImportOptions {
                replace: true,
                ..ImportOptions::default()
            };
            let import = Import::from(&catalog);
            manage.import(&caller, import, options).await?;
        }
        if !has_master {
            manage
                .delete_subscription(&caller, MASTER, Expected::Anything)
                .await?;
        }
        edit.before = manage.export(&caller).await?;
        Ok((manage, edit))
    }

    /// Remembers which keys the file only refers to.
    fn find_forms(&mut self, syntax: Syntax, catalog: &Catalog) -> Result {
        let outline = syntax.outline(&self.text).map_err(Failure::refused)?;
        for (digest, form) in references(&outline, catalog) {
            if matches!(&form, KeyForm::Env(name) if std::env::var_os(name).is_none()) {
                self.unknown.push(digest);
            }
            self.forms.insert(digest, form);
        }
        Ok(())
    }
}

/// Reads a catalog for an edit: a key from an unset variable is unknown.
fn read(file: &CatalogFile, text: &str) -> Result<Catalog> {
    file.parse_with(text, &EditKeys::default()).map_err(refused)
}

/// Reads a catalog, and where its keys come from. If unknown keys may stay
/// references, unset variables are unknown keys.
pub(crate) fn read_with_forms(
    file: &CatalogFile,
    text: &str,
    keep_references: bool,
) -> Result<(Box<Catalog>, KeyForms)> {
    // YAML has no outline, so that its references become digests.
    let syntax = Syntax::of(file.format()).ok().filter(|_| keep_references);
    let Some(syntax) = syntax else {
        let catalog = file.parse_with(text, &HostKeys::new()).map_err(refused)?;
        return Ok((Box::new(catalog), KeyForms::new()));
    };
    let catalog = read(file, text)?;
    let outline = syntax.outline(text).map_err(Failure::refused)?;
    // A key file is relative to its own catalog.
    let mut forms = references(&outline, &catalog);
    forms.retain(|(_, form)| matches!(form, KeyForm::Env(_)));
    let forms = forms.into_iter().collect();
    Ok((Box::new(catalog), forms))
}

/// The keys that a file only refers to.
fn references(outline: &Outline, catalog: &Catalog) -> Vec<(KeyDigest, KeyForm)> {
    let mut references = Vec::new();
    for entry in outline.entries(Kind::Subscription) {
        let subscription = catalog.subscription(&entry.id);
        for slot in [KeySlot::Primary, KeySlot::Secondary] {
            let field = format!("{slot}_key");
            let env = entry
                .inner_text(&field, "env")
                .map(|name| KeyForm::Env(name.to_owned()));
            let path = entry
                .inner_text(&field, "file")
                .map(|path| KeyForm::File(path.to_owned()));
            let key = subscription
                .as_ref()
                .and_then(|subscription| subscription.key(slot));
            if let (Some(form), Some(key)) = (env.or(path), key) {
                references.push((*key.digest(), form));
            }
        }
    }
    references
}

/// The environment and the files of this process. An unset variable is an unknown
/// key.
#[derive(Debug, Default)]
pub(crate) struct EditKeys(HostKeys);

impl KeySources for EditKeys {
    fn env(&self, name: &str) -> Option<OsString> {
        self.0.env(name).or_else(|| Some(stand_in(name)))
    }

    fn file(&self, path: &std::path::Path) -> std::io::Result<Vec<u8>> {
        self.0.file(path)
    }
}

/// A random key, the same for each use of one variable in this process.
pub(crate) fn stand_in(name: &str) -> OsString {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::LazyLock;
    static SEEDS: LazyLock<[RandomState; 4]> =
        LazyLock::new(|| std::array::from_fn(|_| RandomState::new()));
    let parts = SEEDS
        .iter()
        .map(|seed| format!("{:016x}", seed.hash_one(name)));
    parts.collect::<String>().into()
}

fn new_text(format: Format) -> &'static str {
    match format {
        Format::Json => "{\n  \"apis\": [],\n  \"products\": [],\n  \"subscriptions\": []\n}\n",
        _ => "",
    }
}
