use std::sync::Arc;

use hashbrown::HashMap;

use crate::catalog::error::Issues;
use crate::catalog::near::nearest;
use crate::catalog::paths::{Matched, PathConflict, Paths};
use crate::catalog::places::Places;
use crate::catalog::validate::{Unread, clipped};
use crate::catalog::{Api, Entity, EntityKind, Field, Issue, IssueKind, Product, Scope};

/// The place of an API in [`Definitions`]. It keeps its meaning in later versions
/// until the API is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ApiIndex(pub(super) u32);

/// The place of a product. It says nothing about the order of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProductIndex(pub(super) u32);

/// A scope with resolved ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Service,
    AllApis,
    Api(ApiIndex),
    Product(ProductIndex),
}

/// The APIs and products of a catalog, and which product contains which API.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    apis: Vec<ApiEntry>,
    products: Places<Product>,
    api_order: Vec<u32>,
    api_ids: HashMap<Box<str>, ApiIndex>,
    product_ids: HashMap<Box<str>, ProductIndex>,
    paths: Paths,
}

#[derive(Debug)]
struct ApiEntry {
    api: Arc<Api>,
    /// The products that contain it and their ranks in the catalog, sorted by
    /// place: a subscription to many products looks up each of them.
    products: Vec<(ProductIndex, u32)>,
    /// The open product that contains it.
    open: Option<ProductIndex>,
}

/// A message must stay cheap, however many APIs there are.
const MAX_COMPARED: usize = 64;

impl Definitions {
    /// Puts APIs and products together, and reports which of the rules between
    /// them are broken.
    pub(super) fn build(
        apis: Places<Api>,
        products: Places<Product>,
        unread: &Unread,
        issues: &mut Issues,
    ) -> Self {
        let entry = |api| ApiEntry {
            api,
            products: Vec::new(),
            open: None,
        };
        let mut definitions = Self {
            apis: apis.at.into_iter().map(entry).collect(),
            api_order: apis.order,
            products,
            ..Self::default()
        };
        for index in 0..definitions.api_order.len() {
            definitions.enter_api(index, unread, issues);
        }
        for index in 0..definitions.products.order.len() {
            definitions.enter_product(index, unread, issues);
        }
        for entry in &mut definitions.apis {
            entry.products.sort_unstable();
        }
        definitions
    }

    fn enter_api(&mut self, index: usize, unread: &Unread, issues: &mut Issues) {
        let place = ApiIndex(self.api_order[index]);
        let api = Arc::clone(&self.apis[place.0 as usize].api);
        let mut refuse = |field, kind| {
            issues.push(Issue::new(
                Entity::new(EntityKind::Api, index, api.id()),
                field,
                kind,
            ));
        };
        let is_known = |field| !unread.contains(EntityKind::Api, index, field);
        if is_known(Field::Id) && self.api_ids.insert(api.id().into(), place).is_some() {
            refuse(Field::Id, IssueKind::DuplicateId);
        }
        if !is_known(Field::Path) {
            return;
        }
        let Some(conflict) = self.paths.insert(api.path(), place) else {
            return;
        };
        let (PathConflict::Same(other) | PathConflict::SameReading(other)) = conflict;
        let other = self.api(other).id().to_owned();
        let kind = match conflict {
            PathConflict::Same(_) => IssueKind::DuplicatePath { other },
            PathConflict::SameReading(_) => IssueKind::SamePathReading { other },
        };
        refuse(Field::Path, kind);
    }

    fn enter_product(&mut self, index: usize, unread: &Unread, issues: &mut Issues) {
        let place = ProductIndex(self.products.order[index]);
        let product = Arc::clone(&self.products.at[place.0 as usize]);
        let mut refuse = |field, kind: &dyn Fn() -> IssueKind| {
            issues.push_with(|| {
                Issue::new(
                    Entity::new(EntityKind::Product, index, product.id()),
                    field,
                    kind(),
                )
            });
        };
        let is_known = |field| !unread.contains(EntityKind::Product, index, field);
        if is_known(Field::Id)
            && self
                .product_ids
                .insert(product.id().into(), place)
                .is_some()
        {
            refuse(Field::Id, &|| IssueKind::DuplicateId);
        }
        for (at, id) in product.apis().iter().enumerate() {
            let Some(api) = self.api_ids.get(id.as_str()) else {
                if is_known(Field::Apis(at)) && !unread.lacks_api_ids() {
                    refuse(Field::Apis(at), &|| IssueKind::UnknownApi {
                        api: clipped(id),
                        nearest: self.nearest_api_id(id),
                    });
                }
                continue;
            };
            let entry = &mut self.apis[api.0 as usize];
            let ranked = (place, index as u32);
            if entry.products.last() == Some(&ranked) {
                continue;
            }
            entry.products.push(ranked);
            if !product.is_open() {
                continue;
            }
            match entry.open {
                None => entry.open = Some(place),
                Some(first) => {
                    let first = &self.products.at[first.0 as usize];
                    refuse(Field::SubscriptionRequired, &|| {
                        IssueKind::SecondOpenProduct {
                            api: clipped(id),
                            other: clipped(first.id()),
                        }
                    });
                }
            }
        }
    }

    fn nearest_api_id(&self, id: &str) -> Option<String> {
        nearest(id, self.apis().map(Api::id)).map(str::to_owned)
    }

    /// The issue of a scope that names nothing.
    pub(super) fn unknown_scope(&self, scope: &Scope) -> IssueKind {
        let nearest = match scope {
            Scope::Service | Scope::AllApis => None,
            Scope::Api(id) if self.product_by_id(id).is_some() => Some(Scope::Product(id.clone())),
            Scope::Product(id) if self.api_by_id(id).is_some() => Some(Scope::Api(id.clone())),
            Scope::Api(id) => self.nearest_api_id(id).map(Scope::Api),
            Scope::Product(id) => {
                let id = nearest(id, self.products().map(Product::id));
                id.map(|id| Scope::Product(id.to_owned()))
            }
        };
        let scope = match scope {
            Scope::Api(id) => Scope::Api(clipped(id)),
            Scope::Product(id) => Scope::Product(clipped(id)),
            all => all.clone(),
        };
        IssueKind::UnknownScope { scope, nearest }
    }

    pub(crate) fn api(&self, api: ApiIndex) -> &Api {
        &self.apis[api.0 as usize].api
    }

    pub(crate) fn product(&self, product: ProductIndex) -> &Product {
        &self.products.at[product.0 as usize]
    }

    pub(crate) fn api_by_id(&self, id: &str) -> Option<ApiIndex> {
        self.api_ids.get(id).copied()
    }

    pub(crate) fn product_by_id(&self, id: &str) -> Option<ProductIndex> {
        self.product_ids.get(id).copied()
    }

    /// The API with the longest path that is a prefix of `path` on segment borders.
    pub(crate) fn api_by_path(&self, path: &str) -> Option<ApiIndex> {
        self.paths.find(path)
    }

    /// The API of a request's path, unless other services may read the path differently.
    pub(crate) fn match_path(&self, path: &str) -> Matched {
        self.paths.find_both(path)
    }

    /// The API with the path that is most similar to the beginning of a path that
    /// belongs to none, for messages.
    pub(crate) fn nearest_path(&self, path: &str) -> Option<&Api> {
        let beginning = |segments: usize| {
            let end = path.match_indices('/').nth(segments);
            &path[..end.map_or(path.len(), |(end, _)| end)]
        };
        let similar = |api: &&Api| {
            let segments = api.path().matches('/').count();
            segments > 0 && nearest(beginning(segments), [api.path()]).is_some()
        };
        self.apis().take(MAX_COMPARED).find(similar)
    }

    /// The products that contain the API, in the order of the catalog.
    pub(crate) fn products_with(&self, api: ApiIndex) -> impl Iterator<Item = &Product> {
        let mut products = self.apis[api.0 as usize].products.clone();
        products.sort_unstable_by_key(|(_, rank)| *rank);
        products
            .into_iter()
            .map(|(product, _)| self.product(product))
    }

    /// The rank of the product in the catalog, if it contains the API.
    #[inline]
    pub(crate) fn rank(&self, product: ProductIndex, api: ApiIndex) -> Option<u32> {
        let products = &self.apis[api.0 as usize].products;
        let at = products.binary_search_by_key(&product, |(product, _)| *product);
        Some(products[at.ok()?].1)
    }

    /// The open product that contains the API.
    pub(crate) fn open_product(&self, api: ApiIndex) -> Option<ProductIndex> {
        self.apis[api.0 as usize].open
    }

    /// What a scope names, if that exists.
    pub(crate) fn resolve(&self, scope: &Scope) -> Option<Target> {
        match scope {
            Scope::Service => Some(Target::Service),
            Scope::AllApis => Some(Target::AllApis),
            Scope::Api(id) => self.api_by_id(id).map(Target::Api),
            Scope::Product(id) => self.product_by_id(id).map(Target::Product),
        }
    }

    /// The scope by name.
    pub(crate) fn scope(&self, target: Target) -> Scope {
        match target {
            Target::Service => Scope::Service,
            Target::AllApis => Scope::AllApis,
            Target::Api(api) => Scope::api(self.api(api).id()),
            Target::Product(product) => Scope::product(self.product(product).id()),
        }
    }

    pub(crate) fn apis(&self) -> impl Iterator<Item = &Api> {
        let order = self.api_order.iter();
        order.map(|at| &*self.apis[*at as usize].api)
    }

    pub(crate) fn products(&self) -> impl Iterator<Item = &Product> {
        self.products.in_order().map(|(_, product)| product)
    }

    /// All APIs at their places, to build a changed version from.
    pub(super) fn api_places(&self) -> Places<Api> {
        let at = self.apis.iter().map(|entry| Arc::clone(&entry.api));
        Places {
            at: at.collect(),
            order: self.api_order.clone(),
        }
    }

    /// All products at their places.
    pub(super) fn product_places(&self) -> Places<Product> {
        self.products.clone()
    }
}

#[cfg(test)]
mod tests;
