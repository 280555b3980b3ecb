use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Uri, header};

use crate::access::Policy;
use crate::catalog::Live;
use crate::catalog::{Api, ApiIndex, Catalog};
use crate::key::{Carrier, KeyHeader, KeyQuery, KeySource, Names, default_names, default_sources};
use crate::layer::ConfigError;
use crate::response::{KeyKind, KeyPlace, ResponseSettings};

/// Everything about a layer but its store.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) header: Option<KeyHeader>,
    pub(super) query: Option<KeyQuery>,
    pub(super) sources: Vec<KeySource>,
    pub(super) strip: bool,
    pub(super) select: Select,
    pub(super) policy: Policy,
    pub(super) pass_preflights: bool,
    pub(super) response: ResponseSettings,
    pub(super) denial_extension: bool,
    /// APIs and products for stores that know keys only.
    pub(super) catalog: Option<Arc<Live>>,
    /// The first setting that cannot work.
    pub(super) error: Option<ConfigError>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("header", &self.header)
            .field("query", &self.query)
            .field("sources", &self.sources)
            .field("strip_key", &self.strip)
            .field("policy", &self.policy)
            .field("pass_preflights", &self.pass_preflights)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// How a request's API is found.
#[derive(Clone)]
pub(super) enum Select {
    Path,
    Fixed(Arc<str>),
    By(Arc<SelectBy>),
}

type SelectBy = dyn Fn(&RequestInfo<'_>) -> Option<Cow<'static, str>> + Send + Sync;

/// What a request shows to the closure of
/// [`api_by`](crate::SubscriptionKeyLayer::api_by).
///
/// It may still hold the key: do not log it.
#[derive(Clone, Copy)]
pub struct RequestInfo<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> RequestInfo<'a> {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The URI, as this service received it.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// What earlier layers left.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    fn of(head: &'a Parts) -> Self {
        Self {
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
            extensions: &head.extensions,
        }
    }
}

impl fmt::Debug for RequestInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestInfo")
            .field("method", self.method)
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header: None,
            query: None,
            sources: default_sources(),
            strip: false,
            select: Select::Path,
            policy: Policy::default(),
            pass_preflights: false,
            response: ResponseSettings::default(),
            denial_extension: false,
            catalog: None,
            error: None,
        }
    }
}

impl Settings {
    /// Keeps the value, or remembers why there is none. The first error wins.
    pub(super) fn accept<T>(&mut self, value: Result<T, impl Into<ConfigError>>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.get_or_insert(error.into());
                None
            }
        }
    }

    /// What can be told without the store.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        if self.sources.is_empty() {
            return Err(ConfigError::NoSource);
        }
        for (kind, is_set, source) in [
            ("header", self.header.is_some(), KeySource::header()),
            ("query", self.query.is_some(), KeySource::query()),
        ] {
            if is_set && !self.sources.contains(&source) {
                return Err(ConfigError::UnusedName { kind });
            }
        }
        Ok(())
    }

    /// The API that the request is for.
    ///
    /// # Errors
    ///
    /// Where the layer is set to an API that the catalog does not have.
    pub(super) fn api(
        &self,
        catalog: &Catalog,
        head: &Parts,
    ) -> Result<Option<ApiIndex>, ConfigError> {
        let definitions = catalog.definitions();
        match &self.select {
            Select::Path => Ok(definitions.api_by_path(head.uri.path())),
            Select::Fixed(id) => match definitions.api_by_id(id) {
                None => Err(ConfigError::UnknownApi { id: id.to_string() }),
                found => Ok(found),
            },
            Select::By(select) => {
                let id = select(&RequestInfo::of(head));
                Ok(id.and_then(|id| definitions.api_by_id(&id)))
            }
        }
    }

    /// The key names that apply to a request for that API: the layer's, else the
    /// API's, else the default.
    #[inline]
    pub(super) fn names<'a>(&'a self, api: Option<&'a Api>) -> Names<'a> {
        let default = default_names();
        let header = self.header.as_ref();
        let query = self.query.as_ref();
        Names {
            header: header
                .or_else(|| api?.key_header())
                .unwrap_or(default.header),
            query: query.or_else(|| api?.key_query()).unwrap_or(default.query),
        }
    }

    /// Where a client is told to put its key: in the first header, as Azure says
    /// even when the key came by query, or in the first source where no header is
    /// one.
    pub(super) fn key_place<'a>(&'a self, names: &Names<'a>) -> KeyPlace<'a> {
        let mut carriers = self.sources.iter().map(|source| source.carrier(names));
        let header = carriers
            .clone()
            .find(|(carrier, _)| *carrier == Carrier::Header);
        let (carrier, name) = header
            .or_else(|| carriers.next())
            .unwrap_or((Carrier::Header, names.header.spelling()));
        let kind = match carrier {
            Carrier::Header | Carrier::Authorization => KeyKind::Header,
            Carrier::Query => KeyKind::Query,
            Carrier::Cookie => KeyKind::Cookie,
        };
        KeyPlace { name, kind }
    }
}

/// Whether a request is a CORS preflight. Browsers send no key with it.
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(header::ORIGIN)
        && head
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
