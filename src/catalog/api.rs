use crate::catalog::Metadata;
use crate::key::{KeyHeader, KeyQuery, quoted};

/// A published interface, chosen by the path of a request.
///
/// ```
/// use tower_subscription_key::catalog::Api;
/// use tower_subscription_key::key::KeyHeader;
///
/// let orders = Api::new("orders", "/orders")
///     .with_display_name("Orders API")
///     .with_key_header(KeyHeader::new("X-Orders-Key")?);
/// assert_eq!(orders.path(), "/orders");
/// assert!(orders.subscription_required());
/// # Ok::<(), tower_subscription_key::key::KeyNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) path: String,
    /// The path as a challenge quotes it.
    realm_path: String,
    subscription_required: bool,
    key_header: Option<KeyHeader>,
    key_query: Option<KeyQuery>,
    metadata: Metadata,
}

impl Api {
    /// An API that requires a subscription, served below `path`.
    ///
    /// `path` is a literal URL prefix on segment borders: `/echo` takes `/echo` and
    /// `/echo/x`, but not `/echoes`. The longest prefix wins. It is empty, which
    /// takes everything, or begins with `/`. Slashes at its end mean nothing. A
    /// catalog refuses patterns such as `/orders/{id}` or `/orders/*`, queries,
    /// white space, and characters beyond ASCII that are not percent-encoded.
    pub fn new(id: impl Into<String>, path: impl Into<String>) -> Self {
        let path = path.into();
        let realm_path = match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            path => quoted(path),
        };
        Self {
            id: id.into(),
            display_name: None,
            path,
            realm_path,
            subscription_required: true,
            key_header: None,
            key_query: None,
            metadata: Metadata::default(),
        }
    }

    /// Sets a name for people. Default: the id.
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Sets whether a caller needs a subscription. Default: `true`.
    ///
    /// With `false`, everyone may call it. A key that fits still identifies the
    /// caller.
    pub fn with_subscription_required(mut self, required: bool) -> Self {
        self.subscription_required = required;
        self
    }

    /// Sets the header that carries this API's keys, unless the layer sets one.
    pub fn with_key_header(mut self, header: KeyHeader) -> Self {
        self.key_header = Some(header);
        self
    }

    /// Sets the query parameter that carries this API's keys, unless the layer sets
    /// one.
    pub fn with_key_query(mut self, query: KeyQuery) -> Self {
        self.key_query = Some(query);
        self
    }

    /// Sets the values for later layers.
    pub fn with_metadata(mut self, metadata: impl Into<Metadata>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name for people, or the id.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.id)
    }

    /// The URL prefix, without slashes at its end.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    /// Whether a caller needs a subscription.
    #[must_use]
    pub fn subscription_required(&self) -> bool {
        self.subscription_required
    }

    /// The header that carries this API's keys, if the API overrides the default.
    #[must_use]
    pub fn key_header(&self) -> Option<&KeyHeader> {
        self.key_header.as_ref()
    }

    /// The query parameter that carries this API's keys, if the API overrides the default.
    #[must_use]
    pub fn key_query(&self) -> Option<&KeyQuery> {
        self.key_query.as_ref()
    }

    /// Values for later layers.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The path in the realm of a challenge: quoted, `/` if it is empty.
    pub(crate) fn realm_path(&self) -> &str {
        &self.realm_path
    }
}
