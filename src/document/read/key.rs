use zeroize::Zeroizing;

use crate::catalog::{KeySlot, SubscriptionKey};
use crate::document::Environment;
use crate::document::read::fields::Fields;
use crate::document::tree::Value;
use crate::key::{KeyDigest, MAX_KEY_BYTES};

const SOURCES: [&str; 3] = ["value", "sha256", "env"];
const KNOWN: [&str; 4] = ["value", "sha256", "env", "expires_at"];

pub(super) const PRIMARY: &str = "primary_key";
pub(super) const SECONDARY: &str = "secondary_key";

const LENGTH: &str = "a key has 1 to 256 bytes";

/// The name of a slot's field.
pub(in crate::document) fn field(slot: KeySlot) -> &'static str {
    match slot {
        KeySlot::Primary => PRIMARY,
        KeySlot::Secondary => SECONDARY,
    }
}

impl Fields<'_, '_> {
    /// A key: text, or a table that says where it comes from.
    pub(super) fn key(
        &mut self,
        slot: KeySlot,
        environment: Environment<'_>,
    ) -> Option<SubscriptionKey> {
        let field = field(slot);
        let node = self.get(field)?;
        match &node.value {
            Value::Text(key) => self.checked_key(node.at, field, key),
            Value::Table(_) => self.inner(field)?.key_table(environment),
            _ => {
                let expected = "text, or a table with one of value, sha256 and env";
                self.refuse_kind(node, field, expected);
                None
            }
        }
    }

    fn key_table(&mut self, environment: Environment<'_>) -> Option<SubscriptionKey> {
        self.only_untold(&KNOWN);
        let mut sources = SOURCES.iter().filter_map(|name| self.get(name));
        let (first, second) = (sources.next(), sources.next());
        drop(sources);
        if first.is_none() {
            let what = "a key table has one of value, sha256 and env: add one";
            self.refuse(self.node().at, "", what);
        } else if let Some(second) = second {
            let what = "a key table has only one of value, sha256 and env: keep that";
            self.refuse(second.at, "", what);
        }
        let value = self.key_value();
        let sha256 = self.key_digest();
        let env = self.key_in_environment(environment);
        let expires_at = self.time("expires_at");
        let key = value.or(sha256).or(env)?;
        Some(match expires_at {
            Some(end) => key.with_expiry(end),
            None => key,
        })
    }

    fn key_value(&mut self) -> Option<SubscriptionKey> {
        let key = self.text("value")?;
        let at = self.get("value")?.at;
        self.checked_key(at, "value", key)
    }

    fn key_digest(&mut self) -> Option<SubscriptionKey> {
        let text = self.text("sha256")?;
        let at = self.get("sha256")?.at;
        match text.parse::<KeyDigest>() {
            Ok(digest) => Some(digest.into()),
            Err(error) => {
                self.refuse(at, "sha256", error);
                None
            }
        }
    }

    fn key_in_environment(&mut self, environment: Environment<'_>) -> Option<SubscriptionKey> {
        let name = self.text("env")?;
        let at = self.get("env")?.at;
        match from_environment(name, environment) {
            Ok(key) => Some(key),
            Err(error) => {
                self.refuse(at, "env", format!("{} {error}", told(name)));
                None
            }
        }
    }

    fn checked_key(&mut self, at: usize, field: &str, key: &str) -> Option<SubscriptionKey> {
        let key = from_text(key);
        if key.is_none() {
            self.refuse(at, field, LENGTH);
        }
        key
    }
}

/// `None` where it is too long or too short for a key.
pub(in crate::document) fn from_text(text: &str) -> Option<SubscriptionKey> {
    let is_key = (1..=MAX_KEY_BYTES).contains(&text.len());
    is_key.then(|| SubscriptionKey::new(text))
}

/// What is wrong with a variable that should hold a key.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(in crate::document) enum VariableError {
    #[error("is not read: only a catalog file can take a key from the environment; give `sha256`")]
    Foreign,
    #[error("is not set: set it before the catalog is loaded")]
    NotSet,
    #[error("holds no text (UTF-8)")]
    NoText,
    #[error("holds no key: {LENGTH}")]
    NoKey,
}

pub(in crate::document) fn from_environment(
    name: &str,
    environment: Environment<'_>,
) -> Result<SubscriptionKey, VariableError> {
    let environment = environment.ok_or(VariableError::Foreign)?;
    let value = environment(name).ok_or(VariableError::NotSet)?;
    let key = value.into_string().map(Zeroizing::new);
    let key = key.map_err(|_| VariableError::NoText)?;
    from_text(&key).ok_or(VariableError::NoKey)
}

/// The variable by name, if that is surely no key that was put in its place:
/// keys in hex or base32 are letters and digits too, but have no underscore.
fn told(name: &str) -> String {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let begins_well = name.starts_with(|char: char| !char.is_ascii_digit());
    if begins_well && name.contains('_') && name.bytes().all(is_part) {
        format!("the environment variable {name}")
    } else {
        "the environment variable that is named here".into()
    }
}
