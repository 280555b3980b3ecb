use tower_subscription_key::catalog::{
    Api, Catalog, CatalogError, EntityKind, Field, IssueKind, KeySlot, KeyTextError, MAX_ID_CHARS,
    MAX_METADATA_DEPTH, Metadata, MetadataError, Product, Scope, Subscription, SubscriptionKey,
};

fn refusal(of: impl FnOnce(&mut tower_subscription_key::catalog::CatalogBuilder)) -> CatalogError {
    let mut builder = Catalog::builder().api(Api::new("echo", "/echo"));
    of(&mut builder);
    builder.build().unwrap_err()
}

fn to_all(id: &str) -> Subscription {
    Subscription::new(id).with_scope(Scope::AllApis)
}

#[test]
fn key_that_no_client_can_send_is_refused_without_showing_it() {
    let text = "Secret-264a4141\n";
    for key in [
        SubscriptionKey::new(text),
        text.into(),
        text.to_owned().into(),
    ] {
        let error = refusal(|builder| {
            builder.push_subscription(to_all("s").with_primary_key(key));
        });
        let issue = &error.issues()[0];
        assert_eq!(issue.field, Field::Key(KeySlot::Primary));
        let kind = IssueKind::Key(KeyTextError::OuterWhiteSpace);
        assert_eq!(issue.kind, kind);
        assert!(!error.to_string().contains("264a4141"), "{error}");
    }
    let error = refusal(|builder| {
        builder.push_subscription(to_all("s").with_secondary_key("${CONTOSO_KEY}"));
    });
    let kind = IssueKind::Key(KeyTextError::Placeholder);
    assert_eq!(error.issues()[0].kind, kind);
    assert!(!error.to_string().contains("CONTOSO"), "{error}");
}

#[test]
fn more_than_a_thousand_issues_are_counted() {
    let error = refusal(|builder| {
        for n in 0..5_000 {
            builder.push_subscription(Subscription::new(format!("s{n}")));
        }
    });
    assert_eq!((error.issues().len(), error.more()), (1_000, 9_000));
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1_002);
    assert_eq!(text.lines().last(), Some("  and 9000 more"));
}

#[test]
fn long_and_hostile_texts_are_cut_and_escaped() {
    let long = "i".repeat(1 << 20);
    let forged = "x\nERROR forged line".to_owned();
    let error = refusal(|builder| {
        builder.push_product(Product::new(&long).with_apis([&long, &forged]));
        builder.push_subscription(
            Subscription::new(&forged)
                .with_scope(Scope::Product(long.clone()))
                .with_scope(Scope::Api(forged.clone()))
                .with_primary_key("K"),
        );
    });
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1 + error.issues().len(), "{text}");
    assert!(text.lines().all(|line| line.len() < 4 * MAX_ID_CHARS));
    let entity = error.issues()[0].entity.as_ref().unwrap();
    assert_eq!(entity.kind, EntityKind::Product);
    assert_eq!(entity.id.chars().count(), MAX_ID_CHARS + 1);
}

#[test]
fn error_from_main_prints_its_sentence() {
    let error = refusal(|builder| builder.push_subscription(Subscription::new("s")));
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(
        error
            .to_string()
            .starts_with("the catalog is refused\n  subscription \"s\", ")
    );
}

#[test]
fn metadata_and_names_are_checked_on_apis_products_and_subscriptions() {
    let mut nested = serde_json::json!(1);
    for _ in 0..MAX_METADATA_DEPTH {
        nested = serde_json::json!([nested]);
    }
    let deep: Metadata = [("a", nested)].into_iter().collect();
    let name = "Contoso\u{85}";
    let error = refusal(|builder| {
        let api = Api::new("a", "/a").with_display_name(name);
        builder.push_api(api.with_metadata(deep.clone()));
        let product = Product::new("p").with_display_name(name);
        builder.push_product(product.with_metadata(deep.clone()));
        let subscription = to_all("s").with_primary_key("K").with_display_name(name);
        builder.push_subscription(subscription.with_metadata(deep.clone()));
    });
    let found: Vec<_> = error.issues().iter().map(|i| (i.field, &i.kind)).collect();
    let each = [
        (Field::DisplayName, &IssueKind::ControlCharacter),
        (
            Field::Metadata,
            &IssueKind::Metadata(MetadataError::TooDeep),
        ),
    ];
    assert_eq!(found, each.repeat(3));
}
