//! A control plane in one command: REST, a page for people, and an echo service
//! behind keys that follows the same database.
//!
//! ```text
//! cargo run --release --example control_plane
//! ```
//!
//! keeps its records in `control-plane.db`, prints the page's address and what to
//! paste, and serves management on 127.0.0.1:3100 and the echo on 127.0.0.1:3000.

#[path = "../echo/answer.rs"]
mod answer;
mod flags;
mod serve;
mod setup;
#[path = "try.rs"]
mod what_to_try;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tower_subscription_key::manage::Caller;
use tower_subscription_key::manage::rest::{BearerTokens, Rest};
use tower_subscription_key::{SqlStore, SubscriptionKeyLayer};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use flags::{Command, Flags, USAGE};
use what_to_try::Shown;

/// The owner that gets a generated token.
const OWNER: &str = "jane@contoso.example";

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match flags::parse(std::env::args_os()) {
        Ok(Command::Serve(flags)) => *flags,
        Ok(Command::Help) => {
            say(io::stdout(), USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            say(io::stderr(), &format!("{error}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    log_warnings();
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(io::stderr(), &format!("{}\n", with_cause(&*error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(mut flags: Flags) -> Result<(), Box<dyn Error>> {
    let manage = setup::open(&flags).await?;
    if let Some(catalog) = &flags.catalog {
        setup::import(&manage, catalog).await?;
    }
    let generates = flags.token.is_none();
    let publisher = match flags.token.take() {
        Some(token) => token,
        None => setup::random_hex::<16>()?,
    };
    if generates && flags.owner_tokens.is_empty() {
        flags
            .owner_tokens
            .push((OWNER.to_owned(), setup::random_hex::<16>()?));
    }
    let mut tokens = BearerTokens::new().with(&publisher, Caller::publisher("publisher"));
    for (id, token) in &flags.owner_tokens {
        tokens = tokens.with(token, Caller::owner(id));
    }

    let name = format!("control-plane-{}", std::process::id());
    // The echo service follows the database as one in another process would.
    let store = SqlStore::builder(&flags.database).name(name).open().await?;
    let rest = Rest::new(manage, tokens).with_replica(store.clone());
    let mut status = store.watch_status();
    let keys = SubscriptionKeyLayer::new(store.clone()).validate()?;

    let management = listen(flags.listen).await?;
    let gateway = listen(flags.gateway).await?;
    let url = format!("http://{}", management.local_addr()?);
    let gateway_url = format!("http://{}", gateway.local_addr()?);
    let shown = match flags.token_is_in_environment {
        true => Shown::Environment,
        false => Shown::Token(&publisher),
    };
    let key = setup::random_hex::<16>()?;
    let owner = flags.owner_tokens.first();
    let try_it = what_to_try::text(&url, &gateway_url, &shown, owner, &key);
    let stop = serve::stop_signal()?;
    let serving = serve::serve(management, rest.into_router(), gateway, keys, stop);
    say(
        io::stdout(),
        &format!("control plane on {url}\ngateway on {gateway_url}\n{try_it}"),
    );
    serving.await;
    store.close().await;
    // The last connections may still be letting go of the store.
    let gone = async { while status.changed().await.is_ok() {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), gone).await;
    Ok(())
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// An error and why it happened, as one sentence.
fn with_cause(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// What an operator has to know goes to stderr.
fn log_warnings() {
    let warnings = Targets::new().with_target("tower_subscription_key", Level::WARN);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .without_time();
    tracing_subscriber::registry()
        .with(lines)
        .with(warnings)
        .init();
}

/// Writes at once. A reader that has gone is no reason to stop.
fn say(mut out: impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
