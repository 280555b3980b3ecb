//! What operators see of every outcome: events, fields of spans, metrics.

use std::error::Error;
use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, debug, debug_span, dispatcher, error, field, info, trace, warn};

use crate::access::{Access, Decision, Denial, DenialReason};
use crate::catalog::{Api, Product};

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

/// Why the store or the layer could not do its work.
pub(crate) type Cause<'a> = Option<&'a (dyn Error + 'static)>;

/// Reports a decision: its event, the fields of the span around it, its metrics. `path`
/// returns the path of the request.
pub(crate) fn decided<'a>(
    decision: &Decision,
    path: impl FnOnce() -> &'a str,
    cause: Cause<'_>,
    levels: LogLevels,
) {
    #[cfg(feature = "metrics")]
    crate::metrics::decided(decision);
    match decision {
        Decision::Allow(access) => allowed(access),
        Decision::Unmatched => {
            let path = shown(path());
            debug!(%path, "let through without access: the path belongs to no API");
        }
        Decision::Deny(denial) => denied(denial, path(), cause, levels),
    }
}

/// Reports that a CORS preflight was let through.
pub(crate) fn preflight(path: &str) {
    #[cfg(feature = "metrics")]
    crate::metrics::preflight();
    debug!(path = %shown(path), "let through without access: a CORS preflight");
}

/// Reports settings that cannot work.
pub(crate) fn misconfigured(error: &dyn Error) {
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

fn denied(denial: &Denial, path: &str, cause: Cause<'_>, levels: LogLevels) {
    let level = match (cause, denial.subscription()) {
        // The service's trouble, not the client's.
        (Some(_), _) => Level::ERROR,
        (None, Some(_)) => levels.known,
        (None, None) => levels.unknown,
    };
    let path = match denial.reason() {
        DenialReason::NoSuchApi | DenialReason::AmbiguousPath => Some(path),
        _ => None,
    };
    let nearest = fmt::from_fn(|f| match path.and_then(|path| denial.nearest_api(path)) {
        Some(api) => write!(f, "; the nearest is API {:?} at {:?}", api.id(), api.path()),
        None => Ok(()),
    });
    let because = fmt::from_fn(|f| match cause {
        Some(error) => write!(f, ": {error}"),
        None => Ok(()),
    });
    event_at!(
        level,
        reason = denial.reason().as_str(),
        path = path.map(|path| field::display(shown(path))),
        api.id = denial.api().map(Api::id),
        subscription.id = denial.subscription().map(|subscription| subscription.id()),
        key.slot = denial.key_slot().map(|slot| slot.as_str()),
        error = cause,
        "denied: {denial}{nearest}{because}"
    );
}

const MAX_PATH: usize = 120;

/// A path as events show it: escaped, no longer than [`MAX_PATH`] characters, and
/// only up to a `=`, because a key can follow one in a target that lacks its `?`.
fn shown(path: &str) -> impl fmt::Display {
    let (path, more) = match path.find('=') {
        Some(end) => (&path[..end], "=…"),
        None => (path, ""),
    };
    let (path, more) = match path.char_indices().nth(MAX_PATH) {
        Some((end, _)) => (&path[..end], "…"),
        None => (path, more),
    };
    let path = path.escape_debug();
    fmt::from_fn(move |f| write!(f, "{path}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_path_is_escaped_bounded_and_ends_at_an_equals_sign() {
        for (path, expected) in [
            ("/orders/1", "/orders/1".to_owned()),
            ("/a\nb\u{1b}[0m", r"/a\nb\u{1b}[0m".to_owned()),
            ("/x&subscription-key=K", "/x&subscription-key=…".to_owned()),
            (&"/é".repeat(100), "/é".repeat(60) + "…"),
        ] {
            assert_eq!(shown(path).to_string(), expected);
        }
    }
}
