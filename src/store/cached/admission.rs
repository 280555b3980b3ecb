use tracing::{debug, info, warn};

use super::breaker::{Breaker, Change, Permit};
use super::clock::Moment;
use super::rate::Rate;
use super::settings::Settings;
use super::{CachedStoreError, LookupResult};
use crate::key::KeyDigest;

/// Decides whether a lookup may start, by the breaker and by the rate limit for keys
/// that were never seen before.
pub(super) struct Admission<E> {
    pub(super) breaker: Breaker,
    rate: Option<Rate>,
    /// Whether an error concerns a single key and not the whole store.
    is_about_one_key: fn(&E) -> bool,
}

/// An admitted lookup. [`Admission::settle`] takes it when the lookup ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    permit: Permit,
    /// Whether it took a token of the rate.
    has_token: bool,
}

impl<E: std::error::Error + 'static> Admission<E> {
    pub(super) fn new(settings: &Settings, is_about_one_key: fn(&E) -> bool) -> Self {
        let rate = settings.unknown_rate;
        Self {
            breaker: Breaker::new(settings.breaker, settings.jitter, settings.timeout),
            rate: rate.map(|(per_second, burst)| Rate::new(per_second, burst)),
            is_about_one_key,
        }
    }

    pub(super) fn admit(&self, is_new: bool, now: Moment) -> Result<Ticket, CachedStoreError<E>> {
        let rate = self.rate.as_ref().filter(|_| is_new);
        if self.breaker.is_open(now) {
            return Err(CachedStoreError::BreakerOpen);
        }
        if rate.is_some_and(|rate| !rate.take(now)) {
            return Err(CachedStoreError::TooManyUnknown);
        }
        let Some(permit) = self.breaker.permit(now) else {
            rate.inspect(|rate| rate.give_back());
            return Err(CachedStoreError::BreakerOpen);
        };
        let has_token = rate.is_some();
        Ok(Ticket { permit, has_token })
    }

    pub(super) fn settle(
        &self,
        ticket: Ticket,
        key: &KeyDigest,
        outcome: &LookupResult<E>,
        now: Moment,
    ) {
        let Ticket { permit, has_token } = ticket;
        let error = match outcome {
            Ok(answer) => {
                if let (true, Some(_), Some(rate)) = (has_token, answer.owner(), &self.rate) {
                    rate.give_back();
                }
                return note(self.breaker.succeeded(permit));
            }
            Err(error) => error,
        };
        let change = match error {
            CachedStoreError::Store(error) if (self.is_about_one_key)(error) => {
                self.breaker.succeeded(permit)
            }
            CachedStoreError::Store(_) => self.breaker.failed(permit, Some(key), now),
            _ => self.breaker.failed(permit, None, now),
        };
        let error: &dyn std::error::Error = error;
        match change {
            Change::Opened(pause) => warn!(
                error,
                ?pause,
                "lookups are paused: the store behind the cache keeps failing"
            ),
            change => {
                debug!(error, "a lookup failed");
                note(change);
            }
        }
    }

    /// Closes the breaker, because the store is known to answer again.
    pub(super) fn resume(&self) {
        note(self.breaker.close());
    }
}

fn note(change: Change) {
    if change == Change::Closed {
        info!("lookups go on: the store behind the cache answers again");
    }
}
