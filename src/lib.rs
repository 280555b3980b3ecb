//! Subscription keys for any tower service: the system that API gateways sell,
//! inside your own.
//!
//! [`SubscriptionKeyLayer`] wraps any service (axum, tonic, hyper, anything
//! tower). It takes a key from the request, asks a [`SubscriptionStore`] whose it
//! is, decides by APIs, products and scopes, and either lets the request in with
//! an [`Access`] in its extensions or answers it with the exact refusal that
//! clients of Azure API Management know.
//!
//! # Quick start
//!
#![cfg_attr(all(feature = "axum", feature = "file"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "axum", feature = "file")), doc = "```ignore")]
//! use axum::{Router, routing::get};
//! use tower_subscription_key::{Access, FileStore, SubscriptionKeyLayer};
//!
//! async fn list_orders(access: Access) -> String {
//!     match access.subscription() {
//!         Some(subscription) => format!("orders of {}", subscription.id()),
//!         None => "orders that everyone may see".to_owned(),
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let store = FileStore::open("subscriptions.toml").await?;
//! let keys = SubscriptionKeyLayer::new(store).strip_key(true).validate()?;
//! let app: Router = Router::new()
//!     .route("/orders", get(list_orders))
//!     .route_layer(keys);
//! # Ok(()) }
//! ```
//!
//! with `subscriptions.toml`:
//!
//! ```toml
//! [[apis]]
//! id = "orders"
//! path = "/orders"
//!
//! [[products]]
//! id = "starter"
//! apis = ["orders"]
//!
//! [[subscriptions]]
//! id = "contoso"
//! scope = "/products/starter"
//! primary_key = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }
//! ```
//!
//! # How a request is decided
//!
//! Data flows one way, and there is a module for each step:
//!
//! | step | module | what it does |
//! |---|---|---|
//! | request → key | [`key`] | takes the key from the first source that is present, and hides or strips it |
//! | key → digest | [`key`] | from here on there is only its SHA-256 |
//! | digest → subscription | [`store`] | memory, file or your own; *cannot answer* is never *no such key* |
//! | subscription → decision | [`access`] | the rules, in one pure function over the [`catalog`] |
//! | access → request | [`access`] | [`Access`] in the extensions: API, product, subscription, slot, scope |
//! | denial → response | [`response`] | Azure's bytes, RFC 9457, your own, or gRPC's trailers |
//!
//! The tower types that drive them are in [`layer`]; the settings are the methods
//! of [`SubscriptionKeyLayer`].
//!
//! # What later layers see
//!
//! A handler or layer behind this one reads
//! `request.extensions().get::<Access>()`, or takes `Access` or `Option<Access>`
//! as an axum extractor (feature `axum`). It is one cheap clone and holds the
//! version of the catalog that decided.
//!
//! The span of the request gets `api.id`, `product.id`, `subscription.id` and
//! `key.slot`; a denial is one `tracing` event with its reason. The client is
//! never told the reason.
//!
//! # Security
//!
//! - It fails closed: a store that cannot answer, or settings that cannot work,
//!   give 503, never a pass.
//! - A key is in no log, error, `Debug` output, metric or response, and in memory
//!   no longer than its request. Stores hold digests.
//! - Digests are compared in constant time, and where a digest lies in the table
//!   tells nothing about others.
//! - A key is not salted: use random keys (128 bits), not passwords.
//!
//! # Features
//!
//! None is on by default: the layer and [`MemoryStore`] need none of them.
//!
//! | feature | brings |
//! |---|---|
//! | `axum` | `Access` and `Option<Access>` as extractors |
//! | `file` | `FileStore`: a watched catalog file in TOML, JSON or YAML |
//! | `document` | reading and writing catalog documents in JSON, and snapshots on disk |
//! | `cache` | [`CachedStore`] around any slow store |
//! | `http` | [`HttpStore`] and [`HttpLookupStore`] over a client of yours |
//! | `http-client` | the same with a ready-made client |
//! | `redis` | [`RedisStore`] and [`RedisPublisher`]: a catalog in Redis, changes pushed to all |
//! | `metrics` | [`CacheStats`](store::CacheStats) through the `metrics` facade |
//! | `conformance` | [`conformance`](store::conformance): a test suite for stores of your own |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access;
pub mod catalog;
#[cfg(feature = "document")]
#[cfg_attr(docsrs, doc(cfg(feature = "document")))]
pub mod document;
pub mod guide;
pub mod key;
pub mod layer;
pub mod lint;
#[cfg(feature = "manage")]
#[cfg_attr(docsrs, doc(cfg(feature = "manage")))]
pub mod manage;
#[cfg(feature = "metrics")]
mod metrics;
mod observe;
pub mod response;
pub mod store;

pub use access::{Access, Denial, DenialReason, InapplicableKey, Unmatched};
pub use catalog::{Api, Catalog, KeyOwner, Product, Scope, Subscription};
pub use key::{KeyDigest, KeySource};
pub use layer::{ConfigError, SubscriptionKeyLayer};
pub use response::RejectionFormat;
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub use store::CachedStore;
#[cfg(feature = "file")]
#[cfg_attr(docsrs, doc(cfg(feature = "file")))]
pub use store::FileStore;
pub use store::{BoxStore, MemoryStore, SubscriptionStore};
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use store::{HttpLookupStore, HttpStore};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use store::{RedisPublisher, RedisStore};

/// Compiles the code in README.md.
#[cfg(all(doctest, feature = "axum", feature = "file"))]
#[doc = include_str!("../README.md")]
struct Readme;
