use std::sync::Arc;

use hashbrown::HashMap;

use crate::catalog::id::check_id;
use crate::catalog::paths::Paths;
use crate::catalog::places::Places;
use crate::catalog::{Api, Entity, Field, Issue, IssueKind, Product, Scope, ScopeRef};

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
    holders: Vec<(ProductIndex, u32)>,
    /// The open product that contains it.
    open: Option<ProductIndex>,
}

impl Definitions {
    /// Puts APIs and products together, and reports what does not fit.
    pub(super) fn build(
        apis: Places<Api>,
        products: Places<Product>,
        issues: &mut Vec<Issue>,
    ) -> Self {
        let entry = |api| ApiEntry {
            api,
            holders: Vec::new(),
            open: None,
        };
        let mut definitions = Self {
            apis: apis.at.into_iter().map(entry).collect(),
            api_order: apis.order,
            products,
            ..Self::default()
        };
        for index in 0..definitions.api_order.len() {
            definitions.enter_api(index, issues);
        }
        for index in 0..definitions.products.order.len() {
            definitions.enter_product(index, issues);
        }
        for entry in &mut definitions.apis {
            entry.holders.sort_unstable();
        }
        definitions
    }

    fn enter_api(&mut self, index: usize, issues: &mut Vec<Issue>) {
        let place = ApiIndex(self.api_order[index]);
        let api = Arc::clone(&self.apis[place.0 as usize].api);
        let mut refuse = |field, kind| {
            let id = api.id().to_owned();
            let entity = Entity::Api { index, id };
            issues.push(Issue {
                entity,
                field,
                kind,
            });
        };
        if let Err(error) = check_id(api.id()) {
            refuse(Field::Id, error.into());
        }
        if self.api_ids.insert(api.id().into(), place).is_some() {
            refuse(Field::Id, IssueKind::DuplicateId);
        }
        if !api.path_is_valid() {
            refuse(Field::Path, IssueKind::Path);
        } else if let Some(other) = self.paths.insert(api.path(), place) {
            let other = self.api(other).id().to_owned();
            refuse(Field::Path, IssueKind::DuplicatePath { other });
        }
    }

    fn enter_product(&mut self, index: usize, issues: &mut Vec<Issue>) {
        let place = ProductIndex(self.products.order[index]);
        let product = Arc::clone(&self.products.at[place.0 as usize]);
        let mut refuse = |field, kind| {
            let id = product.id().to_owned();
            let entity = Entity::Product { index, id };
            issues.push(Issue {
                entity,
                field,
                kind,
            });
        };
        if let Err(error) = check_id(product.id()) {
            refuse(Field::Id, error.into());
        }
        if self
            .product_ids
            .insert(product.id().into(), place)
            .is_some()
        {
            refuse(Field::Id, IssueKind::DuplicateId);
        }
        for (at, id) in product.apis().iter().enumerate() {
            let Some(api) = self.api_ids.get(id.as_str()) else {
                let api = id.clone();
                refuse(Field::Apis(at), IssueKind::UnknownApi { api });
                continue;
            };
            let entry = &mut self.apis[api.0 as usize];
            let holder = (place, index as u32);
            if entry.holders.last() == Some(&holder) {
                continue;
            }
            entry.holders.push(holder);
            if !product.is_open() {
                continue;
            }
            match entry.open {
                None => entry.open = Some(place),
                Some(first) => {
                    let other = self.products.at[first.0 as usize].id().to_owned();
                    let api = id.clone();
                    refuse(
                        Field::SubscriptionRequired,
                        IssueKind::SecondOpenProduct { api, other },
                    );
                }
            }
        }
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

    /// The products that contain the API, in the order of the catalog.
    pub(crate) fn holders(&self, api: ApiIndex) -> Vec<ProductIndex> {
        let mut holders = self.apis[api.0 as usize].holders.clone();
        holders.sort_unstable_by_key(|(_, rank)| *rank);
        holders.into_iter().map(|(product, _)| product).collect()
    }

    /// The rank of the product in the catalog, if it contains the API.
    #[inline]
    pub(crate) fn rank_as_holder(&self, product: ProductIndex, api: ApiIndex) -> Option<u32> {
        let holders = &self.apis[api.0 as usize].holders;
        let at = holders.binary_search_by_key(&product, |(product, _)| *product);
        Some(holders[at.ok()?].1)
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
    pub(crate) fn scope(&self, target: Target) -> ScopeRef<'_> {
        match target {
            Target::Service => ScopeRef::Service,
            Target::AllApis => ScopeRef::AllApis,
            Target::Api(api) => ScopeRef::Api(self.api(api).id()),
            Target::Product(product) => ScopeRef::Product(self.product(product).id()),
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn definitions(apis: Vec<Api>, products: Vec<Product>) -> (Definitions, Vec<IssueKind>) {
        let mut issues = Vec::new();
        let definitions = Definitions::build(
            apis.into_iter().collect(),
            products.into_iter().collect(),
            &mut issues,
        );
        (
            definitions,
            issues.into_iter().map(|issue| issue.kind).collect(),
        )
    }

    fn found<'a>(definitions: &'a Definitions, path: &str) -> Option<&'a str> {
        Some(definitions.api(definitions.api_by_path(path)?).id())
    }

    #[test]
    fn the_longest_prefix_on_segment_borders_wins() {
        let (paths, issues) = definitions(
            vec![
                Api::new("a", "/a"),
                Api::new("ab", "/a/b/"),
                Api::new("odd", "/x//y"),
            ],
            vec![],
        );
        assert!(issues.is_empty());
        for (path, api) in [
            ("/a", Some("a")),
            ("/a/", Some("a")),
            ("/a/bc", Some("a")),
            ("/a/b", Some("ab")),
            ("/a/b/", Some("ab")),
            ("/a/b/c", Some("ab")),
            ("/a//b", Some("a")),
            ("/A", None),
            ("/ab", None),
            ("/%61", None),
            ("/x//y/z", Some("odd")),
            ("/x/y", None),
            ("/", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(found(&paths, path), api, "{path}");
        }
    }

    #[test]
    fn the_empty_path_takes_what_no_other_does() {
        let (paths, _) = definitions(vec![Api::new("rest", "/"), Api::new("a", "/a")], vec![]);
        for (path, api) in [("/a/x", "a"), ("/b", "rest"), ("*", "rest"), ("", "rest")] {
            assert_eq!(found(&paths, path), Some(api), "{path}");
        }
    }

    #[test]
    fn a_path_far_longer_than_any_prefix_is_matched_on_its_beginning() {
        let (paths, _) = definitions(vec![Api::new("a", "/a")], vec![]);
        assert_eq!(
            found(&paths, &format!("/a{}", "/".repeat(65_536))),
            Some("a")
        );
        assert_eq!(found(&paths, &"/".repeat(65_536)), None);
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(
            prefixes in proptest::collection::vec("(/[ab]{0,2}){0,3}", 0..20),
            path in "(/[ab]{0,2}){0,5}",
        ) {
            let mut apis: Vec<Api> = Vec::new();
            for prefix in prefixes {
                let api = Api::new(format!("p{}", prefix.trim_end_matches('/')).replace('/', "-"), prefix);
                if apis.iter().all(|other| other.path() != api.path()) {
                    apis.push(api);
                }
            }
            let expected = apis
                .iter()
                .filter(|api| {
                    let rest = path.strip_prefix(api.path());
                    rest.is_some_and(|rest| api.path().is_empty() || rest.is_empty() || rest.starts_with('/'))
                })
                .max_by_key(|api| api.path().len())
                .map(|api| api.id().to_owned());
            let (paths, _) = definitions(apis, vec![]);
            prop_assert_eq!(found(&paths, &path).map(str::to_owned), expected);
        }
    }

    #[test]
    fn refuses_what_does_not_hang_together_all_at_once() {
        let (_, issues) = definitions(
            vec![
                Api::new("a", "/a"),
                Api::new("a", "b"),
                Api::new("c/d", "/a/"),
                Api::new("e", ""),
                Api::new("f", "/"),
            ],
            vec![
                Product::new("open")
                    .with_apis(["a", "nope"])
                    .with_subscription_required(false),
                Product::new("open2")
                    .with_apis(["a", "a"])
                    .with_subscription_required(false),
            ],
        );
        let path = |other: &str| IssueKind::DuplicatePath {
            other: other.into(),
        };
        assert_eq!(
            issues,
            [
                IssueKind::DuplicateId,
                IssueKind::Path,
                IssueKind::Id(crate::catalog::IdError::Character('/')),
                path("a"),
                path("e"),
                IssueKind::UnknownApi { api: "nope".into() },
                IssueKind::SecondOpenProduct {
                    api: "a".into(),
                    other: "open".into()
                },
            ]
        );
    }
}
