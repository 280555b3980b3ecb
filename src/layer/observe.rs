use std::error::Error;

use tracing::level_filters::LevelFilter;
use tracing::{Span, error, field, info, info_span};

use crate::access::{Access, Denial};
use crate::catalog::{Api, Product};
use crate::layer::ConfigError;

/// The span of a request that was let in. Its fields are also recorded in the
/// span around it, if that one declares them, and also where a filter leaves
/// this one out.
#[inline]
pub(super) fn admitted(access: &Access) -> Span {
    // Cheaper than a disabled span, where another crate turned on `tracing`'s
    // forwarding to `log`. Below `OFF` the span around may still want the fields.
    if LevelFilter::current() == LevelFilter::OFF {
        Span::none()
    } else {
        open(access)
    }
}

#[cold]
fn open(access: &Access) -> Span {
    let span = info_span!(
        "subscription_key",
        api.id = access.api().id(),
        product.id = field::Empty,
        subscription.id = field::Empty,
        key.slot = field::Empty,
    );
    record(access, &span);
    span
}

fn record(access: &Access, span: &Span) {
    let around = Span::current();
    if span.is_disabled() && around.is_disabled() {
        return;
    }
    around.record("api.id", access.api().id());
    let subscription = access.subscription();
    for (field, value) in [
        ("product.id", access.product().map(Product::id)),
        ("subscription.id", subscription.map(|s| s.id())),
        ("key.slot", access.key_slot().map(|slot| slot.as_str())),
    ] {
        if let Some(value) = value {
            span.record(field, value);
            around.record(field, value);
        }
    }
}

/// One event for a denial, for the operator's eyes. With a cause it is the
/// service's trouble and not the client's.
#[inline]
pub(super) fn denied(denial: &Denial, cause: Option<&(dyn Error + 'static)>) {
    // Within the macros, so that nothing is looked up where nobody listens.
    match cause {
        Some(error) => error!(
            reason = denial.reason().as_str(),
            api.id = denial.api().map(Api::id),
            error,
            "refused: {denial}: {error}"
        ),
        None => info!(
            reason = denial.reason().as_str(),
            api.id = denial.api().map(Api::id),
            subscription.id = denial.subscription().map(|s| s.id()),
            key.slot = denial.key_slot().map(|slot| slot.as_str()),
            "denied: {denial}"
        ),
    }
}

/// The layer has settings that cannot work.
pub(super) fn misconfigured(error: &ConfigError) {
    error!(
        reason = "misconfigured",
        "the subscription key layer refuses every request: {error}"
    );
}
