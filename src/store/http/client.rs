use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pin_project_lite::pin_project;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

use crate::store::http::RequestBody;

/// A ready-made client for remote servers: HTTP/1.1, with and without TLS (rustls).
///
/// It follows no redirects and uses no proxy. Clones share their connections.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, RequestBody>,
}

/// An idle connection is not used after that long: remote servers and proxies close
/// theirs after a minute or so, and a request that meets the closing fails.
const IDLE: Duration = Duration::from_secs(20);

impl HttpClient {
    /// A client that trusts the public certificate authorities, as Mozilla does.
    #[must_use]
    pub fn new() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        Self::with_roots(roots.collect())
    }

    /// A client that trusts the certificates in that PEM text, and no other: a
    /// private certificate authority, or the remote server's own certificate.
    ///
    /// # Errors
    ///
    /// [`RootsError`] where the text holds no certificate, or a broken one.
    pub fn trusting(pem: impl AsRef<[u8]>) -> Result<Self, RootsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_ref()) {
            let certificate = certificate.map_err(|_| RootsError)?;
            roots.add(certificate).map_err(|_| RootsError)?;
        }
        if roots.is_empty() {
            return Err(RootsError);
        }
        Ok(Self::with_roots(roots))
    }

    fn with_roots(roots: RootCertStore) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // A request that is held is silent for long.
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(roots))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { client }
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
        f.write_str("HttpClient(..)")
    }
}

impl Service<Request<RequestBody>> for HttpClient {
    type Response = Response<ClientBody>;
    type Error = ClientError;
    type Future = ClientFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        let ready = Service::<Request<RequestBody>>::poll_ready(&mut self.client, cx);
        ready.map_err(|error| ClientError(Failure::Request(error)))
    }

    fn call(&mut self, request: Request<RequestBody>) -> ClientFuture {
        let future = self.client.request(request);
        ClientFuture { future }
    }
}

pin_project! {
    /// The answer of [`HttpClient`].
    pub struct ClientFuture {
        #[pin]
        future: hyper_util::client::legacy::ResponseFuture,
    }
}

impl Future for ClientFuture {
    type Output = Result<Response<ClientBody>, ClientError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.project().future.poll(cx);
        let answer = answer.map_ok(|response| response.map(|body| ClientBody { body }));
        answer.map_err(|error| ClientError(Failure::Request(error)))
    }
}

impl fmt::Debug for ClientFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientFuture(..)")
    }
}

pin_project! {
    /// The body of an answer that [`HttpClient`] got.
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

/// Why [`HttpClient`] has no answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ClientError(Failure);

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Request(hyper_util::client::legacy::Error),
    #[error(transparent)]
    Body(hyper::Error),
}

/// Text that holds no certificates to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no PEM text with certificates: it holds `-----BEGIN CERTIFICATE-----`")]
pub struct RootsError;
