//! What can be typed: commands, flags and the values they take.

mod records;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use tower_subscription_key::access::{InapplicableKey, Unmatched};
use tower_subscription_key::catalog::{KeySlot, Scope};
use tower_subscription_key::document::Format;

use crate::values::{self, End, When};

pub(crate) use records::{
    AddApi, AddProduct, AddSubscription, ApiFields, ListSubscriptions, ProductFields, Remove,
    RemoveDefinition, SetApi, SetProduct, SetSubscription, SubscriptionFields,
};

/// What `subscription-key --help` shows: it fits a screen of 24 lines.
const OVERVIEW: &str = "\
Makes, rotates and withdraws subscription keys, and says why one is refused

Usage: subscription-key [OPTIONS] COMMAND

Look     check       problems and findings of a catalog
         explain     the way to a decision, and the cure
         apis|products|subscriptions list|show
         audit, status, replicas          of a database
Change   apis|products|subscriptions add|set|remove
         create      a subscription with two new keys
         regenerate  a new key for one slot
         suspend, activate, cancel, approve, reject, grant, revoke
Keys     hash, generate
Move     import, export
Shell    completions

--catalog FILE        a catalog file   (or SUBSCRIPTION_KEY_CATALOG)
--database PATH|URL   a database       (or SUBSCRIPTION_KEY_DATABASE)
--caller NAME         who changes the database (default: cli:USER)
--json                one JSON document on standard output
-h, --help            this text; `subscription-key COMMAND -h` for a command
-V, --version         the version
";

#[derive(Debug, Parser)]
#[command(
    name = "subscription-key",
    version,
    override_help = OVERVIEW,
    disable_help_subcommand = true,
    hide_possible_values = true,
    max_term_width = 80,
    term_width = 80
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Catalog file (YAML is only read)
    #[arg(long, global = true, value_name = "FILE", display_order = 90)]
    pub(crate) catalog: Option<PathBuf>,
    /// SQLite file or PostgreSQL URL
    #[arg(long, global = true, value_name = "PATH|URL", display_order = 91)]
    pub(crate) database: Option<String>,
    /// Name for the audit trail
    #[arg(long, global = true, value_name = "NAME", display_order = 92)]
    pub(crate) caller: Option<String>,
    /// One JSON document on standard output
    #[arg(long, global = true, display_order = 93)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Report all problems and findings of a catalog
    Check(Check),
    /// Explain a decision: each rule on the way, and the cure
    Explain(Explain),
    /// List and change APIs
    #[command(subcommand)]
    Apis(Action<NoFlags, AddApi, SetApi, RemoveDefinition>),
    /// List and change products
    #[command(subcommand)]
    Products(Action<NoFlags, AddProduct, SetProduct, RemoveDefinition>),
    /// List and change subscriptions
    #[command(subcommand)]
    Subscriptions(Action<ListSubscriptions, AddSubscription, SetSubscription, Remove>),
    /// Create a subscription with two new keys, printed once
    Create(Create),
    /// Give a slot a new key, printed once
    Regenerate(Regenerate),
    /// Disable an active subscription for a while
    Suspend(Id),
    /// Make a subscription active again
    Activate(Activate),
    /// End a subscription
    Cancel(Id),
    /// Make a submitted subscription active
    Approve(Id),
    /// Turn a submitted subscription down
    Reject(Reject),
    /// Let a subscription open one more scope
    Grant(IdAndScope),
    /// Take a scope from a subscription
    Revoke(IdAndScope),
    /// Print the digest of a key that is read from standard input
    Hash,
    /// Print a new key
    Generate(Generate),
    /// Take over a catalog file, Azure API Management's or Kong's
    Import(Import),
    /// Write the whole catalog, with digests only
    Export(Export),
    /// List changes, the newest first (database only)
    Audit(Audit),
    /// Report whether the database answers, and its size (database only)
    Status,
    /// List the services that follow the database
    Replicas,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// What can be done with APIs, products and subscriptions.
#[derive(Debug, Subcommand)]
pub(crate) enum Action<L: Args, A: Args, S: Args, R: Args> {
    /// List them, in the order of the catalog
    List(L),
    /// Show one
    Show(Id),
    /// Add one
    Add(A),
    /// Change one
    Set(S),
    /// Remove one
    Remove(R),
}

#[derive(Debug, Args)]
pub(crate) struct NoFlags {}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// Id, as `list` shows it
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct IdAndScope {
    /// Id, as `list` shows it
    pub(crate) id: String,
    /// `/products/ID`, `/apis/ID`, `/apis` or `/`
    #[arg(value_parser = values::scope)]
    pub(crate) scope: Scope,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Exit with 1 for warnings, too
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// Leave out this finding (repeatable)
    #[arg(long, value_name = "CODE", value_parser = values::finding_code)]
    pub(crate) allow: Vec<String>,
    /// Unset variables are unknown keys
    #[arg(long)]
    pub(crate) env_unset_ok: bool,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("request").required(true).args(["path", "api"])))]
pub(crate) struct Explain {
    /// Path, as the client sends it
    #[arg(long, value_name = "PATH", value_parser = values::request_path)]
    pub(crate) path: Option<String>,
    /// Id of the API, instead of a path
    #[arg(long, value_name = "ID")]
    pub(crate) api: Option<String>,
    /// Read the key from standard input
    #[arg(long, conflicts_with = "subscription")]
    pub(crate) key_stdin: bool,
    /// Take a key of this subscription
    #[arg(long, value_name = "ID")]
    pub(crate) subscription: Option<String>,
    /// primary or secondary (default: the first)
    #[arg(long, requires = "subscription", value_name = "SLOT", value_parser = values::slot())]
    pub(crate) slot: Option<KeySlot>,
    /// Decide as at this time (default: now)
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) at: Option<When>,
    /// ignore or deny a key that opens nothing
    #[arg(long, value_name = "WORD", value_parser = values::inapplicable_key())]
    pub(crate) inapplicable_key: Option<InapplicableKey>,
    /// deny or pass a path of no API
    #[arg(long, value_name = "WORD", value_parser = values::unmatched())]
    pub(crate) unmatched: Option<Unmatched>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What it opens, like /products/ID
    #[arg(long, value_name = "SCOPE", required = true, value_parser = values::scope)]
    pub(crate) scope: Vec<Scope>,
    /// Id (default: a generated one)
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Prefix, for secret scanners
    #[arg(long, value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<String>,
    #[command(flatten)]
    pub(crate) fields: SubscriptionFields,
}

#[derive(Debug, Args)]
pub(crate) struct Regenerate {
    /// Id, as `list` shows it
    pub(crate) id: String,
    /// primary or secondary
    #[arg(value_parser = values::slot())]
    pub(crate) slot: KeySlot,
    /// How long the old key works, like 24h
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) grace: Option<Duration>,
    /// End of the new key (default: the old)
    #[arg(long, value_name = "TIME|none", value_parser = values::end)]
    pub(crate) expires: Option<End>,
    /// Prefix, for secret scanners
    #[arg(long, value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Activate {
    /// Id, as `list` shows it
    pub(crate) id: String,
    /// New end, if the old one has passed
    #[arg(long, value_name = "TIME|none", value_parser = values::end)]
    pub(crate) expires: Option<End>,
}

#[derive(Debug, Args)]
pub(crate) struct Reject {
    /// Id, as `list` shows it
    pub(crate) id: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Prefix, for secret scanners
    #[arg(long, value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Where the files come from: catalog, azure or kong
    #[arg(value_name = "SYSTEM", value_parser = values::system())]
    pub(crate) system: values::System,
    /// Files, or folders of them
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Parameters of an ARM template
    #[arg(long, value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
    /// Generate the keys that files lack
    #[arg(long)]
    pub(crate) generate_keys: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Replace what has the same id
    #[arg(long)]
    pub(crate) replace: bool,
    /// Refuse if something is left out
    #[arg(long)]
    pub(crate) deny_left_out: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// toml, json or yaml (default: by FILE)
    #[arg(long, value_name = "FORMAT", value_parser = values::format())]
    pub(crate) format: Option<Format>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only this, like subscriptions/contoso
    #[arg(long, value_name = "RECORD")]
    pub(crate) record: Option<String>,
    /// At most this many (default: 100)
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}
