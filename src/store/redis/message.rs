use std::str::FromStr;

use crate::key::KeyDigest;
use crate::store::Invalidation;

/// A message on the channel: a line with the revision of the catalog, then a line for
/// each change. A message without changes is a heartbeat.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// `None` in a message that cannot be read.
    pub(super) revision: Option<u64>,
    pub(super) changes: Vec<Pushed>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Definitions,
    Invalidation(Invalidation),
}

impl Message {
    /// A message that cannot be read may be about everything: a newer publisher may
    /// have sent it.
    pub(super) fn read(payload: &[u8]) -> Self {
        let text = std::str::from_utf8(payload).ok();
        text.and_then(Self::parse).unwrap_or_else(|| Self {
            revision: None,
            changes: vec![Pushed::Invalidation(Invalidation::All)],
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let revision = lines.next()?.parse().ok()?;
        let changes = lines.map(Pushed::parse).collect::<Option<_>>()?;
        Some(Self {
            revision: Some(revision),
            changes,
        })
    }

    pub(super) fn heartbeat(revision: u64) -> String {
        revision.to_string()
    }
}

impl Pushed {
    fn parse(line: &str) -> Option<Self> {
        match line {
            "all" => Some(Self::Invalidation(Invalidation::All)),
            "definitions" => Some(Self::Definitions),
            _ => {
                let (digests, id) = line.strip_prefix("subscription ")?.split_once(' ')?;
                let keys = digests.split(',').map(KeyDigest::from_str);
                Some(Self::Invalidation(Invalidation::Subscription {
                    id: id.to_owned(),
                    keys: keys.collect::<Result<_, _>>().ok()?,
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_with_several_changes_is_read_in_order() {
        let (one, two) = (KeyDigest::of("1"), KeyDigest::of("2"));
        let (first, second) = (one.to_hex(), two.to_hex());
        let text = format!("7\ndefinitions\nsubscription {first},{second} a b  c");
        let id = "a b  c".to_owned();
        let keys = vec![one, two];
        let subscription = Invalidation::Subscription { id, keys };
        let expected = Message {
            revision: Some(7),
            changes: vec![Pushed::Definitions, Pushed::Invalidation(subscription)],
        };
        assert_eq!(Message::read(text.as_bytes()), expected);
    }

    #[test]
    fn heartbeat_has_a_revision_and_no_changes() {
        let message = Message::read(Message::heartbeat(7).as_bytes());
        assert_eq!((message.revision, message.changes), (Some(7), Vec::new()));
    }

    #[test]
    fn unreadable_message_invalidates_everything() {
        for payload in [&b""[..], b"hello", b"1\n", b"1\nsubscription x y", b"\xff"] {
            let message = Message::read(payload);
            assert_eq!(message.changes, [Pushed::Invalidation(Invalidation::All)]);
            assert_eq!(message.revision, None, "{payload:?}");
        }
    }
}
