use std::collections::HashSet;

use tower_subscription_key::manage::{
    ApiFields, AuditQuery, Deletion, Expected, Import, ImportOptions, Manage, ManageError,
    Operation, Outcome, ProductFields, RecordKind, RecordRef, Set, SubscriptionFields,
};

use crate::support::*;

tests!(
    versions_count_changes_and_survive_deletion,
    update_that_changes_nothing_has_no_number_and_no_entry,
    stale_version_is_refused,
    every_broken_rule_is_reported_at_once,
    definitions_follow_the_rules_of_the_catalog,
    deletion_with_subscriptions_takes_those_with_no_other_scope,
    limit_counts_per_owner_and_is_never_exceeded_by_concurrent_creations,
    refused_operation_is_audited_and_changes_nothing,
    all_access_subscription_exists_from_the_start,
    change_numbers_increase_by_one,
    import_is_one_change_and_export_reads_back_equal,
    import_of_other_content_is_refused_with_the_list,
    imported_retired_key_that_another_subscription_has_is_refused,
    odd_names_come_back_as_they_were,
);

async fn versions_count_changes_and_survive_deletion(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    assert_eq!(subscribe(&manage, "contoso").await.record.version, 1);
    let renamed = SubscriptionFields {
        display_name: Set::To("Contoso".into()),
        ..SubscriptionFields::default()
    };
    assert_eq!(
        put(&manage, "contoso", renamed)
            .await
            .unwrap()
            .record
            .version,
        2
    );
    let deleted = manage.delete_subscription(admin(), "contoso", Expected::Version(2));
    assert!(deleted.await.unwrap().value);
    assert_eq!(subscribe(&manage, "contoso").await.record.version, 3);
    let product = manage.product(admin(), "starter").await.unwrap();
    put_api(&manage, "orders", "/orders").await;
    manage.add_api(admin(), "starter", "orders").await.unwrap();
    let changed = manage.product(admin(), "starter").await.unwrap();
    assert_eq!(changed.version, product.version + 1);
}

async fn update_that_changes_nothing_has_no_number_and_no_entry(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    subscribe(&manage, "contoso").await;
    let before = manage.subscription(admin(), "contoso").await.unwrap();
    let number = manage.number().await.unwrap();
    let same = scoped(product("starter"));
    let put = manage.put_subscription(admin(), "contoso", same, Expected::Anything);
    assert_eq!(put.await.unwrap().number, None);
    let scope = product("starter");
    let grant = manage.grant(admin(), "contoso", &scope);
    assert_eq!(grant.await.unwrap().number, None);
    assert_eq!(manage.number().await.unwrap(), number);
    assert_eq!(
        manage.subscription(admin(), "contoso").await.unwrap(),
        before
    );
    let audit = manage.audit(admin(), &AuditQuery::default()).await.unwrap();
    assert_eq!(audit.records[0].number, number);
}

async fn stale_version_is_refused(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    subscribe(&manage, "contoso").await;
    let rename = |name: &str| SubscriptionFields {
        display_name: Set::To(name.into()),
        ..SubscriptionFields::default()
    };
    let one = manage.put_subscription(admin(), "contoso", rename("A"), Expected::Version(1));
    let other = manage.put_subscription(admin(), "contoso", rename("B"), Expected::Version(1));
    let (caller_one, caller_other) = tokio::join!(one, other);
    let lost = match (caller_one, caller_other) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => error,
        both => panic!("one writer wins and the other is refused: {both:?}"),
    };
    assert!(
        matches!(
            lost,
            ManageError::PreconditionFailed {
                current: Some(2),
                ..
            }
        ),
        "{lost}"
    );
    let absent = manage.put_subscription(
        admin(),
        "fabrikam",
        scoped(product("starter")),
        Expected::Version(1),
    );
    let error = absent.await.unwrap_err();
    assert_eq!(error.code(), "PreconditionFailed");
    let taken = manage.put_subscription(
        admin(),
        "contoso",
        scoped(product("starter")),
        Expected::Absent,
    );
    assert_eq!(taken.await.unwrap_err().code(), "PreconditionFailed");
}

async fn every_broken_rule_is_reported_at_once(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let broken = SubscriptionFields {
        display_name: Set::To("x".repeat(301)),
        owner: Set::To("a/b".into()),
        ..scoped(product("nope"))
    };
    let error = put(&manage, "con*toso", broken).await.unwrap_err();
    let fields: HashSet<String> = fields(&error).into_iter().collect();
    for field in ["id", "display_name", "owner", "scope"] {
        assert!(fields.contains(field), "{field}: {error}");
    }
    let limit = ProductFields {
        subscriptions_limit: Set::To(0),
        apis: Some(vec!["nope".into()]),
        ..ProductFields::default()
    };
    let error = manage
        .put_product(admin(), "starter", limit, Expected::Anything)
        .await
        .unwrap_err();
    assert_eq!(error.issues().len(), 2, "{error}");
}

async fn definitions_follow_the_rules_of_the_catalog(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let same_path = ApiFields {
        path: Some("/echo/".into()),
        ..ApiFields::default()
    };
    let put = manage.put_api(admin(), "other", same_path, Expected::Anything);
    assert_eq!(fields(&put.await.unwrap_err()), ["path"]);
    let open = || ProductFields {
        subscription_required: Some(false),
        apis: Some(vec!["echo".into()]),
        ..ProductFields::default()
    };
    let first = manage.put_product(admin(), "open", open(), Expected::Anything);
    first.await.unwrap();
    let second = manage.put_product(admin(), "second", open(), Expected::Anything);
    let error = second.await.unwrap_err();
    assert_eq!(fields(&error), ["subscription_required"], "{error}");
}

async fn deletion_with_subscriptions_takes_those_with_no_other_scope(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    subscribe(&manage, "contoso").await;
    subscribe(&manage, "fabrikam").await;
    manage
        .grant(admin(), "fabrikam", &api("echo"))
        .await
        .unwrap();
    let refused = manage.delete_product(admin(), "starter", Deletion::default());
    let error = refused.await.unwrap_err();
    let ManageError::InUse { by, .. } = &error else {
        panic!("{error}");
    };
    let in_the_way = ["contoso", "fabrikam"].map(RecordRef::subscription);
    assert_eq!(*by, in_the_way);
    let along = Deletion {
        with_subscriptions: true,
        ..Deletion::default()
    };
    let deleted = manage
        .delete_product(admin(), "starter", along)
        .await
        .unwrap();
    assert!(deleted.value);
    let gone = manage.subscription(admin(), "contoso").await.unwrap_err();
    assert_eq!(gone.code(), "ResourceNotFound");
    let left = manage.subscription(admin(), "fabrikam").await.unwrap();
    assert_eq!(left.scopes, [api("echo")]);
    let audit = manage.audit(admin(), &AuditQuery::default()).await.unwrap();
    let number = deleted.number.unwrap();
    let entries = audit.records.iter().filter(|entry| entry.number == number);
    assert_eq!(entries.count(), 3);
    let absent = manage.delete_product(admin(), "starter", Deletion::default());
    let absent = absent.await.unwrap();
    assert_eq!((absent.value, absent.number), (false, None));
}

async fn limit_counts_per_owner_and_is_never_exceeded_by_concurrent_creations(
    repository: impl Repository,
) {
    let manage = with_starter(&repository).await;
    let limit = ProductFields {
        subscriptions_limit: Set::To(3),
        ..ProductFields::default()
    };
    manage
        .put_product(admin(), "starter", limit, Expected::Anything)
        .await
        .unwrap();
    let creations = (0..10).map(|n| {
        let manage = manage.clone();
        tokio::spawn(async move {
            let fields = SubscriptionFields {
                owner: Set::To(format!("owner{}", n % 2)),
                ..scoped(product("starter"))
            };
            put(&manage, &format!("s{n}"), fields).await
        })
    });
    let creations: Vec<_> = creations.collect();
    let mut refused = 0;
    for creation in creations {
        match creation.await.unwrap() {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(
                    error.to_string(),
                    "Subscriptions limit reached for same user",
                    "{error:?}"
                );
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 4, "three for each of two owners");
    // Those without an owner count as one owner.
    for n in 0..3 {
        subscribe(&manage, &format!("n{n}")).await;
    }
    let error = put(&manage, "n3", scoped(product("starter")))
        .await
        .unwrap_err();
    assert!(matches!(error, ManageError::LimitReached { limit: 3, .. }));
    // A cancelled one does not count, and activating it again is refused.
    let details = Default::default;
    manage.cancel(admin(), "n0", details()).await.unwrap();
    subscribe(&manage, "n3").await;
    let error = manage.activate(admin(), "n0", details()).await.unwrap_err();
    assert!(matches!(error, ManageError::LimitReached { .. }));
    // Neither a granted scope nor another owner raises the count above it.
    put(&manage, "x", scoped(api("echo"))).await.unwrap();
    let error = manage
        .grant(admin(), "x", &product("starter"))
        .await
        .unwrap_err();
    assert!(matches!(error, ManageError::LimitReached { .. }));
    let fields = SubscriptionFields {
        owner: Set::To("owner2".into()),
        ..scoped(product("starter"))
    };
    put(&manage, "y", fields).await.unwrap();
    let moved = SubscriptionFields {
        owner: Set::Clear,
        ..SubscriptionFields::default()
    };
    let error = put(&manage, "y", moved).await.unwrap_err();
    assert!(matches!(error, ManageError::LimitReached { .. }));
}

async fn refused_operation_is_audited_and_changes_nothing(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let number = manage.number().await.unwrap();
    let delete = manage.delete_subscription(jane(), "master", Expected::Anything);
    assert_eq!(delete.await.unwrap_err().code(), "Forbidden");
    put(&manage, "contoso", scoped(product("nope")))
        .await
        .unwrap_err();
    assert_eq!(manage.number().await.unwrap(), number);
    let refused = AuditQuery {
        outcome: Some(Outcome::Refused),
        ..AuditQuery::default()
    };
    let refused = manage.audit(admin(), &refused).await.unwrap();
    assert_eq!(refused.total, 2);
    let [newest, oldest] = &refused.records[..] else {
        panic!("{refused:?}");
    };
    assert_eq!(newest.operation, Operation::Create);
    assert_eq!(newest.code.as_deref(), Some("ValidationError"));
    assert_eq!(
        (oldest.operation, &oldest.caller),
        (Operation::Delete, jane())
    );
    assert_eq!(oldest.version_before, Some(1));
    assert!(newest.name() > oldest.name());
    let of_jane = AuditQuery {
        caller: Some("jane@contoso.example".into()),
        kind: Some(RecordKind::Subscription),
        record: Some("master".into()),
        operation: Some(Operation::Delete),
        ..AuditQuery::default()
    };
    assert_eq!(manage.audit(admin(), &of_jane).await.unwrap().total, 1);
}

async fn all_access_subscription_exists_from_the_start(repository: impl Repository) {
    let manage = repository.open(Manage::builder()).await.unwrap();
    let master = manage.subscription(admin(), "master").await.unwrap();
    assert_eq!(master.scopes, [tower_subscription_key::Scope::Service]);
    assert!(master.primary_key.is_some() && master.secondary_key.is_some());
    let deleted = manage.delete_subscription(admin(), "master", Expected::Anything);
    assert!(deleted.await.unwrap().value);
    if repository.target().is_some() {
        let again = repository.open(Manage::builder()).await.unwrap();
        assert!(again.subscription(admin(), "master").await.is_err());
    }
}

async fn change_numbers_increase_by_one(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let first = manage.number().await.unwrap();
    for n in 1..=5 {
        let fields = scoped(product("starter"));
        let id = format!("s{n}");
        let put = manage.put_subscription(admin(), &id, fields, Expected::Absent);
        assert_eq!(put.await.unwrap().number, Some(first + n));
        // A refusal between two changes takes no number.
        put_refused(&manage).await;
    }
}

async fn put_refused(manage: &Manage) {
    put(manage, "refused", scoped(product("nope")))
        .await
        .unwrap_err();
}

async fn import_is_one_change_and_export_reads_back_equal(repository: impl Repository) {
    use tower_subscription_key::catalog::{Api, Catalog, Product, Subscription};
    let manage = repository.open(Manage::builder()).await.unwrap();
    manage
        .delete_subscription(admin(), "master", Expected::Anything)
        .await
        .unwrap();
    let mut builder = Catalog::builder()
        .api(Api::new("z", "/z"))
        .api(Api::new("a", "/a"))
        .product(Product::new("p").with_apis(["z", "a"]));
    for n in (0..2500).rev() {
        let subscription = Subscription::new(format!("s{n}"))
            .with_scope(product("p"))
            .with_primary_key(&*format!("key-{n}-of-many-keys"));
        builder = builder.subscription(subscription);
    }
    let catalog = builder.build().unwrap();
    let number = manage.number().await.unwrap();
    let import = || Import::from(&catalog);
    let dry = ImportOptions {
        dry_run: true,
        ..ImportOptions::default()
    };
    let dry = manage.import(admin(), import(), dry).await.unwrap();
    assert_eq!((dry.value.subscriptions, dry.number), (2500, None));
    assert_eq!(manage.number().await.unwrap(), number);
    let options = ImportOptions::default();
    let imported = manage.import(admin(), import(), options).await.unwrap();
    assert_eq!(imported.number, Some(number + 1));
    let counts = &imported.value;
    assert_eq!(
        (counts.apis, counts.products, counts.memberships),
        (2, 1, 2)
    );
    let exported = manage.export(admin()).await.unwrap();
    assert!(exported.apis().eq(catalog.apis()));
    assert!(exported.products().eq(catalog.products()));
    assert!(exported.subscriptions().eq(catalog.subscriptions()));
    let again = manage.import(admin(), import(), options).await.unwrap();
    assert_eq!((again.number, again.value.subscriptions), (None, 0));
}

async fn import_of_other_content_is_refused_with_the_list(repository: impl Repository) {
    use tower_subscription_key::catalog::{Api, Subscription};
    let manage = with_starter(&repository).await;
    subscribe(&manage, "contoso").await;
    let import = || Import {
        apis: vec![Api::new("echo", "/elsewhere"), Api::new("new", "/new")],
        subscriptions: vec![
            Subscription::new("contoso")
                .with_scope(api("new"))
                .with_primary_key("a-key-that-is-set-by-hand"),
        ],
        ..Import::default()
    };
    let options = ImportOptions::default();
    let error = manage.import(admin(), import(), options).await.unwrap_err();
    let ManageError::Conflict { records } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        *records,
        [RecordRef::api("echo"), RecordRef::subscription("contoso")]
    );
    assert!(manage.api(admin(), "new").await.is_err());
    let replace = ImportOptions {
        replace: true,
        ..options
    };
    manage.import(admin(), import(), replace).await.unwrap();
    let contoso = manage.subscription(admin(), "contoso").await.unwrap();
    assert_eq!((contoso.version, contoso.scopes), (2, vec![api("new")]));
}

async fn imported_retired_key_that_another_subscription_has_is_refused(
    repository: impl Repository,
) {
    use std::time::{Duration, SystemTime};
    use tower_subscription_key::catalog::{KeySlot, Subscription, SubscriptionKey};
    let manage = with_starter(&repository).await;
    let holder = Subscription::new("holder")
        .with_scope(product("starter"))
        .with_primary_key("a-key-that-is-set-by-hand");
    let retired = SubscriptionKey::new("a-key-that-is-set-by-hand")
        .with_expiry(SystemTime::now() + Duration::from_secs(3600));
    let second = Subscription::new("second")
        .with_scope(product("starter"))
        .with_primary_key("another-key-that-is-set-by-hand")
        .with_retired_key(KeySlot::Primary, retired);
    let import = |subscriptions| Import {
        subscriptions,
        ..Import::default()
    };
    let options = ImportOptions::default();
    for before in [
        vec![holder.clone(), second.clone()],
        vec![holder],
        vec![second],
    ] {
        let is_first = before.len() == 1 && before[0].id() == "holder";
        let outcome = manage.import(admin(), import(before), options).await;
        if is_first {
            outcome.unwrap();
            continue;
        }
        let error = outcome.unwrap_err();
        let issues = error.issues();
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert!(issues[0].message.contains("\"holder\""), "{issues:?}");
    }
    assert!(manage.subscription(admin(), "second").await.is_err());
}

async fn odd_names_come_back_as_they_were(repository: impl Repository) {
    use tower_subscription_key::catalog::Metadata;
    let manage = with_starter(&repository).await;
    let name = r#"'; DROP TABLE sk_subscriptions; -- " \ % _ 🗝 ß"#;
    let long = "é🗝".repeat(150);
    let metadata: Metadata = [(name, "\u{1}\n\"{}$1")].into_iter().collect();
    let fields = SubscriptionFields {
        display_name: Set::To(name.into()),
        owner: Set::To(long.clone()),
        metadata: Set::To(metadata.clone()),
        ..scoped(product("starter"))
    };
    let id = "it's \"odd\" 🗝 100% _";
    put(&manage, id, fields).await.unwrap();
    let record = manage.subscription(admin(), id).await.unwrap();
    assert_eq!(record.display_name.as_deref(), Some(name));
    assert_eq!(record.owner.as_deref(), Some(&*long));
    assert_eq!(record.metadata, metadata);
}
