//! The commands, each in the order: open, change, write, print.

mod apis;
mod check;
pub(crate) mod database;
mod explain;
mod export;
mod import;
mod key;
mod lifecycle;
mod products;
mod subscriptions;

use std::sync::Arc;

use clap::CommandFactory;
use tower_subscription_key::catalog::Catalog;
use tower_subscription_key::manage::{Caller, Manage, ManageError};

use crate::args::{Cli, Command, Common};
use crate::failure::{Failure, Result};
use crate::file::CatalogFile;
use crate::output::{self, Style};
use crate::session::{self, Missing, plain_failure};
use crate::show;
use crate::target::Target;

pub(crate) async fn run(cli: Cli) -> Result {
    let common = &cli.common;
    match cli.command {
        Command::Check(args) => check::run(common, &args).await,
        Command::Explain(args) => explain::run(common, &args).await,
        Command::Apis(args) => apis::run(common, args).await,
        Command::Products(args) => products::run(common, args).await,
        Command::Subscriptions(args) => subscriptions::run(common, args).await,
        Command::Create(args) => lifecycle::create(common, args).await,
        Command::Regenerate(args) => lifecycle::regenerate(common, args).await,
        Command::Suspend(args) => lifecycle::suspend(common, &args.id).await,
        Command::Activate(args) => lifecycle::activate(common, &args).await,
        Command::Cancel(args) => lifecycle::cancel(common, &args.id).await,
        Command::Approve(args) => lifecycle::approve(common, &args.id).await,
        Command::Reject(args) => lifecycle::reject(common, args).await,
        Command::Grant(args) => lifecycle::grant(common, &args).await,
        Command::Revoke(args) => lifecycle::revoke(common, &args).await,
        Command::Hash => key::hash(common),
        Command::Generate(args) => key::generate(common, args),
        Command::Import(args) => import::run(common, &args).await,
        Command::Export(args) => export::run(common, &args).await,
        Command::Audit(args) => database::audit(common, &args).await,
        Command::Status => database::status(common).await,
        Command::Replicas => database::replicas(common).await,
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "subscription-key", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

pub(crate) fn style(common: &Common) -> Style {
    if common.json {
        Style::Json
    } else {
        Style::People
    }
}

/// The catalog to look at.
async fn catalog(common: &Common) -> Result<Arc<Catalog>> {
    let catalog = match Target::of(common)? {
        Target::File(path) => CatalogFile::new(path)?.load()?,
        Target::Database(url) => {
            let manage = database::open(&url, Missing::Refuse).await?;
            let reader = Caller::publisher("cli");
            manage.export(&reader).await.map_err(plain_failure)?
        }
    };
    Ok(Arc::new(catalog))
}

/// The database to look at, if it is one.
async fn database(common: &Common) -> Result<Option<(Manage, Caller)>> {
    match Target::of(common)? {
        Target::File(_) => Ok(None),
        Target::Database(url) => {
            let manage = database::open(&url, Missing::Refuse).await?;
            Ok(Some((manage, Caller::publisher("cli"))))
        }
    }
}

/// A refusal to show what is not there, with what was probably meant.
async fn not_shown(manage: &Manage, caller: &Caller, error: ManageError) -> Failure {
    match &error {
        ManageError::NotFound { record } => {
            let near = session::near(manage, caller, record).await;
            Failure::refused(format_args!("there is no {record}{near}"))
        }
        _ => plain_failure(error),
    }
}

/// Prints one record.
fn print_record(common: &Common, value: &serde_json::Value) -> Result {
    if style(common).is_json() {
        output::json(value)
    } else {
        output::print(&show::record(value))
    }
}

/// Asks before something is removed, if somebody sits there.
fn confirm(what: &str, yes: bool) -> Result {
    if yes || !output::is_interactive() {
        return Ok(());
    }
    output::note(&format!("Remove {what}? [y/N]"));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::unreachable(format_args!("cannot read the answer: {error}")))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::refused(format_args!("{what} stays"))),
    }
}
