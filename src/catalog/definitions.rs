use std::sync::Arc;

use hashbrown::HashMap;

use crate::catalog::id::check_id;
use crate::catalog::paths::Paths;
use crate::catalog::{Api, Entity, Field, Issue, IssueKind, Product, Scope, ScopeRef};

/// The place of an API in one lineage of [`Definitions`]. It never changes
/// meaning while single APIs and products come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ApiIndex(pub(super) u32);

/// The place of a product, likewise. A lower one stands earlier in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProductIndex(pub(super) u32);

/// A scope whose ids are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Service,
    AllApis,
    Api(ApiIndex),
    Product(ProductIndex),
}

/// The APIs and products of a catalog, and how they hang together.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    apis: Vec<ApiEntry>,
    products: Vec<Place<Product>>,
    api_ids: HashMap<Box<str>, ApiIndex>,
    product_ids: HashMap<Box<str>, ProductIndex>,
    paths: Paths,
}

/// An API or product at its place. One that was removed stays there, marked:
/// the places behind it keep their meaning, and so do the indexes of requests
/// that still hold it.
#[derive(Debug)]
pub(super) struct Place<T> {
    pub(super) value: Arc<T>,
    pub(super) gone: bool,
}

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        let (value, gone) = (Arc::clone(&self.value), self.gone);
        Self { value, gone }
    }
}

impl<T> From<T> for Place<T> {
    fn from(value: T) -> Self {
        let (value, gone) = (Arc::new(value), false);
        Self { value, gone }
    }
}

#[derive(Debug)]
struct ApiEntry {
    api: Place<Api>,
    /// The products that hold it, in the order of the catalog.
    holders: Vec<ProductIndex>,
    /// The first of them that is open.
    open: Option<ProductIndex>,
}

impl Definitions {
    /// Puts APIs and products together, and says what does not fit.
    pub(super) fn build(
        apis: Vec<Place<Api>>,
        products: Vec<Place<Product>>,
        issues: &mut Vec<Issue>,
    ) -> Self {
        let mut definitions = Self::default();
        for (index, api) in apis.into_iter().enumerate() {
            if !api.gone {
                definitions.enter_api(index, &api.value, issues);
            }
            definitions.apis.push(ApiEntry {
                api,
                holders: Vec::new(),
                open: None,
            });
        }
        for (index, product) in products.into_iter().enumerate() {
            if !product.gone {
                definitions.enter_product(index, &product.value, issues);
            }
            definitions.products.push(product);
        }
        definitions
    }

    fn enter_api(&mut self, index: usize, api: &Api, issues: &mut Vec<Issue>) {
        let place = ApiIndex(index as u32);
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

    fn enter_product(&mut self, index: usize, product: &Product, issues: &mut Vec<Issue>) {
        let place = ProductIndex(index as u32);
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
            if entry.holders.last() == Some(&place) {
                continue;
            }
            entry.holders.push(place);
            if !product.is_open() {
                continue;
            }
            match entry.open {
                None => entry.open = Some(place),
                Some(first) => {
                    let other = self.products[first.0 as usize].value.id().to_owned();
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
        &self.apis[api.0 as usize].api.value
    }

    pub(crate) fn product(&self, product: ProductIndex) -> &Product {
        &self.products[product.0 as usize].value
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

    /// The products that hold the API, in the order of the catalog.
    pub(crate) fn holders(&self, api: ApiIndex) -> &[ProductIndex] {
        &self.apis[api.0 as usize].holders
    }

    /// The open product that holds the API.
    pub(crate) fn open_product(&self, api: ApiIndex) -> Option<ProductIndex> {
        self.apis[api.0 as usize].open
    }

    /// What a scope names, if it names anything.
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
        let there = self.apis.iter().filter(|entry| !entry.api.gone);
        there.map(|entry| &*entry.api.value)
    }

    pub(crate) fn products(&self) -> impl Iterator<Item = &Product> {
        let there = self.products.iter().filter(|place| !place.gone);
        there.map(|place| &*place.value)
    }

    /// All APIs at their places, to build a changed version from.
    pub(super) fn api_places(&self) -> Vec<Place<Api>> {
        self.apis.iter().map(|entry| entry.api.clone()).collect()
    }

    /// All products at their places.
    pub(super) fn product_places(&self) -> Vec<Place<Product>> {
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
            apis.into_iter().map(Place::from).collect(),
            products.into_iter().map(Place::from).collect(),
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
