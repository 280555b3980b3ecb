use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
#[cfg(feature = "timeout")]
use std::time::Duration;

use http::Request;

use crate::access::Policy;
use crate::catalog::{Api, Catalog, Live, Matched};
use crate::key::{
    KeyHeader, KeyPlaces, KeyQuery, KeySource, Names, default_names, default_sources,
};
use crate::layer::ConfigError;
use crate::layer::request::RequestInfo;
use crate::observe::LogLevels;
use crate::response::ResponseSettings;
use crate::store::Holdings;

/// Everything about a layer except its store.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) header: Option<KeyHeader>,
    pub(super) query: Option<KeyQuery>,
    pub(super) default_names: Names<'static>,
    pub(super) sources: Vec<KeySource>,
    pub(super) generated_keys_only: bool,
    pub(super) strip: bool,
    pub(super) select: Select,
    pub(super) policy: Policy,
    pub(super) pass_preflights: bool,
    pub(super) response: ResponseSettings,
    pub(super) denial_extension: bool,
    pub(super) levels: LogLevels,
    pub(super) request_span: bool,
    #[cfg(feature = "timeout")]
    pub(super) lookup_timeout: Option<Duration>,
    /// APIs and products for stores that know keys only.
    pub(super) catalog: Option<Arc<Live>>,
}

/// How the API of a request is chosen.
#[derive(Clone)]
pub(super) enum Select {
    Path,
    Fixed(Arc<str>),
    By(Arc<SelectBy>),
}

type SelectBy = dyn Fn(&RequestInfo<'_>) -> Option<Cow<'static, str>> + Send + Sync;

impl Default for Settings {
    fn default() -> Self {
        Self {
            header: None,
            query: None,
            default_names: default_names(),
            sources: default_sources(),
            generated_keys_only: false,
            strip: false,
            select: Select::Path,
            policy: Policy::default(),
            pass_preflights: false,
            response: ResponseSettings::default(),
            denial_extension: false,
            levels: LogLevels::default(),
            request_span: false,
            #[cfg(feature = "timeout")]
            lookup_timeout: None,
            catalog: None,
        }
    }
}

impl Settings {
    /// What can be checked without the store.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
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

    /// What depends on the store.
    pub(super) fn check_with(&self, holdings: Holdings) -> Result<(), ConfigError> {
        let catalog = self.definitions(holdings)?;
        match &self.select {
            Select::Fixed(id) if catalog.api(id).is_none() => {
                Err(ConfigError::UnknownApi { id: id.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// The catalog with the APIs and products that apply.
    pub(super) fn definitions(&self, holdings: Holdings) -> Result<Arc<Catalog>, ConfigError> {
        match (holdings, &self.catalog) {
            (Holdings::Keys, Some(own)) => Ok(own.load()),
            (Holdings::Keys, None) => Err(ConfigError::NoApis),
            (Holdings::Definitions(catalog) | Holdings::Everything(catalog), None) => Ok(catalog),
            (_, Some(_)) => Err(ConfigError::TwoCatalogs),
        }
    }

    /// The API that a request is for.
    ///
    /// # Errors
    ///
    /// If the layer is set to an API that the catalog does not have.
    pub(super) fn api<B>(
        &self,
        catalog: &Catalog,
        request: &Request<B>,
    ) -> Result<Matched, ConfigError> {
        let (definitions, request) = (catalog.definitions(), RequestInfo::new(request));
        match &self.select {
            Select::Path => Ok(definitions.match_path(request.path())),
            Select::Fixed(id) => match definitions.api_by_id(id) {
                Some(api) => Ok(Matched::Api(api)),
                None => Err(ConfigError::UnknownApi { id: id.to_string() }),
            },
            Select::By(select) => {
                let id = select(&request);
                Ok(id.and_then(|id| definitions.api_by_id(&id)).into())
            }
        }
    }

    /// The places of the key in a request for the given API. Their names are the layer's,
    /// else the API's, else the default.
    pub(super) fn places<'a>(&'a self, api: Option<&'a Api>) -> KeyPlaces<'a> {
        let header = self.header.as_ref().or_else(|| api?.key_header());
        let query = self.query.as_ref().or_else(|| api?.key_query());
        KeyPlaces {
            sources: &self.sources,
            names: Names {
                header: header.unwrap_or(self.default_names.header),
                query: query.unwrap_or(self.default_names.query),
            },
            generated_keys_only: self.generated_keys_only,
        }
    }
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
            .finish_non_exhaustive()
    }
}
