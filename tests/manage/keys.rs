use std::time::{Duration, SystemTime};

use tower_subscription_key::KeyDigest;
use tower_subscription_key::catalog::{KeySlot, State};
use tower_subscription_key::manage::{
    AuditQuery, Caller, KeyInput, Manage, ManageError, Rotation, Set, SubscriptionFields,
    Transition,
};

use crate::support::*;

tests!(
    new_subscription_gets_two_keys_that_are_shown_once,
    key_of_any_slot_is_refused_elsewhere,
    key_of_any_slot_names_its_subscription,
    swapping_both_keys_in_one_call_is_allowed,
    replaced_key_works_for_its_grace_period_and_no_longer_than_its_own_end,
    key_past_its_end_is_regenerated_only_with_a_new_end,
    keys_are_read_back_only_with_the_encryption_key,
    audit_trail_has_neither_keys_nor_digests,
    replaced_key_that_has_ended_is_free_for_others,
);

fn by_hand(primary: &str, secondary: &str) -> SubscriptionFields {
    SubscriptionFields {
        primary_key: Some(KeyInput::text(primary)),
        secondary_key: Some(KeyInput::text(secondary)),
        ..scoped(product("starter"))
    }
}

async fn new_subscription_gets_two_keys_that_are_shown_once(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let created = subscribe(&manage, "contoso").await;
    let (primary, secondary) = (created.primary_key.unwrap(), created.secondary_key.unwrap());
    assert_ne!(primary.expose(), secondary.expose());
    for key in [&primary, &secondary] {
        assert_eq!(key.expose().len(), 32);
        assert!(
            key.expose()
                .bytes()
                .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
        );
    }
    let again = subscribe(&manage, "contoso").await;
    assert!(!again.created && again.primary_key.is_none());
    let catalog = manage.export(admin()).await.unwrap();
    let contoso = catalog.subscription("contoso").unwrap();
    let digest = contoso.key(KeySlot::Primary).unwrap().digest();
    assert_eq!(*digest, KeyDigest::of(primary.expose()));
}

async fn key_of_any_slot_is_refused_elsewhere(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    put(&manage, "contoso", by_hand("key-one", "key-two"))
        .await
        .unwrap();
    let grace = Rotation {
        grace: Duration::from_secs(3600),
        ..Rotation::default()
    };
    let rotated = manage.regenerate(admin(), "contoso", KeySlot::Primary, grace);
    rotated.await.unwrap();
    for key in ["key-one", "key-two"] {
        let digest = SubscriptionFields {
            secondary_key: Some(KeyInput::digest(KeyDigest::of(key))),
            ..scoped(product("starter"))
        };
        let error = put(&manage, "fabrikam", digest).await.unwrap_err();
        assert_eq!(fields(&error), ["secondary_key"], "{key}");
    }
    // Without a grace period the replaced key is free again.
    let now = manage.regenerate(admin(), "contoso", KeySlot::Primary, Rotation::default());
    now.await.unwrap();
    put(&manage, "fabrikam", by_hand("key-one", "key-three"))
        .await
        .unwrap();
}

async fn key_of_any_slot_names_its_subscription(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    put(&manage, "contoso", by_hand("key-one", "key-two"))
        .await
        .unwrap();
    let grace = Rotation {
        grace: Duration::from_secs(3600),
        ..Rotation::default()
    };
    let rotated = manage.regenerate(admin(), "contoso", KeySlot::Primary, grace);
    let new = rotated.await.unwrap().value.key;
    for (key, expected) in [
        ("key-one", true),
        ("key-two", true),
        (new.expose(), true),
        ("key-three", false),
    ] {
        let digest = KeyDigest::of(key);
        let found = manage
            .export_subscription_of_key(admin(), &digest)
            .await
            .unwrap();
        let is_found = found.is_some_and(|found| found.id() == "contoso");
        assert_eq!(is_found, expected);
    }
    let digest = KeyDigest::of("key-two");
    let owner = Caller::owner("jane");
    let refused = manage.export_subscription_of_key(&owner, &digest).await;
    assert!(matches!(refused, Err(ManageError::Forbidden { .. })));
}

async fn swapping_both_keys_in_one_call_is_allowed(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    put(&manage, "contoso", by_hand("key-one", "key-two"))
        .await
        .unwrap();
    put(&manage, "contoso", by_hand("key-two", "key-one"))
        .await
        .unwrap();
    let catalog = manage.export(admin()).await.unwrap();
    let contoso = catalog.subscription("contoso").unwrap();
    let digest = contoso.key(KeySlot::Primary).unwrap().digest();
    assert_eq!(*digest, KeyDigest::of("key-two"));
    let same = put(&manage, "contoso", by_hand("key-two", "key-two")).await;
    assert!(matches!(same, Err(ManageError::Invalid { .. })));
    let error = put(&manage, "fabrikam", by_hand("key-one", "key-four"))
        .await
        .unwrap_err();
    assert_eq!(fields(&error), ["primary_key"]);
}

async fn replaced_key_works_for_its_grace_period_and_no_longer_than_its_own_end(
    repository: impl Repository,
) {
    let manage = with_starter(&repository).await;
    let hour = Duration::from_secs(3600);
    let own_end = SystemTime::now() + hour;
    let fields = SubscriptionFields {
        primary_key: Some(KeyInput::text("key-one").with_expiry(own_end)),
        ..scoped(product("starter"))
    };
    put(&manage, "contoso", fields).await.unwrap();
    let rotate = |grace: Duration| Rotation {
        grace,
        ..Rotation::default()
    };
    let primary = KeySlot::Primary;
    let rotated = manage
        .regenerate(admin(), "contoso", primary, rotate(2 * hour))
        .await
        .unwrap()
        .value;
    let record = &rotated.record;
    assert_eq!(
        rotated.replaced_key_expires_at,
        record.primary_key.as_ref().unwrap().expires_at
    );
    let catalog = manage.export(admin()).await.unwrap();
    let retired = catalog.subscription("contoso").unwrap();
    let retired = retired.retired_key(primary).unwrap();
    assert_eq!(*retired.digest(), KeyDigest::of("key-one"));
    // Regenerating again ends the older replaced key at once.
    let rotated = manage
        .regenerate(admin(), "contoso", primary, rotate(hour / 2))
        .await
        .unwrap()
        .value;
    assert!(rotated.replaced_key_expires_at.unwrap() < own_end);
    let catalog = manage.export(admin()).await.unwrap();
    let contoso = catalog.subscription("contoso").unwrap();
    assert_ne!(
        *contoso.retired_key(primary).unwrap().digest(),
        KeyDigest::of("key-one")
    );
    assert!(contoso.retired_key(KeySlot::Secondary).is_none());
    // Setting a key by hand ends the replaced one of its slot.
    let by_hand = SubscriptionFields {
        primary_key: Some(KeyInput::text("key-nine")),
        ..SubscriptionFields::default()
    };
    let record = put(&manage, "contoso", by_hand).await.unwrap().record;
    assert!(record.retired_primary_key.is_none());
    let suspended = manage.suspend(admin(), "contoso", Transition::default());
    assert_eq!(suspended.await.unwrap().value.state, State::Suspended);
    let rotated = manage.regenerate(admin(), "contoso", primary, rotate(hour));
    rotated.await.unwrap();
}

async fn key_past_its_end_is_regenerated_only_with_a_new_end(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let past = SystemTime::now() - Duration::from_secs(60);
    let fields = SubscriptionFields {
        primary_key: Some(KeyInput::text("trial-key").with_expiry(past)),
        ..scoped(product("starter"))
    };
    put(&manage, "contoso", fields).await.unwrap();
    let slot = KeySlot::Primary;
    let refused = manage.regenerate(admin(), "contoso", slot, Rotation::default());
    assert_eq!(
        crate::support::fields(&refused.await.unwrap_err()),
        ["expires_at"]
    );
    let without_end = Rotation {
        expires_at: Set::Clear,
        grace: Duration::from_secs(60),
        ..Rotation::default()
    };
    let rotated = manage
        .regenerate(admin(), "contoso", slot, without_end)
        .await
        .unwrap()
        .value;
    assert_eq!(rotated.replaced_key_expires_at, None);
    assert_eq!(rotated.record.primary_key.unwrap().expires_at, None);
}

async fn keys_are_read_back_only_with_the_encryption_key(repository: impl Repository) {
    let builder = || Manage::builder().encryption_key([7; 32]);
    let manage = repository.open(builder()).await.unwrap();
    add_starter(&manage).await;
    let created = subscribe(&manage, "contoso").await;
    let secrets = manage.read_secrets(admin(), "contoso").await.unwrap();
    let primary = secrets.primary_key.unwrap();
    assert_eq!(primary.expose(), created.primary_key.unwrap().expose());
    let rotated = manage.regenerate_recoverable(admin(), "contoso", KeySlot::Secondary);
    let rotated = rotated.await.unwrap().value;
    let secrets = manage.read_secrets(admin(), "contoso").await.unwrap();
    assert_eq!(
        secrets.secondary_key.unwrap().expose(),
        rotated.key.expose()
    );
    // A digest that was set by hand cannot be read back.
    let digest = SubscriptionFields {
        primary_key: Some(KeyInput::digest(KeyDigest::of("elsewhere"))),
        ..SubscriptionFields::default()
    };
    put(&manage, "contoso", digest).await.unwrap();
    let secrets = manage.read_secrets(admin(), "contoso").await.unwrap();
    assert!(secrets.primary_key.is_none() && secrets.secondary_key.is_some());
    let number = manage.number().await.unwrap();
    let audit = manage.audit(admin(), &AuditQuery::default()).await.unwrap();
    assert_eq!(audit.records[0].operation.as_str(), "readSecrets");
    assert_eq!(audit.records[0].number, number);
    if repository.target().is_some() {
        let wrong = repository
            .open(Manage::builder().encryption_key([8; 32]))
            .await;
        assert!(
            wrong
                .unwrap_err()
                .to_string()
                .contains("another encryption key")
        );
        let plain = repository.open(Manage::builder()).await.unwrap();
        let secrets = plain.read_secrets(admin(), "contoso").await.unwrap();
        assert!(secrets.secondary_key.is_none());
        let refused = plain.regenerate_recoverable(admin(), "contoso", KeySlot::Primary);
        assert_eq!(refused.await.unwrap_err().code(), "KeysNotRecoverable");
    }
}

async fn audit_trail_has_neither_keys_nor_digests(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    put(
        &manage,
        "contoso",
        by_hand("key-one-by-hand", "key-two-by-hand"),
    )
    .await
    .unwrap();
    let rotation = Rotation::default();
    let rotated = manage.regenerate(admin(), "contoso", KeySlot::Primary, rotation);
    let key = rotated.await.unwrap().value.key;
    let audit = manage.audit(admin(), &AuditQuery::default()).await.unwrap();
    let changed: Vec<&str> = audit.records[0].changes.iter().map(|c| &*c.field).collect();
    assert_eq!(changed, ["primary_key"]);
    let text = format!("{audit:?}");
    for secret in ["key-one-by-hand", "key-two-by-hand", key.expose()] {
        assert!(!text.contains(secret));
        assert!(!text.contains(&KeyDigest::of(secret).to_hex()));
    }
}

async fn replaced_key_that_has_ended_is_free_for_others(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    put(&manage, "contoso", by_hand("key-one", "key-two"))
        .await
        .unwrap();
    let moment = Duration::from_millis(1);
    let rotation = Rotation {
        grace: moment,
        ..Rotation::default()
    };
    let rotated = manage.regenerate(admin(), "contoso", KeySlot::Primary, rotation);
    let end = rotated.await.unwrap().value.replaced_key_expires_at;
    while end.is_some_and(|end| SystemTime::now() <= end) {
        tokio::time::sleep(moment).await;
    }
    // An update that changes nothing else does not make a version of that.
    let same = put(&manage, "contoso", scoped(product("starter")))
        .await
        .unwrap();
    assert_eq!(same.record.version, 2);
    put(&manage, "fabrikam", by_hand("key-one", "key-three"))
        .await
        .unwrap();
    let catalog = manage.export(admin()).await.unwrap();
    let contoso = catalog.subscription("contoso").unwrap();
    assert!(contoso.retired_key(KeySlot::Primary).is_none());
}
