//! The command-line tool `subscription-key`: makes, rotates and withdraws keys in
//! a catalog file or a database, and says why a key is refused.
//!
//! It holds no rules. [`Manage`](tower_subscription_key::manage::Manage) has those
//! of changes, also for files: a file is read into memory, changed there, and the
//! difference is written back into the text ([`edit`]).

mod args;
mod commands;
mod database;
mod edit;
mod failure;
mod file;
mod keys;
mod names;
mod output;
mod record;
mod session;
mod show;
mod source;
mod target;
mod undo;
mod usage;
mod values;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use failure::{Failure, Result};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = &failure.message {
                output::error(message);
            }
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: Cli) -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unreachable(format_args!("cannot start: {error}")))?;
    runtime.block_on(commands::run(cli))
}
