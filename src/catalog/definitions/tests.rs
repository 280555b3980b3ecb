use super::*;
use proptest::prelude::*;

fn definitions(apis: Vec<Api>, products: Vec<Product>) -> (Definitions, Vec<IssueKind>) {
    let mut issues = Issues::default();
    let definitions = Definitions::build(
        apis.into_iter().collect(),
        products.into_iter().collect(),
        &Unread::default(),
        &mut issues,
    );
    let error = issues.into_result().err();
    let issues = error.as_ref().map_or(&[][..], |error| error.issues());
    let kinds = issues.iter().map(|issue| issue.kind.clone());
    (definitions, kinds.collect())
}

fn found<'a>(definitions: &'a Definitions, path: &str) -> Option<&'a str> {
    Some(definitions.api(definitions.api_by_path(path)?).id())
}

#[test]
fn path_belongs_to_the_longest_prefix_on_segment_borders() {
    let (paths, issues) = definitions(
        vec![
            Api::new("a", "/a"),
            Api::new("ab", "/a/b/"),
            Api::new("odd", "/x//y"),
        ],
        vec![],
    );
    assert!(issues.is_empty());
    for (path, api) in [
        ("/a", Some("a")),
        ("/a/", Some("a")),
        ("/a/bc", Some("a")),
        ("/a/b", Some("ab")),
        ("/a/b/", Some("ab")),
        ("/a/b/c", Some("ab")),
        ("/a//b", Some("a")),
        ("/A", None),
        ("/ab", None),
        ("/%61", None),
        ("/x//y/z", Some("odd")),
        ("/x/y", None),
        ("/", None),
        ("", None),
        ("*", None),
    ] {
        assert_eq!(found(&paths, path), api, "{path}");
    }
}

#[test]
fn api_with_the_empty_path_takes_what_no_other_does() {
    let (paths, _) = definitions(vec![Api::new("rest", "/"), Api::new("a", "/a")], vec![]);
    for (path, api) in [("/a/x", "a"), ("/b", "rest"), ("*", "rest"), ("", "rest")] {
        assert_eq!(found(&paths, path), Some(api), "{path}");
    }
}

#[test]
fn path_far_longer_than_any_prefix_is_matched_on_its_beginning() {
    let (paths, _) = definitions(vec![Api::new("a", "/a")], vec![]);
    assert_eq!(
        found(&paths, &format!("/a{}", "/".repeat(65_536))),
        Some("a")
    );
    assert_eq!(found(&paths, &"/".repeat(65_536)), None);
}

proptest! {
    #[test]
    fn path_search_equals_a_linear_search(
        prefixes in proptest::collection::vec("(/[ab]{0,2}){0,3}", 0..20),
        path in "(/[ab]{0,2}){0,5}",
    ) {
        let mut apis: Vec<Api> = Vec::new();
        for prefix in prefixes {
            let api = Api::new(format!("p{}", prefix.trim_end_matches('/')).replace('/', "-"), prefix);
            if apis.iter().all(|other| other.path() != api.path()) {
                apis.push(api);
            }
        }
        let expected = apis
            .iter()
            .filter(|api| {
                let rest = path.strip_prefix(api.path());
                rest.is_some_and(|rest| api.path().is_empty() || rest.is_empty() || rest.starts_with('/'))
            })
            .max_by_key(|api| api.path().len())
            .map(|api| api.id().to_owned());
        let (paths, _) = definitions(apis, vec![]);
        prop_assert_eq!(found(&paths, &path).map(str::to_owned), expected);
    }
}

/// What the contract says, word by word: decode once, `\` as `/`, drop empty
/// and `.` segments, resolve `..`.
fn naive_reading(path: &str) -> Vec<String> {
    let mut decoded = String::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let digits = rest.get(1..3).filter(|_| first == '%');
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => decoded.push(char::from(byte)),
            None => decoded.push(first),
        }
        rest = &rest[if byte.is_some() { 3 } else { 1 }..];
    }
    let mut segments = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    segments
}

proptest! {
    #[test]
    fn path_match_equals_a_naive_implementation(
        prefixes in proptest::collection::vec("(/(a|b|\\.|\\.\\.|%61|)){0,3}", 0..6),
        path in "(/(a|b|ab|\\.|\\.\\.|%61|%2f|%5C|%2561|%|\\\\|)){0,5}",
    ) {
        let mut apis: Vec<Api> = Vec::new();
        for (n, prefix) in prefixes.iter().enumerate() {
            let reading = naive_reading(prefix);
            if apis.iter().all(|other| naive_reading(other.path()) != reading) {
                apis.push(Api::new(format!("a{n}"), prefix));
            }
        }
        let reading = naive_reading(&path);
        let expected = apis
            .iter()
            .filter(|api| reading.starts_with(&naive_reading(api.path())))
            .max_by_key(|api| naive_reading(api.path()).len())
            .map(|api| api.id().to_owned());
        let (definitions, issues) = definitions(apis, vec![]);
        prop_assert_eq!(issues, []);
        let api = definitions.api_by_path(&path);
        let is_same = api.map(|api| definitions.api(api).id().to_owned()) == expected;
        let expected = if is_same { api.into() } else { Matched::Ambiguous };
        prop_assert_eq!(definitions.match_path(&path), expected);
    }
}

#[test]
fn path_that_others_read_differently_is_ambiguous() {
    let (paths, issues) = definitions(
        vec![
            Api::new("private", "/private"),
            Api::new("status", "/status"),
            Api::new("cafe", "/caf%C3%A9"),
        ],
        vec![],
    );
    assert_eq!(issues, []);
    for (path, is_ambiguous) in [
        ("/private/x", false),
        ("/private//x", false),
        ("/private/%61", false),
        ("/elsewhere/../x", false),
        ("/caf%C3%A9/x", false),
        ("/caf%c3%a9", true),
        ("/priv%61te/x", true),
        ("//private/x", true),
        ("/./private/x", true),
        ("/status/../private", true),
        ("/status/..", true),
        ("/status%2f..%5cx", false),
        ("/status/..%5cprivate", true),
        ("\\private", true),
    ] {
        let matched = paths.match_path(path);
        assert_eq!(matched == Matched::Ambiguous, is_ambiguous, "{path}");
    }
}

#[test]
fn api_that_takes_everything_leaves_no_ambiguity_outside_other_apis() {
    let (paths, _) = definitions(vec![Api::new("all", ""), Api::new("a", "/a")], vec![]);
    let everything = paths.api_by_id("all").into();
    assert_eq!(paths.match_path("//x/%61"), everything);
    assert_eq!(paths.match_path("*"), everything);
    assert_eq!(paths.match_path("//a"), Matched::Ambiguous);
}

#[test]
fn apis_with_equal_lenient_readings_are_refused() {
    let (_, issues) = definitions(
        vec![Api::new("a", "/a/b"), Api::new("b", "/a//%62")],
        vec![],
    );
    let other = "a".to_owned();
    assert_eq!(issues, [IssueKind::SamePathReading { other }]);
}

#[test]
fn nearest_path_is_that_of_a_misspelt_api() {
    let apis = ["/orders", "/v1/invoices", ""];
    let apis = apis.map(|path| Api::new(path.replace('/', "-"), path));
    let (paths, _) = definitions(apis.into(), vec![]);
    let nearest = |path| paths.nearest_path(path).map(Api::path);
    assert_eq!(nearest("/order/1"), Some("/orders"));
    assert_eq!(nearest("/Orders"), Some("/orders"));
    assert_eq!(nearest("/v1/invoce/7"), Some("/v1/invoices"));
    assert_eq!(nearest("/elsewhere"), None);
}

#[test]
fn unknown_id_is_reported_with_the_nearest_known_one() {
    let (definitions, issues) = definitions(
        vec![Api::new("orders", "/orders")],
        vec![Product::new("starter").with_apis(["order"])],
    );
    let text = issues[0].to_string();
    assert_eq!(text, "there is no API \"order\": did you mean `orders`?");
    for (scope, meant) in [
        (
            Scope::Product("Starter".into()),
            "did you mean `/products/starter`?",
        ),
        (
            Scope::Api("starter".into()),
            "did you mean `/products/starter`?",
        ),
        (Scope::Api("invoices".into()), "add it, or correct the id"),
    ] {
        let text = definitions.unknown_scope(&scope).to_string();
        assert_eq!(text, format!("{scope} does not exist: {meant}"));
    }
}

#[test]
fn definitions_that_do_not_fit_together_are_refused_with_all_issues() {
    let (_, issues) = definitions(
        vec![
            Api::new("a", "/a"),
            Api::new("a", "/b"),
            Api::new("c", "/a/"),
            Api::new("e", ""),
            Api::new("f", "/"),
        ],
        vec![
            Product::new("open")
                .with_apis(["a", "nope"])
                .with_subscription_required(false),
            Product::new("open2")
                .with_apis(["a", "a"])
                .with_subscription_required(false),
        ],
    );
    let path = |other: &str| IssueKind::DuplicatePath {
        other: other.into(),
    };
    assert_eq!(
        issues,
        [
            IssueKind::DuplicateId,
            path("a"),
            path("e"),
            IssueKind::UnknownApi {
                api: "nope".into(),
                nearest: None,
            },
            IssueKind::SecondOpenProduct {
                api: "a".into(),
                other: "open".into()
            },
        ]
    );
}
