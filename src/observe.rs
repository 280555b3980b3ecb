//! What operators see of every outcome: events, fields of spans, metrics.

use std::error::Error;
use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, debug, debug_span, dispatcher, error, field, info, trace, warn};

use crate::access::{Access, Decision, Denial, DenialReason};
use crate::catalog::{Api, Product};
use crate::layer::ConfigError;

/// The levels of denial events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogLevels {
    /// For denials that concern a known subscription.
    pub(crate) known: Level,
    /// For denials that anybody can cause.
    pub(crate) unknown: Level,
}

impl Default for LogLevels {
    fn default() -> Self {
        Self {
            known: Level::INFO,
            unknown: Level::DEBUG,
        }
    }
}

/// What an event says about a request besides the decision.
pub(crate) struct Observed<'a> {
    pub(crate) levels: LogLevels,
    /// The path by which the API was chosen.
    pub(crate) path: &'a str,
    /// Why the store or the layer could not do its work.
    pub(crate) cause: Option<&'a (dyn Error + 'static)>,
}

/// Reports a decision: its event, the fields of the span around it, its metrics.
pub(crate) fn decided(decision: &Decision, observed: &Observed<'_>) {
    #[cfg(feature = "metrics")]
    crate::metrics::decided(decision);
    match decision {
        Decision::Allow(access) => allowed(access),
        Decision::Unmatched => debug!(
            path = %Shown(observed.path),
            "let through without access: the path belongs to no API"
        ),
        Decision::Deny(denial) => denied(denial, observed),
    }
}

/// Reports that a CORS preflight was let through.
pub(crate) fn preflight(path: &str) {
    #[cfg(feature = "metrics")]
    crate::metrics::preflight();
    debug!(path = %Shown(path), "let through without access: a CORS preflight");
}

/// Reports settings that cannot work.
pub(crate) fn misconfigured(error: &ConfigError) {
    error!(
        reason = DenialReason::Misconfigured.as_str(),
        "the subscription key layer denies every request: {error}"
    );
}

fn allowed(access: &Access) {
    if LevelFilter::current() == LevelFilter::OFF {
        return;
    }
    if access.is_by_all_access() {
        warn!(
            subscription.id = access.subscription().map(|s| s.id()),
            api.id = access.api().id(),
            "the all-access subscription was used: give callers one of their own"
        );
    }
    // Recording costs more than looking whether the span declares any of the fields.
    let declares = dispatcher::get_default(|dispatch| {
        let current = dispatch.current_span();
        let fields = current.metadata().map(|metadata| metadata.fields());
        fields.is_some_and(|fields| FIELDS.iter().any(|name| fields.field(name).is_some()))
    });
    if declares {
        record(access, &Span::current());
    }
}

const FIELDS: [&str; 4] = ["api.id", "product.id", "subscription.id", "key.slot"];

/// A span at DEBUG for an allowed request.
pub(crate) fn span(access: &Access) -> Span {
    let span = debug_span!(
        "subscription_key",
        api.id = field::Empty,
        product.id = field::Empty,
        subscription.id = field::Empty,
        key.slot = field::Empty,
    );
    record(access, &span);
    span
}

fn record(access: &Access, span: &Span) {
    let values = [
        Some(access.api().id()),
        access.product().map(Product::id),
        access.subscription().map(|subscription| subscription.id()),
        access.key_slot().map(|slot| slot.as_str()),
    ];
    for (name, value) in FIELDS.into_iter().zip(values) {
        if let Some(value) = value {
            span.record(name, value);
        }
    }
}

/// Emits an event with a level chosen at run time.
macro_rules! event_at {
    ($level:expr, $($event:tt)*) => {
        match $level {
            Level::ERROR => error!($($event)*),
            Level::WARN => warn!($($event)*),
            Level::INFO => info!($($event)*),
            Level::DEBUG => debug!($($event)*),
            Level::TRACE => trace!($($event)*),
        }
    };
}

fn denied(denial: &Denial, observed: &Observed<'_>) {
    let reason = denial.reason();
    if let Some(error) = observed.cause {
        // The service's trouble, not the client's.
        error!(
            reason = reason.as_str(),
            api.id = denial.api().map(Api::id),
            error,
            "denied: {denial}: {error}"
        );
        return;
    }
    if denial.concerns_path() {
        let nearest = field::display(Nearest(denial, observed.path));
        event_at!(
            observed.levels.unknown,
            reason = reason.as_str(),
            path = %Shown(observed.path),
            "denied: {denial}{nearest}"
        );
        return;
    }
    let level = match denial.subscription() {
        Some(_) => observed.levels.known,
        None => observed.levels.unknown,
    };
    event_at!(
        level,
        reason = reason.as_str(),
        api.id = denial.api().map(Api::id),
        subscription.id = denial.subscription().map(|subscription| subscription.id()),
        key.slot = denial.key_slot().map(|slot| slot.as_str()),
        "denied: {denial}"
    );
}

/// A path as events show it: escaped, no longer than [`MAX_PATH`] characters, and
/// only up to a `=`, because a key can follow one in a target that lacks its `?`.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

const MAX_PATH: usize = 120;

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(MAX_PATH) {
            if character == '=' {
                return f.write_str("=…");
            }
            character.escape_debug().try_for_each(|c| f.write_char(c))?;
        }
        match characters.next() {
            Some(_) => f.write_str("…"),
            None => Ok(()),
        }
    }
}

/// The API with the path most similar to an unmatched request path.
struct Nearest<'a>(&'a Denial, &'a str);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.nearest_api(self.1) {
            Some(api) => write!(f, "; the nearest is API {:?} at {:?}", api.id(), api.path()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_path_is_escaped_bounded_and_ends_at_an_equals_sign() {
        for (path, shown) in [
            ("/orders/1", "/orders/1".to_owned()),
            ("/a\nb\u{1b}[0m", r"/a\nb\u{1b}[0m".to_owned()),
            ("/x&subscription-key=K", "/x&subscription-key=…".to_owned()),
            (&"/é".repeat(100), "/é".repeat(60) + "…"),
        ] {
            assert_eq!(Shown(path).to_string(), shown);
        }
    }
}
