//! The spans and events that operators read.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use http::{Request, StatusCode};
use tower::{Layer as _, ServiceExt, service_fn};
use tower_subscription_key::catalog::{Scope, Subscription};
use tower_subscription_key::{
    InapplicableKey, KeySource, MemoryStore, SubscriptionKeyLayer, SubscriptionStore, Unmatched,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Instrument, Level, Subscriber, field, info_span, subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{
    HEADER, Inner, KEY, OTHER, Slow, definitions, get, keyed, layer, send, slow_layer, with,
};

pub(crate) type Fields = BTreeMap<&'static str, String>;

#[derive(Default)]
pub(crate) struct Log {
    /// Spans by name. Names are unique in these tests.
    pub(crate) spans: BTreeMap<&'static str, Fields>,
    /// Level, fields, and the names of the surrounding spans, innermost first.
    pub(crate) events: Vec<(Level, Fields, Vec<&'static str>)>,
}

/// Captures all spans and events of this thread until it is dropped.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Log>>);

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        self.0
            .insert(field.name(), text.trim_matches('"').to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut log = self.0.lock().unwrap();
        let name = attributes.metadata().name();
        attributes.record(&mut Into(log.spans.entry(name).or_default()));
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, cx: Context<'_, S>) {
        let mut log = self.0.lock().unwrap();
        let name = cx.span(id).unwrap().name();
        record.record(&mut Into(log.spans.entry(name).or_default()));
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Into(&mut fields));
        let around = cx.event_scope(event).into_iter().flatten();
        let around = around.map(|span| span.name()).collect();
        let mut log = self.0.lock().unwrap();
        log.events.push((*event.metadata().level(), fields, around));
    }
}

impl Capture {
    pub(crate) fn begin(&self) -> subscriber::DefaultGuard {
        subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    fn span(&self, name: &str) -> Fields {
        self.0
            .lock()
            .unwrap()
            .spans
            .get(name)
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn take(&self) -> Log {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn fields<const N: usize>(pairs: [(&'static str, &str); N]) -> Fields {
    pairs.map(|(name, value)| (name, value.to_owned())).into()
}

#[tokio::test]
async fn own_span_and_the_span_around_have_the_fields_that_they_declare() {
    let capture = Capture::default();
    let _guard = capture.begin();
    let known = || {
        fields([
            ("api.id", "guarded"),
            ("key.slot", "secondary"),
            ("product.id", "starter"),
            ("subscription.id", "contoso"),
        ])
    };
    let slow = slow_layer(&Slow::new()).request_span(true);
    let layer = || layer().request_span(true);
    for (request, expected, waits) in [
        (keyed("/guarded", OTHER), known(), false),
        (keyed("/guarded", OTHER), known(), true),
        (get("/lax"), fields([("api.id", "lax")]), false),
        (keyed("/lax", KEY), fields([("api.id", "lax")]), true),
        (
            get("/given"),
            fields([("api.id", "given"), ("product.id", "gift")]),
            true,
        ),
    ] {
        let around = info_span!(
            "around",
            api.id = field::Empty,
            product.id = field::Empty,
            subscription.id = field::Empty,
            key.slot = field::Empty,
            tenant = "t"
        );
        let answer = match waits {
            true => send(&slow, request).instrument(around).await,
            false => send(&layer(), request).instrument(around).await,
        };
        answer.access();
        assert_eq!(capture.span("subscription_key"), expected);
        let mut with_tenant = expected;
        with_tenant.insert("tenant", "t".into());
        assert_eq!(capture.span("around"), with_tenant);
        assert_eq!(capture.take().events.len(), 0, "nothing to say");
    }
    let around = info_span!("partial", api.id = field::Empty);
    send(&layer(), keyed("/guarded", KEY))
        .instrument(around)
        .await
        .access();
    assert_eq!(capture.span("partial"), fields([("api.id", "guarded")]));
}

#[tokio::test]
async fn allowed_request_opens_no_span_and_records_in_the_one_around() {
    let capture = Capture::default();
    let _guard = capture.begin();
    let around = info_span!("around", subscription.id = field::Empty);
    send(&layer(), keyed("/guarded", KEY))
        .instrument(around)
        .await
        .access();
    assert_eq!(
        capture.span("around"),
        fields([("subscription.id", "contoso")])
    );
    assert_eq!(capture.span("subscription_key"), Fields::new());
}

#[tokio::test]
async fn inner_service_runs_within_the_span_of_the_request() {
    async fn inner(_: Request<()>) -> Result<http::Response<()>, &'static str> {
        tracing::info!("at once");
        tokio::task::yield_now().await;
        tracing::info!("later");
        Ok(http::Response::new(()))
    }
    let called = |request| {
        tracing::info!("called");
        inner(request)
    };
    let capture = Capture::default();
    let _guard = capture.begin();
    let outside = || async { tracing::info!("outside") };
    let request = || keyed("/guarded", KEY);
    let immediate = layer().request_span(true).layer(service_fn(called));
    let waiting = slow_layer(&Slow::new()).request_span(true);
    let waiting = waiting.layer(service_fn(called));
    immediate.oneshot(request()).await.unwrap();
    outside().await;
    waiting.oneshot(request()).await.unwrap();
    outside().await;
    let logged: Vec<(String, usize)> = capture
        .take()
        .events
        .into_iter()
        .map(|(_, fields, around)| (fields["message"].clone(), around.len()))
        .collect();
    let once = [("called", 1), ("at once", 1), ("later", 1), ("outside", 0)];
    let expected = [once, once].concat();
    assert!(
        logged
            .iter()
            .map(|(text, depth)| (text.as_str(), *depth))
            .eq(expected),
        "{logged:?}"
    );
}

#[tokio::test]
async fn denial_is_one_event_with_its_reason_at_its_level() {
    let capture = Capture::default();
    let _guard = capture.begin();
    let long = "k".repeat(257);
    let deny = layer().inapplicable_key(InapplicableKey::Deny);
    let guarded = [("api.id", "guarded")];
    for (request, reason, more) in [
        (get("/guarded"), "missing", fields(guarded)),
        (keyed("/guarded", ""), "empty", fields(guarded)),
        (
            with("/guarded", &[(HEADER, KEY), (HEADER, KEY)]),
            "ambiguous",
            fields(guarded),
        ),
        (keyed("/guarded", &long), "malformed", fields(guarded)),
        (keyed("/guarded", "wrong"), "unknown", fields(guarded)),
        (
            keyed("/none", KEY),
            "no_such_api",
            fields([("path", "/none")]),
        ),
        (
            keyed("/lax", KEY),
            "out_of_scope",
            fields([
                ("api.id", "lax"),
                ("key.slot", "primary"),
                ("subscription.id", "contoso"),
            ]),
        ),
    ] {
        send(&deny, request).await.denied();
        let log = capture.take();
        let [(level, event, _)] = &log.events[..] else {
            panic!("{reason}: {} events", log.events.len());
        };
        let mut event = event.clone();
        assert_eq!(event.remove("reason").as_deref(), Some(reason));
        assert!(event.remove("message").unwrap().starts_with("denied: "));
        let known = more.contains_key("subscription.id");
        let expected = if known { Level::INFO } else { Level::DEBUG };
        assert_eq!((*level, event), (expected, more));
    }

    let broken = slow_layer(&Slow::broken());
    send(&broken, keyed("/lax", KEY))
        .await
        .refused(StatusCode::SERVICE_UNAVAILABLE);
    let log = capture.take();
    let [(Level::ERROR, event, _)] = &log.events[..] else {
        panic!("{} events", log.events.len());
    };
    assert_eq!(event["reason"], "store_unavailable");
    assert_eq!(event["error"], "the wire is cut");

    let broken = layer()
        .query("unused")
        .unwrap()
        .sources([KeySource::header()])
        .unwrap();
    send(&broken, get("/lax"))
        .await
        .refused(StatusCode::SERVICE_UNAVAILABLE);
    let log = capture.take();
    assert_eq!(log.events.len(), 2, "when it is made, and for the request");
    for (level, event, _) in log.events {
        assert_eq!(
            (level, event["reason"].as_str()),
            (Level::ERROR, "misconfigured")
        );
        assert!(event["message"].contains("a query name is set, but no key source uses it"));
    }
}

/// The level and the message of the one event of a request.
async fn event_of<S: SubscriptionStore>(
    layer: &SubscriptionKeyLayer<S>,
    request: Request<()>,
) -> (Level, String) {
    let capture = Capture::default();
    let _guard = capture.begin();
    send(layer, request).await;
    let log = capture.take();
    let [(level, event, _)] = &log.events[..] else {
        panic!("{} events", log.events.len());
    };
    (*level, event["message"].clone())
}

#[tokio::test]
async fn unmatched_path_is_logged_with_the_nearest_api() {
    for (path, nearest) in [
        ("/Guarded/x", Some("guarded")),
        ("/givne", Some("given")),
        ("/zzz", None),
    ] {
        let (_, message) = event_of(&layer(), get(path)).await;
        assert!(message.contains("the path belongs to no API"), "{message}");
        match nearest {
            Some(api) => {
                let names = format!("the nearest is API \"{api}\" at \"/{api}");
                assert!(message.contains(&names), "{message}");
            }
            None => assert!(!message.contains("nearest"), "{message}"),
        }
    }
    let pass = layer().unmatched(Unmatched::Pass);
    let (level, message) = event_of(&pass, get("/none")).await;
    assert_eq!(level, Level::DEBUG);
    assert!(message.contains("let through"), "{message}");
}

#[tokio::test]
async fn wrong_key_with_a_comma_logs_a_hint() {
    let (_, message) = event_of(&layer(), keyed("/guarded", "a, b")).await;
    assert!(message.contains("comma"), "{message}");
    let (_, message) = event_of(&layer(), keyed("/guarded", "a b")).await;
    assert!(!message.contains("comma"), "{message}");
}

#[tokio::test]
async fn key_stripped_by_an_outer_layer_logs_a_hint() {
    let inner = layer().layer(Inner::default());
    let stacked = layer().strip_key(true).layer(inner);
    let capture = Capture::default();
    let _guard = capture.begin();
    let response = stacked.oneshot(keyed("/guarded", KEY)).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let log = capture.take();
    let message = &log.events[0].1["message"];
    assert!(
        message.contains("an outer subscription key layer"),
        "{message}"
    );
}

#[tokio::test]
async fn levels_of_denials_can_be_set() {
    let layer = layer()
        .inapplicable_key(InapplicableKey::Deny)
        .denial_levels(Level::WARN, Level::TRACE);
    let (level, _) = event_of(&layer, keyed("/lax", KEY)).await;
    assert_eq!(level, Level::WARN);
    for request in [get("/guarded"), get("/none"), keyed("/guarded", "x")] {
        assert_eq!(event_of(&layer, request).await.0, Level::TRACE);
    }
}

#[tokio::test]
async fn use_of_the_all_access_subscription_is_a_warning() {
    let catalog = definitions()
        .subscription(
            Subscription::new("master")
                .with_scope(Scope::Service)
                .with_primary_key(KEY),
        )
        .build();
    let layer = SubscriptionKeyLayer::new(MemoryStore::new(catalog.unwrap()));
    let (level, message) = event_of(&layer, keyed("/guarded", KEY)).await;
    assert_eq!(level, Level::WARN);
    assert!(message.contains("all-access"), "{message}");
}
