//! Stores that get their subscriptions from a remote server over HTTP.
//!
//! | | [`HttpStore`] | [`HttpLookupStore`] |
//! |---|---|---|
//! | keeps in memory | the whole catalog | nothing: it asks about one key at a time |
//! | a request waits for the remote server | never | always, unless cached |
//! | the remote server is down | the last version, however old or up to a bound | 503, unless cached |
//! | a restart during an outage | the snapshot on disk | 503 |
//! | a suspension takes effect | within the interval, or at once with long polling | at once, or as the cache has it |
//! | suited for | up to some millions of subscriptions | more, or those that must not leave the remote server |
//!
//! A remote server that fails never makes a good key wrong: anything other than an
//! answer as described below is an error, and the effect of an error is a 503 or
//! the last good version.
//!
//! # Requests and answers
//!
//! Requests are `GET` with `Accept: application/json`, and `Authorization` if it is
//! set. A usable answer has status 200 and a JSON body of at most `max_bytes`, all
//! of it within the timeout. Its content type is a JSON one, `text/plain`,
//! `application/octet-stream` or none, as object stores have it. Redirects are not
//! followed, and compressed answers are refused. A `404` is an error like any other
//! status, because proxies and wrong paths answer so.
//!
//! ## The catalog
//!
//! ```text
//! GET /catalog HTTP/1.1
//! If-None-Match: "v41"                 once there is a version that had an ETag
//! Prefer: wait=30                      with `long_poll`, in seconds (RFC 7240)
//!
//! HTTP/1.1 200 OK                      or 304 Not Modified, without a body
//! Content-Type: application/json
//! ETag: "v42"                          optional; required for 304 and for holding
//!
//! {"apis": [{"id": "echo", "path": "/echo"}], "products": [], "subscriptions": [
//!   {"id": "contoso", "scope": "/apis/echo", "primary_key": {"sha256": "9f86…0a08"}}]}
//! ```
//!
//! The body is a catalog document ([`document`](crate::document)), in Rust written
//! by [`document::write`](crate::document::write()). Its keys should be digests;
//! `env` is refused. A remote server that honours `Prefer: wait` answers when the
//! `ETag` is no longer the one in `If-None-Match`, or with 304 after that time.
//!
//! An `ETag` identifies one content permanently. If it comes back for other content, or a
//! counter in it or `Last-Modified` goes back, the log and
//! [`StoreStatus::went_back_at`](crate::store::StoreStatus::went_back_at) say so.
//! To notice it, the catalog is asked for without `If-None-Match` once an hour and
//! after every failure.
//!
//! ## One key
//!
//! ```text
//! GET /keys/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 HTTP/1.1
//!
//! HTTP/1.1 200 OK
//! Content-Type: application/json
//! Key-Digest: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! Catalog-ETag: "v42"                  optional, with `definitions`
//!
//! {"subscription": {"id": "contoso", "scope": "/apis/echo", "primary_key": {"sha256": "9f86…0a08"}},
//!  "slot": "primary"}
//! ```
//!
//! The last segment of the path is the SHA-256 of the key in 64 lowercase hex
//! digits. `subscription` has the same fields as in a catalog document, whatever
//! its state; `slot` is `primary` or `secondary`, and the key in it has the digest
//! that was asked about. For a key that no subscription has, the answer is status
//! 200 with exactly `{"subscription": null}`. In Rust,
//! [`document::owner_to_json`](crate::document::owner_to_json) writes both.
//!
//! `Key-Digest` names the key that the answer is about, so that an answer to
//! another request (a connection that lost bytes, a proxy that mixes answers up)
//! is never taken for this one. An owner proves that by its key's digest alone. An
//! absence without the header is asked for once more, with `Connection: close`, and
//! counts if that answer is the same: send the header to avoid the second request.
//! An answer about another key is an error, and its connection is not used again.
//!
//! `Catalog-ETag` names the catalog that the answer belongs to, by the `ETag` of
//! [its version](HttpLookupStoreBuilder::definitions). A request is then decided on
//! this version, and on no other.
//!
//! A lookup that fails on a reused connection, which the remote server may have
//! closed, is tried once more on a new one.
//!
//! # Other clients
//!
//! Every `tower` service that answers HTTP requests is a client ([`HttpService`]):
//! retries, proxies, tokens that change and tracing are layers around it. The
//! ready-made one is `HttpClient` (feature `http-client`).

mod builder;
#[cfg(feature = "http-client")]
mod client;
mod error;
mod exchange;
mod follow;
mod lookup;
mod requests;
mod revision;
mod store;

pub use builder::HttpStoreBuilder;
#[cfg(feature = "http-client")]
pub use client::{ClientBody, ClientError, HttpClient, RootsError};
pub use error::{HttpConfigError, HttpError, HttpLookupError, HttpOpenError};
pub use exchange::{HttpService, RequestBody};
pub use lookup::{HttpLookupStore, HttpLookupStoreBuilder};
pub use store::HttpStore;
