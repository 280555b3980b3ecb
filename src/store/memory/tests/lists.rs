//! A catalog's rules on plain lists.

use crate::access::tests::naive::Plain;
use crate::catalog::{
    Api, CatalogError, Entity, Field, IdError, Issue, IssueKind, KeyTextError, Product, Scope,
    Subscription,
};
use crate::key::{KeyDigest, Presented};

pub(super) type Rejection = Vec<(String, Field, String)>;

/// The store's refusal without the places, which the lists do not count alike.
pub(super) fn refusal(error: &CatalogError) -> Rejection {
    let id = |entity: &Entity| format!("{} {}", entity.kind, entity.id);
    let place = |issue: &Issue| match &issue.entity {
        Some(entity) => id(entity),
        None => "catalog".to_owned(),
    };
    let issues = error.issues().iter();
    let mut refusal: Rejection = issues
        .map(|issue| match &issue.kind {
            IssueKind::InUse { by } => (place(issue), issue.field, id(by)),
            IssueKind::Path(_) => (place(issue), issue.field, "Path".to_owned()),
            kind => (
                place(issue),
                issue.field,
                format!("{:?}", without_advice(kind)),
            ),
        })
        .collect();
    refusal.sort_by_key(|issue| format!("{issue:?}"));
    refusal
}

fn without_advice(kind: &IssueKind) -> IssueKind {
    match kind.clone() {
        IssueKind::UnknownApi { api, .. } => IssueKind::UnknownApi { api, nearest: None },
        IssueKind::UnknownScope { scope, .. } => IssueKind::UnknownScope {
            scope,
            nearest: None,
        },
        kind => kind,
    }
}

fn put<T>(list: &[T], value: T, same: impl Fn(&T) -> bool) -> Vec<T>
where
    T: Clone,
{
    let mut list = list.to_vec();
    match list.iter().position(same) {
        Some(at) => list[at] = value,
        None => list.push(value),
    }
    list
}

/// The lists' own rules. Each says what is wrong, or changes the lists.
impl Plain {
    pub(super) fn put_subscription(&mut self, new: &Subscription) -> Result<(), Rejection> {
        let mut wrong = Vec::new();
        let mut refuse = |field, kind: IssueKind| {
            let place = format!("subscription {}", new.id());
            wrong.push((place, field, format!("{kind:?}")));
        };
        if new.id().contains('/') {
            refuse(Field::Id, IssueKind::Id(IdError::Character('/')));
        }
        if new.scopes().is_empty() {
            refuse(Field::Scope(0), IssueKind::NoScope);
        }
        if new.keys().count() == 0 {
            refuse(Field::Whole, IssueKind::NoKey);
        }
        for (at, scope) in new.scopes().iter().enumerate() {
            let known = match scope {
                Scope::Service | Scope::AllApis => true,
                Scope::Api(id) => self.api(id).is_some(),
                Scope::Product(id) => self.products.iter().any(|product| product.id() == id),
            };
            if !known {
                let scope = scope.clone();
                let nearest = None;
                refuse(Field::Scope(at), IssueKind::UnknownScope { scope, nearest });
            }
        }
        let digests: Vec<_> = new
            .keys()
            .map(|(slot, key)| (slot, *key.digest()))
            .collect();
        if let [(_, first), (slot, second)] = digests[..]
            && first == second
        {
            refuse(Field::Key(slot), IssueKind::SameKeys);
        }
        for (slot, digest) in digests {
            if digest == KeyDigest::of("k".repeat(257)) {
                refuse(Field::Key(slot), IssueKind::Key(KeyTextError::Length));
            }
            if let Some((owner, slot_there)) = self.owner(Presented::Key(digest))
                && owner.id() != new.id()
            {
                let (other, slot_there) = (owner.id().to_owned(), slot_there);
                let kind = IssueKind::DuplicateKey {
                    other,
                    slot: slot_there,
                };
                refuse(Field::Key(slot), kind);
            }
        }
        wrong.sort_by_key(|issue| format!("{issue:?}"));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        self.subscriptions = put(&self.subscriptions, new.clone(), |s| s.id() == new.id());
        Ok(())
    }

    pub(super) fn put_api(&mut self, new: &Api) -> Result<(), Rejection> {
        let apis = put(&self.apis, new.clone(), |api| api.id() == new.id());
        if !["", "/"].contains(&new.path()) && !new.path().starts_with('/') {
            let place = format!("API {}", new.id());
            return Err(vec![(place, Field::Path, "Path".to_owned())]);
        }
        for (at, api) in apis.iter().enumerate() {
            if let Some(other) = apis[..at].iter().find(|other| other.path() == api.path()) {
                let other = other.id().to_owned();
                let kind = format!("{:?}", IssueKind::DuplicatePath { other });
                return Err(vec![(format!("API {}", api.id()), Field::Path, kind)]);
            }
        }
        self.apis = apis;
        Ok(())
    }

    pub(super) fn put_product(&mut self, new: &Product) -> Result<(), Rejection> {
        let products = put(&self.products, new.clone(), |product| {
            product.id() == new.id()
        });
        let mut wrong = Vec::new();
        for (at, product) in products.iter().enumerate() {
            let place = format!("product {}", product.id());
            for (place_in, api) in product.apis().iter().enumerate() {
                if self.api(api).is_none() {
                    let api = api.clone();
                    let nearest = None;
                    let kind = format!("{:?}", IssueKind::UnknownApi { api, nearest });
                    wrong.push((place.clone(), Field::Apis(place_in), kind));
                    continue;
                }
                let first = products[..at]
                    .iter()
                    .find(|other| other.is_open() && other.apis().contains(api));
                if let (true, Some(first)) = (product.is_open(), first) {
                    let (api, other) = (api.clone(), first.id().to_owned());
                    let kind = format!("{:?}", IssueKind::SecondOpenProduct { api, other });
                    wrong.push((place.clone(), Field::SubscriptionRequired, kind));
                }
            }
        }
        wrong.sort_by_key(|issue| format!("{issue:?}"));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        self.products = products;
        Ok(())
    }

    /// Everything that names the API or product.
    pub(super) fn users(&self, api: Option<&str>, scope: &Scope) -> Vec<String> {
        let holds =
            |product: &&Product| api.is_some_and(|id| product.apis().iter().any(|a| a == id));
        let products = self.products.iter().filter(holds);
        let subscriptions = self
            .subscriptions
            .iter()
            .filter(|s| s.scopes().contains(scope));
        products
            .map(|product| format!("product {}", product.id()))
            .chain(subscriptions.map(|s| format!("subscription {}", s.id())))
            .collect()
    }
}
