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
