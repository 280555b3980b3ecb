//! The flags of `apis`, `products` and `subscriptions`.

use clap::Args;
use tower_subscription_key::catalog::{Scope, State};

use crate::values::{self, Assignment, When};

#[derive(Debug, Args)]
pub(crate) struct AddApi {
    /// Id of the new API
    pub(crate) id: String,
    /// URL prefix, like `/orders`
    #[arg(long, value_name = "PATH", value_parser = values::api_path)]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) fields: ApiFields,
}

#[derive(Debug, Args)]
pub(crate) struct SetApi {
    /// Id, as `list` shows it
    pub(crate) id: String,
    /// URL prefix, like `/orders`
    #[arg(long, value_name = "PATH", value_parser = values::api_path)]
    pub(crate) path: Option<String>,
    #[command(flatten)]
    pub(crate) fields: ApiFields,
    /// Clear a field, like header
    #[arg(long, value_name = "FIELD", value_parser = values::api_field)]
    pub(crate) unset: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ApiFields {
    /// Display name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Needs a subscription (default: true)
    #[arg(long, value_name = "BOOL")]
    pub(crate) subscription_required: Option<bool>,
    /// Header that carries the key
    #[arg(long, value_name = "HEADER", value_parser = values::key_header)]
    pub(crate) header: Option<String>,
    /// Query parameter that carries the key
    #[arg(long, value_name = "NAME", value_parser = values::key_query)]
    pub(crate) query: Option<String>,
    /// Value for later layers (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::assignment)]
    pub(crate) metadata: Vec<Assignment>,
}

#[derive(Debug, Args)]
pub(crate) struct AddProduct {
    /// Id of the new product
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) fields: ProductFields,
}

#[derive(Debug, Args)]
pub(crate) struct SetProduct {
    /// Id, as `list` shows it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) fields: ProductFields,
    /// Clear a field, like metadata.KEY
    #[arg(long, value_name = "FIELD", value_parser = values::product_field)]
    pub(crate) unset: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ProductFields {
    /// Display name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// An API of it (`set` replaces all)
    #[arg(long, value_name = "ID")]
    pub(crate) api: Vec<String>,
    /// Needs a subscription (default: true)
    #[arg(long, value_name = "BOOL")]
    pub(crate) subscription_required: Option<bool>,
    /// Shown to owners (default: true)
    #[arg(long, value_name = "BOOL")]
    pub(crate) published: Option<bool>,
    /// Value for later layers (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::assignment)]
    pub(crate) metadata: Vec<Assignment>,
    /// Description (database only)
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Terms of use (database only)
    #[arg(long, value_name = "TEXT")]
    pub(crate) terms: Option<String>,
    /// Needs approval (database only)
    #[arg(long, value_name = "BOOL")]
    pub(crate) approval_required: Option<bool>,
    /// Most for one owner (database only)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) subscriptions_limit: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct ListSubscriptions {
    /// Only those of this owner
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = values::state)]
    pub(crate) state: Option<State>,
    /// Only those with this scope
    #[arg(long, value_name = "SCOPE", value_parser = values::scope)]
    pub(crate) scope: Option<Scope>,
}

#[derive(Debug, Args)]
pub(crate) struct AddSubscription {
    /// Id of the new subscription
    pub(crate) id: String,
    /// What it opens, like /products/ID
    #[arg(long, value_name = "SCOPE", required = true, value_parser = values::scope)]
    pub(crate) scope: Vec<Scope>,
    #[command(flatten)]
    pub(crate) fields: SubscriptionFields,
    /// Standard input has SHA-256 digests
    #[arg(long)]
    pub(crate) digests: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SetSubscription {
    /// Id, as `list` shows it
    pub(crate) id: String,
    /// What it opens, like /products/ID
    #[arg(long, value_name = "SCOPE", value_parser = values::scope)]
    pub(crate) scope: Vec<Scope>,
    #[command(flatten)]
    pub(crate) fields: SubscriptionFields,
    /// Clear a field, like expires_at
    #[arg(long, value_name = "FIELD", value_parser = values::subscription_field)]
    pub(crate) unset: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SubscriptionFields {
    /// Display name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Who it belongs to
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// Begin, like 2027-01-01
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) not_before: Option<When>,
    /// End, like 2027-06-30 or 90d
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) expires: Option<When>,
    /// Value for later layers (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::assignment)]
    pub(crate) metadata: Vec<Assignment>,
    /// Description (database only)
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Id, as `list` shows it
    pub(crate) id: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveDefinition {
    #[command(flatten)]
    pub(crate) remove: Remove,
    /// Take the subscriptions to it along
    #[arg(long)]
    pub(crate) with_subscriptions: bool,
}
