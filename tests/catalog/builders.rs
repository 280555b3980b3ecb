use serde::Deserialize;
use serde_json::json;
use tower_subscription_key::MemoryStore;
use tower_subscription_key::catalog::{
    Api, Catalog, Change, KeySlot, Metadata, MetadataError, Product, Scope, Subscription,
    SubscriptionKey,
};

#[test]
fn subscription_without_methods_remove_what_was_added() {
    let end = std::time::SystemTime::UNIX_EPOCH;
    let key = SubscriptionKey::new("K").with_expiry(end);
    let full = Subscription::new("s")
        .with_scopes(["/apis/a", "/products/p", "/"])
        .unwrap()
        .with_owner("jane")
        .with_primary_key(key.clone())
        .with_secondary_key("L")
        .with_retired_key(KeySlot::Primary, key.clone())
        .with_not_before(end)
        .with_expiry(end);
    let dropped = full
        .without_scope(&Scope::api("a"))
        .without_owner()
        .without_key(KeySlot::Primary)
        .without_retired_key(KeySlot::Primary)
        .without_validity();
    let bare = Subscription::new("s")
        .with_scope(Scope::product("p"))
        .with_scope(Scope::Service)
        .with_secondary_key("L");
    assert_eq!(dropped, bare);
    assert_eq!(bare.without_scopes().scopes(), []);
    assert_eq!(key.without_expiry(), SubscriptionKey::new("K"));
    let product = Product::new("p").with_apis(["a", "b"]);
    assert_eq!(product.clone().without_api("a").apis(), ["b"]);
    assert!(product.without_apis().apis().is_empty());
    assert!(Subscription::new("s").with_scopes(["/nope"]).is_err());
}

#[test]
fn metadata_from_arrays_json_and_owned_names_is_accepted() {
    let of_array = Metadata::from([("tier", "public")]);
    let of_names: Metadata = [(String::from("tier"), json!("public"))]
        .into_iter()
        .collect();
    let of_json = Metadata::try_from(json!({ "tier": "public" })).unwrap();
    assert_eq!(of_array, of_names);
    assert_eq!(of_array, of_json);
    assert_eq!(
        Metadata::try_from(json!([1])),
        Err(MetadataError::NotAnObject)
    );
}

#[derive(Debug, PartialEq, Deserialize)]
struct Plan {
    calls: u32,
}

#[test]
fn typed_metadata_until_a_change_is_parsed_once_and_shared() {
    let product = |calls: u32| Product::new("p").with_metadata([("calls", calls)]);
    let catalog = Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .product(product(5));
    let catalog = catalog.build().unwrap();
    fn plan(catalog: &Catalog) -> &Plan {
        let metadata = catalog.product("p").unwrap().metadata();
        metadata.typed::<Plan>().unwrap()
    }
    let first = plan(&catalog);
    assert_eq!(*first, Plan { calls: 5 });
    assert!(std::ptr::eq(first, plan(&catalog)));
    // An unrelated change keeps the parsed value; a change of the product replaces it.
    let other = Change::PutApi(Api::new("other", "/other"));
    let next = catalog.apply([other]).unwrap();
    assert!(std::ptr::eq(first, plan(&next)));
    let next = next.apply([Change::PutProduct(product(7))]).unwrap();
    assert_eq!(plan(&next), &Plan { calls: 7 });
    // The same metadata as another type, and as a type that does not match.
    let metadata = catalog.product("p").unwrap().metadata();
    let all = metadata.typed::<serde_json::Value>().unwrap();
    assert_eq!(all, &json!({ "calls": 5 }));
    assert!(metadata.typed::<Vec<u8>>().is_err());
    assert!(std::ptr::eq(first, plan(&catalog)));
}

#[test]
fn store_of_keys_maps_each_key_to_its_name() {
    let store = MemoryStore::of_keys([("contoso", "K"), ("fabrikam", "L")]).unwrap();
    let catalog = store.catalog();
    assert_eq!(catalog.api_for_path("/any/path").map(Api::id), Some("api"));
    let contoso = catalog.subscription("contoso").unwrap();
    assert_eq!(contoso.scopes(), [Scope::AllApis]);
    assert_eq!(contoso.key(KeySlot::Primary), Some(&"K".into()));
    assert!(MemoryStore::of_keys([("a", "K"), ("b", "K")]).is_err());
}
