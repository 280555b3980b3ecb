use serde_json::json;
use tower_subscription_key::catalog::SubscriptionKey;
use tower_subscription_key::key;

use crate::args::{Common, Generate};
use crate::failure::{Failure, Result};
use crate::{keys, output};

/// Prints the digest of a key.
pub(super) fn hash(common: &Common) -> Result {
    let text = keys::read_one("Key")?;
    let key = keys::subscription_key(&text)?;
    let sha256 = SubscriptionKey::digest(&key).to_hex();
    if common.json {
        output::json(&json!({ "sha256": sha256 }))
    } else {
        output::print(&format!("{sha256}\n"))
    }
}

/// Prints a new key, which is stored nowhere.
pub(super) fn generate(common: &Common, args: Generate) -> Result {
    let key = match &args.prefix {
        Some(prefix) => key::generate_prefixed(prefix).map_err(Failure::refused)?,
        None => key::generate(),
    };
    let cure = "run `subscription-key generate` again";
    if common.json {
        let sha256 = key.digest().to_hex();
        let text = output::json_text(&json!({ "key": key.expose(), "sha256": sha256 }))?;
        output::print_keys(&text, cure)
    } else {
        output::print_keys(&format!("{}\n", key.expose()), cure)
    }
}
