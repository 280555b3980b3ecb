use std::str::FromStr;

use crate::key::KeyDigest;

/// What is no longer to be believed, because it was changed at the remote server or
/// may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidation {
    /// Everything: the catalog was replaced, or changes may have been missed.
    All,
    /// One subscription.
    Subscription {
        /// Its id.
        id: String,
        /// The keys that it has now or had before.
        keys: Vec<KeyDigest>,
    },
}

/// What is said on the channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    All,
    Definitions,
    Subscription { id: String, keys: Vec<KeyDigest> },
}

impl Message {
    /// What cannot be read was said by a newer publisher, or by nobody who should
    /// speak here: believing too little is the safe side.
    pub(super) fn read(payload: &[u8]) -> Self {
        let text = std::str::from_utf8(payload).ok();
        text.and_then(Self::parse).unwrap_or(Self::All)
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self::All),
            "definitions" => Some(Self::Definitions),
            _ => {
                let (digests, id) = text.strip_prefix("subscription ")?.split_once(' ')?;
                let keys = digests.split(',').map(KeyDigest::from_str);
                Some(Self::Subscription {
                    id: id.to_owned(),
                    keys: keys.collect::<Result<_, _>>().ok()?,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_publishers_say_is_understood() {
        let (one, two) = (KeyDigest::of("1"), KeyDigest::of("2"));
        let text = format!("subscription {},{} a b  c", one.to_hex(), two.to_hex());
        let id = "a b  c".to_owned();
        let keys = vec![one, two];
        assert_eq!(
            Message::read(text.as_bytes()),
            Message::Subscription { id, keys }
        );
        assert_eq!(Message::read(b"definitions"), Message::Definitions);
        assert_eq!(Message::read(b"all"), Message::All);
    }

    #[test]
    fn what_is_not_understood_may_be_about_everything() {
        for payload in [
            &b""[..],
            b"hello",
            b"subscription",
            b"subscription x y",
            b"\xff",
        ] {
            assert_eq!(Message::read(payload), Message::All, "{payload:?}");
        }
    }
}
