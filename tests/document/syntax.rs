use super::*;
use proptest::prelude::*;

#[test]
fn json_beyond_the_rfc_is_refused() {
    const BROKEN: &str = "this is not JSON";
    for (text, place) in [
        ("", "1:1"),
        (" ", "1:1"),
        ("{\"apis\": [] // why\n}", "1:13"),
        ("{\"apis\": [] /* why */}", "1:13"),
        ("{\"apis\": [],}", "1:13"),
        ("{\"apis\": [1,]}", "1:13"),
        ("{'apis': []}", "1:2"),
        ("{apis: []}", "1:2"),
        ("{\"apis\" []}", "1:9"),
        ("{\"apis\": [1 2]}", "1:13"),
        ("{\"apis\": [[] []]}", "1:14"),
        ("{\"apis\": [{} {}]}", "1:14"),
        ("{\"apis\": 01}", "1:11"),
        ("{\"apis\": +1}", "1:10"),
        ("{\"apis\": .5}", "1:10"),
        ("{\"apis\": 5.}", "1:12"),
        ("{\"apis\": 0x5}", "1:11"),
        ("{\"apis\": -}", "1:11"),
        ("{\"apis\": 1e}", "1:12"),
        ("{\"apis\": NaN}", "1:10"),
        ("{\"apis\": Infinity}", "1:10"),
        ("{\"apis\": nul}", "1:13"),
        ("{\"apis\": True}", "1:10"),
        ("{\"apis\": \"a\nb\"}", "1:12"),
        ("{\"apis\": \"a\tb\"}", "1:12"),
        ("{\"é\": \"\\x41\"}", "1:9"),
        ("{\"apis\": \"\\u12g4\"}", "1:16"),
        ("{\"apis\": \"abc}", "1:14"),
        ("{\"apis\": []", "1:11"),
        ("{\"apis\": []]", "1:12"),
        ("{\"apis\": []}\n\n  x", "3:3"),
        ("{}{}", "1:3"),
        ("{\u{a0}}", "1:2"),
        ("{\u{b}}", "1:2"),
    ] {
        assert_issues(Format::Json, text, &[&format!("{place}: {BROKEN}")]);
    }
    for text in [r#"\ud800"#, r#"\udc00"#, r#"\ud800\u0041"#] {
        let text = format!(r#"{{"apis": [{{"id": "a", "path": "/{text}"}}]}}"#);
        assert_issues(Format::Json, text, &["1:33: half a `\\u` pair"]);
    }
}

#[test]
fn broken_lines_of_toml_are_all_reported() {
    let text = "[[apis]]\nid = \"unclosed\npath = \"\\q\"\nx = 01\n[[subscriptions]]\nid = bare\n";
    assert_issues(
        Format::Toml,
        text,
        &[
            "2:15: this is not TOML: invalid basic string",
            "3:10: this is not TOML: missing escaped value",
            "4:5: this is not TOML: unexpected leading zero",
            "6:6: this is not TOML: string values must be quoted",
        ],
    );
    assert_issues(Format::Toml, "a = 'é\u{1}'", &["1:7: this is not TOML"]);
    assert_issues(
        Format::Toml,
        "[[apis]]\nid = 'a'\npath = '/'\n[apis]\nid = 'b'",
        &["4:2: `apis` occurs in this table twice"],
    );
}

#[test]
fn yaml_beyond_one_plain_document_is_refused() {
    for (text, expected) in [
        ("apis:\n\t- id: x", "2:2: this is not YAML: tabs"),
        ("apis: [", "1:8: this is not YAML"),
        ("apis: \"a", "1:7: this is not YAML"),
        ("é: ü: x", "1:5: this is not YAML"),
        (
            "apis: @x",
            "1:7: this is not YAML: text that begins like this needs quotes",
        ),
        (
            "apis: []\n---\napis: []",
            "2:1: a catalog file holds one document",
        ),
        ("apis: *a", "1:7: this is not YAML"),
        ("apis: &a [*a]", "1:11: this alias is inside the value"),
        ("a: \0", "1:4: this is not YAML"),
    ] {
        assert_issues(Format::Yaml, text, &[expected]);
    }
    let laughs = (1..30).fold("a0: &a0 [x, x]".to_owned(), |text, n| {
        let alias = format!("*a{}", n - 1);
        format!("{text}\na{n}: &a{n} [{}]", [alias.as_str(); 10].join(", "))
    });
    assert_issues(
        Format::Yaml,
        laughs,
        &["6:35: aliases and anchors make this document too large"],
    );
    let tower = (1..1_000).fold("a0: &a0 [x]".to_owned(), |text, n| {
        format!("{text}\na{n}: &a{n} [*a{}]", n - 1)
    });
    assert_issues(
        Format::Yaml,
        tower,
        &["63:12: tables and lists nest too deep"],
    );
}

#[test]
fn empty_document_is_refused_as_without_apis() {
    for (format, text) in [
        (Format::Toml, ""),
        (Format::Toml, "# nothing\n"),
        (Format::Yaml, ""),
        (Format::Yaml, "---\n"),
        (Format::Json, "{}"),
        (Format::Json, "{\"apis\": []}"),
    ] {
        let issues = issues(format, text);
        assert_eq!(issues.len(), 1, "{format:?} {text:?}: {issues:?}");
        assert!(
            issues[0].contains("a catalog without APIs") || text == "---\n",
            "{issues:?}"
        );
    }
}

#[test]
fn deep_nesting_is_refused_without_overflow() {
    const DEPTH: usize = 100_000;
    let nested =
        |open: &str, close: &str| format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH));
    let in_metadata = |json: &str| {
        format!(r#"{{"apis": [{{"id": "a", "path": "/", "metadata": {{"a": {json}}}}}]}}"#)
    };
    for (format, text) in [
        (Format::Json, in_metadata(&nested("[", "]"))),
        (Format::Json, in_metadata(&nested("{\"a\":", "}"))),
        (Format::Toml, format!("a = {}", nested("[", "]"))),
        (Format::Toml, format!("a = {}", nested("{a = ", "}"))),
        (Format::Toml, format!("{} = 1", nested("a.", ""))),
        (Format::Toml, format!("[{}]", nested("a.", ""))),
        (Format::Yaml, nested("[", "]")),
        (Format::Yaml, nested("{a: ", "}")),
        (Format::Yaml, nested("- ", "")),
        (Format::Yaml, nested("? ", "")),
    ] {
        let issues = issues(format, text);
        assert_eq!(issues.len(), 1, "{format:?}");
        assert!(
            issues[0].contains("nest too deep"),
            "{format:?}: {}",
            issues[0]
        );
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_at_its_position() {
    for format in FORMATS {
        assert_issues(format, b"abc\n\xc3\xa9 \xff", &["2:3: this is not UTF-8"]);
        assert_issues(format, b"\xff\xfe{\0}\0", &["1:1: this is not UTF-8"]);
    }
}

/// Text that looks enough like the formats to get deep into their parsers.
fn near_document() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "[[",
        "]]",
        ":",
        ",",
        "=",
        "\"",
        "'",
        "\n",
        "  ",
        "- ",
        "? ",
        "&a ",
        "*a",
        "!!str ",
        "!x ",
        "|",
        ">",
        "#",
        "<<",
        "---",
        "...",
        "\\u12",
        "\t",
        "\r",
        "é",
        "\u{feff}",
        "apis",
        "id",
        "path",
        "subscriptions",
        "primary_key",
        "1",
        ".5",
        "1e999",
        "true",
        "null",
        "2027-01-01T00:00:00Z",
        "\"\"\"",
        "'''",
        "%YAML 1.2\n",
        "\0",
        "\u{85}",
        "\u{2028}",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_parsed_without_panic(text in prop_oneof![".{0,60}", near_document()]) {
        for format in FORMATS {
            let lines = text.split('\n').count();
            for issue in parse(format, &text).err().iter().flat_map(|error| error.issues()) {
                prop_assert!((1..=lines).contains(&issue.line()), "{:?}", issue);
                prop_assert!(issue.column() >= 1);
            }
        }
    }

    #[test]
    fn any_bytes_are_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for format in FORMATS {
            let _ = parse(format, &bytes);
        }
    }
}
