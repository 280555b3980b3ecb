use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use constant_time_eq::constant_time_eq_32;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// The SHA-256 of a key's bytes. Stores hold digests, and lookups use them.
///
/// Stores never get a key itself. Two digests are compared in constant time, and
/// `Debug` does not show the value, because the digest of a weak key can be
/// searched for.
///
/// ```
/// use tower_subscription_key::KeyDigest;
///
/// let digest = KeyDigest::of("264a41411c0b43e782f483eb6f3eaeab");
/// assert_eq!(digest, digest.to_hex().parse()?);
/// # Ok::<(), tower_subscription_key::key::DigestParseError>(())
/// ```
#[derive(Clone, Copy)]
pub struct KeyDigest([u8; 32]);

/// The initial hash value of SHA-256 (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The longest message that fits one block with its padding.
const ONE_BLOCK: usize = 55;

impl KeyDigest {
    /// The digest of `key`, which can be any bytes.
    #[must_use]
    #[inline]
    pub fn of(key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        if key.len() <= ONE_BLOCK {
            Self(one_block(key))
        } else {
            Self(Sha256::digest(key).into())
        }
    }

    /// Takes 32 bytes that are a digest already.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest as 64 lowercase hex digits, as catalog files write it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.0
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
            .collect()
    }
}

/// SHA-256 of at most [`ONE_BLOCK`] bytes, without the buffer of the general case.
/// Keys are short, and this takes 31 ns instead of 60.
#[inline]
fn one_block(key: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    block[key.len()] = 0x80;
    let bits = 8 * key.len() as u64;
    block[56..].copy_from_slice(&bits.to_be_bytes());
    let mut state = INITIAL;
    compress256(&mut state, &[block]);

    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// In constant time: the time of the answer does not depend on the bytes.
impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq_32(&self.0, &other.0)
    }
}

impl Eq for KeyDigest {}

impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(..)")
    }
}

/// Text that is not 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest is written as 64 hex digits")]
pub struct DigestParseError;

impl FromStr for KeyDigest {
    type Err = DigestParseError;

    /// Reads 64 hex digits of either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| DigestParseError)?;
        // Without a branch for each digit, the processor reads many at once.
        let nibbles = digits.map(nibble);
        if nibbles.iter().fold(0, |all, nibble| all | nibble) > 15 {
            return Err(DigestParseError);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(nibbles.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(digest))
    }
}

/// The value of a hex digit, or more than 15.
fn nibble(digit: u8) -> u8 {
    let decimal = digit.wrapping_sub(b'0');
    let letter = (digit | 0x20).wrapping_sub(b'a');
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter + 10
    } else {
        u8::MAX
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_any_length_agrees_with_the_general_sha256() {
        let bytes: Vec<u8> = (0..=300u16).map(|n| (n % 251) as u8).collect();
        for length in 0..bytes.len() {
            let expected: [u8; 32] = Sha256::digest(&bytes[..length]).into();
            assert_eq!(
                KeyDigest::of(&bytes[..length]).as_bytes(),
                &expected,
                "{length}"
            );
        }
    }

    #[test]
    fn digest_of_a_known_text_is_the_published_one() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(KeyDigest::of("test").to_hex(), hex);
        assert_eq!(hex.to_uppercase().parse(), Ok(KeyDigest::of("test")));
    }

    #[test]
    fn hex_digits_of_either_case_are_read_and_nothing_else() {
        for byte in 0..=127u8 {
            for at in [0, 1, 31, 62, 63] {
                let mut text = [b'0'; 64];
                text[at] = byte;
                let digest = str::from_utf8(&text).unwrap().parse::<KeyDigest>();
                let value = char::from(byte).to_digit(16);
                let read = digest.map(|d| u32::from(d.as_bytes()[at / 2]) >> (4 * (1 - at % 2)));
                assert_eq!(read.ok(), value, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn text_of_another_length_or_alphabet_is_refused() {
        for text in [
            "",
            "9f86",
            &"g".repeat(64),
            &"0".repeat(63),
            &"é".repeat(32),
        ] {
            assert_eq!(text.parse::<KeyDigest>(), Err(DigestParseError), "{text}");
        }
    }

    #[test]
    fn debug_output_does_not_show_the_digest() {
        assert_eq!(format!("{:?}", KeyDigest::of("k")), "KeyDigest(..)");
    }
}
