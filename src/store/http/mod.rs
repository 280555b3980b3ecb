//! Stores whose subscriptions are at a remote server that is asked over HTTP.
//!
//! | | [`HttpStore`] | [`HttpLookupStore`] |
//! |---|---|---|
//! | holds | the whole catalog | nothing: a key at a time is asked for |
//! | a request waits for the remote server | never | always, unless cached |
//! | the remote server is down | the last version, however old or up to a bound | 503, unless cached |
//! | a restart during an outage | the version on the disk | 503 |
//! | a suspension is felt | within the interval, or at once where requests are held | at once, or as the cache has it |
//! | for | up to some millions of subscriptions | more, or those that must not leave the remote server |
//!
//! A remote server that cannot be asked never makes a good key wrong: whatever is not
//! exactly an answer as below is an error, and an error is a 503 or the version
//! before.
//!
//! # What is asked, and what an answer is
//!
//! Both are `GET` with `Accept: application/json`, and `Authorization` where one
//! is set. An answer to be used has status 200, `Content-Type: application/json`
//! and a JSON body of no more than the bytes that are allowed, all of it within
//! the time-out. Redirects are not followed. A `404` is an error like any other
//! status: proxies and wrong paths have theirs.
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
//! ETag: "v42"                          optional, and needed for 304 and for holding
//!
//! {"apis": [{"id": "echo", "path": "/echo"}], "products": [], "subscriptions": [
//!   {"id": "contoso", "scope": "/apis/echo", "primary_key": {"sha256": "9f86…0a08"}}]}
//! ```
//!
//! The body is a catalog document ([`document`](crate::document)), written in Rust
//! by [`document::write`](crate::document::write()). Keys in it should be digests;
//! `env` is refused. A remote server that honours `Prefer: wait` answers when the `ETag`
//! is no longer the one in `If-None-Match`, or with 304 after that time.
//!
//! ## One key
//!
//! ```text
//! GET /keys/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 HTTP/1.1
//!
//! HTTP/1.1 200 OK
//! Content-Type: application/json
//!
//! {"subscription": {"id": "contoso", "scope": "/apis/echo", "primary_key": {"sha256": "9f86…0a08"}},
//!  "slot": "primary"}
//! ```
//!
//! The last segment of the path is the SHA-256 of the key in 64 lowercase hex
//! digits. `subscription` has the shape that it has in a catalog document,
//! whatever its state; `slot` is `primary` or `secondary`, and the key in it has
//! the digest that was asked for. A key that no subscription has is status 200
//! with exactly `{"subscription": null}`. In Rust,
//! [`document::owner_to_json`](crate::document::owner_to_json) writes both.
//!
//! # A client of yours
//!
//! Every `tower` service that answers HTTP requests is one ([`HttpService`]), so
//! that retries, proxies, tokens that change and tracing are layers around it. The
//! ready-made one is `HttpClient` (feature `http-client`).

mod asking;
mod builder;
#[cfg(feature = "http-client")]
mod client;
mod delays;
mod disk;
mod error;
mod exchange;
mod lookup;
mod replica;
mod state;
mod status;
mod worker;

pub use builder::HttpStoreBuilder;
#[cfg(feature = "http-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
pub use client::{ClientBody, ClientError, ClientFuture, HttpClient, RootsError};
pub use error::{HttpConfigError, HttpConnectError, HttpError, HttpStoreError};
pub use exchange::{HttpService, RequestBody};
pub use lookup::{HttpLookupStore, HttpLookupStoreBuilder};
pub use replica::HttpStore;
pub use status::{HttpStatus, Origin};
