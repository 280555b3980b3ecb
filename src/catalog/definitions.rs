use std::sync::Arc;

use hashbrown::HashMap;

use crate::catalog::error::Issues;
use crate::catalog::near::nearest;
use crate::catalog::paths::{PathConflict, PathMatch, Paths};
use crate::catalog::places::Places;
use crate::catalog::validate::{Kind, Unread, clipped};
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
            definitions.enter_api(index, unread, issues);
        }
        for index in 0..definitions.products.order.len() {
            definitions.enter_product(index, unread, issues);
        }
        for entry in &mut definitions.apis {
            entry.holders.sort_unstable();
        }
        definitions
    }

    fn enter_api(&mut self, index: usize, unread: &Unread, issues: &mut Issues) {
        let place = ApiIndex(self.api_order[index]);
        let api = Arc::clone(&self.apis[place.0 as usize].api);
        let mut refuse = |field, kind| {
            issues.push(Issue::new(Entity::api(index, api.id()), field, kind));
        };
        let is_known = |field| !unread.contains(Kind::Api, index, field);
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
            issues.push_with(|| Issue::new(Entity::product(index, product.id()), field, kind()));
        };
        let is_known = |field| !unread.contains(Kind::Product, index, field);
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

    /// The API of a request's path, as received and as other services may read it.
    #[inline]
    pub(crate) fn match_path(&self, path: &str) -> PathMatch {
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
        let mut issues = Issues::default();
        let definitions = Definitions::build(
            apis.into_iter().collect(),
            products.into_iter().collect(),
            &Unread::default(),
            &mut issues,
        );
        let error = issues.into_result().err();
        let issues = error.as_ref().map_or(&[][..], |error| error.issues());
        let kinds = issues.iter().map(|issue| issue.kind.clone());
        (definitions, kinds.collect())
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

    /// What the contract says, word by word: decode once, `\` as `/`, drop empty
    /// and `.` segments, resolve `..`.
    fn naive_reading(path: &str) -> Vec<String> {
        let mut decoded = String::new();
        let mut rest = path;
        while let Some(first) = rest.chars().next() {
            let digits = rest.get(1..3).filter(|_| first == '%');
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            match byte {
                Some(byte) => decoded.push(char::from(byte)),
                None => decoded.push(first),
            }
            rest = &rest[if byte.is_some() { 3 } else { 1 }..];
        }
        let mut segments = Vec::new();
        for segment in decoded.split(['/', '\\']) {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment.to_owned()),
            }
        }
        segments
    }

    proptest! {
        #[test]
        fn path_match_agrees_with_a_naive_reading(
            prefixes in proptest::collection::vec("(/(a|b|\\.|\\.\\.|%61|)){0,3}", 0..6),
            path in "(/(a|b|ab|\\.|\\.\\.|%61|%2f|%5C|%2561|%|\\\\|)){0,5}",
        ) {
            let mut apis: Vec<Api> = Vec::new();
            for (n, prefix) in prefixes.iter().enumerate() {
                let reading = naive_reading(prefix);
                if apis.iter().all(|other| naive_reading(other.path()) != reading) {
                    apis.push(Api::new(format!("a{n}"), prefix));
                }
            }
            let reading = naive_reading(&path);
            let expected = apis
                .iter()
                .filter(|api| reading.starts_with(&naive_reading(api.path())))
                .max_by_key(|api| naive_reading(api.path()).len())
                .map(|api| api.id().to_owned());
            let (definitions, issues) = definitions(apis, vec![]);
            prop_assert_eq!(issues, []);
            let matched = definitions.match_path(&path);
            prop_assert_eq!(matched.api, definitions.api_by_path(&path));
            let lenient = matched.lenient.map(|api| definitions.api(api).id().to_owned());
            prop_assert_eq!(lenient, expected);
        }
    }

    #[test]
    fn path_that_others_read_differently_is_ambiguous() {
        let (paths, issues) = definitions(
            vec![
                Api::new("private", "/private"),
                Api::new("status", "/status"),
                Api::new("cafe", "/caf%C3%A9"),
            ],
            vec![],
        );
        assert_eq!(issues, []);
        for (path, is_ambiguous) in [
            ("/private/x", false),
            ("/private//x", false),
            ("/private/%61", false),
            ("/elsewhere/../x", false),
            ("/caf%C3%A9/x", false),
            ("/caf%c3%a9", true),
            ("/priv%61te/x", true),
            ("//private/x", true),
            ("/./private/x", true),
            ("/status/../private", true),
            ("/status/..", true),
            ("/status%2f..%5cx", false),
            ("/status/..%5cprivate", true),
            ("\\private", true),
        ] {
            let matched = paths.match_path(path);
            assert_eq!(matched.is_ambiguous(), is_ambiguous, "{path}");
        }
    }

    #[test]
    fn api_that_takes_everything_leaves_no_ambiguity_outside_other_apis() {
        let (paths, _) = definitions(vec![Api::new("all", ""), Api::new("a", "/a")], vec![]);
        assert!(!paths.match_path("//x/%61").is_ambiguous());
        assert!(!paths.match_path("*").is_ambiguous());
        assert!(paths.match_path("//a").is_ambiguous());
    }

    #[test]
    fn apis_with_equal_lenient_readings_are_refused() {
        let (_, issues) = definitions(
            vec![Api::new("a", "/a/b"), Api::new("b", "/a//%62")],
            vec![],
        );
        let other = "a".to_owned();
        assert_eq!(issues, [IssueKind::SamePathReading { other }]);
    }

    #[test]
    fn nearest_path_is_that_of_a_misspelt_api() {
        let apis = ["/orders", "/v1/invoices", ""];
        let apis = apis.map(|path| Api::new(path.replace('/', "-"), path));
        let (paths, _) = definitions(apis.into(), vec![]);
        let nearest = |path| paths.nearest_path(path).map(Api::path);
        assert_eq!(nearest("/order/1"), Some("/orders"));
        assert_eq!(nearest("/Orders"), Some("/orders"));
        assert_eq!(nearest("/v1/invoce/7"), Some("/v1/invoices"));
        assert_eq!(nearest("/elsewhere"), None);
    }

    #[test]
    fn unknown_ids_come_with_the_nearest_known_one() {
        let (definitions, issues) = definitions(
            vec![Api::new("orders", "/orders")],
            vec![Product::new("starter").with_apis(["order"])],
        );
        let text = issues[0].to_string();
        assert_eq!(text, "there is no API \"order\": did you mean `orders`?");
        for (scope, meant) in [
            (
                Scope::Product("Starter".into()),
                "did you mean `/products/starter`?",
            ),
            (
                Scope::Api("starter".into()),
                "did you mean `/products/starter`?",
            ),
            (Scope::Api("invoices".into()), "add it, or correct the id"),
        ] {
            let text = definitions.unknown_scope(&scope).to_string();
            assert_eq!(text, format!("{scope} does not exist: {meant}"));
        }
    }

    #[test]
    fn definitions_that_do_not_fit_together_are_refused_with_all_issues() {
        let (_, issues) = definitions(
            vec![
                Api::new("a", "/a"),
                Api::new("a", "/b"),
                Api::new("c", "/a/"),
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
                path("a"),
                path("e"),
                IssueKind::UnknownApi {
                    api: "nope".into(),
                    nearest: None,
                },
                IssueKind::SecondOpenProduct {
                    api: "a".into(),
                    other: "open".into()
                },
            ]
        );
    }
}
