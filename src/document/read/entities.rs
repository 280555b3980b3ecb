use crate::catalog::{Api, KeySlot, Product, Scope, Subscription};
use crate::document::read::fields::{Fields, Subject};
use crate::document::read::{Reader, key};
use crate::document::tree::Node;
use crate::key::{KeyHeader, KeyQuery};

const API: [&str; 6] = [
    "id",
    "path",
    "display_name",
    "subscription_required",
    "key_names",
    "metadata",
];

const PRODUCT: [&str; 6] = [
    "id",
    "apis",
    "display_name",
    "subscription_required",
    "published",
    "metadata",
];

const SUBSCRIPTION: [&str; 11] = [
    "id",
    "scope",
    "scopes",
    key::PRIMARY,
    key::SECONDARY,
    "display_name",
    "owner",
    "state",
    "not_before",
    "expires_at",
    "metadata",
];

const NEEDS_ID: &str = "give it one, like `orders`";
const NEEDS_PATH: &str = "give it a URL prefix like `/orders`, or an empty one for everything";
const NEEDS_SCOPE: &str = "`scope` is missing: say what it opens, for example `/products/starter`";
const NEEDS_KEY: &str = "it has no key: give it a primary_key, a secondary_key or both";
const HEADER: &str = "this is not a header name: use letters, digits and `-`, like `X-Api-Key`";

impl Reader<'_, '_> {
    pub(super) fn api(&mut self, subject: Subject<'_>, node: &Node) {
        let Some(mut fields) = Fields::of(subject, node, self.issues) else {
            return;
        };
        fields.only(&API);
        fields.needs("id", NEEDS_ID);
        fields.needs("path", NEEDS_PATH);
        let id = fields.id();
        // In the place of a path that is none stands one that no other has.
        let path = fields.text("path").map(str::to_owned);
        let path = path.unwrap_or_else(|| format!("/\0{}", subject.place()));
        let mut api = Api::new(id, path);
        if let Some(name) = fields.text("display_name") {
            api = api.with_display_name(name);
        }
        if let Some(required) = fields.flag("subscription_required") {
            api = api.with_subscription_required(required);
        }
        if let Some(metadata) = fields.metadata() {
            api = api.with_metadata(metadata);
        }
        if let Some(names) = fields.inner("key_names") {
            api = key_names(api, names);
        }
        self.places.apis.push(subject.place());
        self.builder.push_api(api);
    }

    pub(super) fn product(&mut self, subject: Subject<'_>, node: &Node) {
        let Some(mut fields) = Fields::of(subject, node, self.issues) else {
            return;
        };
        fields.only(&PRODUCT);
        fields.needs("id", NEEDS_ID);
        let id = fields.id();
        let apis = fields.texts("apis").into_iter().map(|(_, api)| api);
        let mut product = Product::new(id).with_apis(apis);
        if let Some(name) = fields.text("display_name") {
            product = product.with_display_name(name);
        }
        if let Some(required) = fields.flag("subscription_required") {
            product = product.with_subscription_required(required);
        }
        if let Some(published) = fields.flag("published") {
            product = product.with_published(published);
        }
        if let Some(metadata) = fields.metadata() {
            product = product.with_metadata(metadata);
        }
        self.places.products.push(subject.place());
        self.builder.push_product(product);
    }

    pub(super) fn subscription(&mut self, subject: Subject<'_>, node: &Node) {
        if let Some(subscription) = self.read_subscription(subject, node) {
            self.places.subscriptions.push(subject.place());
            self.builder.push_subscription(subscription);
        }
    }

    /// The subscription as far as it could be read, if it is a table.
    pub(super) fn read_subscription(
        &mut self,
        subject: Subject<'_>,
        node: &Node,
    ) -> Option<Subscription> {
        let mut fields = Fields::of(subject, node, self.issues)?;
        fields.only(&SUBSCRIPTION);
        fields.needs("id", NEEDS_ID);
        let mut subscription = Subscription::new(fields.id());
        for scope in fields.scopes() {
            subscription = subscription.with_scope(scope);
        }
        if [key::PRIMARY, key::SECONDARY]
            .iter()
            .all(|key| node.get(key).is_none())
        {
            fields.refuse(node.at, "", NEEDS_KEY);
        }
        if let Some(key) = fields.key(KeySlot::Primary, self.environment) {
            subscription = subscription.with_primary_key(key);
        }
        if let Some(key) = fields.key(KeySlot::Secondary, self.environment) {
            subscription = subscription.with_secondary_key(key);
        }
        Some(optional(subscription, &mut fields))
    }
}

fn key_names(mut api: Api, mut names: Fields<'_, '_>) -> Api {
    names.only(&["header", "query"]);
    if let (Some(name), Some(node)) = (names.text("header"), names.get("header")) {
        match KeyHeader::new(name) {
            Ok(header) => api = api.with_key_header(header),
            // Its error quotes the name.
            Err(_) => names.refuse(node.at, "header", HEADER),
        }
    }
    if let (Some(name), Some(node)) = (names.text("query"), names.get("query")) {
        match KeyQuery::new(name) {
            Ok(query) => api = api.with_key_query(query),
            Err(error) => names.refuse(node.at, "query", error),
        }
    }
    api
}

fn optional(mut subscription: Subscription, fields: &mut Fields<'_, '_>) -> Subscription {
    if let Some(name) = fields.text("display_name") {
        subscription = subscription.with_display_name(name);
    }
    if let Some(owner) = fields.text("owner") {
        subscription = subscription.with_owner(owner);
    }
    if let (Some(state), Some(node)) = (fields.text("state"), fields.get("state")) {
        match state.parse() {
            Ok(state) => subscription = subscription.with_state(state),
            Err(error) => fields.refuse(node.at, "state", error),
        }
    }
    if let Some(start) = fields.time("not_before") {
        subscription = subscription.with_not_before(start);
    }
    if let Some(end) = fields.time("expires_at") {
        subscription = subscription.with_expiry(end);
    }
    if let Some(metadata) = fields.metadata() {
        subscription = subscription.with_metadata(metadata);
    }
    subscription
}

impl Fields<'_, '_> {
    /// The id. In the place of one that is none stands its place, which no id can
    /// be (`#`), so that what else is wrong with the entry is told at once, too.
    fn id(&mut self) -> String {
        match self.text("id") {
            Some(id) => id.to_owned(),
            None => format!("#{}", self.subject().place() + 1),
        }
    }

    /// What `scope` or `scopes` name, in the order that [`scope_places`] has.
    fn scopes(&mut self) -> Vec<Scope> {
        let node = self.node();
        match (node.member("scope"), node.member("scopes")) {
            (None, None) => self.refuse(node.at, "", NEEDS_SCOPE),
            (Some(one), Some(many)) => {
                let what = "there are both `scope` and `scopes`: keep one of them";
                self.refuse(one.at.max(many.at), "", what);
            }
            (None, Some(many)) if is_empty_list(&many.node) => {
                self.refuse(
                    many.node.at,
                    "scopes",
                    "a subscription opens something: add a scope",
                );
            }
            _ => {}
        }
        let mut scopes = Vec::new();
        if let (Some(text), Some(node)) = (self.text("scope"), self.get("scope")) {
            scopes.extend(self.scope(node.at, "scope", text));
        }
        for (at, text) in self.texts("scopes") {
            scopes.extend(self.scope(at, "scopes", text));
        }
        scopes
    }

    fn scope(&mut self, at: usize, field: &str, text: &str) -> Option<Scope> {
        let scope = text.parse();
        scope.map_err(|error| self.refuse(at, field, error)).ok()
    }
}

/// Where each scope of a subscription stands that is one.
pub(super) fn scope_places(node: &Node) -> impl Iterator<Item = (&'static str, usize)> {
    let of = |field: &'static str, node: &Node| {
        node.text()?.parse::<Scope>().ok()?;
        Some((field, node.at))
    };
    let one = node.get("scope").and_then(move |node| of("scope", node));
    let many = node.get("scopes").map_or(&[][..], Node::list);
    one.into_iter()
        .chain(many.iter().filter_map(move |node| of("scopes", node)))
}

fn is_empty_list(node: &Node) -> bool {
    matches!(&node.value, crate::document::tree::Value::List(nodes) if nodes.is_empty())
}
