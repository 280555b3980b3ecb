//! The background task that keeps the catalog as the remote server has it.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::header::{IF_NONE_MATCH, PRAGMA};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout};

use crate::catalog::Catalog;
use crate::document;
use crate::store::StoreStatus;
use crate::store::backoff::{Backoff, shortened};
use crate::store::http::exchange::Exchange;
use crate::store::http::requests::{self, Requests};
use crate::store::http::revision::Revision;
use crate::store::http::{HttpError, RequestBody};
use crate::store::replica::Replica;
use crate::store::save::{Saver, use_snapshot};
use crate::store::snapshot::SnapshotFile;

/// RFC 7240. Its `wait` is how long the remote server may hold the request.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The pause between two requests that may be held: a remote server that always has
/// something new is not asked in a tight loop.
const BETWEEN_HELD: Duration = Duration::from_millis(20);

/// The fraction of the interval that is left to chance.
const JITTER: f64 = 0.2;

/// The answer to a call of `reload`.
pub(super) type Reloaded = Result<StoreStatus, Arc<HttpError>>;

/// The calls of `reload` to come. Locked by the task that answers them.
pub(super) type Reloads = Arc<Mutex<mpsc::UnboundedReceiver<oneshot::Sender<Reloaded>>>>;

/// When to ask.
#[derive(Clone)]
pub(super) struct Rhythm {
    pub(super) interval: Duration,
    /// How long the remote server may hold a request.
    pub(super) hold: Option<Duration>,
    /// How long 304 is believed before the whole catalog is asked for again.
    pub(super) full_reload: Duration,
    pub(super) backoff: Backoff,
    /// How long the first answer is waited for before the snapshot is used.
    pub(super) snapshot_after: Duration,
}

pub(super) struct Follower<C> {
    pub(super) client: C,
    pub(super) requests: Requests,
    pub(super) rhythm: Rhythm,
    pub(super) replica: Arc<Replica>,
    pub(super) snapshot: Option<SnapshotFile>,
    pub(super) saver: Option<Saver>,
    pub(super) memory: Memory,
}

/// What is remembered of earlier answers.
#[derive(Default)]
pub(super) struct Memory {
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

/// What a successful attempt found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Change,
    NoChange,
}

type Outcome = Result<Found, Arc<HttpError>>;

/// A version that the remote server sent.
enum Version {
    InUse,
    New(Box<Catalog>, Hash),
}

impl<C: Exchange> Follower<C> {
    /// Runs until the store is dropped.
    pub(super) async fn run(mut self, reloads: Reloads) {
        let mut reloads = reloads.lock().await;
        let mut outcome = self.begin().await;
        let mut waiting = Vec::new();
        loop {
            while let Ok(sender) = reloads.try_recv() {
                waiting.push(sender);
            }
            for sender in waiting.drain(..) {
                let answer = outcome.clone().map(|_| self.replica.status());
                // The caller may be gone.
                let _ = sender.send(answer);
            }
            match timeout(self.pause(&outcome), reloads.recv()).await {
                Ok(Some(sender)) => waiting.push(sender),
                Ok(None) => return,
                Err(_) => {}
            }
            outcome = loop {
                let hold = self.hold(waiting.is_empty());
                let attempt = pin!(self.attempt(hold));
                // Only a held request is given up for a reload.
                let interruption = pin!(async {
                    match hold.is_zero() {
                        true => pending().await,
                        false => reloads.recv().await,
                    }
                });
                match select(attempt, interruption).await {
                    Either::Left((outcome, _)) => break outcome,
                    Either::Right((Some(sender), _)) => waiting.push(sender),
                    Either::Right((None, _)) => return,
                }
            };
        }
    }

    /// The first attempt. If it takes long or fails, the snapshot is used.
    async fn begin(&mut self) -> Outcome {
        let (replica, after) = (Arc::clone(&self.replica), self.rhythm.snapshot_after);
        // A task that was started again has a version already.
        let needs_snapshot = self.replica.catalog().is_none();
        let Some(file) = self.snapshot.clone().filter(|_| needs_snapshot) else {
            return self.attempt(Duration::ZERO).await;
        };
        let mut attempt = pin!(self.attempt(Duration::ZERO));
        match timeout(after, attempt.as_mut()).await {
            Ok(outcome) => {
                if outcome.is_err() {
                    use_snapshot(file, &replica).await;
                }
                outcome
            }
            Err(_) => {
                use_snapshot(file, &replica).await;
                attempt.await
            }
        }
    }

    /// How long the next request may be held. A remote server can only hold it for
    /// a change of a version that has an `ETag`.
    fn hold(&self, nobody_waits: bool) -> Duration {
        let may_hold = nobody_waits && self.is_conditional();
        let hold = self.rhythm.hold.filter(|_| may_hold);
        hold.unwrap_or_default()
    }

    /// Whether 304 would be believed: not after a failure, because the remote
    /// server may have been restarted and count its `ETag`s from the beginning,
    /// and not for ever.
    fn is_conditional(&self) -> bool {
        let Memory {
            revision,
            used,
            has_failed,
            ..
        } = &self.memory;
        let is_recent = |(_, at): &(Hash, Instant)| at.elapsed() < self.rhythm.full_reload;
        revision.etag.is_some() && !has_failed && used.as_ref().is_some_and(is_recent)
    }

    /// The pause before the next request. A remote server that does not hold
    /// requests is asked at intervals.
    fn pause(&mut self, outcome: &Outcome) -> Duration {
        if outcome.is_err() {
            return self.rhythm.backoff.pause();
        }
        self.rhythm.backoff.reset();
        match self.rhythm.hold {
            Some(_) if self.memory.revision.etag.is_some() && !self.memory.is_not_held => {
                BETWEEN_HELD
            }
            _ => shortened(self.rhythm.interval, JITTER),
        }
    }

    async fn attempt(&mut self, hold: Duration) -> Outcome {
        let began = Instant::now();
        let outcome = self.ask(hold).await;
        // An invalid document comes from a working remote server.
        let has_failed = |error: &Arc<HttpError>| error.document().is_none();
        self.memory.has_failed = outcome.as_ref().is_err_and(has_failed);
        match &outcome {
            Ok(found) => {
                if let Some(saver) = &mut self.saver {
                    saver.offer(&self.replica, *found == Found::Change);
                }
                if !hold.is_zero() {
                    let is_early = began.elapsed() < hold / 2;
                    self.memory.is_not_held = is_early && *found == Found::NoChange;
                }
            }
            Err(error) => match error.document() {
                Some(document) => self.replica.fail(&Refused(document)),
                None => self.replica.fail(error),
            },
        }
        outcome
    }

    async fn ask(&mut self, hold: Duration) -> Outcome {
        let is_conditional = self.is_conditional();
        let request = self.request(is_conditional, hold);
        let response = self.exchange(request, hold).await?;
        if response.status() == StatusCode::NOT_MODIFIED && is_conditional {
            self.replica.confirm(self.memory.revision.text());
            return Ok(Found::NoChange);
        }
        let revision = Revision::of(response.headers());
        let version = self.read(requests::document(response)?).await?;
        self.memory.refused = None;
        let before = std::mem::replace(&mut self.memory.revision, revision);
        let revision = &self.memory.revision;
        let now = Instant::now();
        match version {
            Version::InUse => {
                self.memory.used = self.memory.used.map(|(hash, _)| (hash, now));
                self.replica.confirm(revision.text());
                Ok(Found::NoChange)
            }
            Version::New(catalog, hash) => {
                if let Some(how) = revision.goes_back_from(&before) {
                    self.replica.went_back(&how);
                }
                self.memory.used = Some((hash, now));
                self.replica.publish(*catalog, revision.text());
                Ok(Found::Change)
            }
        }
    }

    fn request(&self, is_conditional: bool, hold: Duration) -> Request<RequestBody> {
        let mut request = self.requests.catalog();
        let headers = request.headers_mut();
        match &self.memory.revision.etag {
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

    /// Reads the document, on a thread that may take its time.
    async fn read(&mut self, body: Bytes) -> Result<Version, Arc<HttpError>> {
        let (used, refused) = (self.memory.used, self.memory.refused.clone());
        let reading = spawn_blocking(move || {
            let hash: Hash = Sha256::digest(&body).into();
            if used.is_some_and(|(used, _)| used == hash) {
                return Ok(Version::InUse);
            }
            match refused {
                Some((known, error)) if known == hash => return Err((hash, error)),
                _ => {}
            }
            match document::parse_machine(&body) {
                Ok(catalog) => Ok(Version::New(Box::new(catalog), hash)),
                Err(error) => Err((hash, Arc::new(HttpError::from(error)))),
            }
        });
        let read = reading.await.map_err(|_| HttpError::Interrupted)?;
        read.map_err(|(hash, error)| {
            self.memory.refused = Some((hash, Arc::clone(&error)));
            error
        })
    }
}

/// Every issue of a document, for the log and the status.
#[derive(Debug, thiserror::Error)]
#[error("the remote server's answer is not valid:\n{0}")]
struct Refused<'d>(&'d document::DocumentError);
