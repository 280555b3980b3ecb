use tower_subscription_key::manage::{
    Comparison, Filter, FilterField, ListQuery, Manage, Order, Set, SubscriptionFields,
};

use crate::support::*;

tests!(
    pages_are_ordered_by_id_and_count_everything,
    filters_select_what_they_name,
    catalog_order_is_the_order_of_creation,
);

async fn several(repository: &impl Repository) -> Manage {
    let manage = with_starter(repository).await;
    for (id, name, owner) in [
        ("b", "Zeta", None),
        ("a", "100% Alpha_1", Some("jane")),
        ("c", "Älpha", Some("john")),
        ("B", "beta", Some("jane")),
    ] {
        let fields = SubscriptionFields {
            display_name: Set::To(name.into()),
            owner: owner.map(str::to_owned).into(),
            ..scoped(product("starter"))
        };
        put(&manage, id, fields).await.unwrap();
    }
    manage.grant(admin(), "c", &api("echo")).await.unwrap();
    manage
        .suspend(admin(), "b", Default::default())
        .await
        .unwrap();
    manage
}

async fn ids(manage: &Manage, query: ListQuery) -> (Vec<String>, u64) {
    let page = manage.list_subscriptions(admin(), &query).await.unwrap();
    (
        page.records.into_iter().map(|record| record.id).collect(),
        page.total,
    )
}

async fn pages_are_ordered_by_id_and_count_everything(repository: impl Repository) {
    let manage = several(&repository).await;
    let all = ["B", "a", "b", "c", "master"].map(str::to_owned);
    assert_eq!(ids(&manage, ListQuery::default()).await, (all.to_vec(), 5));
    let page = ListQuery {
        skip: 1,
        top: 2,
        ..ListQuery::default()
    };
    assert_eq!(ids(&manage, page).await, (all[1..3].to_vec(), 5));
    let page_after = ListQuery {
        after: Some("a".into()),
        top: 2,
        ..ListQuery::default()
    };
    assert_eq!(ids(&manage, page_after).await, (all[2..4].to_vec(), 5));
    let of_starter = Filter::compare(FilterField::Product, Comparison::Eq, "starter");
    let filtered = ListQuery {
        filter: Some(of_starter),
        after: Some("a".into()),
        skip: 1,
        ..ListQuery::default()
    };
    assert_eq!(ids(&manage, filtered).await, (all[3..4].to_vec(), 4));
}

async fn catalog_order_is_the_order_of_creation(repository: impl Repository) {
    let manage = several(&repository).await;
    let query = ListQuery {
        order: Order::Catalog,
        ..ListQuery::default()
    };
    let expected = ["master", "b", "a", "c", "B"].map(str::to_owned);
    assert_eq!(ids(&manage, query).await.0, expected);
}

async fn filters_select_what_they_name(repository: impl Repository) {
    use Comparison::*;
    use FilterField::*;
    let manage = several(&repository).await;
    let is = |field, comparison, value: &str| Filter::compare(field, comparison, value);
    let cases: Vec<(Filter, &[&str])> = vec![
        (is(Id, Eq, "a"), &["a"]),
        (is(Id, Ne, "a"), &["B", "b", "c", "master"]),
        (is(Id, Gt, "a"), &["b", "c", "master"]),
        (is(Id, Le, "a"), &["B", "a"]),
        (is(Id, Lt, "a"), &["B"]),
        (is(Id, Ge, "c"), &["c", "master"]),
        (is(DisplayName, Contains, "%"), &["a"]),
        (is(DisplayName, Contains, "lph"), &["a", "c"]),
        (is(DisplayName, StartsWith, "Ä"), &["c"]),
        (is(DisplayName, StartsWith, "100%"), &["a"]),
        (is(DisplayName, EndsWith, "eta"), &["B", "b"]),
        (is(DisplayName, EndsWith, "far longer than any name"), &[]),
        (is(DisplayName, Contains, "' OR 1=1"), &[]),
        (is(Owner, Eq, "jane"), &["B", "a"]),
        (is(Owner, Eq, ""), &["b", "master"]),
        (is(Owner, Ne, "jane"), &["b", "c", "master"]),
        (is(Owner, StartsWith, "j"), &["B", "a", "c"]),
        (is(State, Eq, "suspended"), &["b"]),
        (is(State, Ne, "active"), &["b"]),
        (is(StateComment, Eq, ""), &["B", "a", "b", "c", "master"]),
        (is(Scope, Eq, "/products/starter"), &["B", "a", "b", "c"]),
        (is(Scope, Eq, "/apis/echo"), &["c"]),
        (is(Scope, Ne, "/products/starter"), &["master"]),
        (is(Scope, StartsWith, "/apis"), &["c"]),
        (is(Product, Eq, "starter"), &["B", "a", "b", "c"]),
        (is(Product, StartsWith, "start"), &["B", "a", "b", "c"]),
        (is(Product, Eq, "echo"), &[]),
        (is(Owner, Eq, "jane").and(is(Id, Gt, "a")), &[]),
        (is(Owner, Eq, "jane").or(is(Id, Eq, "c")), &["B", "a", "c"]),
        (
            is(Owner, Eq, "jane")
                .or(is(Owner, Eq, "john"))
                .and(is(Id, Ne, "a")),
            &["B", "c"],
        ),
    ];
    for (filter, expected) in cases {
        let query = ListQuery {
            filter: Some(filter.clone()),
            ..ListQuery::default()
        };
        let (found, total) = ids(&manage, query).await;
        assert_eq!(found, expected, "{filter:?}");
        assert_eq!(total as usize, expected.len(), "{filter:?}");
    }
}
