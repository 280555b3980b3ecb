use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONNECTION};
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pin_project_lite::pin_project;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Handle, Id};
use tower_service::Service;

use crate::store::http::RequestBody;

/// A ready-made HTTP/1.1 client, with and without TLS (rustls).
///
/// It follows no redirects, uses no proxy and accepts no content encoding. Clones
/// share their connections.
#[derive(Clone)]
pub struct HttpClient {
    connector: Connector,
    pools: Arc<Mutex<Vec<(Id, Pool)>>>,
}

type Connector = HttpsConnector<HttpConnector>;
type Pool = Client<Connector, RequestBody>;

/// Idle connections are closed after this time: remote servers and proxies close
/// theirs after a minute or so, and a request that meets the closing fails.
const IDLE: Duration = Duration::from_secs(20);

/// The number of runtimes for which connections are kept.
const RUNTIMES: usize = 8;

impl HttpClient {
    /// A client that trusts the public certificate authorities, as Mozilla does.
    #[must_use]
    pub fn new() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        Self::with_roots(roots.collect())
    }

    /// A client that trusts only the certificates in the given PEM text: a private
    /// certificate authority, or the remote server's own certificate.
    ///
    /// # Errors
    ///
    /// [`RootsError`] if the text contains no certificate, or an invalid one.
    pub fn trusting(pem: impl AsRef<[u8]>) -> Result<Self, RootsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_ref()) {
            let certificate = certificate.map_err(|_| RootsError::Invalid)?;
            roots.add(certificate).map_err(|_| RootsError::Invalid)?;
        }
        if roots.is_empty() {
            return Err(RootsError::Missing);
        }
        Ok(Self::with_roots(roots))
    }

    fn with_roots(roots: RootCertStore) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // A held request is silent for long.
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(roots))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self {
            connector,
            pools: Arc::default(),
        }
    }

    /// The connections of the current runtime, which drives them: if it stalls, it
    /// holds up no request of another one.
    fn pool(&self) -> Option<Pool> {
        let id = Handle::try_current().ok()?.id();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(known, _)| *known == id) {
            return Some(pool.clone());
        }
        if pools.len() == RUNTIMES {
            pools.remove(0);
        }
        let pool = self.new_pool(usize::MAX);
        pools.push((id, pool.clone()));
        Some(pool)
    }

    fn new_pool(&self, max_idle: usize) -> Pool {
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(max_idle)
            .build(self.connector.clone())
    }
}

/// The provider is named, because a process may have more than one.
#[allow(clippy::expect_used)]
fn tls(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has suites for the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl Service<Request<RequestBody>> for HttpClient {
    type Response = Response<ClientBody>;
    type Error = ClientError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ClientError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let headers = request.headers_mut();
        headers
            .entry(ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("identity"));
        let is_alone = headers
            .get(CONNECTION)
            .is_some_and(|value| value == "close");
        let pool = self.pool().map(|pool| match is_alone {
            true => self.new_pool(0),
            false => pool,
        });
        Box::pin(async move {
            let pool = pool.ok_or(ClientError(Failure::NoRuntime))?;
            let connection = capture_connection(&mut request);
            let answer = pool.request(request).await;
            let answer = answer.map_err(|error| ClientError(Failure::Request(error)))?;
            let mut answer = answer.map(|body| ClientBody { body });
            answer.extensions_mut().insert(AnsweredBy(connection));
            Ok(answer)
        })
    }
}

pin_project! {
    /// The body of an answer to [`HttpClient`].
    #[derive(Debug)]
    pub struct ClientBody {
        #[pin]
        body: Incoming,
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        let frame = self.project().body.poll_frame(cx);
        frame.map_err(|error| ClientError(Failure::Body(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The connection of an answer, among the answer's extensions.
#[derive(Clone)]
pub(super) struct AnsweredBy(CaptureConnection);

impl AnsweredBy {
    /// Lets no other request use the connection.
    pub(super) fn discard(&self) {
        if let Some(connection) = &*self.0.connection_metadata() {
            connection.poison();
        }
    }
}

/// Why [`HttpClient`] has no answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ClientError(Failure);

impl ClientError {
    /// Whether no connection could be made.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(&self.0, Failure::Request(error) if error.is_connect())
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Request(Error),
    #[error(transparent)]
    Body(hyper::Error),
    #[error("requests are sent in a tokio runtime only")]
    NoRuntime,
}

/// Text without certificates to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// There is no certificate in it.
    #[error("no certificates found: expected PEM text containing `-----BEGIN CERTIFICATE-----`")]
    Missing,
    /// One of its certificates cannot be read.
    #[error("a certificate in the PEM text cannot be read: export it again")]
    Invalid,
}
