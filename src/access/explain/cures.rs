use crate::access::DenialReason;
use crate::access::explain::{Cure, Facts, text};
use crate::catalog::{Product, Scope, State};

impl Facts<'_> {
    /// The changes that remove the obstacle, the likeliest first.
    pub(super) fn cures(&self) -> Vec<Cure> {
        let places = self.places();
        match self.reason {
            None => Vec::new(),
            Some(DenialReason::MissingKey) => vec![advice(format!("send a key in {places}"))],
            Some(DenialReason::EmptyKey) => vec![advice(format!(
                "send a key in {places}: the client has it in its settings, perhaps unset"
            ))],
            Some(DenialReason::AmbiguousKey) => vec![advice(format!(
                "send one key only, in {places}: a proxy may have added another"
            ))],
            Some(DenialReason::MalformedKey) => {
                vec![advice("send a key of at most 256 bytes: this is something else".to_owned())]
            }
            Some(DenialReason::UnknownKey) => vec![
                advice("send the key of a subscription: this one is mistyped, was replaced, or is of another catalog".to_owned()),
            ],
            Some(DenialReason::Inactive(state)) => self.state_cures(state),
            Some(DenialReason::NotYetValid) => self.not_yet_valid_cures(),
            Some(DenialReason::SubscriptionExpired) => self.expired_cures(),
            Some(DenialReason::KeyExpired) => self.key_expired_cures(),
            Some(DenialReason::OutOfScope) => self.scope_cures(),
            Some(DenialReason::NoSuchApi) => self.path_cures(),
            Some(DenialReason::StoreUnavailable) => {
                vec![advice("make the store available again".to_owned())]
            }
            Some(DenialReason::AmbiguousPath) => vec![advice(
                "send the path in plain form: without escapes of plain characters, `\\`, empty segments, `.` and `..`".to_owned(),
            )],
            Some(DenialReason::Misconfigured) => {
                vec![advice("correct the settings of the layer, as its log says".to_owned())]
            }
        }
    }

    fn id(&self) -> &str {
        self.owner.map_or("", |owner| owner.subscription().id())
    }

    fn state_cures(&self, state: State) -> Vec<Cure> {
        let id = self.id();
        let subscription = self.owner.map(|owner| owner.subscription());
        let ended = subscription
            .and_then(|s| s.expires_at())
            .filter(|end| crate::catalog::Timestamp::from(*end) <= self.case.time);
        match (state, ended) {
            (State::Submitted, _) => vec![cure(
                format!("approve subscription {id:?}"),
                ["approve", id],
            )],
            // An end that has passed would stop it again at once.
            (_, Some(_)) => vec![cure(
                format!("activate subscription {id:?} without its end, which has passed"),
                ["activate", id, "--expires", "none"],
            )],
            (_, None) => vec![cure(
                format!("activate subscription {id:?}"),
                ["activate", id],
            )],
        }
    }

    fn not_yet_valid_cures(&self) -> Vec<Cure> {
        let id = self.id();
        let start = self
            .owner
            .and_then(|owner| owner.subscription().not_before());
        vec![
            cure(
                format!("let subscription {id:?} begin at once"),
                ["subscriptions", "set", id, "--unset", "not_before"],
            ),
            advice(format!("wait until {}", text::time(start))),
        ]
    }

    fn expired_cures(&self) -> Vec<Cure> {
        let id = self.id();
        vec![
            cure(
                format!("give subscription {id:?} another 90 days"),
                ["subscriptions", "set", id, "--expires", "90d"],
            ),
            cure(
                format!("let subscription {id:?} live without an end"),
                ["subscriptions", "set", id, "--unset", "expires_at"],
            ),
        ]
    }

    fn key_expired_cures(&self) -> Vec<Cure> {
        let (Some(owner), id) = (self.owner, self.id()) else {
            return Vec::new();
        };
        let slot = owner.slot();
        let mut cures = vec![cure(
            format!("give it a new {slot} key without an end, and send that"),
            ["regenerate", id, slot.as_str(), "--expires", "none"],
        )];
        if owner.is_retired() {
            cures.push(advice(format!("send the {slot} key that replaced it")));
        }
        if let Some(other) = self.other_slot() {
            cures.push(advice(format!("send its {other} key, which is valid")));
        }
        cures
    }

    /// What would let the subscription open the API.
    fn scope_cures(&self) -> Vec<Cure> {
        let (Some(owner), Some(api)) = (self.owner, self.api) else {
            return Vec::new();
        };
        let (id, api) = (self.id(), api.id());
        let mut cures = Vec::new();
        let held = owner
            .subscription()
            .scopes()
            .iter()
            .filter_map(|scope| match scope {
                Scope::Product(product) => self.case.catalog.product(product),
                _ => None,
            });
        // An open product would let everyone in.
        for product in held.filter(|product| !product.is_open()) {
            cures.push(self.add_to(product, api));
        }
        for product in self
            .products()
            .into_iter()
            .filter(|product| !product.is_open())
        {
            cures.push(cure(
                format!(
                    "let it open product {:?}, which contains API {api:?}",
                    product.id()
                ),
                ["grant", id, &format!("/products/{}", product.id())],
            ));
        }
        cures.push(cure(
            format!("let it open API {api:?}"),
            ["grant", id, &format!("/apis/{api}")],
        ));
        cures
    }

    fn add_to(&self, product: &Product, api: &str) -> Cure {
        let apis = || product.apis().iter().map(String::as_str).chain([api]);
        // A value that looks like a flag stays with its own.
        let joined: Vec<String> = apis().map(|api| format!("--api={api}")).collect();
        let mut command = vec!["products", "set", product.id()];
        for (api, joined) in apis().zip(&joined) {
            match api.starts_with('-') {
                true => command.push(joined),
                false => command.extend(["--api", api]),
            }
        }
        cure(
            format!(
                "add API {api:?} to product {:?}, which it opens",
                product.id()
            ),
            command,
        )
    }

    fn path_cures(&self) -> Vec<Cure> {
        let Some(path) = self.case.path else {
            return vec![advice("name an API of the catalog".to_owned())];
        };
        let mut cures = vec![advice(
            "send a path that begins with the prefix of an API".to_owned(),
        )];
        // Without a scope for all APIs, a new one would be the next obstacle.
        let opens_all = self.owner.is_some_and(|owner| {
            let scopes = owner.subscription().scopes();
            scopes
                .iter()
                .any(|scope| matches!(scope, Scope::AllApis | Scope::Service))
        });
        let segment = path.split('/').nth(1).unwrap_or_default();
        let is_id = !segment.is_empty()
            && segment.len() <= 64
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && self.case.catalog.api(segment).is_none();
        if opens_all && is_id {
            let prefix = format!("/{segment}");
            cures.push(cure(
                format!("add an API with the prefix {prefix:?}"),
                ["apis", "add", segment, "--path", &prefix],
            ));
        }
        cures
    }
}

fn advice(text: String) -> Cure {
    Cure {
        text,
        line: None,
        command: None,
    }
}

/// A cure with a command. An id that looks like a flag is put behind `--`.
fn cure<'w>(text: String, words: impl IntoIterator<Item = &'w str>) -> Cure {
    let words: Vec<&str> = words.into_iter().collect();
    let is_group = matches!(
        words.first(),
        Some(&"subscriptions" | &"products" | &"apis")
    );
    let id = 1 + usize::from(is_group);
    let mut command: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    if words.get(id).is_some_and(|word| word.starts_with('-')) {
        // Flags first, so that they are not taken for ids.
        let flags = words
            .iter()
            .skip(id + 1)
            .position(|word| word.starts_with("--"));
        let flags = flags.map_or(words.len(), |at| id + 1 + at);
        let positional = command[id..flags].to_vec();
        command = [
            &command[..id],
            &command[flags..],
            &["--".to_owned()],
            &positional,
        ]
        .concat();
    }
    Cure {
        text,
        line: None,
        command: Some(command),
    }
}
