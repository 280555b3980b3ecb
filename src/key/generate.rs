//! Keys from the operating system's random source (feature `generate`).

use std::fmt::{self, Write as _};

use zeroize::{Zeroize, Zeroizing};

use super::KeyDigest;

/// The digits of prefixed keys, by value.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const RANDOM_DIGITS: usize = 30;
const CHECKSUM_DIGITS: usize = 6;
const MAX_PREFIX: usize = 32;

/// A new key. Its memory is cleared when it is dropped, and `Debug` hides it.
///
/// ```
/// use tower_subscription_key::catalog::{Scope, Subscription};
/// use tower_subscription_key::key;
///
/// let key = key::generate();
/// let subscription = Subscription::new("contoso")
///     .with_scope(Scope::AllApis)
///     .with_primary_key(key.expose());
/// assert_eq!(key.expose().len(), 32);
/// # let _ = subscription;
/// ```
pub struct GeneratedKey(Zeroizing<String>);

impl GeneratedKey {
    /// The text of the key. Show it once, to its owner, and do not store it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The digest of the key, which is what stores hold.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GeneratedKey(..)")
    }
}

/// A prefix that a key cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{prefix:?} cannot be the prefix of a key: use 1 to 32 letters, digits and `_`, \
     and no `_` at the end"
)]
#[non_exhaustive]
pub struct PrefixError {
    /// The given prefix.
    pub prefix: String,
}

/// Generates a key of 128 random bits as 32 lowercase hex digits, as Azure does.
///
/// # Panics
///
/// If the operating system has no random source.
#[must_use]
pub fn generate() -> GeneratedKey {
    let mut random = [0; 16];
    fill(&mut random);
    let mut key = Zeroizing::new(String::with_capacity(32));
    for byte in random {
        // Writing to a string cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
    random.zeroize();
    GeneratedKey(key)
}

/// Generates a key in GitHub's form, which secret scanners find: the prefix, `_`, 30
/// random base62 digits (178 bits), and the CRC-32 of these in 6 base62 digits.
///
/// ```
/// use tower_subscription_key::key;
///
/// let key = key::generate_prefixed("contoso")?;
/// assert!(key.expose().starts_with("contoso_"));
/// assert!(key::has_valid_checksum(key.expose()));
/// # Ok::<(), key::PrefixError>(())
/// ```
///
/// # Errors
///
/// [`PrefixError`] unless the prefix is 1 to 32 ASCII letters, digits and `_`, without
/// a `_` at the end.
///
/// # Panics
///
/// If the operating system has no random source.
pub fn generate_prefixed(prefix: &str) -> Result<GeneratedKey, PrefixError> {
    if !is_prefix(prefix.as_bytes()) {
        let prefix = prefix.into();
        return Err(PrefixError { prefix });
    }
    let length = prefix.len() + 1 + RANDOM_DIGITS + CHECKSUM_DIGITS;
    // Never grows: growing would leave a copy behind.
    let mut key = Zeroizing::new(String::with_capacity(length));
    key.push_str(prefix);
    key.push('_');
    let mut random = [0; 1];
    while key.len() < prefix.len() + 1 + RANDOM_DIGITS {
        fill(&mut random);
        // Each digit is equally likely: 248 is the largest multiple of 62 in a byte.
        if random[0] < 248 {
            key.push(char::from(BASE62[usize::from(random[0] % 62)]));
        }
    }
    random.zeroize();
    let checksum = checksum(&key.as_bytes()[prefix.len() + 1..]);
    key.extend(checksum.map(char::from));
    Ok(GeneratedKey(key))
}

/// Whether a key has the form of [`generate_prefixed`] and its checksum is right.
///
/// A typing error or an invented key fails this check without a lookup. A key that
/// passes it need not belong to a subscription.
#[must_use]
pub fn has_valid_checksum(key: impl AsRef<[u8]>) -> bool {
    let key = key.as_ref();
    let Some((rest, given)) = key.split_last_chunk::<CHECKSUM_DIGITS>() else {
        return false;
    };
    let Some((rest, random)) = rest.split_last_chunk::<RANDOM_DIGITS>() else {
        return false;
    };
    let Some((b'_', prefix)) = rest.split_last() else {
        return false;
    };
    is_prefix(prefix) && random.iter().all(u8::is_ascii_alphanumeric) && checksum(random) == *given
}

fn is_prefix(prefix: &[u8]) -> bool {
    (1..=MAX_PREFIX).contains(&prefix.len())
        && !prefix.ends_with(b"_")
        && prefix
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// CRC-32 (IEEE) in base62, the most significant digit first, padded with `0`.
fn checksum(random: &[u8]) -> [u8; CHECKSUM_DIGITS] {
    let mut rest = crc32fast::hash(random);
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// There is nothing that a caller could do without randomness: as in `rand` and
/// `std`'s hash maps, it is a panic. No input can cause it.
#[allow(clippy::expect_used)]
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has no random source");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn generated_key_is_32_lowercase_hex_digits_and_never_the_same() {
        let keys: HashSet<String> = (0..100).map(|_| generate().expose().to_owned()).collect();
        assert_eq!(keys.len(), 100);
        for key in keys {
            assert_eq!(key.len(), 32);
            assert!(key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        }
    }

    #[test]
    fn prefixed_key_has_the_form_of_the_contract() {
        for prefix in ["a", "my_app_2", &"x".repeat(32)] {
            let key = generate_prefixed(prefix).unwrap();
            let rest = key.expose().strip_prefix(prefix).unwrap();
            let rest = rest.strip_prefix('_').unwrap();
            assert_eq!(rest.len(), 36);
            assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric()));
            assert!(has_valid_checksum(key.expose()));
            assert_eq!(key.digest(), KeyDigest::of(key.expose()));
        }
    }

    #[test]
    fn checksum_is_crc_32_of_ieee_in_base62() {
        // 0xCBF43926 is the check value of CRC-32/ISO-HDLC: 3421780262.
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
        let by_hand = [3, 45, 35, 27, 22, 14].map(|digit: usize| BASE62[digit]);
        let value = [3u64, 45, 35, 27, 22, 14]
            .iter()
            .fold(0, |sum, digit| sum * 62 + digit);
        assert_eq!(value, 3_421_780_262);
        assert_eq!(checksum(b"123456789"), by_hand);
        // The CRC of nothing is 0: padded.
        assert_eq!(&checksum(b""), b"000000");
    }

    #[test]
    fn key_with_a_changed_character_fails_the_check() {
        let key = generate_prefixed("app").unwrap();
        let key = key.expose();
        for at in 4..key.len() {
            let mut changed = key.as_bytes().to_vec();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert!(!has_valid_checksum(&changed), "{at}");
        }
        for garbage in [
            "",
            "app_",
            "264a41411c0b43e782f483eb6f3eaeab",
            &key[4..],
            &key[..39],
        ] {
            assert!(!has_valid_checksum(garbage), "{garbage}");
        }
        // The prefix is not part of the checksum.
        assert!(has_valid_checksum(format!("other_{}", &key[4..])));
        assert!(!has_valid_checksum(format!("_{}", &key[4..])));
        assert!(!has_valid_checksum(format!("a-b_{}", &key[4..])));
    }

    #[test]
    fn prefix_that_breaks_the_rule_is_refused() {
        for prefix in ["", "_", "a_", "a-b", "é", "a b", &"x".repeat(33)] {
            let error = generate_prefixed(prefix).unwrap_err();
            assert_eq!(error.prefix, prefix);
        }
    }

    #[test]
    fn debug_hides_the_key() {
        assert_eq!(format!("{:?}", generate()), "GeneratedKey(..)");
    }
}
