//! An echo service behind subscription keys: it answers every request that gets in
//! with what the service behind the layer saw.
//!
//! ```text
//! cargo run --example echo
//! ```
//!
//! serves the catalog next to this file on 127.0.0.1:3000 and prints `curl` lines to
//! try. The reason of each denial is printed on stderr, if stderr is a terminal.

mod answer;
mod flags;
mod serve;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_subscription_key::store::StoreStatus;
use tower_subscription_key::store::file::LoadProgress;
use tower_subscription_key::{FileStore, SubscriptionKeyLayer};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use flags::{Command, Flags, USAGE};

const SHIPPED_CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/echo/catalog.toml");

/// What to try with the shipped catalog.
const TRY: &str = include_str!("try.txt");

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match flags::parse(std::env::args_os()) {
        Ok(Command::Serve(flags)) => flags,
        Ok(Command::Help) => {
            say(io::stdout(), USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            say(io::stderr(), &format!("{error}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    if io::stderr().is_terminal() {
        log_denials();
    }
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(io::stderr(), &format!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Hidden if stderr is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("loading {bar:40} {percent} %, {msg}") {
        bar.set_style(style);
    }
    bar
}

fn draw(bar: &ProgressBar, load: LoadProgress) {
    // A later reload prints a separate line.
    if !bar.is_finished() {
        bar.set_length(load.length);
        bar.set_position(load.read);
        bar.set_message(format!("{} subscriptions", load.entries));
    }
}

async fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    let catalog = flags
        .catalog
        .as_deref()
        .unwrap_or(Path::new(SHIPPED_CATALOG));
    let bar = progress_bar();
    let drawn = bar.clone();
    let store = FileStore::builder(catalog)
        .on_progress(move |load| draw(&drawn, load))
        .open()
        .await;
    bar.finish_and_clear();
    let store = store?;
    tokio::spawn(report_changes(store.watch_status()));
    let keys = SubscriptionKeyLayer::new(store)
        .strip_key(flags.strip)
        .inapplicable_key(flags.inapplicable_key)
        .unmatched(flags.unmatched)
        .validate()?;

    let listener = TcpListener::bind(flags.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", flags.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut ready = format!("listening on {url}\n");
    if flags.catalog.is_none() {
        ready += "\n";
        ready += &TRY.replace("URL", &url).replace("CATALOG", SHIPPED_CATALOG);
    }
    let stop = stop_signal()?;
    say(io::stdout(), &ready);
    serve::serve(listener, keys, stop).await;
    Ok(())
}

/// Reports the outcome of every change to the file.
async fn report_changes(mut changes: watch::Receiver<StoreStatus>) {
    while changes.changed().await.is_ok() {
        let status = changes.borrow_and_update().clone();
        if !status.is_running() {
            // The example ends.
            return;
        }
        let version = status.version();
        let line = match status.last_error() {
            Some(error) => format!("{error}\nkept the last good version, {version}\n"),
            None => format!("reloaded, version {version}\n"),
        };
        say(io::stderr(), &line);
    }
}

/// Prints the reason of each denial, which clients do not learn.
fn log_denials() {
    let denials = Targets::new().with_target("tower_subscription_key::observe", Level::DEBUG);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry()
        .with(lines)
        .with(denials)
        .init();
}

/// Writes and flushes. A closed output does not stop the server.
fn say(mut out: impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Ends on ctrl-c or SIGTERM, from now on.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends on ctrl-c, from now on.
#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut ctrl_c = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = ctrl_c.recv().await;
    })
}
