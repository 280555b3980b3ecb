//! The query of a request: the version of the interface, pages and filters.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::manage::rest::refusal::Refusal;
use http::StatusCode;

const TOP: &str = "$top";
const SKIP: &str = "$skip";
const AFTER: &str = "$skiptoken";
const DEFAULT_TOP: u32 = 100;
const MAX_TOP: u32 = 1000;

/// What need not be escaped in a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'$')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The parameters of a query, decoded, in their order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) top: u32,
    pub(super) skip: u64,
}

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        let decoded = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self(pairs.collect())
    }

    /// The first value of the parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(found, _)| found == name);
        values.next().map(|(_, value)| value.as_str())
    }

    /// The filter of a list.
    pub(super) fn filter(&self) -> Option<&str> {
        self.get("$filter").filter(|text| !text.trim().is_empty())
    }

    /// Refuses a request that does not name a version of the interface.
    pub(super) fn check_api_version(&self) -> Result<(), Refusal> {
        let refusal = |code, message| Err(Refusal::new(StatusCode::BAD_REQUEST, code, message));
        match self
            .get("api-version")
            .filter(|version| !version.is_empty())
        {
            None => refusal(
                "MissingApiVersionParameter",
                "the query has no `api-version`: add one, such as `api-version=2024-05-01`",
            ),
            Some(version) if is_api_version(version) => Ok(()),
            Some(_) => refusal(
                "InvalidApiVersionParameter",
                "`api-version` is a date, such as `2024-05-01` or `2024-05-01-preview`",
            ),
        }
    }

    pub(super) fn paging(&self) -> Result<Paging, Refusal> {
        let top = match self.get(TOP) {
            None => DEFAULT_TOP,
            Some(text) => number(text)
                .and_then(|top| u32::try_from(top).ok())
                .filter(|top| (1..=MAX_TOP).contains(top))
                .ok_or_else(|| Refusal::field(TOP, format!("a page has 1 to {MAX_TOP} items")))?,
        };
        let skip = match self.get(SKIP) {
            None => 0,
            Some(text) => number(text)
                .filter(|&skip| i64::try_from(skip).is_ok())
                .ok_or_else(|| Refusal::field(SKIP, "this is a number from 0 on"))?,
        };
        Ok(Paging { top, skip })
    }

    /// A flag such as `deleteSubscriptions=true`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::field(name, "this is `true` or `false`")),
        }
    }

    /// The name of the last item on the page before, in the link to a next page. Its
    /// `$skip` only counts.
    pub(super) fn after(&self) -> Option<&str> {
        self.get(AFTER)
    }

    /// The query of the page after this one, which ends with the given item.
    pub(super) fn next(&self, skip: u64, last: &str) -> String {
        let others = self
            .0
            .iter()
            .filter(|(name, _)| name != SKIP && name != AFTER);
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let skip = skip.to_string();
        let pairs = others.chain([(SKIP, &*skip), (AFTER, last)]);
        let pairs = pairs.map(|(name, value)| {
            let [name, value] = [name, value].map(|text| utf8_percent_encode(text, ESCAPED));
            format!("{name}={value}")
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// `YYYY-MM-DD`, also with `-preview`.
fn is_api_version(text: &str) -> bool {
    let date = match text.split_at_checked("YYYY-MM-DD".len()) {
        Some((date, rest)) if rest.is_empty() || rest.eq_ignore_ascii_case("-preview") => date,
        _ => return false,
    };
    let shape = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    shape && date.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn api_version_is_a_date_that_may_be_a_preview() {
        let takes = |query| Query::parse(query).check_api_version().is_ok();
        for query in [
            "api-version=2024-05-01",
            "a=b&api-version=2022-09-01-preview",
            "api%2Dversion=2024-05-01",
        ] {
            assert!(takes(Some(query)), "{query}");
        }
        for query in [
            "api-version=",
            "api-version",
            "api-version=latest",
            "api-version=2024-5-1",
            "api-version=2024-05-01-beta",
            "api-version=2024-13-01",
            "Api-Version=2024-05-01",
        ] {
            assert!(!takes(Some(query)), "{query}");
        }
        assert!(!takes(None));
    }

    #[test]
    fn paging_out_of_range_is_refused() {
        let paging = |query| Query::parse(Some(query)).paging().ok();
        assert_eq!(paging(""), Some(Paging { top: 100, skip: 0 }));
        assert_eq!(paging("$top=1&%24skip=7"), Some(Paging { top: 1, skip: 7 }));
        assert_eq!(paging("$top=1000"), Some(Paging { top: 1000, skip: 0 }));
        for query in [
            "$top=0",
            "$top=1001",
            "$top=-1",
            "$top=x",
            "$top=",
            "$skip=-1",
            "$skip=1.5",
            "$skip=99999999999999999999",
            "$skip=+1",
        ] {
            assert_eq!(paging(query), None, "{query}");
        }
    }

    #[test]
    fn query_of_the_next_page_reads_as_the_query_with_another_skip() {
        let query = Query::parse(Some(
            "api-version=2024-05-01&$filter=name+eq+%27a%26b%27&$skip=5&$top=2",
        ));
        let next = Query::parse(Some(&query.next(7, "a b")));
        assert_eq!(next.get("$filter"), Some("name eq 'a&b'"));
        assert_eq!(next.paging().unwrap(), Paging { top: 2, skip: 7 });
        assert_eq!(next.after(), Some("a b"));
        assert_eq!(next.0.len(), 5);
    }
}
