use serde_json::Value;

use crate::catalog::{Entity, EntityKind, KeySlot};
use crate::document::{self, DocumentError, Format};
use crate::lint::{Code, Finding, key_field};

/// Keys below this can be guessed by someone who tries.
const MIN_BITS: f64 = 80.0;

/// Findings about keys that are written in a document as text: that they are, and
/// that they are weak. The findings do not hold the keys.
///
/// ```
/// use tower_subscription_key::document::Format;
/// use tower_subscription_key::lint::{Code, written_keys};
///
/// let document = r#"{"subscriptions": [{"id": "contoso", "primary_key": "secret"}]}"#;
/// let findings = written_keys(document, Format::Json)?;
/// let codes: Vec<Code> = findings.iter().map(|finding| finding.code()).collect();
/// assert_eq!(codes, [Code::WeakKey, Code::PlaintextKey]);
/// # Ok::<(), tower_subscription_key::document::DocumentError>(())
/// ```
///
/// # Errors
///
/// [`DocumentError`] if the syntax of the document is broken.
pub fn written_keys(
    document: impl AsRef<[u8]>,
    format: Format,
) -> Result<Vec<Finding>, DocumentError> {
    let document = document::value(document.as_ref(), format)?;
    let subscriptions = document.get("subscriptions").and_then(Value::as_array);
    let mut findings = Vec::new();
    for (index, subscription) in subscriptions.into_iter().flatten().enumerate() {
        let id = subscription.get("id").and_then(Value::as_str);
        let entity = Entity::new(EntityKind::Subscription, index, id.unwrap_or_default());
        for slot in [KeySlot::Primary, KeySlot::Secondary] {
            let key = subscription.get(key_field(slot));
            let value = key.map(|key| key.get("value").unwrap_or(key));
            if let Some(key) = value.and_then(Value::as_str) {
                written_key(&entity, slot, key, &mut findings);
            }
        }
    }
    Ok(findings)
}

fn written_key(entity: &Entity, slot: KeySlot, key: &str, findings: &mut Vec<Finding>) {
    let field = Some(key_field(slot));
    if bits(key) < MIN_BITS {
        let message = format!("the {slot} key has fewer than 80 bits and can be guessed");
        let (code, entity) = (Code::WeakKey, entity.clone());
        findings.push(Finding::new(code, entity, field, message, "regenerate it"));
    }
    let message = format!("the {slot} key is in the file as text");
    let advice = "write its sha256 instead: everyone who can read the file can use the key";
    let (code, entity) = (Code::PlaintextKey, entity.clone());
    findings.push(Finding::new(code, entity, field, message, advice));
}

/// The length times the bits of a character of the smallest alphabet that has
/// all of them.
fn bits(key: &str) -> f64 {
    let all = |fits: fn(char) -> bool| key.chars().all(fits);
    let alphabet = if all(|c| c.is_ascii_digit()) {
        10
    } else if all(|c| matches!(c, '0'..='9' | 'a'..='f'))
        || all(|c| matches!(c, '0'..='9' | 'A'..='F'))
    {
        16
    } else if all(|c| c.is_ascii_lowercase()) || all(|c| c.is_ascii_uppercase()) {
        26
    } else if all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        || all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    {
        36
    } else if all(|c| c.is_ascii_alphabetic()) {
        52
    } else if all(|c| c.is_ascii_alphanumeric()) {
        62
    } else {
        95
    };
    key.chars().count() as f64 * f64::from(alphabet).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_count_the_smallest_alphabet_of_the_key() {
        for (key, expected) in [
            ("", 0.0),
            ("0123456789", 10.0 * 10_f64.log2()),
            ("264a41411c0b43e782f483eb6f3eaeab", 128.0),
            ("abcz", 4.0 * 26_f64.log2()),
            ("abc1z", 5.0 * 36_f64.log2()),
            ("aB", 2.0 * 52_f64.log2()),
            ("aB1", 3.0 * 62_f64.log2()),
            ("a-b", 3.0 * 95_f64.log2()),
        ] {
            assert!((bits(key) - expected).abs() < 1e-9, "{key}");
        }
    }
}
