use crate::catalog::Metadata;

/// A named group of APIs that are sold together.
///
/// ```
/// use tower_subscription_key::catalog::Product;
///
/// let starter = Product::new("starter")
///     .with_apis(["echo", "orders"])
///     .with_metadata([("calls_per_minute", 5)].into_iter().collect::<tower_subscription_key::catalog::Metadata>());
/// assert!(!starter.is_open());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    id: String,
    display_name: Option<String>,
    apis: Vec<String>,
    subscription_required: bool,
    published: bool,
    metadata: Metadata,
}

impl Product {
    /// A product without APIs that requires a subscription.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            display_name: None,
            apis: Vec::new(),
            subscription_required: true,
            published: true,
            metadata: Metadata::default(),
        }
    }

    /// A name for people. Default: the id.
    #[must_use]
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Adds APIs, by id.
    #[must_use]
    pub fn with_apis<I: Into<String>>(mut self, apis: impl IntoIterator<Item = I>) -> Self {
        self.apis.extend(apis.into_iter().map(Into::into));
        self
    }

    /// Whether a caller needs a subscription. Default: `true`.
    ///
    /// `false` makes it an *open* product: everyone gets into its APIs. An API
    /// is in at most one open product.
    #[must_use]
    pub fn with_subscription_required(mut self, required: bool) -> Self {
        self.subscription_required = required;
        self
    }

    /// Whether the product is on show. Default: `true`. Changes nothing about access.
    #[must_use]
    pub fn with_published(mut self, published: bool) -> Self {
        self.published = published;
        self
    }

    /// Values for later layers.
    #[must_use]
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

    /// The name for people, where one was given.
    #[cfg(feature = "document")]
    pub(crate) fn given_display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    /// The ids of its APIs.
    #[must_use]
    pub fn apis(&self) -> &[String] {
        &self.apis
    }

    /// Whether callers get in without a subscription.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.subscription_required
    }

    /// Whether the product is on show.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.published
    }

    /// Values for later layers.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
