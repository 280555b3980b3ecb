//! The background task that keeps the catalog as the remote server has it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::catalog::Catalog;
use crate::document;
use crate::store::http::asking::{Ready, json};
use crate::store::http::delays::{Backoff, jittered};
use crate::store::http::disk::{Disk, stand_in};
use crate::store::http::exchange::Exchange;
use crate::store::http::state::Shared;
use crate::store::http::{HttpError, HttpStatus, RequestBody};

/// RFC 7240. Its `wait` is how long the remote server may hold the request.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// So long it rests between two requests that may be held: a remote server that always
/// has something new is not asked in a tight loop.
const BETWEEN_HELD: Duration = Duration::from_millis(20);

/// How much of the interval is left to chance.
const JITTER: f64 = 0.2;

/// What somebody who asked for a refresh is told.
pub(super) type Refreshed = Result<HttpStatus, Arc<HttpError>>;

/// Those who ask for one.
pub(super) type Refreshes = mpsc::UnboundedReceiver<oneshot::Sender<Refreshed>>;

/// When to ask.
#[derive(Clone)]
pub(super) struct Rhythm {
    pub(super) interval: Duration,
    /// For how long the remote server is asked to hold a request.
    pub(super) hold: Option<Duration>,
    pub(super) backoff: Backoff,
    /// How long the first answer is waited for before the disk is asked.
    pub(super) patience: Duration,
}

pub(super) struct Worker<C> {
    pub(super) client: C,
    pub(super) asking: Ready,
    pub(super) rhythm: Rhythm,
    pub(super) shared: Arc<Shared>,
    pub(super) disk: Option<Disk>,
    pub(super) memory: Memory,
}

/// What the worker remembers of the remote server's answers.
#[derive(Default)]
pub(super) struct Memory {
    /// The tag of the version in use, to ask with.
    etag: Option<HeaderValue>,
    /// The content of the version in use.
    used: Option<Hash>,
    /// The last content that was refused, and why: reading it again is no use.
    refused: Option<(Hash, Arc<HttpError>)>,
    /// Whether the remote server was last asked to hold a request in vain.
    is_in_vain: bool,
}

type Hash = [u8; 32];

/// What an attempt led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Changed,
    Unchanged,
    Failed,
}

/// What the remote server said.
enum Answer {
    /// The version in use is the current one.
    Same,
    New(Box<Catalog>, Hash),
}

impl<C: Exchange> Worker<C> {
    /// Runs until the last handle is gone.
    pub(super) async fn run(mut self, mut refreshes: Refreshes) {
        let mut outcome = self.begin().await;
        let mut waiting = Vec::new();
        loop {
            if waiting.is_empty() {
                let pause = self.pause(outcome);
                match timeout(pause, refreshes.recv()).await {
                    Ok(Some(sender)) => waiting.push(sender),
                    Ok(None) => return,
                    Err(_) => {}
                }
            }
            while let Ok(sender) = refreshes.try_recv() {
                waiting.push(sender);
            }
            let hold = self.hold(waiting.is_empty());
            let began = Instant::now();
            outcome = match first_of(self.attempt(hold), interruption(hold, &mut refreshes)).await {
                First::Left(outcome) => outcome,
                // It is answered by an attempt that begins now.
                First::Right(Some(sender)) => {
                    waiting.push(sender);
                    continue;
                }
                First::Right(None) => return,
            };
            if !hold.is_zero() {
                // Whoever says at once that nothing changed does not hold requests.
                let held = began.elapsed() >= hold / 2;
                self.memory.is_in_vain = outcome == Outcome::Unchanged && !held;
            }
            for sender in waiting.drain(..) {
                // Whoever asked may be gone.
                let _ = sender.send(self.told());
            }
        }
    }

    /// The first attempt. Where it takes long or fails, a version from the disk
    /// stands in.
    async fn begin(&mut self) -> Outcome {
        let patience = self.rhythm.patience;
        let shared = Arc::clone(&self.shared);
        let file = self.disk.as_ref().map(Disk::file);
        let mut attempt = pin!(self.attempt(Duration::ZERO));
        let outcome = match (timeout(patience, attempt.as_mut()).await, file) {
            (Ok(Outcome::Failed), Some(file)) => {
                stand_in(file, &shared).await;
                Outcome::Failed
            }
            (Err(_), Some(file)) => {
                stand_in(file, &shared).await;
                attempt.await
            }
            (Err(_), None) => attempt.await,
            (Ok(outcome), _) => outcome,
        };
        shared.begun();
        outcome
    }

    /// For how long the next request may be held. A remote server can only tell that
    /// something changed since a version that has a tag.
    fn hold(&self, nobody_waits: bool) -> Duration {
        let may_hold = nobody_waits && self.memory.etag.is_some();
        let hold = self.rhythm.hold.filter(|_| may_hold);
        hold.unwrap_or_default()
    }

    /// How long to wait before the next request. A remote server that does not hold
    /// requests, though it was asked to, is asked at intervals.
    fn pause(&mut self, outcome: Outcome) -> Duration {
        if outcome == Outcome::Failed {
            return self.rhythm.backoff.pause();
        }
        self.rhythm.backoff.reset();
        if !self.hold(true).is_zero() && !self.memory.is_in_vain {
            return BETWEEN_HELD;
        }
        jittered(self.rhythm.interval, JITTER)
    }

    /// What somebody who asked for a refresh is told.
    fn told(&self) -> Refreshed {
        let status = self.shared.status();
        match status.last_error {
            Some(error) => Err(error),
            None => Ok(status),
        }
    }

    async fn attempt(&mut self, hold: Duration) -> Outcome {
        match self.ask(hold).await {
            Ok(Answer::Same) => {
                self.shared.confirm(self.memory.tag());
                if let Some(disk) = &mut self.disk {
                    disk.confirm(&self.shared);
                }
                Outcome::Unchanged
            }
            Ok(Answer::New(catalog, hash)) => {
                self.memory.used = Some(hash);
                let kept = Catalog::clone(&catalog);
                self.shared.publish(*catalog, self.memory.tag());
                if let Some(disk) = &mut self.disk {
                    disk.offer(kept);
                }
                Outcome::Changed
            }
            Err(error) => {
                self.shared.refuse(&error);
                Outcome::Failed
            }
        }
    }

    async fn ask(&mut self, hold: Duration) -> Result<Answer, Arc<HttpError>> {
        let request = self.request(hold);
        let response = self.exchange(request, hold).await?;
        if response.status() == StatusCode::NOT_MODIFIED && self.memory.etag.is_some() {
            return Ok(Answer::Same);
        }
        let etag = response.headers().get(ETAG).cloned();
        let answer = self.read(json(response)?).await?;
        self.memory.etag = etag;
        self.memory.refused = None;
        Ok(answer)
    }

    fn request(&self, hold: Duration) -> Request<RequestBody> {
        let mut request = self.asking.request();
        let headers = request.headers_mut();
        if let Some(etag) = &self.memory.etag {
            headers.insert(IF_NONE_MATCH, etag.clone());
        }
        if !hold.is_zero() {
            let wait = HeaderValue::try_from(format!("wait={}", hold.as_secs().max(1)));
            headers.extend(wait.ok().map(|wait| (PREFER, wait)));
        }
        request
    }

    /// In a task of its own: a client that panics must not end the worker, which
    /// would leave the version in use for ever without a word.
    async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        hold: Duration,
    ) -> Result<Response<Vec<u8>>, HttpError> {
        let (asking, client) = (self.asking.clone(), self.client.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { asking.ask(client, request, hold).await });
        match task.join_next().await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) | None => Err(HttpError::Broken),
        }
    }

    /// Reads the document, on a thread that may take its time.
    async fn read(&mut self, body: Vec<u8>) -> Result<Answer, Arc<HttpError>> {
        let (used, refused) = (self.memory.used, self.memory.refused.clone());
        let reading = spawn_blocking(move || {
            let hash: Hash = Sha256::digest(&body).into();
            if used == Some(hash) {
                return Ok(Answer::Same);
            }
            match refused {
                Some((known, error)) if known == hash => return Err((hash, error)),
                _ => {}
            }
            match document::parse_foreign(&body) {
                Ok(catalog) => Ok(Answer::New(Box::new(catalog), hash)),
                Err(error) => Err((hash, Arc::new(HttpError::Document(error)))),
            }
        });
        let read = reading.await.map_err(|_| HttpError::Broken)?;
        read.map_err(|(hash, error)| {
            self.memory.refused = Some((hash, Arc::clone(&error)));
            error
        })
    }
}

impl Memory {
    fn tag(&self) -> Option<String> {
        let tag = self.etag.as_ref()?.to_str().ok()?;
        Some(tag.to_owned())
    }
}

/// Somebody who asks for a refresh while a request is held. Others wait for the
/// attempt that is under way to end.
async fn interruption(
    hold: Duration,
    refreshes: &mut Refreshes,
) -> Option<oneshot::Sender<Refreshed>> {
    if hold.is_zero() {
        return std::future::pending().await;
    }
    refreshes.recv().await
}

enum First<L, R> {
    Left(L),
    Right(R),
}

/// Whichever is ready first; the other is dropped.
async fn first_of<L, R>(
    left: impl Future<Output = L>,
    right: impl Future<Output = R>,
) -> First<L, R> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| {
        if let Poll::Ready(output) = left.as_mut().poll(cx) {
            return Poll::Ready(First::Left(output));
        }
        right.as_mut().poll(cx).map(First::Right)
    })
    .await
}
