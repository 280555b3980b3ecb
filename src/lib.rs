//! Subscription keys for any Rust web service, as a [tower] layer: the system that
//! Azure API Management made popular, inside your process.
//!
//! APIs are grouped into products. A subscription has a pair of keys and opens products
//! or APIs. [`SubscriptionKeyLayer`] wraps any tower service (axum, tonic, hyper), allows
//! or denies each request, and passes the caller's identity to later layers.
//!
//! [tower]: https://docs.rs/tower
//!
//! | word | meaning |
//! |---|---|
//! | API | a part of your service: an id, a path prefix, whether it requires a subscription |
//! | product | a group of APIs. *Open* if it requires no subscription |
//! | subscription | a pair of keys with scopes, a state, and optionally an owner (a user) |
//! | scope | what a subscription opens: a product, an API, all APIs, or the service |
//! | key slot | `primary` or `secondary`: both keys work, so that one can be replaced |
//! | catalog | definitions (APIs and products) and subscriptions, as one consistent version |
//! | store | where subscriptions are kept: memory, a file, SQL, Redis, HTTP, your own |
//! | key owner | what a store returns for a key: a subscription, and the slot of the key |
//! | decision | a request is *allowed*, *denied* with a [`Denial`], or *unmatched*: it is for no API, and [`Unmatched::Pass`] lets it through |
//! | access | what later layers see of an allowed request: API, product, subscription |
//! | rejection | the response to a denied request |
//!
//! # Example
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use tower::{Layer, Service, ServiceExt, service_fn};
//! use tower_subscription_key::{
//!     Access, Api, Catalog, MemoryStore, Scope, Subscription, SubscriptionKeyLayer,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let catalog = Catalog::builder()
//!     .api(Api::new("orders", "/orders"))
//!     .subscription(
//!         Subscription::new("contoso")
//!             .with_scope(Scope::api("orders"))
//!             .with_primary_key("264a41411c0b43e782f483eb6f3eaeab"),
//!     )
//!     .build()?;
//! let keys = SubscriptionKeyLayer::new(MemoryStore::new(catalog)).validate()?;
//!
//! // The service behind the layer knows who is calling.
//! let mut service = keys.layer(service_fn(async |request: Request<String>| {
//!     let access: &Access = request.extensions().get().ok_or("no layer")?;
//!     let caller = access.subscription().map_or("anonymous", |s| s.id());
//!     Ok::<_, &str>(Response::new(format!("orders of {caller}")))
//! }));
//!
//! // Allowed: the key belongs to a subscription with a matching scope.
//! let request = Request::get("/orders/17")
//!     .header("Ocp-Apim-Subscription-Key", "264a41411c0b43e782f483eb6f3eaeab")
//!     .body(String::new())?;
//! let response = service.ready().await?.call(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! // Denied: without a key, the service is not called.
//! let request = Request::get("/orders/17").body(String::new())?;
//! let response = service.ready().await?.call(request).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```
//!
//! Under axum, add the layer with `Router::route_layer(keys)`. With the feature `axum`,
//! handlers take `access: Access`.
//!
//! # How a request is decided
//!
//! Each step has its module:
//!
//! | step | module |
//! |---|---|
//! | The API is chosen by the longest path prefix | [`catalog`] |
//! | The key is taken from the first source that is present (header, query, cookie). Later steps get only its SHA-256 digest | [`key`] |
//! | The key owner is looked up by the digest | [`store`] |
//! | The rules decide, in one pure function | [`access`] |
//! | A denied request is rejected, as Azure does, or as you choose | [`response`] |
//!
//! The tower types that drive these steps are in [`layer`]. The settings are the methods
//! of [`SubscriptionKeyLayer`].
//!
//! The other modules take no part in requests: `document` reads and writes catalogs,
//! `manage` changes them, [`lint`] finds probable mistakes in them, `import` converts the
//! configuration of Azure and Kong, and `openapi` describes the key to clients.
//!
//! # Guides
//!
//! - [Where to put the layer](guide::placement), and what others see of a key
//! - [Security](guide::security): what the layer compares, and what it cannot protect
//! - [Operations](guide::operations): events, spans, metrics
//! - [Management](guide::manage): subscriptions in a database, and
//!   [the command-line tool](guide::tool)
//! - [Scale](guide::scale) and [performance](guide::performance): what large catalogs need,
//!   and measurements
//! - [Coming from](guide::coming_from) `from_fn`, tower-http, Azure, Kong
//!
//! # Features
//!
//! No feature is on by default: the layer and [`MemoryStore`] need none.
//!
//! | feature | enables |
//! |---|---|
//! | `axum` | [`Access`] and `Option<Access>` as extractors; axum's `OriginalUri` |
//! | `file` | `FileStore`: a watched catalog file in the enabled formats |
//! | `json`, `toml`, `yaml` | the formats of catalog documents |
//! | `document` | reading and writing catalog documents, and snapshots on disk |
//! | `cache` | `CachedStore`: a bounded cache around any slow store |
//! | `http` | `HttpStore` and `HttpLookupStore` with your own HTTP client |
//! | `http-client` | a ready-made HTTP client for these two stores |
//! | `redis` | `RedisStore` and `RedisPublisher`: a catalog in Redis |
//! | `manage` | creating, rotating and suspending subscriptions |
//! | `sqlite`, `postgres` | management on a database; `SqlStore` and `SqlLookupStore` |
//! | `rest` | the REST interface of management, and its page |
//! | `generate` | generated keys, with prefix and checksum |
//! | `timeout` | `lookup_timeout`: a limit for stores that hang |
//! | `metrics` | [metrics](guide::operations#metrics) of decisions, lookups and reloads |
//! | `conformance` | a test suite for stores of your own |
//! | `openapi` | security schemes for OpenAPI documents |
//! | `import` | importers for the configuration files of Azure and Kong |
//! | `cli` | the command-line tool `subscription-key` |
//!
//! "The trait `Handler<_, _>` is not implemented" for a handler that takes [`Access`] means
//! that the feature `axum` is missing.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Which private items are used depends on the features. A build with all of them still
// reports unused items.
#![cfg_attr(
    not(all(
        feature = "cli",
        feature = "http-client",
        feature = "redis",
        feature = "rest"
    )),
    allow(dead_code, unused_imports)
)]

pub mod access;
pub mod catalog;
#[cfg(feature = "document")]
pub mod document;
pub mod guide;
#[cfg(feature = "import")]
pub mod import;
pub mod key;
pub mod layer;
pub mod lint;
#[cfg(feature = "manage")]
pub mod manage;
#[cfg(feature = "metrics")]
mod metrics;
mod observe;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod response;
pub mod store;
mod words;

pub use access::{Access, Denial, DenialReason, InapplicableKey, Unmatched};
pub use catalog::{Api, Catalog, KeyOwner, Product, Scope, Subscription};
pub use key::{KeyDigest, KeySource};
pub use layer::{ConfigError, SubscriptionKeyLayer};
pub use response::RejectionFormat;
#[cfg(feature = "cache")]
pub use store::CachedStore;
#[cfg(feature = "file")]
pub use store::file::FileStore;
#[cfg(feature = "http")]
pub use store::http::{HttpLookupStore, HttpStore};
#[cfg(feature = "redis")]
pub use store::redis::{RedisPublisher, RedisStore};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use store::sql::{SqlLookupStore, SqlStore};
pub use store::{BoxStore, MemoryStore, SubscriptionStore};
pub use words::WordParseError;

/// Compiles the code in README.md.
#[cfg(all(doctest, feature = "axum", feature = "file"))]
#[doc = include_str!("../README.md")]
struct Readme;
