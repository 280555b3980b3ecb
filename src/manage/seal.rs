//! Keys at rest: encrypted, so that only the owner of the encryption key can read
//! them back.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::catalog::KeySlot;
use crate::manage::{RepositoryError, Secret};

/// Encrypts keys with XChaCha20-Poly1305. The subscription's id and the slot are
/// associated data: a text that was moved to another place cannot be read.
pub(super) struct Sealer(XChaCha20Poly1305);

const NONCE_BYTES: usize = 24;

/// What is encrypted once in each database, to recognize a wrong encryption key.
const CHECK: &[u8] = b"tower-subscription-key";

impl Sealer {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    pub(super) fn seal(
        &self,
        id: &str,
        slot: KeySlot,
        key: &Secret,
    ) -> Result<Vec<u8>, RepositoryError> {
        self.encrypt(key.expose().as_bytes(), &place(id, slot))
    }

    /// The key, or `None` if the text was written for another place or with
    /// another encryption key.
    pub(super) fn open(&self, id: &str, slot: KeySlot, sealed: &[u8]) -> Option<Secret> {
        let bytes = Zeroizing::new(self.decrypt(sealed, &place(id, slot))?);
        let text = str::from_utf8(&bytes).ok()?;
        Some(Secret::new(Zeroizing::new(text.to_owned())))
    }

    /// A text by which [`fits`](Self::fits) recognizes this encryption key.
    pub(super) fn check(&self) -> Result<Vec<u8>, RepositoryError> {
        self.encrypt(CHECK, b"check")
    }

    pub(super) fn fits(&self, check: &[u8]) -> bool {
        self.decrypt(check, b"check").as_deref() == Some(CHECK)
    }

    fn encrypt(&self, msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, RepositoryError> {
        let mut sealed = vec![0; NONCE_BYTES];
        getrandom::fill(&mut sealed).map_err(|error| {
            RepositoryError::new(format!("the system's random source failed: {error}"))
        })?;
        let nonce =
            XNonce::try_from(&*sealed).map_err(|_| RepositoryError::new("a nonce has 24 bytes"))?;
        let text = self
            .0
            .encrypt(&nonce, Payload { msg, aad })
            .map_err(|_| RepositoryError::new("a key could not be encrypted"))?;
        sealed.extend(text);
        Ok(sealed)
    }

    fn decrypt(&self, sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let (nonce, msg) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        self.0.decrypt(&nonce, Payload { msg, aad }).ok()
    }
}

/// The id and the slot as bytes that no other pair has.
fn place(id: &str, slot: KeySlot) -> Vec<u8> {
    let mut place = vec![u8::from(slot == KeySlot::Secondary)];
    place.extend(id.as_bytes());
    place
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new(Zeroizing::new(
            "264a41411c0b43e782f483eb6f3eaeab".to_owned(),
        ))
    }

    #[test]
    fn sealed_key_opens_only_in_its_place_with_its_encryption_key() {
        let (sealer, other) = (Sealer::new(&[1; 32]), Sealer::new(&[2; 32]));
        let sealed = sealer.seal("contoso", KeySlot::Primary, &secret()).unwrap();
        let opened = sealer.open("contoso", KeySlot::Primary, &sealed).unwrap();
        assert_eq!(opened.expose(), secret().expose());
        assert!(
            sealer
                .open("contoso", KeySlot::Secondary, &sealed)
                .is_none()
        );
        assert!(sealer.open("fabrikam", KeySlot::Primary, &sealed).is_none());
        assert!(other.open("contoso", KeySlot::Primary, &sealed).is_none());
        assert!(
            sealer
                .open("contoso", KeySlot::Primary, &sealed[..20])
                .is_none()
        );
    }

    #[test]
    fn check_recognizes_its_encryption_key() {
        let check = Sealer::new(&[1; 32]).check().unwrap();
        assert!(Sealer::new(&[1; 32]).fits(&check));
        assert!(!Sealer::new(&[2; 32]).fits(&check));
    }
}
