//! What operators read.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use http::{Request, StatusCode};
use tower::{Layer as _, ServiceExt, service_fn};
use tower_subscription_key::InapplicableKey;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Instrument, Level, Subscriber, field, info_span, subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{HEADER, KEY, OTHER, Slow, get, keyed, layer, send, slow_layer, with};

pub(crate) type Fields = BTreeMap<&'static str, String>;

#[derive(Default)]
pub(crate) struct Log {
    /// By name: here no two spans share one.
    pub(crate) spans: BTreeMap<&'static str, Fields>,
    /// Level, fields, and the names of the spans around, innermost first.
    pub(crate) events: Vec<(Level, Fields, Vec<&'static str>)>,
}

/// Writes down all spans and events of this thread while it stands.
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
async fn the_span_says_who_calls_what_and_so_does_one_around_that_asks() {
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
    let slow = slow_layer(&Slow::new());
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
    let around = info_span!("deaf", api.id = field::Empty);
    send(&layer(), keyed("/guarded", KEY))
        .instrument(around)
        .await
        .access();
    assert_eq!(capture.span("deaf"), fields([("api.id", "guarded")]));
}

#[tokio::test]
async fn the_span_around_is_told_also_where_the_layers_own_is_filtered_out() {
    let capture = Capture::default();
    let others = filter_fn(|metadata| metadata.name() != "subscription_key");
    let subscriber = tracing_subscriber::registry().with(capture.clone().with_filter(others));
    let _guard = subscriber::set_default(subscriber);
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
async fn the_inner_service_works_within_the_span() {
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
    let immediate = layer().layer(service_fn(called));
    let waiting = slow_layer(&Slow::new()).layer(service_fn(called));
    immediate.oneshot(request()).await.unwrap();
    outside().await;
    waiting.oneshot(request()).await.unwrap();
    outside().await;
    let told: Vec<(String, usize)> = capture
        .take()
        .events
        .into_iter()
        .map(|(_, fields, around)| (fields["message"].clone(), around.len()))
        .collect();
    let once = [("called", 1), ("at once", 1), ("later", 1), ("outside", 0)];
    let expected = [once, once].concat();
    assert!(
        told.iter()
            .map(|(text, depth)| (text.as_str(), *depth))
            .eq(expected),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_denial_is_one_event_with_its_reason() {
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
        (keyed("/none", KEY), "no_such_api", fields([])),
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
        assert_eq!((*level, event), (Level::INFO, more));
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

    let broken = layer().header("no header");
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
        assert!(event["message"].contains("is not a header name"));
    }
}
