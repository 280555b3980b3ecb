use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use crate::catalog::{Api, Catalog, Entity, EntityKind, Product, Scope, State, Subscription};
use crate::lint::{Code, Finding, key_field};

/// How long before its end a key is about to end.
const SOON: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn apis(catalog: &Catalog, findings: &mut Vec<Finding>) {
    let opened = Opened::of(catalog);
    for (index, api) in catalog.apis().enumerate() {
        let entity = Entity::new(EntityKind::Api, index, api.id());
        let products = catalog.products().filter(|product| contains(product, api));
        for product in products {
            findings.extend(anonymous(api, product, &entity));
        }
        if api.subscription_required() && !opened.contains(api) {
            let message =
                "no subscription and no open product opens it, so that every request is denied";
            let id = api.id();
            let advice = format!("put it into a product, or grant a subscription /apis/{id}");
            let code = Code::ApiUnreachable;
            findings.push(Finding::new(code, entity, None, message, advice));
        }
    }
}

fn contains(product: &Product, api: &Api) -> bool {
    product.apis().iter().any(|id| id == api.id())
}

/// Access without a key that may not have been meant.
fn anonymous(api: &Api, product: &Product, entity: &Entity) -> Option<Finding> {
    let (message, advice) = match (api.subscription_required(), product.is_open()) {
        (true, true) => (
            format!(
                "it requires a subscription, but the open product {:?} lets everyone in",
                product.id()
            ),
            "take it out of the product, or set subscription_required = false if everyone may call it",
        ),
        (false, false) => (
            format!(
                "it requires no subscription, so that everyone gets in without one to product {:?}",
                product.id()
            ),
            "set subscription_required = true, or take it out of the product",
        ),
        _ => return None,
    };
    let (code, field) = (Code::OpenAnonymous, Some("subscription_required"));
    Some(Finding::new(code, entity.clone(), field, message, advice))
}

/// The APIs that some scope or open product opens.
struct Opened {
    all: bool,
    apis: HashSet<String>,
}

impl Opened {
    fn of(catalog: &Catalog) -> Self {
        let mut opened = Self {
            all: false,
            apis: HashSet::new(),
        };
        let open = catalog.products().filter(|product| product.is_open());
        for product in open {
            opened.apis.extend(product.apis().iter().cloned());
        }
        let mut products = HashSet::new();
        for subscription in catalog.subscriptions() {
            for scope in subscription.scopes() {
                match scope {
                    Scope::Service | Scope::AllApis => opened.all = true,
                    Scope::Api(id) => {
                        opened.apis.insert(id.clone());
                    }
                    Scope::Product(id) => {
                        products.insert(id.clone());
                    }
                }
            }
        }
        for product in catalog.products().filter(|p| products.contains(p.id())) {
            opened.apis.extend(product.apis().iter().cloned());
        }
        opened
    }

    fn contains(&self, api: &Api) -> bool {
        self.all || self.apis.contains(api.id())
    }
}

pub(super) fn products(catalog: &Catalog, findings: &mut Vec<Finding>) {
    for (index, product) in catalog.products().enumerate() {
        if product.apis().is_empty() {
            let entity = Entity::new(EntityKind::Product, index, product.id());
            let (message, advice) = ("it contains no API", "add an API to it, or remove it");
            let code = Code::ProductEmpty;
            findings.push(Finding::new(code, entity, Some("apis"), message, advice));
        }
    }
}

pub(super) fn subscriptions(catalog: &Catalog, now: SystemTime, findings: &mut Vec<Finding>) {
    for (index, subscription) in catalog.subscriptions().enumerate() {
        let entity = Entity::new(EntityKind::Subscription, index, subscription.id());
        if !opens_something(catalog, &subscription) {
            let message = "none of its scopes contains an API";
            let advice = "add APIs to its product, or grant it another scope";
            let (code, field) = (Code::SubscriptionOpensNothing, Some("scope"));
            findings.push(Finding::new(code, entity.clone(), field, message, advice));
        }
        findings.extend(all_access(&subscription, &entity));
        if subscription.state() == State::Active {
            ends(&subscription, &entity, now, findings);
        }
    }
}

fn opens_something(catalog: &Catalog, subscription: &Subscription) -> bool {
    subscription.scopes().iter().any(|scope| match scope {
        Scope::Service | Scope::AllApis => catalog.apis().next().is_some(),
        Scope::Api(_) => true,
        Scope::Product(id) => catalog
            .product(id)
            .is_some_and(|product| !product.apis().is_empty()),
    })
}

fn all_access(subscription: &Subscription, entity: &Entity) -> Option<Finding> {
    let owner = subscription.owner()?;
    let mut scopes = subscription.scopes().iter();
    let scope = scopes.find(|scope| matches!(scope, Scope::Service | Scope::AllApis))?;
    let message = format!("{owner:?} owns it, and its scope {scope} opens every API");
    let advice = "give it the scopes that its owner needs";
    let (code, field) = (Code::AllAccessWithOwner, Some("scope"));
    Some(Finding::new(code, entity.clone(), field, message, advice))
}

/// Ends of an active subscription and its keys. Retired keys are meant to end.
fn ends(
    subscription: &Subscription,
    entity: &Entity,
    now: SystemTime,
    findings: &mut Vec<Finding>,
) {
    let whole = subscription
        .expires_at()
        .map(|end| ("expires_at", "it", end));
    let keys = subscription.keys().filter_map(|(slot, key)| {
        let name = match key_field(slot) {
            "primary_key" => "its primary key",
            _ => "its secondary key",
        };
        Some((key_field(slot), name, key.expires_at()?))
    });
    for (field, what, end) in whole.into_iter().chain(keys) {
        let left = end.duration_since(now).unwrap_or_default();
        let (code, message) = if end <= now {
            let message = format!("{what} has ended and opens nothing");
            (Code::KeysExpired, message)
        } else if left <= SOON {
            let days = left.as_secs() / 86_400;
            let plural = if days == 1 { "" } else { "s" };
            let message = format!("{what} ends in {days} day{plural}");
            (Code::KeysExpiring, message)
        } else {
            continue;
        };
        let advice = match field {
            "expires_at" => "set a later end, or cancel it",
            _ => "regenerate the key with a later end",
        };
        let entity = entity.clone();
        findings.push(Finding::new(code, entity, Some(field), message, advice));
    }
}
