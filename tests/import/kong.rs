use tower_subscription_key::catalog::KeySlot;
use tower_subscription_key::import::kong;

use crate::support::{Files, Imported};

fn import(text: &str) -> Imported {
    let files = Files::new();
    let path = files.write("kong.yaml", text);
    Imported::of(kong::read(&[path]).unwrap(), false)
}

const MIXED: &str = r#"
_format_version: "3.0"
services:
- name: site
  url: http://site
  routes:
  - name: home
    paths: [/]
- name: orders
  url: http://orders
  plugins:
  - name: key-auth
    config: {key_names: [X-Orders-Key]}
  routes:
  - name: orders-list
    paths: [/orders]
  - name: orders-admin
    paths: [/orders/admin]
    plugins:
    - name: acl
      config: {allow: [admins]}
- id: 7f9f5f5e-0000-4000-8000-000000000001
  name: reports
  url: http://reports
- name: legacy
  url: http://legacy
  plugins:
  - name: basic-auth
  routes:
  - name: legacy
    paths: [/legacy]
routes:
- name: reports
  service: {id: 7f9f5f5e-0000-4000-8000-000000000001}
  paths: [/reports]
- name: by-method
  service: {name: site}
  paths: [/form]
  methods: [GET]
- name: by-expression
  service: {name: legacy}
  paths: ["~/legacy2/\\d+"]
plugins:
- name: key-auth
  service: 7f9f5f5e-0000-4000-8000-000000000001
- name: prometheus
- name: jwt
  enabled: false
consumers:
- username: alice
  acls: [{group: admins}]
  keyauth_credentials: [{key: key-1}, {key: key-2}, {key: key-3}]
- username: bob
  id: 7f9f5f5e-0000-4000-8000-00000000000b
- username: eve@example
  keyauth_credentials:
  - key: "${SET_KEY}"
  - key: "{vault://env/eve}"
- username: none
keyauth_credentials:
- consumer: {id: 7f9f5f5e-0000-4000-8000-00000000000b}
  key: key-of-bob
upstreams: [{name: up}]
"#;

#[test]
fn each_key_and_path_decides_as_kong_would() {
    let imported = import(MIXED);
    let (alice, bob) = (Some("key-1"), Some("key-of-bob"));
    for (path, key, expected) in [
        ("/", None, true),
        ("/about", None, true),
        ("/orders", None, false),
        ("/orders", Some("no-such-key"), false),
        ("/orders", bob, true),
        ("/orders/7", alice, true),
        ("/orders", Some("key-3"), true),
        ("/orders/admin", bob, false),
        ("/orders/admin", alice, true),
        ("/orders/admin/x", Some("key-2"), true),
        ("/reports", None, false),
        ("/reports", bob, true),
        ("/legacy", None, false),
        ("/legacy", alice, false),
        ("/form", None, false),
        ("/orders", Some("from-the-environment"), true),
    ] {
        assert_eq!(imported.lets_in(path, key), expected, "{path} {key:?}");
    }
    let header = |id: &str| {
        imported
            .catalog
            .api(id)
            .unwrap()
            .key_header()
            .unwrap()
            .spelling()
            .to_owned()
    };
    assert_eq!(header("orders-list"), "X-Orders-Key");
    assert_eq!(header("reports"), "apikey");
}

#[test]
fn consumer_with_three_keys_gets_two_subscriptions() {
    let imported = import(MIXED);
    assert!(imported.has_key("alice", KeySlot::Primary, "key-1"));
    assert!(imported.has_key("alice", KeySlot::Secondary, "key-2"));
    assert!(imported.has_key("alice-2", KeySlot::Primary, "key-3"));
    assert_eq!(
        imported.catalog.subscription("alice-2").unwrap().owner(),
        Some("alice")
    );
}

#[test]
fn everything_that_is_left_out_is_reported() {
    let imported = import(MIXED);
    assert!(imported.reason("none").contains("no key"));
    assert!(imported.reason("by-method").contains("methods"));
    assert!(imported.reason("by-expression").contains("expression"));
    assert!(imported.reason("legacy").contains("basic-auth"));
    assert_eq!(imported.left_out("upstreams"), [(None, 1)]);
    let plugins = imported.left_out("plugins");
    assert_eq!(
        plugins,
        [
            (Some("prometheus"), 1),
            (Some("jwt"), 1),
            (Some("basic-auth"), 1)
        ]
    );
    let eve = imported
        .left_out
        .iter()
        .find(|out| out.kind == "keyauth_credentials")
        .unwrap();
    assert!(eve.reason.contains("reference"), "{eve:?}");
}

#[test]
fn guarded_expression_narrows_what_is_around_it() {
    // Kong asks `/secret…` for a password; the open `/` must not take it over.
    let imported = import(
        "services:
- name: site
  routes: [{name: home, paths: [/]}]
- name: secret
  plugins: [{name: basic-auth}]
  routes: [{name: secret, paths: ['~/secret.*']}]
",
    );
    assert!(!imported.lets_in("/secrets", None));
    assert!(!imported.lets_in("/", None));
    assert!(imported.left_out.iter().any(|out| out.kind == "openings"));
}

#[test]
fn global_plugins_guard_every_route() {
    let keys = "services: [{name: s, routes: [{name: r, paths: [/r]}]}]\nplugins: [{name: key-auth}]\nconsumers: [{username: a, keyauth_credentials: [{key: key-of-a}]}]\n";
    let imported = import(keys);
    assert!(imported.lets_in("/r", Some("key-of-a")) && !imported.lets_in("/r", None));
    let closed = import(&keys.replace(
        "{name: key-auth}",
        "{name: key-auth}, {name: request-termination}",
    ));
    assert!(!closed.lets_in("/r", Some("key-of-a")));
}

#[test]
fn anonymous_consumer_opens_a_route_unless_it_is_stopped() {
    let text = "services:
- name: s
  plugins: [{name: key-auth, config: {anonymous: guest}}]
  routes: [{name: r, paths: [/r]}]
consumers:
- username: guest
- username: a
  keyauth_credentials: [{key: key-of-a}]
";
    let open = import(text);
    assert!(open.lets_in("/r", None) && open.lets_in("/r", Some("key-of-a")));
    let stopped = import(&text.replace(
        "- username: guest",
        "- username: guest\n  plugins: [{name: request-termination}]",
    ));
    assert!(!stopped.lets_in("/r", None) && stopped.lets_in("/r", Some("key-of-a")));
}

#[test]
fn group_that_is_denied_stays_out() {
    let imported = import(
        "services: [{name: s, routes: [{name: r, paths: [/r]}], plugins: [{name: key-auth}, {name: acl, config: {deny: [bad]}}]}]
consumers:
- {username: a, keyauth_credentials: [{key: key-of-a}], acls: [{group: bad}]}
- {username: b, keyauth_credentials: [{key: key-of-b}]}
",
    );
    assert!(!imported.lets_in("/r", Some("key-of-a")) && imported.lets_in("/r", Some("key-of-b")));
}

#[test]
fn route_that_is_not_enabled_or_guarded_by_host_is_not_open() {
    let imported = import(
        "services:
- {name: off, enabled: false, routes: [{name: off, paths: [/off]}]}
- {name: on, routes: [{name: on, paths: [/on]}]}
- {name: hosted, plugins: [{name: jwt}], routes: [{name: hosted, hosts: [admin.example.com]}]}
",
    );
    assert!(!imported.lets_in("/off", None));
    // Requests for the host would be asked for a token there.
    assert!(!imported.lets_in("/on", None));
    assert!(imported.reason("off").contains("not enabled"));
}

/// Who gets in, as Kong decides for routes with plain paths: by the longest prefix.
fn kong_lets_in(routes: &[(&str, &str)], path: &str, key: Option<&str>) -> bool {
    let taking = routes.iter().filter(|(prefix, _)| path.starts_with(prefix));
    match taking.max_by_key(|(prefix, _)| prefix.len()) {
        Some((_, "open")) => true,
        Some((_, "keys")) => key.is_some(),
        Some((_, "admins")) => key == Some("key-of-admin"),
        _ => false,
    }
}

#[test]
fn request_that_kong_refuses_is_refused_or_reported() {
    let paths = ["/", "/a", "/a/", "/a/b", "/ab", "/b"];
    let plugins = |access: &str| match access {
        "open" => "[]",
        "keys" => "[{name: key-auth}]",
        "admins" => "[{name: key-auth}, {name: acl, config: {allow: [admins]}}]",
        _ => "[{name: basic-auth}]",
    };
    let accesses = ["open", "keys", "admins", "guarded"];
    let mut wider = 0;
    for one in paths {
        for other in paths.iter().filter(|other| **other != one) {
            for (first, second) in accesses.iter().flat_map(|a| accesses.map(|b| (*a, b))) {
                let routes = [(one, first), (*other, second)];
                let mut text = "consumers:
- {username: admin, acls: [{group: admins}], keyauth_credentials: [{key: key-of-admin}]}
- {username: user, keyauth_credentials: [{key: key-of-user}]}
services:
"
                .to_owned();
                for (n, (path, access)) in routes.iter().enumerate() {
                    let plugins = plugins(access);
                    text += &format!(
                        "- {{name: s{n}, plugins: {plugins}, routes: [{{name: r{n}, paths: [{path}]}}]}}\n"
                    );
                }
                let imported = import(&text);
                let opening = imported.left_out.iter().any(|out| out.kind == "openings");
                for key in [None, Some("key-of-user"), Some("key-of-admin")] {
                    for path in [
                        "/", "/a", "/a/", "/a/b", "/a/b2", "/a/c", "/ab", "/ab/c", "/a2", "/b",
                        "/b2", "/c",
                    ] {
                        let there = kong_lets_in(&routes, path, key);
                        let here = imported.lets_in(path, key);
                        assert!(there || !here || opening, "{routes:?} {path} {key:?}");
                        wider += usize::from(here && !there);
                        // On its own paths the catalog decides alike, but for one that
                        // two routes share here.
                        let is_own = routes.iter().any(|(own, _)| *own == path);
                        let shared = one.trim_end_matches('/') == other.trim_end_matches('/');
                        if is_own && !shared {
                            assert_eq!(here, there, "{routes:?} {path} {key:?}");
                        }
                    }
                }
            }
        }
    }
    assert!(wider > 0, "the borders of segments are tested");
}

#[test]
fn opening_at_the_border_of_a_segment_is_reported_once_with_its_api() {
    let imported = import(
        "services:
- {name: site, routes: [{name: home, paths: [/]}]}
- {name: orders, plugins: [{name: key-auth}], routes: [{name: orders, paths: [/orders]}]}
",
    );
    assert_eq!(imported.left_out("openings"), [(Some("home"), 1)]);
    assert!(imported.reason("home").contains("\"/orders2\""));
    assert!(imported.lets_in("/", None) && !imported.lets_in("/orders", None));
}

#[test]
fn route_whose_conditions_do_not_hold_is_decided_by_the_shorter_path() {
    let imported = import(
        "consumers:
- {username: admin, acls: [{group: admins}], keyauth_credentials: [{key: key-of-admin}]}
- {username: user, keyauth_credentials: [{key: key-of-user}]}
services:
- {name: all, plugins: [{name: key-auth}, {name: acl, config: {allow: [admins]}}], routes: [{name: all, paths: [/]}]}
- {name: form, plugins: [{name: key-auth}], routes: [{name: form, paths: [/form], methods: [GET]}]}
",
    );
    // Kong would ask `POST /form` for an admin.
    assert!(!imported.lets_in("/form", Some("key-of-user")));
    assert!(imported.lets_in("/", Some("key-of-admin")));
    assert!(imported.left_out("openings").contains(&(Some("form"), 1)));
}

#[test]
fn guarded_route_by_expression_or_without_a_path_leaves_nothing_open() {
    for route in [
        "{name: r, expression: 'http.path ^= \"/x\"'}",
        "{name: r, protocols: [https], snis: [a.example]}",
    ] {
        let imported = import(&format!(
            "services:
- {{name: site, routes: [{{name: home, paths: [/]}}]}}
- {{name: guarded, plugins: [{{name: jwt}}], routes: [{route}]}}
"
        ));
        assert!(!imported.lets_in("/x", None), "{route}");
        assert!(!imported.reason("r").is_empty(), "{route}");
    }
}

#[test]
fn setting_of_a_plugin_that_lets_in_fewer_is_reported_or_closes() {
    let imported = import(
        "consumers: [{username: a, keyauth_credentials: [{key: key-of-a}]}]
services:
- {name: s, plugins: [{name: key-auth, config: {key_in_query: false}}], routes: [{name: r, paths: [/r], protocols: [https]}]}
- {name: t, plugins: [{name: key-auth}, {name: acl, config: {deny: [bad], include_consumer_groups: true}}], routes: [{name: t, paths: [/t]}]}
- {name: u, plugins: [{name: post-function}], routes: [{name: u, paths: [/u]}]}
",
    );
    let reasons: Vec<&str> = imported.left_out.iter().map(|out| &*out.reason).collect();
    for part in ["from the query", "TLS only", "groups of consumers"] {
        assert!(
            reasons.iter().any(|reason| reason.contains(part)),
            "{part}: {reasons:?}"
        );
    }
    assert!(imported.lets_in("/r", Some("key-of-a")));
    assert!(!imported.lets_in("/t", Some("key-of-a")) && !imported.lets_in("/u", None));
}
