//! A remote server over real sockets, with and without faults.
#![allow(dead_code, unreachable_pub)]

pub mod certificates;
pub mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How the remote server answers.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Answers with the JSON and the `ETag`, and holds requests if asked to.
    Serve { body: String, etag: &'static str },
    /// Answers with the JSON at once, without an `ETag`.
    Untagged { body: String },
    /// Answers about single keys: the JSON by digest.
    Keys(HashMap<String, String>),
    /// Answers about the whole catalog and about single keys, with the `ETag` of the
    /// catalog that both belong to.
    Paired {
        body: String,
        etag: &'static str,
        owners: HashMap<String, String>,
    },
    /// Writes these bytes and closes.
    Raw(Vec<u8>),
    /// Writes these bytes and resets the connection.
    RawAndReset(Vec<u8>),
    /// Writes these bytes, then one blank after the other without end.
    Drip(Vec<u8>),
    /// Reads the request and does not answer.
    Hang,
}

/// Far longer than anything takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct RemoteServer {
    address: SocketAddr,
    /// Reserves the port, even while the remote server is down.
    _held: Option<TcpSocket>,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    manner: watch::Sender<Manner>,
    tls: Mutex<Option<TlsAcceptor>>,
    requests: watch::Sender<Vec<String>>,
    latency: Mutex<Duration>,
    connections: Mutex<Vec<AbortHandle>>,
}

impl RemoteServer {
    pub async fn start(manner: Manner) -> Self {
        Self::start_with(manner, None).await
    }

    pub async fn start_tls(manner: Manner, tls: TlsAcceptor) -> Self {
        Self::start_with(manner, Some(tls)).await
    }

    async fn start_with(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let socket = bound(([127, 0, 0, 1], 0).into());
        let address = socket.local_addr().unwrap();
        // Other systems do not allow two sockets on one port.
        let (listener, _held) = match cfg!(target_os = "linux") {
            true => (listening(bound(address)), Some(socket)),
            false => (listening(socket), None),
        };
        let shared = Arc::new(Shared {
            manner: watch::Sender::new(manner),
            tls: Mutex::new(tls),
            requests: watch::Sender::new(Vec::new()),
            latency: Mutex::default(),
            connections: Mutex::default(),
        });
        let remote = Self {
            address,
            _held,
            shared,
            accepting: Mutex::new(None),
        };
        remote.accept(listener);
        remote
    }

    fn accept(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let task = tokio::spawn(connection(stream, Arc::clone(&shared)));
                shared.connections.lock().unwrap().push(task.abort_handle());
            }
        });
        *self.accepting.lock().unwrap() = Some(task);
    }

    pub fn uri(&self, path: &str) -> String {
        let scheme = match *self.shared.tls.lock().unwrap() {
            Some(_) => "https",
            None => "http",
        };
        let port = self.address.port();
        let host = if scheme == "https" {
            "localhost"
        } else {
            "127.0.0.1"
        };
        format!("{scheme}://{host}:{port}{path}")
    }

    pub fn behave(&self, manner: Manner) {
        self.shared.manner.send_replace(manner);
    }

    /// Delays each request and each answer by half of this.
    pub fn set_latency(&self, latency: Duration) {
        *self.shared.latency.lock().unwrap() = latency;
    }

    pub fn set_tls(&self, tls: TlsAcceptor) {
        *self.shared.tls.lock().unwrap() = Some(tls);
    }

    /// Closes the port and every connection.
    pub async fn stop(&self) {
        let accepting = self.accepting.lock().unwrap().take();
        if let Some(task) = accepting {
            task.abort();
            let _ = task.await;
        }
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            connection.abort();
        }
    }

    /// Opens the same port again.
    pub fn restart(&self) {
        self.accept(listening(bound(self.address)));
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.borrow().clone()
    }

    /// Waits for a matching request.
    pub async fn wait_for_request(&self, like: impl Fn(&str) -> bool) {
        let mut requests = self.shared.requests.subscribe();
        let came = requests.wait_for(|requests| requests.iter().any(|request| like(request)));
        within(came).await.unwrap();
    }
}

impl Drop for RemoteServer {
    fn drop(&mut self) {
        if let Some(task) = self.accepting.lock().unwrap().take() {
            task.abort();
        }
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            connection.abort();
        }
    }
}

/// Bound but not listening: connections are refused.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn listening(socket: TcpSocket) -> TcpListener {
    socket.listen(1024).unwrap()
}

/// Waits for an expected event, with a generous limit.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("this should have come by now")
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let tls = shared.tls.lock().unwrap().clone();
    match tls {
        None => {
            exchange(stream, shared, TcpStream::set_zero_linger).await;
        }
        // The client may reject the certificate.
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                let make_abrupt =
                    |stream: &TlsStream<TcpStream>| stream.get_ref().0.set_zero_linger();
                exchange(stream, shared, make_abrupt).await;
            }
        }
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    shared: Arc<Shared>,
    make_abrupt: impl Fn(&S) -> std::io::Result<()>,
) -> Option<()> {
    let head = read_head(&mut stream).await?;
    let one_way = *shared.latency.lock().unwrap() / 2;
    tokio::time::sleep(one_way).await;
    let mut manners = shared.manner.subscribe();
    shared
        .requests
        .send_modify(|requests| requests.push(head.clone()));
    let manner = manners.borrow_and_update().clone();
    let answer = match manner {
        Manner::Serve { body, etag } if has_tag(&head, etag) => match wait(&head) {
            None => not_modified(etag),
            Some(wait) => {
                let changed = tokio::time::timeout(wait, manners.changed());
                match changed.await {
                    Ok(_) => match manners.borrow().clone() {
                        Manner::Serve { body, etag } => ok(&body, Some(etag)),
                        _ => return None,
                    },
                    Err(_) => {
                        drop(body);
                        not_modified(etag)
                    }
                }
            }
        },
        Manner::Serve { body, etag } => ok(&body, Some(etag)),
        Manner::Untagged { body } => ok(&body, None),
        Manner::Keys(owners) => owner(&head, &owners, "")?,
        Manner::Paired { etag, .. } if has_tag(&head, etag) => not_modified(etag),
        Manner::Paired { body, etag, .. } if head.starts_with("get /catalog ") => {
            ok(&body, Some(etag))
        }
        Manner::Paired { etag, owners, .. } => {
            owner(&head, &owners, &format!("catalog-etag: {etag}\r\n"))?
        }
        Manner::Raw(bytes) => bytes,
        Manner::RawAndReset(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.flush().await.ok()?;
            make_abrupt(&stream).ok()?;
            return None;
        }
        Manner::Drip(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            loop {
                stream.write_all(b" ").await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Manner::Hang => std::future::pending().await,
    };
    tokio::time::sleep(one_way).await;
    stream.write_all(&answer).await.ok()?;
    stream.shutdown().await.ok()
}

pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap().to_ascii_lowercase())
}

/// The answer about the key in the path.
fn owner(head: &str, owners: &HashMap<String, String>, headers: &str) -> Option<Vec<u8>> {
    let path = head.split(' ').nth(1)?;
    let digest = path.rsplit('/').next()?;
    let unknown = r#"{"subscription": null}"#;
    let body = owners.get(digest).map_or(unknown, String::as_str);
    let headers = format!("content-type: application/json\r\nkey-digest: {digest}\r\n{headers}");
    Some(answer("200 OK", &headers, body))
}

fn has_tag(head: &str, etag: &str) -> bool {
    head.contains(&format!("if-none-match: {etag}\r\n"))
}

fn wait(head: &str) -> Option<Duration> {
    let (_, rest) = head.split_once("prefer: wait=")?;
    let seconds = rest.lines().next()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn not_modified(etag: &str) -> Vec<u8> {
    format!("HTTP/1.1 304 Not Modified\r\netag: {etag}\r\nconnection: close\r\n\r\n").into()
}

pub fn ok(body: &str, etag: Option<&str>) -> Vec<u8> {
    let etag = etag.map_or(String::new(), |etag| format!("etag: {etag}\r\n"));
    answer(
        "200 OK",
        &format!("content-type: application/json\r\n{etag}"),
        body,
    )
}

pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into()
}
