//! Runs an example: serves it, and asks it as a client would. With
//! `--serve ADDR:PORT` it stays, for you to ask.

use std::fmt;
use std::net::SocketAddr;

use axum::Router;
use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

/// Serves `app`, and runs `demo` against it unless asked to stay.
pub(crate) async fn run<F>(app: Router, demo: F) -> Result<(), Error>
where
    F: AsyncFnOnce(Client) -> Result<(), Error>,
{
    if let Some(address) = serve_address()? {
        let listener = TcpListener::bind(address).await?;
        println!("listening on http://{}", listener.local_addr()?);
        return Ok(axum::serve(listener, app).await?);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = Client {
        base: format!("http://{}", listener.local_addr()?),
        http: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http(),
    };
    tokio::spawn(axum::serve(listener, app).into_future());
    demo(client).await
}

fn serve_address() -> Result<Option<SocketAddr>, Error> {
    const USAGE: &str = "run it without arguments, or with --serve ADDR:PORT";
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(None),
        (Some("--serve"), Some(address)) => match address.parse() {
            Ok(address) => Ok(Some(address)),
            Err(error) => Err(format!("{address}: {error}; {USAGE}").into()),
        },
        _ => Err(USAGE.into()),
    }
}

/// A client of the served example.
pub(crate) struct Client {
    base: String,
    http: hyper_util::client::legacy::Client<HttpConnector, String>,
}

impl Client {
    /// Sends a request, prints the response, and fails if it is not the expected one.
    pub(crate) async fn get(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        expected: u16,
    ) -> Result<(), Error> {
        let mut request = http::Request::get(format!("{}{path}", self.base));
        print!("GET {path}");
        for (name, value) in headers {
            print!("  {name}: {value}");
            request = request.header(*name, *value);
        }
        let response = self.http.request(request.body(String::new())?).await?;
        let status = response.status();
        print!("\n  {status}");
        if let Some(seconds) = response.headers().get(http::header::RETRY_AFTER) {
            print!(", Retry-After: {}", seconds.to_str()?);
        }
        let body = response.into_body().collect().await?.to_bytes();
        println!("\n  {}\n", String::from_utf8_lossy(&body).trim_end());
        if status != expected {
            return Err(format!("GET {path}: {expected} was expected, not {status}").into());
        }
        Ok(())
    }
}

/// Any error. Where `main` returns it, it prints as a sentence.
pub(crate) struct Error(Box<dyn std::error::Error>);

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
