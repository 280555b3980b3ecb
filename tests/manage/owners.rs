use tower_subscription_key::catalog::{KeySlot, State};
use tower_subscription_key::manage::{
    Expected, KeyInput, ListQuery, Manage, ManageError, ProductFields, PutSubscription, Rotation,
    Set, SubscriptionFields, Transition,
};

use crate::support::*;

tests!(
    owner_subscribes_to_an_offered_product_for_itself,
    owner_that_does_anything_else_is_forbidden_and_changes_nothing,
    what_belongs_to_others_is_to_an_owner_like_what_does_not_exist,
    product_that_requires_approval_or_terms_is_subscribed_accordingly,
);

async fn as_jane(
    manage: &Manage,
    id: &str,
    fields: SubscriptionFields,
) -> Result<PutSubscription, ManageError> {
    let put = manage.put_subscription(jane(), id, fields, Expected::Anything);
    put.await.map(|changed| changed.value)
}

async fn owner_subscribes_to_an_offered_product_for_itself(repository: impl Repository) {
    let manage = with_starter(&repository).await;
    let created = as_jane(&manage, "jane1", scoped(product("starter")))
        .await
        .unwrap();
    assert_eq!(
        created.record.owner.as_deref(),
        Some("jane@contoso.example")
    );
    assert_eq!(created.record.state, State::Active);
    assert!(created.primary_key.is_some());
    let renamed = SubscriptionFields {
        display_name: Set::To("Jane".into()),
        ..scoped(product("starter"))
    };
    let renamed = as_jane(&manage, "jane1", renamed).await.unwrap();
    assert_eq!(renamed.record.display_name(), "Jane");
    let slot = KeySlot::Secondary;
    let rotated = manage.regenerate(jane(), "jane1", slot, Rotation::default());
    rotated.await.unwrap();
    let cancelled = manage.cancel(jane(), "jane1", Transition::default());
    assert_eq!(cancelled.await.unwrap().value.state, State::Cancelled);
}

async fn owner_that_does_anything_else_is_forbidden_and_changes_nothing(
    repository: impl Repository,
) {
    let manage = with_starter(&repository).await;
    as_jane(&manage, "jane1", scoped(product("starter")))
        .await
        .unwrap();
    let number = manage.number().await.unwrap();
    let plain = || scoped(product("starter"));
    let forbidden = [
        scoped(api("echo")),
        scoped(tower_subscription_key::Scope::AllApis),
        SubscriptionFields {
            owner: Set::To("other".into()),
            ..plain()
        },
        SubscriptionFields {
            state: Some(State::Suspended),
            ..plain()
        },
        SubscriptionFields {
            primary_key: Some(KeyInput::text("by-hand")),
            ..plain()
        },
        SubscriptionFields {
            description: Set::To("mine".into()),
            ..plain()
        },
    ];
    for (n, fields) in forbidden.into_iter().enumerate() {
        for id in ["jane1", "jane2"] {
            let mut fields = fields.clone();
            fields.display_name = Set::To("Renamed".into());
            let error = as_jane(&manage, id, fields).await.unwrap_err();
            assert_eq!(error.code(), "Forbidden", "{n} on {id}: {error}");
        }
    }
    let error = manage
        .suspend(jane(), "jane1", Transition::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "Forbidden");
    let error = manage.delete_subscription(jane(), "jane1", Expected::Anything);
    assert_eq!(error.await.unwrap_err().code(), "Forbidden");
    let error = manage
        .list_apis(jane(), &ListQuery::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "Forbidden");
    assert_eq!(manage.number().await.unwrap(), number);
    let record = manage.subscription(jane(), "jane1").await.unwrap();
    assert_eq!(record.display_name(), "jane1");
}

async fn what_belongs_to_others_is_to_an_owner_like_what_does_not_exist(
    repository: impl Repository,
) {
    let manage = with_starter(&repository).await;
    subscribe(&manage, "theirs").await;
    let hidden = ProductFields {
        published: Some(false),
        ..ProductFields::default()
    };
    manage
        .put_product(admin(), "hidden", hidden, Expected::Anything)
        .await
        .unwrap();
    let text = |error: ManageError| error.to_string().replace("theirs", "absent");
    for (id, other) in [("theirs", "absent")] {
        let found = manage.subscription(jane(), id).await.unwrap_err();
        let absent = manage.subscription(jane(), other).await.unwrap_err();
        assert_eq!(text(found), text(absent));
        let details = Transition::default;
        let found = manage.cancel(jane(), id, details()).await.unwrap_err();
        let absent = manage.cancel(jane(), other, details()).await.unwrap_err();
        assert_eq!(text(found), text(absent));
        let slot = KeySlot::Primary;
        let found = manage
            .regenerate(jane(), id, slot, Rotation::default())
            .await;
        let absent = manage
            .regenerate(jane(), other, slot, Rotation::default())
            .await;
        assert_eq!(text(found.unwrap_err()), text(absent.unwrap_err()));
        let found = manage.read_secrets(jane(), id).await.unwrap_err();
        let absent = manage.read_secrets(jane(), other).await.unwrap_err();
        assert_eq!(text(found), text(absent));
    }
    let taken = as_jane(&manage, "theirs", scoped(product("starter")))
        .await
        .unwrap_err();
    assert_eq!(taken.code(), "ResourceNotFound");
    let hidden = manage.product(jane(), "hidden").await.unwrap_err();
    assert_eq!(hidden.code(), "ResourceNotFound");
    let error = as_jane(&manage, "jane1", scoped(product("hidden")))
        .await
        .unwrap_err();
    let absent = as_jane(&manage, "jane1", scoped(product("absent")))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string().replace("hidden", "absent"),
        absent.to_string()
    );
    let listed = manage
        .list_products(jane(), &ListQuery::default())
        .await
        .unwrap();
    assert_eq!((listed.total, &*listed.records[0].id), (1, "starter"));
    let listed = manage
        .list_subscriptions(jane(), &ListQuery::default())
        .await
        .unwrap();
    assert_eq!(listed.total, 0);
}

async fn product_that_requires_approval_or_terms_is_subscribed_accordingly(
    repository: impl Repository,
) {
    let manage = with_starter(&repository).await;
    let fields = ProductFields {
        approval_required: Some(true),
        terms: Set::To("be kind".into()),
        ..ProductFields::default()
    };
    manage
        .put_product(admin(), "starter", fields, Expected::Anything)
        .await
        .unwrap();
    let error = as_jane(&manage, "jane1", scoped(product("starter")))
        .await
        .unwrap_err();
    assert_eq!(fields_of(&error), ["terms_accepted"]);
    let accepted = SubscriptionFields {
        terms_accepted: Some(true),
        ..scoped(product("starter"))
    };
    let record = as_jane(&manage, "jane1", accepted).await.unwrap().record;
    assert_eq!(record.state, State::Submitted);
    assert!(record.terms_accepted_at.is_some());
    let approve = manage.approve(jane(), "jane1", Default::default());
    assert_eq!(approve.await.unwrap_err().code(), "Forbidden");
    manage
        .approve(admin(), "jane1", Default::default())
        .await
        .unwrap();
}

fn fields_of(error: &ManageError) -> Vec<String> {
    fields(error)
}
