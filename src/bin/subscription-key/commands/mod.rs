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
pub(crate) mod records;
mod subscriptions;

use clap::CommandFactory;
use tower_subscription_key::manage::{Operation, Transition};

use crate::args::{Cli, Command, Common};
use crate::failure::{Failure, Result};
use crate::output;

pub(crate) async fn run(cli: Cli) -> Result {
    let common = &cli.common;
    match cli.command {
        Command::Check(args) => check::run(common, &args).await,
        Command::Explain(args) => explain::run(common, &args).await,
        Command::Apis(args) => apis::run(common, args).await,
        Command::Products(args) => products::run(common, args).await,
        Command::Subscriptions(args) => subscriptions::run(common, args).await,
        Command::Create(args) => subscriptions::create(common, args).await,
        Command::Regenerate(args) => lifecycle::regenerate(common, args).await,
        Command::Suspend(args) => change_state(common, Operation::Suspend, args.id).await,
        Command::Activate(args) => lifecycle::activate(common, args).await,
        Command::Cancel(args) => change_state(common, Operation::Cancel, args.id).await,
        Command::Approve(args) => change_state(common, Operation::Approve, args.id).await,
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

async fn change_state(common: &Common, operation: Operation, id: String) -> Result {
    lifecycle::change_state(common, operation, id, Transition::default()).await
}

fn completions(shell: clap_complete::Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "subscription-key", &mut script);
    output::print(&String::from_utf8_lossy(&script))
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
