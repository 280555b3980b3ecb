//! Every kind of API by every kind of key.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::naive::{Seen, seen};
use crate::access::{DenialReason, InapplicableKey, Policy, Unmatched};
use crate::catalog::{Api, Catalog, KeySlot, Product, Scope, State, Subscription, SubscriptionKey};
use crate::key::{KeyDigest, Presented};

/// The API, whether it requires a subscription, and the open product that holds it.
const ROWS: [(&str, bool, Option<&str>); 4] = [
    ("guarded", true, None),
    ("lax", false, None),
    ("given", true, Some("gift")),
    ("lax-given", false, Some("gift")),
];

pub(super) const NOW: u64 = 1_000;

pub(super) fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(secs)
}

pub(super) fn product(id: &str) -> Scope {
    Scope::Product(id.into())
}

pub(super) fn key(text: &str) -> Presented {
    Presented::Key(KeyDigest::of(text))
}

/// A subscription to `sold` with the keys `{id}-1` and `{id}-2`.
pub(super) fn to_sold(id: &str) -> Subscription {
    with_keys(id).with_scope(product("sold"))
}

fn with_keys(id: &str) -> Subscription {
    Subscription::new(id)
        .with_owner(format!("{id}@example"))
        .with_primary_key(&*format!("{id}-1"))
        .with_secondary_key(&*format!("{id}-2"))
}

pub(super) fn catalog() -> Arc<Catalog> {
    let mut builder = Catalog::builder().api(Api::new("foreign", "/foreign"));
    for (id, required, _) in ROWS {
        let api = Api::new(id, format!("/{id}"));
        builder.push_api(api.with_subscription_required(required));
    }
    let given = ROWS.iter().filter(|(_, _, open)| open.is_some());
    let gift = Product::new("gift").with_apis(given.map(|(id, _, _)| *id));
    builder.push_product(gift.with_subscription_required(false));
    builder.push_product(Product::new("sold").with_apis(ROWS.map(|(id, _, _)| id)));
    builder.push_product(Product::new("other").with_apis(["foreign"]));

    let mut to_apis = with_keys("by-api");
    for (id, _, _) in ROWS {
        to_apis = to_apis.with_scope(Scope::Api(id.into()));
    }
    builder.push_subscription(to_sold("by-product"));
    builder.push_subscription(to_apis);
    builder.push_subscription(with_keys("by-all").with_scope(Scope::AllApis));
    builder.push_subscription(with_keys("by-service").with_scope(Scope::Service));
    builder.push_subscription(with_keys("api-foreign").with_scope(Scope::Api("foreign".into())));
    builder.push_subscription(with_keys("product-foreign").with_scope(product("other")));
    for state in State::ALL {
        builder.push_subscription(to_sold(state.as_str()).with_state(state));
    }
    builder.push_subscription(to_sold("early").with_not_before(at(NOW + 1)));
    builder.push_subscription(to_sold("on-time").with_not_before(at(NOW)));
    builder.push_subscription(to_sold("over").with_expiry(at(NOW)));
    builder.push_subscription(to_sold("last-second").with_expiry(at(NOW + 1)));
    let rotated = |id: &str, end| {
        let old = SubscriptionKey::new(format!("{id}-1")).with_expiry(at(end));
        to_sold(id).with_primary_key(old)
    };
    builder.push_subscription(rotated("rotated", NOW));
    builder.push_subscription(rotated("grace", NOW + 1));
    Arc::new(builder.build().unwrap())
}

/// What a key opens, whatever the API.
enum Worth {
    /// It names the caller, by that scope of the API's.
    Opens(fn(&str) -> Scope),
    /// It is a wrong one, and known by its subscription.
    Known(DenialReason),
    /// It is a wrong key that no subscription has.
    Unknown(DenialReason),
    /// It is no key.
    None(DenialReason),
}

/// The owner of the key.
type Owner = Option<(String, KeySlot)>;

fn keys() -> Vec<(Presented, Owner, Worth)> {
    use DenialReason as R;
    let mut keys = vec![
        (Presented::Missing, None, Worth::None(R::MissingKey)),
        (Presented::Empty, None, Worth::None(R::EmptyKey)),
        (Presented::Ambiguous, None, Worth::Unknown(R::AmbiguousKey)),
        (Presented::Malformed, None, Worth::Unknown(R::MalformedKey)),
        (key("unowned"), None, Worth::Unknown(R::UnknownKey)),
        (key(""), None, Worth::Unknown(R::UnknownKey)),
    ];
    let mut push = |id: &str, slot: KeySlot, worth: Worth| {
        let text = format!("{id}-{}", slot as u8 + 1);
        keys.push((key(&text), Some((id.to_owned(), slot)), worth));
    };
    for slot in [KeySlot::Primary, KeySlot::Secondary] {
        push("by-product", slot, Worth::Opens(|_| product("sold")));
        push("by-api", slot, Worth::Opens(|api| Scope::Api(api.into())));
        push("by-all", slot, Worth::Opens(|_| Scope::AllApis));
        push("by-service", slot, Worth::Opens(|_| Scope::Service));
        push("api-foreign", slot, Worth::Known(R::OutOfScope));
        push("product-foreign", slot, Worth::Known(R::OutOfScope));
        push("active", slot, Worth::Opens(|_| product("sold")));
        for state in &State::ALL[1..] {
            push(state.as_str(), slot, Worth::Known(R::Inactive(*state)));
        }
        push("early", slot, Worth::Known(R::NotYetValid));
        push("on-time", slot, Worth::Opens(|_| product("sold")));
        push("over", slot, Worth::Known(R::SubscriptionExpired));
        push("last-second", slot, Worth::Opens(|_| product("sold")));
        push("grace", slot, Worth::Opens(|_| product("sold")));
    }
    push("rotated", KeySlot::Primary, Worth::Known(R::KeyExpired));
    push(
        "rotated",
        KeySlot::Secondary,
        Worth::Opens(|_| product("sold")),
    );
    keys
}

/// The outcome for an anonymous caller.
fn anonymous(api: &str, open: Option<&str>) -> Seen {
    Seen::Access {
        api: api.into(),
        product: open.map(str::to_owned),
        subscription: None,
        slot: None,
        scope: None,
        owner: None,
    }
}

#[test]
fn key_of_any_kind_on_any_api_gets_the_decision_of_the_table() {
    let catalog = catalog();
    for (api, required, open) in ROWS {
        let needs_key = required && open.is_none();
        let products: Vec<String> = open.into_iter().chain(["sold"]).map(Into::into).collect();
        for (presented, owner, worth) in keys() {
            for inapplicable_key in [InapplicableKey::Ignore, InapplicableKey::Deny] {
                let denied = |reason, key_presented| {
                    let subscription = owner.as_ref().map(|(id, _)| id.clone());
                    Seen::Denied {
                        reason,
                        key_presented,
                        api: Some(api.into()),
                        scopes: subscription
                            .as_ref()
                            .and_then(|id| catalog.subscription(id))
                            .map_or_else(Vec::new, |s| s.scopes().to_vec()),
                        subscription,
                        slot: owner.as_ref().map(|(_, slot)| *slot),
                        products: products.clone(),
                    }
                };
                let expected = match worth {
                    Worth::Opens(scope) => {
                        let (id, slot) = owner.clone().unwrap();
                        Seen::Access {
                            api: api.into(),
                            product: match scope(api) {
                                Scope::Product(id) => Some(id),
                                _ => None,
                            },
                            owner: Some(format!("{id}@example")),
                            subscription: Some(id),
                            slot: Some(slot),
                            scope: Some(scope(api)),
                        }
                    }
                    Worth::None(reason) if needs_key => denied(reason, false),
                    Worth::Known(reason) | Worth::Unknown(reason)
                        if needs_key || inapplicable_key == InapplicableKey::Deny =>
                    {
                        denied(reason, true)
                    }
                    _ => anonymous(api, open),
                };
                let policy = Policy {
                    inapplicable_key,
                    unmatched: Unmatched::Deny,
                };
                let seen = seen(&catalog, Some(api), presented, policy, at(NOW));
                assert_eq!(seen, expected, "{api}, {owner:?}, {inapplicable_key:?}");
            }
        }
    }
}
