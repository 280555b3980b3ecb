use std::time::{Duration, SystemTime};

use tower_subscription_key::catalog::{
    Api, Catalog, CatalogBuilder, Product, Scope, State, Subscription,
};
use tower_subscription_key::key::KeyHeader;
use tower_subscription_key::lint::{Code, Finding, Level, assert_none, findings};

/// A catalog without findings.
fn clean() -> CatalogBuilder {
    Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .product(Product::new("starter").with_apis(["echo"]))
        .subscription(contoso())
}

fn contoso() -> Subscription {
    Subscription::new("contoso")
        .with_scope(Scope::Product("starter".into()))
        .with_primary_key("264a41411c0b43e782f483eb6f3eaeab")
}

fn other(id: &str, scope: Scope) -> Subscription {
    Subscription::new(id).with_scope(scope).with_primary_key(id)
}

fn codes(builder: CatalogBuilder) -> Vec<(String, Code)> {
    let findings = findings(&builder.build().unwrap(), SystemTime::now());
    let code = |finding: &Finding| (finding.entity().to_string(), finding.code());
    findings.iter().map(code).collect()
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

#[test]
fn sound_catalog_has_no_findings() {
    assert_none(&clean().build().unwrap(), &[]);
}

#[test]
fn api_in_open_product_warns_if_it_requires_a_subscription() {
    let open = Product::new("free")
        .with_subscription_required(false)
        .with_apis(["echo"]);
    let expected = ("API \"echo\"".to_owned(), Code::OpenAnonymous);
    assert_eq!(codes(clean().product(open)), [expected]);
}

#[test]
fn api_without_requirement_warns_in_a_product_with_one() {
    let catalog = clean()
        .api(Api::new("free", "/free").with_subscription_required(false))
        .product(Product::new("gold").with_apis(["free"]));
    assert_eq!(
        codes(catalog),
        [("API \"free\"".to_owned(), Code::OpenAnonymous)]
    );
}

#[test]
fn api_that_no_scope_contains_is_unreachable() {
    let catalog = clean().api(Api::new("orders", "/orders"));
    assert_eq!(
        codes(catalog),
        [("API \"orders\"".to_owned(), Code::ApiUnreachable)]
    );
    let suspended = other("s", Scope::Api("orders".into())).with_state(State::Suspended);
    let catalog = clean()
        .api(Api::new("orders", "/orders"))
        .subscription(suspended);
    assert_eq!(codes(catalog), []);
}

#[test]
fn empty_product_is_a_note_and_its_subscription_a_warning() {
    let catalog = clean()
        .product(Product::new("empty"))
        .subscription(other("idle", Scope::Product("empty".into())));
    let expected = [
        ("product \"empty\"".to_owned(), Code::ProductEmpty),
        (
            "subscription \"idle\"".to_owned(),
            Code::SubscriptionOpensNothing,
        ),
    ];
    assert_eq!(codes(catalog), expected);
    assert_eq!(Code::ProductEmpty.level(), Level::Note);
}

#[test]
fn ended_and_ending_keys_warn_while_the_subscription_is_active() {
    let now = SystemTime::now();
    let named = |id: &str| other(id, Scope::Api("echo".into()));
    let catalog = clean()
        .subscription(named("ended").with_expiry(now - days(1)))
        .subscription(named("ending").with_expiry(now + days(29)))
        .subscription(named("far").with_expiry(now + days(31)))
        .subscription(
            named("off")
                .with_expiry(now - days(1))
                .with_state(State::Cancelled),
        );
    let expected = [
        ("subscription \"ended\"".to_owned(), Code::KeysExpired),
        ("subscription \"ending\"".to_owned(), Code::KeysExpiring),
    ];
    assert_eq!(codes(catalog), expected);
}

#[test]
fn all_access_warns_only_with_an_owner() {
    let owned = other("all", Scope::AllApis).with_owner("jane");
    let catalog = clean()
        .subscription(owned)
        .subscription(other("ops", Scope::Service));
    assert_eq!(
        codes(catalog),
        [("subscription \"all\"".to_owned(), Code::AllAccessWithOwner)]
    );
}

#[test]
fn path_inside_another_warns_if_the_requirements_differ() {
    let inner = Api::new("health", "/echo/health").with_subscription_required(false);
    assert_eq!(
        codes(clean().api(inner)),
        [("API \"health\"".to_owned(), Code::PathShadowed)]
    );
    let sibling = Api::new("echoes", "/echoes").with_subscription_required(false);
    assert_eq!(codes(clean().api(sibling)), []);
}

#[test]
fn key_header_warns_if_it_has_a_meaning_or_differs_from_that_around() {
    let named = |path: &str, name: &str| {
        Api::new("x", path)
            .with_subscription_required(false)
            .with_key_header(KeyHeader::new(name).unwrap())
    };
    let collision = || ("API \"x\"".to_owned(), Code::KeyNameCollision);
    assert_eq!(codes(clean().api(named("/x", "User-Agent"))), [collision()]);
    assert_eq!(codes(clean().api(named("/x", "X-Api-Key"))), []);
    let found = codes(clean().api(named("/echo/x", "X-Api-Key")));
    assert_eq!(
        found,
        [("API \"x\"".to_owned(), Code::PathShadowed), collision()]
    );
}

#[test]
#[should_panic(expected = "api-unreachable")]
fn assert_none_panics_with_the_findings() {
    let catalog = clean().api(Api::new("orders", "/orders")).build().unwrap();
    assert_none(&catalog, &[Code::OpenAnonymous]);
}
