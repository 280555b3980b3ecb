use super::*;

/// Each problem alone, in TOML: the document and the expected issues.
const ALONE: &[(&str, &[&str])] = &[
    // The document.
    ("apis = 1", &["1:8: apis: must be a list, not a number"]),
    (
        "[apis]\nid = 'a'\npath = '/'\n[[products]]\nid = 'p'\napis = ['a']",
        &["1:1: apis: must be a list, not a table: put it in brackets"],
    ),
    (
        "[[api]]\nid = 'a'\npath = '/'\n[[products]]\nid = 'p'\napis = ['a']",
        &["1:3: the document: unknown field `api`: did you mean `apis`?"],
    ),
    (
        "apis = ['a']",
        &["1:9: API number 1: must be a table, not text"],
    ),
    // APIs.
    (
        "[[apis]]\npath = '/'",
        &["1:1: API number 1: `id` is missing"],
    ),
    ("[[apis]]\nid = 'a'", &["1:1: API \"a\": `path` is missing"]),
    (
        "[[apis]]\nid = 5\npath = '/'",
        &["2:6: API number 1, id: must be text, not a number: put it in quotes"],
    ),
    (
        "[[apis]]\nid = ''\npath = '/'",
        &["2:6: API \"\", id: an id needs at least one character"],
    ),
    (
        "[[apis]]\nid = 'a*b'\npath = '/'",
        &["2:6: API \"a*b\", id: an id must not contain"],
    ),
    (
        "[[apis]]\nid = 'a'\npath = 'b'",
        &["3:8: API \"a\", path: a path is empty or begins with `/`"],
    ),
    (
        "[[apis]]\nid = 'a'\npath = true",
        &["3:8: API \"a\", path: must be text, not true or false"],
    ),
    (
        "apis = [{ id = 'a', path = '/' }, { id = 'b', path = '' }]",
        &["1:54: API \"b\", path: API \"a\" has the same path"],
    ),
    (
        "apis = [{ id = 'a', path = '/' }, { id = 'a', path = '/b' }]",
        &["1:42: API \"a\", id: this id is taken by an earlier one"],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/'\ncolour = 'red'",
        &["4:1: API \"a\": unknown field `colour`: the fields here are id, display_name, path,"],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/'\nsubscription_required = 'true'",
        &[
            "4:25: API \"a\", subscription_required: must be true or false, not text: write it without",
        ],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/'\nkey_names = { header = 'X Key', query = '', cookie = 'c' }",
        &[
            "4:24: API \"a\", key_names, header: this is not a header name",
            "4:41: API \"a\", key_names, query: the query parameter has an empty name",
            "4:45: API \"a\", key_names: unknown field `cookie`",
        ],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/'\nkey_names = { header = 'Host' }",
        &["4:24: API \"a\", key_names, header: this header cannot carry a key"],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/{id}'",
        &[
            "3:8: API \"a\", path: a path is a literal prefix that takes everything below it, and \"{id}\" is a pattern: write \"\"",
        ],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/'\nkey_names = 'X-Key'",
        &["4:13: API \"a\", key_names: must be a table"],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/'\nmetadata = []",
        &["4:12: API \"a\", metadata: must be a table"],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/'\nmetadata = { rate = inf }",
        &["4:21: API \"a\", metadata: this number is too large, or not a number"],
    ),
    (
        "[[apis]]\nid = 'a'\nid = 'b'\npath = '/'",
        &["3:1: `id` occurs in this table twice"],
    ),
    (
        "[[apis]]\nid = 'a'\npath = '/'\nmetadata = { x = 1, x = 2 }",
        &["4:21: `x` occurs in this table twice"],
    ),
];

/// Each problem of a product or subscription alone, behind a good API.
const BEHIND_AN_API: &[(&str, &[&str])] = &[
    (
        "[[products]]\napis = ['a']",
        &["4:1: product number 1: `id` is missing"],
    ),
    (
        "[[products]]\nid = 'p'\napis = 'a'",
        &["6:8: product \"p\", apis: must be a list, not text"],
    ),
    (
        "[[products]]\nid = 'p'\napis = ['a', 1, 'b']",
        &[
            "6:14: product \"p\", apis: must be text, not a number",
            "6:17: product \"p\", apis: there is no API \"b\"",
        ],
    ),
    (
        "[[products]]\nid = 'p'\npublished = 1",
        &["6:13: product \"p\", published: must be true or false"],
    ),
    (
        "[[products]]\nid = 'p'\napis = ['a']\nsubscription_required = false\n\
         [[products]]\nid = 'q'\napis = ['a']\nsubscription_required = false",
        &[
            "11:25: product \"q\", subscription_required: API \"a\" is already in the open product \"p\"",
        ],
    ),
    (
        "[[products]]\nid = 'p'\n[[products]]\nid = 'p'",
        &["7:6: product \"p\", id: this id is taken"],
    ),
    (
        "[[subscriptions]]\nid = 's'",
        &[
            "4:1: subscription \"s\": a subscription needs a scope",
            "4:1: subscription \"s\": a subscription needs a primary_key",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 'k'\nscopes = []",
        &["7:10: subscription \"s\", scopes: a subscription needs a scope"],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 'k'\nscopes = ['/']\nscope = '/'",
        &["7:10: subscription \"s\", scopes: there are both `scope` and `scopes`"],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 'k'\nscope = '/api/a'",
        &[
            "7:9: subscription \"s\", scope: a scope is `/`, `/apis`, `/apis/{id}` or `/products/{id}`",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 'k'\nscopes = ['/', 'x', 5, '/apis/b']",
        &[
            "7:16: subscription \"s\", scopes: a scope is",
            "7:21: subscription \"s\", scopes: must be text",
            "7:24: subscription \"s\", scopes: /apis/b does not exist",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 'k'\nscope = '/'\nstate = 'Active'",
        &[
            "8:9: subscription \"s\", state: a state is one of active, suspended, submitted, rejected, cancelled, expired: did you mean `active`?",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 'k'\nscope = '/'\nnot_before = '2026-01-01'\nexpires_at = 2026-01-01T00:00:00",
        &[
            "8:14: subscription \"s\", not_before: a time is written like",
            "9:14: subscription \"s\", expires_at: a time has an offset",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = ''\nscope = '/'",
        &["6:15: subscription \"s\", primary_key: a key has 1 to 256 bytes"],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 12345678\nscope = '/'",
        &[
            "6:15: subscription \"s\", primary_key: must be text, or a table with one of value, sha256, env and file, not a number: put it in quotes",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = { value = 'k', sha256 = '9f86' }\nscope = '/'",
        &[
            "6:15: subscription \"s\", primary_key: a key table has exactly one of",
            "6:39: subscription \"s\", primary_key, sha256: a SHA-256 digest is written as 64 hex digits",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = { expires_at = '2026-01-01T00:00:00Z' }\nscope = '/'",
        &[
            "6:15: subscription \"s\", primary_key: a key table has exactly one of value, sha256, env and file",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = { vlaue = 'k' }\nscope = '/'",
        &[
            "6:15: subscription \"s\", primary_key: a key table has exactly one of",
            "6:17: subscription \"s\", primary_key: unknown field `vlaue`: did you mean `value`?",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = { correct_horse = 'k', value = 'k' }\nscope = '/'",
        &["6:17: subscription \"s\", primary_key: unknown field: the fields here are value,"],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = { env = 'NO_SUCH_KEY' }\nsecondary_key = { env = 'DEADBEEF' }\nscope = '/'",
        &[
            "6:23: subscription \"s\", primary_key, env: the environment variable NO_SUCH_KEY is not set",
            "7:25: subscription \"s\", secondary_key, env: the environment variable that is named here is not set",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = { env = 'EMPTY_KEY' }\nsecondary_key = { env = 'LONG_KEY' }\nscope = '/'",
        &[
            "6:23: subscription \"s\", primary_key, env: the environment variable EMPTY_KEY holds no key: a key has",
            "7:25: subscription \"s\", secondary_key, env: the environment variable LONG_KEY holds no key",
        ],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 'k'\nsecondary_key = { value = 'k' }\nscope = '/'",
        &["7:17: subscription \"s\", secondary_key: two of its keys are the same"],
    ),
    (
        "[[subscriptions]]\nid = 's'\nprimary_key = 'k'\nscope = '/'\n[[subscriptions]]\nid = 't'\nsecondary_key = 'k'\nscope = '/'",
        &[
            "10:17: subscription \"t\", secondary_key: this key is already the primary key of subscription \"s\"",
        ],
    ),
];

#[test]
fn each_problem_alone_is_reported_at_its_position() {
    for (text, expected) in ALONE {
        assert_issues(Format::Toml, text, expected);
    }
    for (text, expected) in BEHIND_AN_API {
        let text = format!("[[apis]]\nid = 'a'\npath = '/'\n{text}");
        assert_issues(Format::Toml, text, expected);
    }
}

#[cfg(unix)]
#[test]
fn variable_without_text_is_refused() {
    let text = "apis: [{id: a, path: /}]\nsubscriptions: [{id: s, scope: /, primary_key: {env: BINARY_KEY}}]";
    let expected = "2:54: subscription \"s\", primary_key, env: the environment variable BINARY_KEY holds no key: write it as text";
    assert_issues(Format::Yaml, text, &[expected]);
}

const TEN_IN_JSON: &str = r#"{
  "apis": [
    { "id": "a", "path": "a" },
    { "id": "b", "pth": "/b" }
  ],
  "products": [{ "id": "p", "apis": ["a", "b", "c"], "published": 1 }],
  "subscriptions": [
    { "id": "s", "scope": "/products/q", "primary_key": "k1", "state": "activ" },
    { "id": "t", "scopes": ["/apis/b", "/apis/d"], "primary_key": { "env": "NO_SUCH_KEY" } },
    { "id": "u", "scope": "/products/p", "secondary_key": "k1", "expires_at": "soon" },
    { "id": "s", "scope": "/", "primary_key": "k2", "plan": "gold" }
  ]
}"#;

#[test]
fn several_problems_are_reported_at_once_in_order() {
    assert_issues(
        Format::Json,
        TEN_IN_JSON,
        &[
            "3:26: API \"a\", path: a path is empty or begins with `/`",
            "4:5: API \"b\": `path` is missing",
            "4:18: API \"b\": unknown field `pth`: did you mean `path`?",
            "6:48: product \"p\", apis: there is no API \"c\"",
            "6:67: product \"p\", published: must be true or false",
            "8:27: subscription \"s\", scope: /products/q does not exist",
            "8:72: subscription \"s\", state: a state is one of",
            "9:40: subscription \"t\", scopes: /apis/d does not exist",
            "9:76: subscription \"t\", primary_key, env: the environment variable NO_SUCH_KEY",
            "10:59: subscription \"u\", secondary_key: this key is already the primary key of subscription \"s\"",
            "10:79: subscription \"u\", expires_at: a time is written like",
            "11:13: subscription \"s\", id: this id is taken",
            "11:53: subscription \"s\": unknown field `plan`",
        ],
    );
}

/// Each `id` but the first of its list is missing or is not a valid id.
const WITHOUT_IDS: &str = r#"{
  "apis": [
    { "id": "a", "path": "/a" },
    { "path": "/a/" },
    { "id": 5, "path": "b" }
  ],
  "products": [
    { "id": "p", "apis": ["a"], "subscription_required": false },
    { "apis": ["a", "c"], "subscription_required": false }
  ],
  "subscriptions": [
    { "id": "s", "scope": "/", "primary_key": "k1" },
    { "scope": "/apis/c", "primary_key": "k1" },
    { "scope": "/", "primary_key": "k2", "secondary_key": "k2" }
  ]
}"#;

#[test]
fn entry_without_id_has_its_other_problems_reported() {
    assert_issues(
        Format::Json,
        WITHOUT_IDS,
        &[
            "4:5: API number 2: `id` is missing",
            "4:15: API number 2, path: API \"a\" has the same path",
            "5:13: API number 3, id: must be text",
            "5:24: API number 3, path: a path is empty or begins with `/`",
            "9:5: product number 2: `id` is missing",
            "9:52: product number 2, subscription_required: API \"a\" is already in the open product \"p\"",
            "13:5: subscription number 2: `id` is missing",
            "13:42: subscription number 2, primary_key: this key is already the primary key of subscription \"s\"",
            "14:5: subscription number 3: `id` is missing",
            "14:59: subscription number 3, secondary_key: two of its keys are the same",
        ],
    );
}

#[test]
fn positions_in_yaml_after_other_alphabets_are_right() {
    let text = "\
# Ключи: ключи и ещё ключи
apis:
  - { id: écho, path: /%C3%A9, metadata: { ключ: 値 }, colour: red }
  - &again
    id: 123
    path: /x
  - *again
products:
  - id: продукт
    apis: [écho, 値, écho, nope]
subscriptions:
  - id: s
    scope: /products/продукт
    primary_key: 264e4141
    secondary_key: {264a41411c0b43e782f483eb6f3eaeab}
    owner:
    expires_at: 2027-01-01
  -
";
    assert_issues(
        Format::Yaml,
        text,
        &[
            "3:55: API \"écho\": unknown field `colour`",
            "5:9: API number 2, id: must be text, not a number",
            "5:9: API number 3, id: must be text, not a number",
            "6:11: API number 3, path: API without id has the same path",
            "14:18: subscription \"s\", primary_key: must be text,",
            "15:20: subscription \"s\", secondary_key: a key table has exactly one of",
            "15:21: subscription \"s\", secondary_key: unknown field: the fields here are value,",
            "17:17: subscription \"s\", expires_at: a time is written like",
            "18:4: subscription number 2: must be a table, not null",
        ],
    );
}

#[test]
fn yaml_tables_with_unusual_names_are_refused() {
    for (text, expected) in [
        (
            "apis: [{id: a, path: /, id: b}]",
            "1:25: `id` occurs in this table twice",
        ),
        (
            "apis: [{id: a, path: /, metadata: {1: x}}]",
            "1:36: a name in a table is text",
        ),
        (
            "apis: [{id: a, path: /, metadata: {[x]: x}}]",
            "1:36: a name in a table is text",
        ),
        (
            "apis: [{id: a, path: /, metadata: &m {a: b}, <<: *m}]",
            "1:46: YAML 1.2 has no merge keys",
        ),
        (
            "apis: [{id: !!int 5, path: /}]",
            "1:13: tags other than `!!str`",
        ),
        (
            "apis: [{id: !secret a, path: /}]",
            "1:13: tags other than `!!str`",
        ),
        (
            "apis: !list [{id: a, path: /}]",
            "1:7: tags other than `!!str`",
        ),
    ] {
        assert_issues(Format::Yaml, text, &[expected]);
    }
}
