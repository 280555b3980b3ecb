use std::fmt;
use std::sync::Arc;

use crate::catalog::changes::{Change, Changes};
use crate::catalog::definitions::Place;
use crate::catalog::packed::{Packer, Subscriptions, check, check_keys_differ};
use crate::catalog::{
    Api, ApiIndex, CatalogBuilder, CatalogError, Claim, Definitions, Entity, Field, Holder, Issue,
    IssueKind, KeySlot, Product, Scope, Subscription, Target,
};
use crate::key::KeyDigest;

/// APIs, products and subscriptions as one consistent, immutable version.
///
/// A changed catalog is another one; a request is decided on one, never on two.
/// Cloning is cheap and copies nothing.
///
/// ```
/// use tower_subscription_key::catalog::{Api, Catalog, Product, Scope, Subscription};
///
/// let catalog = Catalog::builder()
///     .api(Api::new("echo", "/echo"))
///     .product(Product::new("starter").with_apis(["echo"]))
///     .subscription(
///         Subscription::new("contoso")
///             .with_scope(Scope::Product("starter".into()))
///             .with_primary_key("264a41411c0b43e782f483eb6f3eaeab"),
///     )
///     .build()?;
/// assert_eq!(catalog.api_for_path("/echo/1").map(Api::id), Some("echo"));
/// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
/// ```
#[derive(Clone)]
pub struct Catalog {
    definitions: Arc<Definitions>,
    packed: Arc<Subscriptions>,
    changes: Changes,
    len: usize,
}

/// A key that the catalog knows.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) claim: Claim<'a>,
    pub(crate) holder: Holder,
}

impl Catalog {
    /// An empty builder.
    pub fn builder() -> CatalogBuilder {
        CatalogBuilder::default()
    }

    pub(super) fn new(definitions: Definitions, packed: Subscriptions) -> Self {
        Self {
            len: packed.len(),
            definitions: Arc::new(definitions),
            packed: Arc::new(packed),
            changes: Changes::default(),
        }
    }

    /// The API with that id.
    #[must_use]
    pub fn api(&self, id: &str) -> Option<&Api> {
        Some(self.definitions.api(self.definitions.api_by_id(id)?))
    }

    /// The API that serves that path: the longest prefix on segment borders,
    /// compared byte for byte.
    #[must_use]
    pub fn api_for_path(&self, path: &str) -> Option<&Api> {
        Some(self.definitions.api(self.definitions.api_by_path(path)?))
    }

    /// All APIs, in order.
    pub fn apis(&self) -> impl Iterator<Item = &Api> {
        self.definitions.apis()
    }

    /// The product with that id.
    #[must_use]
    pub fn product(&self, id: &str) -> Option<&Product> {
        Some(
            self.definitions
                .product(self.definitions.product_by_id(id)?),
        )
    }

    /// All products, in order.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.definitions.products()
    }

    /// The subscription with that id, unpacked.
    #[must_use]
    pub fn subscription(&self, id: &str) -> Option<Subscription> {
        match self.changes.by_id(id) {
            Change::Put(subscription) => Some(Subscription::clone(subscription)),
            Change::Gone => None,
            Change::None => {
                let at = self.packed.by_id(id)?;
                Some(self.packed.unpack(at, &self.definitions))
            }
        }
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.len
    }

    /// All subscriptions, unpacked one after the other.
    pub fn subscriptions(&self) -> impl Iterator<Item = Subscription> + '_ {
        let unchanged = (0..self.packed.len() as u32)
            .filter(|at| matches!(self.changes.by_id(self.packed.id(*at)), Change::None))
            .map(|at| self.packed.unpack(at, &self.definitions));
        let changed = self.changes.subscriptions();
        unchanged.chain(changed.map(|subscription| Subscription::clone(subscription)))
    }

    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Whether its APIs and products are the very same as those of the other.
    pub(crate) fn has_definitions_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.definitions, &other.definitions)
    }

    pub(crate) fn packed(&self) -> &Subscriptions {
        &self.packed
    }

    /// Whose key that is.
    #[inline]
    pub(crate) fn find(&self, digest: &KeyDigest) -> Option<Found<'_>> {
        match self.changes.by_key(digest) {
            Change::Put(key) => Some(Found {
                claim: key.claim(),
                holder: Holder::Shared(Arc::clone(&key.subscription)),
            }),
            Change::Gone => None,
            Change::None => {
                let (at, claim) = self.packed.by_key(digest)?;
                let holder = Holder::Packed(at);
                Some(Found { claim, holder })
            }
        }
    }

    /// How many single changes there are to look through beside the packed
    /// subscriptions.
    pub(crate) fn change_count(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn packed_count(&self) -> usize {
        self.packed.len()
    }

    /// The same catalog with its changes packed.
    pub(crate) fn pack(&self) -> Self {
        let mut packer = Packer::default();
        for subscription in self.subscriptions() {
            packer.push(subscription);
        }
        // Every subscription was accepted before, beside the others.
        let packed = packer.finish(&self.definitions, &mut Vec::new());
        Self {
            definitions: Arc::clone(&self.definitions),
            packed: Arc::new(packed),
            changes: Changes::default(),
            len: self.len,
        }
    }

    /// This catalog on the packed subscriptions of `packed`, which were packed
    /// from `before`; the changes since then stay changes. `None` where this
    /// catalog does not descend from `before`.
    pub(crate) fn repacked(&self, before: &Self, packed: &Self) -> Option<Self> {
        if !Arc::ptr_eq(&self.packed, &before.packed) {
            return None;
        }
        let changes = self
            .changes
            .since(&before.changes, &self.packed, &packed.packed)?;
        Some(Self {
            packed: Arc::clone(&packed.packed),
            changes,
            ..self.clone()
        })
    }

    /// The owner of the key, unpacked, and the key's slot.
    pub(crate) fn owner(&self, digest: &KeyDigest) -> Option<(Arc<Subscription>, KeySlot)> {
        let found = self.find(digest)?;
        let subscription = match found.holder {
            Holder::Packed(at) => Arc::new(self.packed.unpack(at, &self.definitions)),
            Holder::Shared(subscription) => subscription,
        };
        Some((subscription, found.claim.slot))
    }

    /// A catalog in which the subscription stands in the place of the one with
    /// its id, or beside the others.
    pub(crate) fn with_subscription(
        &self,
        subscription: Subscription,
    ) -> Result<Self, CatalogError> {
        let mut issues = Vec::new();
        check(&subscription, 0, &mut issues);
        self.check_among_others(&subscription, &mut issues);
        CatalogError::check(issues)?;
        let mut next = self.clone();
        if !self.has_subscription(subscription.id()) {
            next.len += 1;
        }
        next.changes.put(subscription, &self.packed);
        Ok(next)
    }

    fn check_among_others(&self, subscription: &Subscription, issues: &mut Vec<Issue>) {
        let mut refuse = |field, kind| {
            let (index, id) = (0, subscription.id().to_owned());
            let entity = Entity::Subscription { index, id };
            issues.push(Issue {
                entity,
                field,
                kind,
            });
        };
        for (at, scope) in subscription.scopes().iter().enumerate() {
            if self.definitions.resolve(scope).is_none() {
                let scope = scope.clone();
                refuse(Field::Scope(at), IssueKind::UnknownScope { scope });
            }
        }
        if let Some((field, kind)) = check_keys_differ(subscription) {
            refuse(field, kind);
        }
        for (slot, key) in subscription.keys() {
            let Some(found) = self.find(key.digest()) else {
                continue;
            };
            let other = match &found.holder {
                Holder::Packed(at) => self.packed.id(*at),
                Holder::Shared(other) => other.id(),
            };
            if other != subscription.id() {
                let (other, slot_there) = (other.to_owned(), found.claim.slot);
                let kind = IssueKind::DuplicateKey {
                    other,
                    slot: slot_there,
                };
                refuse(Field::Key(slot), kind);
            }
        }
    }

    fn has_subscription(&self, id: &str) -> bool {
        match self.changes.by_id(id) {
            Change::Put(_) => true,
            Change::Gone => false,
            Change::None => self.packed.by_id(id).is_some(),
        }
    }

    /// A catalog without that subscription, if it had it.
    pub(crate) fn without_subscription(&self, id: &str) -> Option<Self> {
        self.has_subscription(id).then(|| {
            let mut next = self.clone();
            next.changes.remove(id, &self.packed);
            next.len -= 1;
            next
        })
    }

    /// A catalog in which the API stands in the place of the one with its id,
    /// or after the others.
    pub(crate) fn with_api(&self, api: Api) -> Result<Self, CatalogError> {
        let mut apis = self.definitions.api_places();
        let at = self.definitions.api_by_id(api.id());
        put(&mut apis, at.map(|at| at.0), api);
        self.with_definitions(apis, self.definitions.product_places())
    }

    /// A catalog in which the product stands in the place of the one with its
    /// id, or after the others.
    pub(crate) fn with_product(&self, product: Product) -> Result<Self, CatalogError> {
        let mut products = self.definitions.product_places();
        let at = self.definitions.product_by_id(product.id());
        put(&mut products, at.map(|at| at.0), product);
        self.with_definitions(self.definitions.api_places(), products)
    }

    /// A catalog without that API. `None` where there is none.
    pub(crate) fn without_api(&self, id: &str) -> Option<Result<Self, CatalogError>> {
        let at = self.definitions.api_by_id(id)?;
        let entity = Entity::Api {
            index: at.0 as usize,
            id: id.to_owned(),
        };
        if let Some(by) = self.user_of_api(at) {
            return Some(Err(in_use(entity, by)));
        }
        if self.apis().nth(1).is_none() {
            return Some(Err(refused(entity, IssueKind::LastApi)));
        }
        let mut apis = self.definitions.api_places();
        apis[at.0 as usize].gone = true;
        Some(self.with_definitions(apis, self.definitions.product_places()))
    }

    /// A catalog without that product. `None` where there is none.
    pub(crate) fn without_product(&self, id: &str) -> Option<Result<Self, CatalogError>> {
        let at = self.definitions.product_by_id(id)?;
        if let Some(by) = self.subscription_with(Target::Product(at)) {
            let (index, id) = (at.0 as usize, id.to_owned());
            return Some(Err(in_use(Entity::Product { index, id }, by)));
        }
        let mut products = self.definitions.product_places();
        products[at.0 as usize].gone = true;
        Some(self.with_definitions(self.definitions.api_places(), products))
    }

    fn with_definitions(
        &self,
        apis: Vec<Place<Api>>,
        products: Vec<Place<Product>>,
    ) -> Result<Self, CatalogError> {
        let mut issues = Vec::new();
        let definitions = Definitions::build(apis, products, &mut issues);
        CatalogError::check(issues)?;
        Ok(Self {
            definitions: Arc::new(definitions),
            ..self.clone()
        })
    }

    fn user_of_api(&self, api: ApiIndex) -> Option<Entity> {
        let by_product = || {
            let holder = *self.definitions.holders(api).first()?;
            let id = self.definitions.product(holder).id().to_owned();
            let index = holder.0 as usize;
            Some(Entity::Product { index, id })
        };
        by_product().or_else(|| self.subscription_with(Target::Api(api)))
    }

    /// The first subscription with that scope.
    fn subscription_with(&self, target: Target) -> Option<Entity> {
        let scope: Scope = self.definitions.scope(target).to_scope();
        let found = self
            .subscriptions()
            .find(|subscription| subscription.scopes().contains(&scope))?;
        let (index, id) = (0, found.id().to_owned());
        Some(Entity::Subscription { index, id })
    }
}

fn put<T>(places: &mut Vec<Place<T>>, at: Option<u32>, value: T) {
    let place = value.into();
    match at {
        Some(at) => places[at as usize] = place,
        None => places.push(place),
    }
}

fn in_use(entity: Entity, by: Entity) -> CatalogError {
    refused(entity, IssueKind::InUse { by })
}

/// The refusal of a removal.
fn refused(entity: Entity, kind: IssueKind) -> CatalogError {
    let field = Field::Whole;
    CatalogError::of(Issue {
        entity,
        field,
        kind,
    })
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("apis", &self.apis().count())
            .field("products", &self.products().count())
            .field("subscriptions", &self.len)
            .finish()
    }
}
