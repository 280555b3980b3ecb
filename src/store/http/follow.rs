//! The background task that keeps the catalog as the remote server has it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{IF_NONE_MATCH, PRAGMA};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};

use crate::catalog::Catalog;
use crate::document;
use crate::store::backoff::{Backoff, shortened};
use crate::store::http::exchange::Exchange;
use crate::store::http::requests::{self, Requests};
use crate::store::http::revision::Revision;
use crate::store::http::{HttpError, RequestBody};
use crate::store::replica::{Replica, Source};

/// RFC 7240. Its `wait` is how long the remote server may hold the request.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The pause between two requests that may be held: a remote server that always has
/// something new is not asked in a tight loop.
const BETWEEN_HELD: Duration = Duration::from_millis(20);

/// The fraction of the interval that is left to chance.
const JITTER: f64 = 0.2;

/// When to ask.
#[derive(Clone)]
pub(super) struct Rhythm {
    pub(super) interval: Duration,
    /// How long the remote server may hold a request.
    pub(super) hold: Option<Duration>,
    /// How long 304 is believed before the whole catalog is asked for again.
    pub(super) full_reload: Duration,
    pub(super) backoff: Backoff,
}

/// Follows the remote server, with what it remembers of earlier answers.
pub(super) struct Follower<C> {
    client: C,
    requests: Requests,
    rhythm: Rhythm,
    replica: Arc<Replica>,
    /// The revision of the version in use, to ask with.
    revision: Revision,
    /// The content of the version in use, and when it was last read as a whole.
    used: Option<(Hash, Instant)>,
    /// The last content that was refused, and why: reading it again is no use.
    refused: Option<(Hash, Arc<HttpError>)>,
    has_failed: bool,
    /// Whether the last request that could be held was answered at once.
    is_not_held: bool,
}

type Hash = [u8; 32];

impl<C: Exchange> Source for Follower<C> {
    type Error = HttpError;

    fn interrupted() -> HttpError {
        HttpError::Interrupted
    }

    /// A remote server can only hold a request for a change of a version that has an
    /// `ETag`.
    fn hold(&self) -> Duration {
        let hold = self.rhythm.hold.filter(|_| self.is_conditional());
        hold.unwrap_or_default()
    }

    async fn read(&mut self, hold: Duration) -> Result<bool, Arc<HttpError>> {
        let began = Instant::now();
        let outcome = self.ask(hold).await;
        self.has_failed = false;
        match &outcome {
            Ok(is_new) if !hold.is_zero() => {
                self.is_not_held = !is_new && began.elapsed() < hold / 2;
            }
            Ok(_) => {}
            Err(error) => match error.document() {
                // An invalid document comes from a working remote server.
                Some(document) => self.replica.fail(&Refused(document)),
                None => {
                    self.has_failed = true;
                    self.replica.fail(error);
                }
            },
        }
        outcome
    }

    /// A remote server that does not hold requests is asked at intervals.
    async fn wait(&mut self, has_failed: bool) {
        let pause = if has_failed {
            self.rhythm.backoff.pause()
        } else {
            self.rhythm.backoff.reset();
            match self.rhythm.hold {
                Some(_) if self.revision.etag.is_some() && !self.is_not_held => BETWEEN_HELD,
                _ => shortened(self.rhythm.interval, JITTER),
            }
        };
        sleep(pause).await;
    }
}

impl<C: Exchange> Follower<C> {
    pub(super) fn new(
        client: C,
        requests: Requests,
        rhythm: Rhythm,
        replica: Arc<Replica>,
    ) -> Self {
        Self {
            client,
            requests,
            rhythm,
            replica,
            revision: Revision::default(),
            used: None,
            refused: None,
            has_failed: false,
            is_not_held: false,
        }
    }

    /// Whether 304 would be believed: not after a failure, because the remote
    /// server may have been restarted and count its `ETag`s from the beginning,
    /// and not for ever.
    fn is_conditional(&self) -> bool {
        let is_recent = |(_, at): (Hash, Instant)| at.elapsed() < self.rhythm.full_reload;
        self.revision.etag.is_some() && !self.has_failed && self.used.is_some_and(is_recent)
    }

    async fn ask(&mut self, hold: Duration) -> Result<bool, Arc<HttpError>> {
        let is_conditional = self.is_conditional();
        let request = self.request(is_conditional, hold);
        let response = self.exchange(request, hold).await?;
        if response.status() == StatusCode::NOT_MODIFIED && is_conditional {
            self.replica.confirm(self.revision.text());
            return Ok(false);
        }
        let revision = Revision::of(response.headers());
        let (hash, catalog) = self.parse(requests::document(response)?).await?;
        let before = std::mem::replace(&mut self.revision, revision);
        self.refused = None;
        self.used = Some((hash, Instant::now()));
        let Some(catalog) = catalog else {
            self.replica.confirm(self.revision.text());
            return Ok(false);
        };
        if let Some(how) = self.revision.goes_back_from(&before) {
            self.replica.went_back(&how);
        }
        self.replica.publish(catalog, self.revision.text());
        Ok(true)
    }

    fn request(&self, is_conditional: bool, hold: Duration) -> Request<RequestBody> {
        let mut request = self.requests.catalog();
        let headers = request.headers_mut();
        match &self.revision.etag {
            Some(etag) if is_conditional => drop(headers.insert(IF_NONE_MATCH, etag.clone())),
            Some(_) => drop(headers.insert(PRAGMA, HeaderValue::from_static("no-cache"))),
            None => {}
        }
        if !hold.is_zero() {
            let wait = HeaderValue::try_from(format!("wait={}", hold.as_secs().max(1)));
            headers.extend(wait.ok().map(|wait| (PREFER, wait)));
        }
        request
    }

    /// Runs in a separate task: a client that panics must not end the follower.
    async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        hold: Duration,
    ) -> Result<Response<Bytes>, HttpError> {
        let (requests, client) = (self.requests.clone(), self.client.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { requests.send(client, request, hold).await });
        match task.join_next().await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) | None => Err(HttpError::Interrupted),
        }
    }

    /// Reads the document on a blocking thread. Returns no catalog if the document is the
    /// version in use.
    async fn parse(&mut self, body: Bytes) -> Result<(Hash, Option<Catalog>), Arc<HttpError>> {
        let (used, refused) = (self.used.map(|(hash, _)| hash), self.refused.clone());
        let reading = spawn_blocking(move || {
            let hash: Hash = Sha256::digest(&body).into();
            let parsed = match refused {
                Some((known, error)) if known == hash => Err(error),
                _ if used == Some(hash) => Ok(None),
                _ => match document::parse_machine(&body) {
                    Ok(catalog) => Ok(Some(catalog)),
                    Err(error) => Err(Arc::new(HttpError::from(error))),
                },
            };
            (hash, parsed)
        });
        let (hash, parsed) = reading.await.map_err(|_| HttpError::Interrupted)?;
        if let Err(error) = &parsed {
            self.refused = Some((hash, Arc::clone(error)));
        }
        Ok((hash, parsed?))
    }
}

/// Every issue of a document, for the log and the status.
#[derive(Debug, thiserror::Error)]
#[error("the remote server's answer is not valid:\n{0}")]
struct Refused<'d>(&'d document::DocumentError);
