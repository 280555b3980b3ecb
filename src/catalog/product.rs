use crate::catalog::Metadata;

/// A named group of APIs that are sold together.
///
/// ```
/// use tower_subscription_key::catalog::Product;
///
/// let starter = Product::new("starter")
///     .with_apis(["echo", "orders"])
///     .with_metadata([("calls_per_minute", 5)]);
/// assert!(!starter.is_open());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    id: String,
    pub(crate) display_name: Option<String>,
    apis: Vec<String>,
    subscription_required: bool,
    published: bool,
    metadata: Metadata,
}

impl Product {
    /// A product without APIs that requires a subscription.
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

    /// Sets a name for people. Default: the id.
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Adds APIs, by id.
    pub fn with_apis<I: Into<String>>(mut self, apis: impl IntoIterator<Item = I>) -> Self {
        self.apis.extend(apis.into_iter().map(Into::into));
        self
    }

    /// Removes an API.
    pub fn without_api(mut self, id: &str) -> Self {
        self.apis.retain(|api| api != id);
        self
    }

    /// Removes all APIs, so that others can replace them.
    pub fn without_apis(mut self) -> Self {
        self.apis.clear();
        self
    }

    /// Sets whether a caller needs a subscription. Default: `true`.
    ///
    /// `false` makes it an *open* product: everyone may call its APIs. An API is
    /// in at most one open product.
    pub fn with_subscription_required(mut self, required: bool) -> Self {
        self.subscription_required = required;
        self
    }

    /// Sets whether the product is shown to customers. Default: `true`. It has no
    /// effect on access.
    pub fn with_published(mut self, published: bool) -> Self {
        self.published = published;
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

    /// The ids of its APIs.
    #[must_use]
    pub fn apis(&self) -> &[String] {
        &self.apis
    }

    /// Whether everyone may call its APIs without a subscription.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.subscription_required
    }

    /// Whether the product is shown to customers.
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
