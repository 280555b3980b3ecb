//! The command line.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::ValueExt;

pub(crate) const USAGE: &str = "\
Usage: control_plane [OPTIONS]

Serves the management of subscription keys (REST and a page), and an echo service
behind keys that follows the same database.

Options:
  --database PATH|postgres://…      the database; a SQLite file is made if absent [control-plane.db]
  --listen ADDR:PORT                where management listens; port 0 takes a free one [127.0.0.1:3100]
  --gateway ADDR:PORT               where the echo service listens [127.0.0.1:3000]
  --catalog FILE                    a catalog file to import into an empty database
  --recoverable-keys KEYFILE        keep keys encrypted with the key in this file, so that they can be
                                    read back; the file is made if absent
  --token TOKEN                     the publisher's token, also CONTROL_PLANE_TOKEN [generated]
  --owner-token ID=TOKEN            a token of the owner ID; may be repeated [one is generated, unless
                                    a publisher's token is given]
  --help                            this text
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Serve(Box<Flags>),
    Help,
}

pub(crate) struct Flags {
    pub(crate) database: String,
    pub(crate) listen: SocketAddr,
    pub(crate) gateway: SocketAddr,
    pub(crate) catalog: Option<PathBuf>,
    pub(crate) recoverable_keys: Option<PathBuf>,
    pub(crate) token: Option<String>,
    pub(crate) token_is_in_environment: bool,
    pub(crate) owner_tokens: Vec<(String, String)>,
}

impl fmt::Debug for Flags {
    /// Without tokens, and without the password that a database URL may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flags")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Command, lexopt::Error> {
    let mut flags = Flags {
        database: "control-plane.db".to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 3100)),
        gateway: SocketAddr::from(([127, 0, 0, 1], 3000)),
        catalog: None,
        recoverable_keys: None,
        token: None,
        token_is_in_environment: false,
        owner_tokens: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_iter(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("database") => flags.database = parser.value()?.string()?,
            lexopt::Arg::Long("listen") => flags.listen = address(&mut parser, "--listen")?,
            lexopt::Arg::Long("gateway") => flags.gateway = address(&mut parser, "--gateway")?,
            lexopt::Arg::Long("catalog") => flags.catalog = Some(parser.value()?.into()),
            lexopt::Arg::Long("recoverable-keys") => {
                flags.recoverable_keys = Some(parser.value()?.into());
            }
            lexopt::Arg::Long("token") => flags.token = Some(token(&mut parser)?),
            lexopt::Arg::Long("owner-token") => {
                flags.owner_tokens.push(owner_token(&mut parser)?);
            }
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if flags.token.is_none() {
        flags.token = std::env::var("CONTROL_PLANE_TOKEN")
            .ok()
            .filter(|token| !token.is_empty());
        flags.token_is_in_environment = flags.token.is_some();
    }
    let mut tokens: Vec<&String> = flags.owner_tokens.iter().map(|(_, token)| token).collect();
    tokens.extend(&flags.token);
    tokens.sort_unstable();
    if tokens.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("a token belongs to one caller: give each its own".into());
    }
    Ok(Command::Serve(Box::new(flags)))
}

fn address(parser: &mut lexopt::Parser, flag: &str) -> Result<SocketAddr, lexopt::Error> {
    parser.value()?.parse_with(|text| {
        text.parse()
            .map_err(|_| format!("{flag} takes an address and a port, as in 127.0.0.1:3100"))
    })
}

// Errors of these two never repeat the value: it holds a token.

fn token(parser: &mut lexopt::Parser) -> Result<String, lexopt::Error> {
    match parser.value()?.into_string() {
        Ok(token) if is_token(&token) => Ok(token),
        _ => Err("--token takes visible ASCII characters".into()),
    }
}

fn owner_token(parser: &mut lexopt::Parser) -> Result<(String, String), lexopt::Error> {
    let value = parser.value()?.into_string().ok();
    let parts = value.as_deref().and_then(|value| value.split_once('='));
    match parts {
        Some((id, token)) if !id.is_empty() && is_token(token) => {
            Ok((id.to_owned(), token.to_owned()))
        }
        _ => Err("--owner-token takes ID=TOKEN".into()),
    }
}

/// What a header can carry.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
