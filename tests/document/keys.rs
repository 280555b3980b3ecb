//! Where keys come from.

use std::path::PathBuf;

use tower_subscription_key::KeyDigest;
use tower_subscription_key::catalog::KeySlot;
use tower_subscription_key::document::{Format, HostKeys, Source, parse, parse_all};

use crate::{Machine, assert_issues};

/// A document in `config/` with one subscription that has that primary key.
fn with_key(key: &str) -> String {
    format!(
        r#"{{"apis": [{{"id": "a", "path": "/"}}],
"subscriptions": [{{"id": "s", "scope": "/", "primary_key": {key}}}]}}"#
    )
}

fn digest_in(folder: &str, key: &str) -> Result<KeyDigest, String> {
    let text = with_key(key);
    let name = format!("{folder}catalog.json");
    let source = Source::new(&name, Format::Json, text.as_bytes());
    let catalog = parse_all(&[source], &Machine).map_err(|error| error.to_string())?;
    let key = catalog.subscription("s").unwrap();
    Ok(*key.key(KeySlot::Primary).unwrap().digest())
}

#[test]
fn key_file_beside_the_catalog_is_read_without_its_line_end() {
    let digest = digest_in("config/", r#"{"file": "secrets/contoso"}"#);
    assert_eq!(digest, Ok(KeyDigest::of("from-a-file")));
    let digest = digest_in("config/", r#"{"file": "/run/secrets/contoso"}"#);
    assert_eq!(digest, Ok(KeyDigest::of("from-a-secret")));
    let digest = digest_in("", r#"{"file": "config/secrets/contoso", "env": null}"#);
    assert_eq!(digest, Ok(KeyDigest::of("from-a-file")));
    let digest = digest_in("", r#"{"env": "LINE_KEY"}"#);
    assert_eq!(digest, Ok(KeyDigest::of("from-the-environment")));
}

#[test]
fn key_file_without_a_usable_key_is_refused_with_its_place() {
    for (file, expected) in [
        (
            "secrets/none",
            "the file that is named here cannot be read (entity not found)",
        ),
        (
            "secrets/empty",
            "the file that is named here holds no key: a key has 1 to 256 bytes",
        ),
        (
            "secrets/two-lines",
            "the file that is named here holds no key: the key begins or ends",
        ),
    ] {
        let error = digest_in("config/", &format!(r#"{{"file": "{file}"}}"#)).unwrap_err();
        let begin = r#"config/catalog.json:2:69: subscription "s", primary_key, file: "#;
        assert!(error.starts_with(&format!("{begin}{expected}")), "{error}");
        assert!(!error.contains("from-a-file"), "{error}");
    }
}

#[test]
fn key_that_no_client_can_send_is_refused_and_never_shown() {
    for key in [
        " key-6c1f",
        "key-6c1f\\n",
        "key\\u0007-6c1f",
        "${key_6c1f}",
        "$KEY_6C1F",
        "{{ 6c1f }}",
    ] {
        let error = digest_in("", &format!("\"{key}\"")).unwrap_err();
        assert!(error.starts_with("catalog.json:2:"), "{error}");
        assert!(!error.to_lowercase().contains("6c1f"), "{error}");
    }
}

#[test]
fn key_sources_of_a_plain_document_are_refused() {
    for key in [
        r#"{"env": "CONTOSO_KEY"}"#,
        r#"{"file": "secrets/contoso"}"#,
    ] {
        let error = parse(with_key(key), Format::Json).unwrap_err().to_string();
        assert!(error.contains("only a local catalog file"), "{error}");
    }
}

#[test]
fn host_keys_remember_the_files_also_those_that_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "from-a-file\n").unwrap();
    let name = folder.path().join("catalog.json");
    let text = with_key(r#"{"file": "key"}, "secondary_key": {"file": "later"}"#);
    let keys = HostKeys::new();
    let source = Source::new(&name, Format::Json, text.as_bytes());
    let error = parse_all(&[source], &keys).unwrap_err();
    assert_eq!(error.issues().len(), 1, "{error}");
    let files: Vec<PathBuf> = ["key", "later"].map(|file| folder.path().join(file)).into();
    assert_eq!(keys.files(), files);
    // A folder or a pipe is not read.
    let source = with_key(r#"{"file": "."}"#);
    let source = Source::new(&name, Format::Json, source.as_bytes());
    assert!(parse_all(&[source], &keys).is_err());
}

#[test]
fn retired_key_comes_from_each_source_of_keys() {
    for (source, key) in [
        (r#""value": "old""#.to_owned(), "old"),
        (
            format!(r#""sha256": "{}""#, KeyDigest::of("old").to_hex()),
            "old",
        ),
        (r#""env": "LINE_KEY""#.into(), "from-the-environment"),
        (r#""file": "secrets/contoso""#.into(), "from-a-file"),
    ] {
        let text = with_key(&format!(
            r#""k", "retired_keys": [{{"slot": "secondary", {source}, "expires_at": "2026-12-01T00:00:00Z"}}]"#
        ));
        let source = Source::new("config/catalog.json", Format::Json, text.as_bytes());
        let catalog = parse_all(&[source], &Machine).unwrap();
        let subscription = catalog.subscription("s").unwrap();
        let retired = subscription.retired_key(KeySlot::Secondary).unwrap();
        assert_eq!(retired.digest(), &KeyDigest::of(key));
        assert!(retired.expires_at().is_some());
    }
}

#[test]
fn retired_keys_are_read_and_faulty_ones_refused() {
    let sha256 = KeyDigest::of("old").to_hex();
    let retired = |fields: &str| {
        with_key(&format!(
            r#""k", "retired_keys": [{{"slot": "primary", {fields}}}]"#
        ))
    };
    let good = retired(&format!(
        r#""sha256": "{sha256}", "expires_at": "2026-12-01T00:00:00Z""#
    ));
    let subscription = parse(good, Format::Json)
        .unwrap()
        .subscription("s")
        .unwrap();
    let key = subscription.retired_key(KeySlot::Primary).unwrap();
    assert_eq!(key.digest(), &KeyDigest::of("old"));
    assert!(key.expires_at().is_some());

    let one = format!(
        r#"{{"slot": "primary", "sha256": "{sha256}", "expires_at": "2026-12-01T00:00:00Z"}}"#
    );
    let other = one.replace(&sha256, &KeyDigest::of("older").to_hex());
    for (key, expected) in [
        (
            format!(r#""k", "retired_keys": [{one}, {other}]"#),
            "a slot has at most one retired key",
        ),
        (
            format!(r#"null, "retired_keys": [{one}]"#),
            "needs a primary_key, a secondary_key or both",
        ),
        (
            format!(r#""old", "retired_keys": [{one}]"#),
            "two of its keys are the same",
        ),
        (
            r#""k", "retired_keys": [{"slot": "third"}]"#.into(),
            "a slot is `primary` or `secondary`",
        ),
        (
            r#""k", "retired_keys": [{"slot": "primary"}]"#.into(),
            "exactly one of value, sha256, env and file",
        ),
        (
            r#""k", "retired_keys": [{"slot": "primary", "value": "x ", "expires_at": "2026-12-01T00:00:00Z"}]"#.into(),
            "begins or ends with white space",
        ),
        (
            r#""k", "retired_keys": [{"colour": "x"}]"#.into(),
            "unknown field `colour`",
        ),
        (
            r#""k", "retired_keys": [5]"#.into(),
            "retired_keys: must be a table, not a number",
        ),
    ] {
        let error = parse(with_key(&key), Format::Json).unwrap_err().to_string();
        assert!(error.contains(expected), "{key}: {error}");
    }
    let never = retired(&format!(r#""sha256": "{sha256}", "expires_at": "soon""#));
    let expected = r#"2:194: subscription "s", retired_keys, expires_at: a time is written like"#;
    assert_issues(Format::Json, never, &[expected]);
    let endless = retired(&format!(r#""sha256": "{sha256}""#));
    let expected = r#"2:82: subscription "s", retired_keys: a retired key must end"#;
    assert_issues(Format::Json, endless, &[expected]);
}
