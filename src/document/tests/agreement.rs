//! The reader of JSON accepts exactly what the reader of trees accepts, also if it
//! reads in parts.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::catalog::{Catalog, Scope};
use crate::document::explain::{Notes, json as json_tree};
use crate::document::reader::{Broken, Reader, Rules};
use crate::document::{KeySources, findings, json};
use proptest::prelude::*;

struct Machine;

impl KeySources for Machine {
    fn env(&self, name: &str) -> Option<OsString> {
        match name {
            "CONTOSO_KEY" => Some("from-the-environment".into()),
            "EMPTY_KEY" => Some("".into()),
            _ => None,
        }
    }

    fn file(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(b"from-a-file".to_vec())
    }
}

fn quick(text: &str, bytes: usize) -> Option<Catalog> {
    let read = json::read_by(text.as_bytes(), bytes, Rules::of_files(Some(&Machine)));
    let read = read.map_err(|Broken| ()).ok()?;
    findings::build(vec![read]).ok().map(|(catalog, _)| catalog)
}

fn by_tree(text: &str) -> Option<Catalog> {
    let mut notes = Notes::default();
    let mut tree = json_tree::tree(text, &mut notes)?;
    let mut reader = Reader::new(Rules::of_files(Some(&Machine)));
    reader.read.notes = notes;
    reader.tree(&mut tree);
    findings::build(vec![reader.read])
        .ok()
        .map(|(catalog, _)| catalog)
}

/// Whether both take it; that they make the same of it, where they do.
#[track_caller]
fn is_taken(text: &str) -> bool {
    is_taken_in_parts(text, text.len())
}

/// The same, cut into parts of about that many bytes.
#[track_caller]
fn is_taken_in_parts(text: &str, bytes: usize) -> bool {
    let quick = quick(text, bytes);
    let explained = by_tree(text);
    match (&quick, &explained) {
        (Some(quick), Some(explained)) => {
            assert!(quick.apis().eq(explained.apis()), "{text}");
            assert!(quick.products().eq(explained.products()), "{text}");
            assert!(
                quick.subscriptions().eq(explained.subscriptions()),
                "{text}"
            );
        }
        (None, None) => {}
        _ => panic!("quick: {quick:?}, explained: {explained:?}\n{text}"),
    }
    quick.is_some()
}

const API: &[&str] = &[
    r#""id": "a""#,
    r#""path": "/a""#,
    r#""display_name": "é\u00e9\ud83d\ude00""#,
    r#""subscription_required": false"#,
    r#""key_names": {"header": "X-Key", "query": "k"}"#,
    r#""key_names": {}"#,
    r#""metadata": {"a": [1, -2, 0.5, -0, 1e3, 18446744073709551616, null, true, "\t", {}], "b": {"a": 1}}"#,
    r#""metadata": {}"#,
];

const PRODUCT: &[&str] = &[
    r#""id": "p""#,
    r#""apis": ["a"]"#,
    r#""apis": []"#,
    r#""published": false"#,
    r#""subscription_required": false"#,
    r#""metadata": {"x": 1}"#,
];

const SUBSCRIPTION: &[&str] = &[
    r#""id": "s""#,
    r#""scope": "/""#,
    r#""scopes": ["/apis/a", "/products/p", "/apis"]"#,
    r#""primary_key": "k\u00e91""#,
    r#""secondary_key": "k2""#,
    r#""primary_key": {"value": "k3", "expires_at": "2027-01-01T00:00:00Z"}"#,
    r#""secondary_key": {"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,
    r#""primary_key": {"expires_at": "2027-01-01T00:00:00Z", "env": "CONTOSO_KEY"}"#,
    r#""owner": "o""#,
    r#""display_name": "S""#,
    r#""state": "suspended""#,
    r#""not_before": "2026-01-01T00:00:00.5+02:00""#,
    r#""expires_at": "9999-12-31T23:59:59Z""#,
    r#""metadata": {"plan": "gold"}"#,
];

/// What is refused in any place that has fields.
const FOREIGN: &[&str] = &[
    r#""colour": 1"#,
    r#""id": 5"#,
    r#""id": null"#,
    r#""\u0069d": "x""#,
    r#""id": "\ud800""#,
    r#""metadata": []"#,
    r#""metadata": {"a": 1e999}"#,
    r#""metadata": {"a": {"b": 1, "b": 2}}"#,
    r#""subscription_required": "true""#,
    r#""path": "a""#,
    r#""key_names": {"header": "é"}"#,
    r#""key_names": {"query": ""}"#,
    r#""key_names": {"cookie": "c"}"#,
    r#""key_names": {"query": "a", "query": "b"}"#,
    r#""apis": ["nope"]"#,
    r#""apis": [1]"#,
    r#""apis": "a""#,
    r#""scope": "/apis/b""#,
    r#""scope": "x""#,
    r#""scopes": []"#,
    r#""state": "Active""#,
    r#""not_before": "2026-01-01""#,
    r#""primary_key": """#,
    r#""primary_key": 12345678"#,
    r#""primary_key": null"#,
    r#""primary_key": {}"#,
    r#""primary_key": ["k"]"#,
    r#""primary_key": {"value": "a", "env": "CONTOSO_KEY"}"#,
    r#""primary_key": {"value": "a", "value": "b"}"#,
    r#""primary_key": {"value": "a", "note": "b"}"#,
    r#""primary_key": {"sha256": "9f86"}"#,
    r#""primary_key": {"env": "NO_SUCH_KEY"}"#,
    r#""primary_key": {"env": "EMPTY_KEY"}"#,
    r#""primary_key": {"value": 1}"#,
    r#""primary_key": {"value": "a", "expires_at": null}"#,
    r#""secondary_key": "k2", "primary_key": "k2""#,
];

/// Fields of one entry: mostly those that belong there, in any order.
fn entry(own: &'static [&'static str], needed: usize) -> impl Strategy<Value = String> {
    let own = prop::sample::subsequence(own.to_vec(), needed..own.len().min(needed + 4));
    let foreign = prop::sample::select(FOREIGN.to_vec());
    let foreign = prop::option::weighted(0.1, foreign);
    (own.prop_shuffle(), foreign).prop_map(|(own, foreign)| {
        let fields: Vec<&str> = own.into_iter().chain(foreign).collect();
        format!("{{{}}}", fields.join(", "))
    })
}

fn list(entry: impl Strategy<Value = String>, most: usize) -> impl Strategy<Value = String> {
    let entries = prop::collection::vec(entry, 0..=most);
    entries.prop_map(|entries| format!("[{}]", entries.join(",")))
}

fn document() -> impl Strategy<Value = String> {
    let lists = (
        list(entry(API, 2), 1),
        list(entry(PRODUCT, 1), 1),
        list(entry(SUBSCRIPTION, 3), 2),
    );
    lists.prop_map(|(apis, products, subscriptions)| {
        format!(r#"{{"subscriptions": {subscriptions}, "apis": {apis}, "products": {products}}}"#)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn readers_agree_on_nearly_right_documents(text in document()) {
        is_taken(&text);
    }
}

/// Documents with what looks like a place to cut where none is.
fn misleading() -> impl Strategy<Value = String> {
    let metadata = prop::sample::select(vec![
        r#"{"a": [{"id": 1}, {"id": "},{\"id\": 2"}, {"scope": "/"}]}"#,
        r#"{"a": "}, {\"id\":"}"#,
        r#"{"},\n{": [{}, {}]}"#,
        "{}",
    ]);
    let subscription = (metadata, "[a-d]{1,3}", any::<bool>()).prop_map(|(metadata, id, wide)| {
        let space = if wide { "\n\t " } else { "" };
        format!(
            r#"{{{space}"id":"{id}","scope":"/","metadata":{metadata},"primary_key":"{id}"}}{space}"#
        )
    });
    let lists = (
        list(subscription, 12),
        list(entry(PRODUCT, 1), 3),
        any::<bool>(),
        prop::sample::select(vec!["", "", "", r#","subscriptions":[]"#, ",", "]", " x"]),
    );
    lists.prop_map(|(subscriptions, products, first, end)| {
        let apis = r#""apis":[{"id":"a","path":"/a"}]"#;
        let lists = match first {
            true => format!(r#""subscriptions": {subscriptions} , "products":{products}, {apis}"#),
            false => format!(r#"{apis}, "products":{products}, "subscriptions": {subscriptions}"#),
        };
        format!("{{{lists}{end}}}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn readers_agree_on_documents_in_parts(text in prop_oneof![misleading(), document()], bytes in 1..300_usize) {
        is_taken_in_parts(&text, bytes);
    }
}

#[test]
fn document_in_parts_is_read_in_order() {
    let subscription = |n: usize| {
        format!(
            r#"{{"id": "s-{n}", "scope": "/apis/{}", "owner": "o", "primary_key": "{n}"}}"#,
            n % 2
        )
    };
    let subscriptions: Vec<String> = (0..500).map(subscription).collect();
    let text = format!(
        r#"{{"subscriptions": [{}], "apis": [{{"id": "1", "path": "/1"}}, {{"id": "0", "path": "/0"}}]}}"#,
        subscriptions.join(",\n")
    );
    let parts: Vec<&[u8]> = json::cut(text.as_bytes(), 1_000).collect();
    assert!(parts.len() > 20);
    assert_eq!(parts.concat(), text.as_bytes());
    let parts = parts.into_iter().map(Ok::<_, std::convert::Infallible>);
    let (mut most, mut last) = (0, 0);
    let read = json::read_parts(parts, Rules::of_files(None), |entries, bytes| {
        most = entries.max(most);
        last = bytes;
    });
    let read = read.unwrap().map_err(|Broken| ()).unwrap();
    let (catalog, _) = findings::build(vec![read]).map_err(drop).unwrap();
    let ids: Vec<String> = catalog.subscriptions().map(|s| s.id().to_owned()).collect();
    let expected: Vec<String> = (0..500).map(|n| format!("s-{n}")).collect();
    assert_eq!(ids, expected);
    assert_eq!(
        catalog.subscription("s-7").unwrap().scopes(),
        [Scope::Api("1".into())]
    );
    assert!(most <= 500);
    assert_eq!(last, text.len() as u64);
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    const API: &str = r#""apis": [{"id": "a", "path": "/a"}]"#;
    const ONE: &str = r#"{"id": "s", "scope": "/", "primary_key": "k"}"#;
    let begins = format!(r#"{{{API}, "subscriptions": [{ONE},"#);
    let is_taken = |parts: &[&str]| {
        let parts = parts.iter().map(Ok::<_, std::convert::Infallible>);
        let read = json::read_parts(parts, Rules::of_files(None), |_, _| {});
        read.unwrap().is_ok()
    };
    assert!(is_taken(&[&begins, &format!("{ONE}]}}")]));
    for parts in [
        // The first is a whole document.
        &[&format!("{{{API}}}")[..], &format!("{ONE}]}}")][..],
        &[&begins],
        &[&begins, ONE],
        &[&begins, &format!("{ONE},")],
        &[&begins, &format!("{ONE}], {API}}}")],
        &[&begins, &format!(r#"{ONE}], "subscriptions": []}}"#)],
        &[&begins, ""],
        &[],
    ] {
        assert!(!is_taken(parts), "{parts:?}");
    }
}

/// Wraps one subscription.
fn with_subscription(fields: &str) -> String {
    format!(
        r#"{{"apis": [{{"id": "a", "path": "/a"}}], "subscriptions": [{{"id": "s", {fields}}}]}}"#
    )
}

#[test]
fn readers_agree_on_every_kind_of_value() {
    let is_whole = |field: &str| field.starts_with("\"id\"") || field.starts_with("\"path\"");
    for field in API.iter().filter(|field| !is_whole(field)) {
        let text = format!(r#"{{"apis": [{{"id": "a", "path": "/a", {field}}}]}}"#);
        assert!(is_taken(&text), "{field}");
    }
    for field in SUBSCRIPTION.iter().filter(|field| !is_whole(field)) {
        let mut fields = vec![*field];
        if !field.contains("_key\"") {
            fields.push("\"primary_key\": \"k\"");
        }
        if !field.starts_with("\"scope") {
            fields.push("\"scope\": \"/\"");
        }
        let text = with_subscription(&fields.join(", ")).replace("\"/products/p\", ", "");
        assert!(is_taken(&text), "{field}");
    }
}

#[test]
fn readers_agree_on_escapes() {
    for text in [
        r#"{"ap\u0069s": [{"\u0069d": "a", "p\u0061th": "\/\u0061"}]}"#,
        r#"{"apis": [{"id": "a", "path": "", "key\u005fnames": {"que\u0072y": "\u006b"}}]}"#,
        r#"{"apis": [{"id": "a", "path": ""}], "subscriptions": [
            {"id": "\u0073", "scope": "\u002f", "primary_key": {"v\u0061lue": "\u006b"}}]}"#,
    ] {
        assert!(is_taken(text), "{text}");
    }
}

#[test]
fn readers_agree_on_wrong_documents() {
    for text in [
        "",
        "[]",
        "null",
        "{}",
        "{\"apis\": {}}",
        "{\"apis\": null}",
        "{\"api\": []}",
        r#"{"apis": [{"id": "a", "path": "/a"}], "apis": []}"#,
        r#"{"apis": [{"id": "a", "path": "/a"}], "\u0061pis": []}"#,
        r#"{"apis": [{"id": "a", "\u0069d": "a", "path": "/a"}]}"#,
        r#"{"apis": [{"id": "a", "path": "/a"}], "x": 1}"#,
        r#"{"apis": [{"id": "a", "path": "/a"}]} x"#,
        r#"{"apis": [{"id": "a", "path": "/a"}],}"#,
        r#"{"apis": [{"id": "a", "path": "/a"}, null]}"#,
        r#"{"apis": [{"id": "a"}]}"#,
        r#"{"apis": [{"path": "/a"}]}"#,
        r#"{"apis": [{"id": "a", "path": "/a"}], "subscriptions": [{"id": "s", "scope": "/"}]}"#,
    ] {
        assert!(!is_taken(text), "{text}");
    }
}

#[test]
fn readers_agree_on_the_depth_of_metadata() {
    for (depth, taken) in [(1, true), (31, true), (32, false), (200, false)] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text =
            format!(r#"{{"apis": [{{"id": "a", "path": "/", "metadata": {{"m": {nested}}}}}]}}"#);
        assert_eq!(is_taken(&text), taken, "{depth}");
    }
}
