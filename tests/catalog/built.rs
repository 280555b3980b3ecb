use tower_subscription_key::catalog::{
    Api, Catalog, CatalogError, Field, IdError, Issue, IssueKind, KeySlot, KeyTextError, Metadata,
    PathError, Product, Scope, Subscription,
};
use tower_subscription_key::key::{KeyHeader, KeyQuery};

fn refused(error: CatalogError) -> Vec<(String, Field, IssueKind)> {
    let line = |Issue {
                    entity,
                    field,
                    kind,
                    ..
                }: &Issue| {
        let place = match entity {
            None => "catalog".to_owned(),
            Some(entity) => format!("{} {} {}", entity.kind, entity.index, entity.id),
        };
        (place, *field, kind.clone())
    };
    error.issues().iter().map(line).collect()
}

#[test]
fn issues_of_a_catalog_are_reported_together_in_order() {
    let scoped = |id: &str| Subscription::new(id).with_scope(Scope::AllApis);
    let open = |id: &str| Product::new(id).with_subscription_required(false);
    let refusal = Catalog::builder()
        .subscription(scoped("first").with_primary_key("K"))
        .subscription(
            Subscription::new("")
                .with_scope(Scope::Api("nope".into()))
                .with_primary_key(""),
        )
        .subscription(scoped("same").with_primary_key("L").with_secondary_key("L"))
        .subscription(Subscription::new("bare"))
        .subscription(scoped("thief").with_secondary_key("K"))
        .subscription(
            scoped("first")
                .with_scope(Scope::Api("b".into()))
                .with_scope(Scope::Product("nope".into()))
                .with_secondary_key(&*"k".repeat(257)),
        )
        .product(open("gift").with_apis(["b", "nope"]))
        .product(open("gift").with_apis(["b"]))
        .api(Api::new("a:b", "/a"))
        .api(Api::new("b", "/a/"))
        .api(Api::new("b", "relative"))
        .build()
        .unwrap_err();
    let expected = [
        (
            "API 0 a:b",
            Field::Id,
            IssueKind::Id(IdError::Character(':')),
        ),
        (
            "API 1 b",
            Field::Path,
            IssueKind::DuplicatePath {
                other: "a:b".into(),
            },
        ),
        (
            "API 2 b",
            Field::Path,
            IssueKind::Path(PathError::Relative {
                suggestion: "/relative".into(),
            }),
        ),
        ("API 2 b", Field::Id, IssueKind::DuplicateId),
        (
            "product 0 gift",
            Field::Apis(1),
            IssueKind::UnknownApi {
                api: "nope".into(),
                nearest: None,
            },
        ),
        ("product 1 gift", Field::Id, IssueKind::DuplicateId),
        (
            "product 1 gift",
            Field::SubscriptionRequired,
            IssueKind::SecondOpenProduct {
                api: "b".into(),
                other: "gift".into(),
            },
        ),
        ("subscription 1 ", Field::Id, IssueKind::Id(IdError::Empty)),
        (
            "subscription 1 ",
            Field::Key(KeySlot::Primary),
            IssueKind::Key(KeyTextError::Length),
        ),
        (
            "subscription 1 ",
            Field::Scope(0),
            IssueKind::UnknownScope {
                scope: Scope::Api("nope".into()),
                nearest: None,
            },
        ),
        (
            "subscription 2 same",
            Field::Key(KeySlot::Secondary),
            IssueKind::SameKeys,
        ),
        ("subscription 3 bare", Field::Scope(0), IssueKind::NoScope),
        ("subscription 3 bare", Field::Whole, IssueKind::NoKey),
        (
            "subscription 4 thief",
            Field::Key(KeySlot::Secondary),
            IssueKind::DuplicateKey {
                other: "first".into(),
                slot: KeySlot::Primary,
            },
        ),
        (
            "subscription 5 first",
            Field::Key(KeySlot::Secondary),
            IssueKind::Key(KeyTextError::Length),
        ),
        (
            "subscription 5 first",
            Field::Scope(2),
            IssueKind::UnknownScope {
                scope: Scope::Product("nope".into()),
                nearest: None,
            },
        ),
        ("subscription 5 first", Field::Id, IssueKind::DuplicateId),
    ];
    let expected = expected.map(|(place, field, kind)| (place.to_owned(), field, kind));
    assert_eq!(refused(refusal.clone()), expected);
    let text = refusal.to_string();
    assert_eq!(text.lines().count(), 1 + expected.len(), "{text}");
    assert!(
        text.contains("product \"gift\", apis: there is no API \"nope\""),
        "{text}"
    );
}

#[test]
fn catalog_without_apis_is_refused() {
    let refusal = Catalog::builder().build().unwrap_err();
    let expected = [("catalog".to_owned(), Field::Whole, IssueKind::NoApis)];
    assert_eq!(refused(refusal), expected);
}

#[test]
fn apis_and_products_are_returned_unchanged_and_in_order() {
    let metadata: Metadata = [("tier", "public")].into_iter().collect();
    let apis = [
        Api::new("z", "/z"),
        Api::new("a", "/a/")
            .with_display_name("A")
            .with_subscription_required(false)
            .with_key_header(KeyHeader::new("X-A").unwrap())
            .with_key_query(KeyQuery::new("a").unwrap())
            .with_metadata(metadata.clone()),
    ];
    let products = [
        Product::new("z").with_apis(["a", "z"]),
        Product::new("a")
            .with_display_name("A")
            .with_apis(["z"])
            .with_subscription_required(false)
            .with_published(false)
            .with_metadata(metadata),
    ];
    let mut builder = Catalog::builder();
    apis.iter().for_each(|api| builder.push_api(api.clone()));
    products
        .iter()
        .for_each(|p| builder.push_product(p.clone()));
    let catalog = builder.build().unwrap();
    assert!(catalog.apis().eq(&apis));
    assert!(catalog.products().eq(&products));
    assert_eq!(catalog.api("a"), Some(&apis[1]));
    assert_eq!(catalog.product("z"), Some(&products[0]));
    assert_eq!((catalog.api("y"), catalog.product("y")), (None, None));
    assert_eq!(apis[1].path(), "/a");
}
