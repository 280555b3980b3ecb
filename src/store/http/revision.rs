//! The remote server's names for a version, and which of two is the older one.

use std::time::SystemTime;

use http::header::{ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

/// What the headers of an answer say about its version.
#[derive(Debug, Clone, Default)]
pub(super) struct Revision {
    pub(super) etag: Option<HeaderValue>,
    modified: Option<SystemTime>,
}

impl Revision {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let modified = headers.get(LAST_MODIFIED);
        Self {
            etag: headers.get(ETAG).cloned(),
            modified: modified.and_then(|text| date(text.to_str().ok()?)),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.etag.as_ref()?.to_str().ok()
    }

    /// How new content with this revision is older than the one before, if the
    /// headers show it: an earlier `Last-Modified`, a lower counter in the `ETag`,
    /// or the same `ETag` again.
    pub(super) fn goes_back_from(&self, before: &Self) -> Option<String> {
        let (new, old) = (self.text()?, before.text()?);
        if new == old {
            return Some(format!("the content for the ETag {old} has changed"));
        }
        let is_earlier = matches!(
            (self.modified, before.modified),
            (Some(new), Some(old)) if new < old
        );
        let is_lower = match (counter(new), counter(old)) {
            (Some((prefix, new)), Some((same, old))) => prefix == same && new < old,
            _ => false,
        };
        let is_older = is_earlier || is_lower;
        is_older.then(|| format!("the ETag {new} follows {old}"))
    }
}

/// The text before the digits of an `ETag` that ends in digits, and their number.
fn counter(etag: &str) -> Option<(&str, u64)> {
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    let etag = etag.strip_prefix('"')?.strip_suffix('"')?;
    let prefix = etag.trim_end_matches(|c: char| c.is_ascii_digit());
    // Longer ones are hashes.
    let digits = etag
        .get(prefix.len()..)
        .filter(|digits| digits.len() < 19)?;
    Some((prefix, digits.parse().ok()?)).filter(|(prefix, _)| prefix.len() <= 8)
}

fn date(text: &str) -> Option<SystemTime> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(time.timestamp().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn revision(etag: &str, modified: &str) -> Revision {
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, etag.parse().unwrap());
        headers.insert(LAST_MODIFIED, modified.parse().unwrap());
        Revision::of(&headers)
    }

    #[test]
    fn revision_goes_back_by_date_by_counter_or_by_reuse() {
        let monday = "Mon, 23 Nov 2026 08:00:00 GMT";
        let tuesday = "Tue, 24 Nov 2026 08:00:00 GMT";
        for (before, after, expected) in [
            (("\"v2\"", monday), ("\"v3\"", monday), false),
            (("\"v9\"", monday), ("\"v10\"", tuesday), false),
            (("\"v3\"", monday), ("\"v2\"", monday), true),
            (("W/\"41\"", monday), ("W/\"7\"", monday), true),
            (("\"v2\"", monday), ("\"v2\"", monday), true),
            (("\"abc\"", tuesday), ("\"def\"", monday), true),
            (("\"abc\"", monday), ("\"def\"", tuesday), false),
            (("\"a7\"", monday), ("\"b6\"", monday), false),
        ] {
            let [before, after] = [before, after].map(|(etag, date)| revision(etag, date));
            let goes_back = after.goes_back_from(&before).is_some();
            assert_eq!(goes_back, expected, "{before:?} {after:?}");
        }
    }
}
