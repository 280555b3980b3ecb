use std::fmt;
use std::sync::Arc;

use crate::catalog::error::Issues;
use crate::catalog::overlay::{Overlaid, Overlay};
use crate::catalog::packed::{Packer, Subscriptions};
use crate::catalog::validate::Unread;
use crate::catalog::{
    Api, CatalogBuilder, Claim, Definitions, KeyOwner, Owner, Product, Subscription,
};
use crate::key::KeyDigest;

/// APIs, products and subscriptions as one consistent, immutable version.
///
/// A change makes another version ([`apply`](Self::apply)). A request is decided on
/// one version, never on two. Cloning is cheap and copies nothing.
///
/// ```
/// use tower_subscription_key::catalog::{Api, Catalog, Product, Scope, Subscription};
///
/// let catalog = Catalog::builder()
///     .api(Api::new("echo", "/echo"))
///     .product(Product::new("starter").with_apis(["echo"]))
///     .subscription(
///         Subscription::new("contoso")
///             .with_scope(Scope::product("starter"))
///             .with_primary_key("264a41411c0b43e782f483eb6f3eaeab"),
///     )
///     .build()?;
/// assert_eq!(catalog.api_for_path("/echo/1").map(Api::id), Some("echo"));
/// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
/// ```
#[derive(Clone)]
pub struct Catalog {
    pub(super) definitions: Arc<Definitions>,
    pub(super) packed: Arc<Subscriptions>,
    pub(super) overlay: Overlay,
    pub(super) len: usize,
    /// Whether a version without any API is valid.
    pub(super) allows_no_apis: bool,
}

impl Catalog {
    /// An empty builder.
    pub fn builder() -> CatalogBuilder {
        CatalogBuilder::default()
    }

    /// A catalog without anything, which denies every request.
    pub(super) fn empty() -> Self {
        let no_issues = &mut Issues::default();
        let definitions = Definitions::default();
        let packed = Packer::default().finish(&definitions, &Unread::default(), no_issues);
        Self::new(definitions, packed, true)
    }

    pub(super) fn new(
        definitions: Definitions,
        packed: Subscriptions,
        allows_no_apis: bool,
    ) -> Self {
        Self {
            len: packed.len(),
            definitions: Arc::new(definitions),
            packed: Arc::new(packed),
            overlay: Overlay::default(),
            allows_no_apis,
        }
    }

    /// The API with the given id.
    #[must_use]
    pub fn api(&self, id: &str) -> Option<&Api> {
        Some(self.definitions.api(self.definitions.api_by_id(id)?))
    }

    /// The API with the longest path that is a prefix of the given one on segment
    /// borders, compared byte by byte.
    #[must_use]
    pub fn api_for_path(&self, path: &str) -> Option<&Api> {
        Some(self.definitions.api(self.definitions.api_by_path(path)?))
    }

    /// All APIs, in order.
    pub fn apis(&self) -> impl Iterator<Item = &Api> {
        self.definitions.apis()
    }

    /// The product with the given id.
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

    /// The subscription with the given id.
    #[must_use]
    pub fn subscription(&self, id: &str) -> Option<Subscription> {
        match self.overlay.by_id(id) {
            Overlaid::Put(subscription) => Some(Subscription::clone(subscription)),
            Overlaid::Gone => None,
            Overlaid::Unchanged => {
                let at = self.packed.by_id(id)?;
                Some(self.packed.unpack(at, &self.definitions))
            }
        }
    }

    /// The number of subscriptions.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.len
    }

    /// All subscriptions, in no particular order, each made when it is its turn.
    pub fn subscriptions(&self) -> impl Iterator<Item = Subscription> + '_ {
        let unchanged = (0..self.packed.len() as u32)
            .filter(|at| matches!(self.overlay.by_id(self.packed.id(*at)), Overlaid::Unchanged))
            .map(|at| self.packed.unpack(at, &self.definitions));
        let changed = self.overlay.subscriptions();
        unchanged.chain(changed.map(|subscription| Subscription::clone(subscription)))
    }

    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Whether both catalogs share one definitions value.
    pub(crate) fn has_definitions_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.definitions, &other.definitions)
    }

    pub(crate) fn packed(&self) -> &Subscriptions {
        &self.packed
    }

    /// The owner of the key.
    #[inline]
    pub(crate) fn find(&self, digest: &KeyDigest) -> Option<Owner> {
        match self.overlay.by_key(digest) {
            Overlaid::Put(owner) => Some(Owner::Shared(owner.clone())),
            Overlaid::Gone => None,
            Overlaid::Unchanged => self.packed.by_key(digest).map(Owner::Packed),
        }
    }

    /// What a decision needs to know about an owner from this version or from a store.
    #[inline]
    pub(crate) fn claim<'a>(&'a self, owner: &'a Owner) -> Claim<'a> {
        match owner {
            Owner::Packed(key) => self.packed.claim(*key),
            Owner::Shared(owner) => owner.claim(),
        }
    }

    #[cfg(test)]
    pub(crate) fn change_count(&self) -> usize {
        self.overlay.len()
    }

    /// The same catalog with its changes packed.
    pub(crate) fn pack(&self) -> Self {
        let mut packer = Packer::default();
        // Every subscription was accepted before, together with the others.
        let mut no_issues = Issues::default();
        for subscription in self.subscriptions() {
            packer.push(&subscription, &mut no_issues);
        }
        let packed = packer.finish(&self.definitions, &Unread::default(), &mut no_issues);
        Self {
            packed: Arc::new(packed),
            overlay: Overlay::default(),
            ..self.clone()
        }
    }

    /// The owner of the key, unpacked.
    pub(crate) fn owner(&self, digest: &KeyDigest) -> Option<KeyOwner> {
        Some(match self.find(digest)? {
            Owner::Shared(owner) => owner,
            Owner::Packed(key) => {
                let subscription = self.packed.unpack(key.subscription(), &self.definitions);
                KeyOwner::held(Arc::new(subscription), key.held())
            }
        })
    }

    pub(crate) fn has_subscription(&self, id: &str) -> bool {
        match self.overlay.by_id(id) {
            Overlaid::Put(_) => true,
            Overlaid::Gone => false,
            Overlaid::Unchanged => self.packed.by_id(id).is_some(),
        }
    }
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
