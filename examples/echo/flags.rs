//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::ValueExt;
use tower_subscription_key::{InapplicableKey, Unmatched};

pub(crate) const USAGE: &str = "\
Usage: echo [OPTIONS]

Serves an echo behind subscription keys. A request that gets in is answered with
what the service behind the layer saw.

Options:
  --catalog FILE                  the catalog: TOML, JSON or YAML [the one next to this example]
  --listen ADDR:PORT              where to listen; port 0 takes a free one [127.0.0.1:3000]
  --strip                         remove the key before the service sees the request
  --inapplicable-key ignore|deny  a wrong key on an API that needs none [ignore]
  --unmatched deny|pass           a path that belongs to no API [deny]
  --help                          this text
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Serve(Flags),
    Help,
}

#[derive(Debug)]
pub(crate) struct Flags {
    /// Another catalog than the one that ships with the example.
    pub(crate) catalog: Option<PathBuf>,
    pub(crate) listen: SocketAddr,
    pub(crate) strip: bool,
    pub(crate) inapplicable_key: InapplicableKey,
    pub(crate) unmatched: Unmatched,
}

pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Command, lexopt::Error> {
    let mut flags = Flags {
        catalog: None,
        listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
        strip: false,
        inapplicable_key: InapplicableKey::Ignore,
        unmatched: Unmatched::Deny,
    };
    let mut parser = lexopt::Parser::from_iter(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("catalog") => flags.catalog = Some(parser.value()?.into()),
            lexopt::Arg::Long("listen") => {
                flags.listen = parser.value()?.parse_with(|text| {
                    text.parse()
                        .map_err(|_| "--listen takes an address and a port, as in 127.0.0.1:3000")
                })?;
            }
            lexopt::Arg::Long("strip") => flags.strip = true,
            lexopt::Arg::Long("inapplicable-key") => {
                flags.inapplicable_key = parser.value()?.parse_with(|text| match text {
                    "ignore" => Ok(InapplicableKey::Ignore),
                    "deny" => Ok(InapplicableKey::Deny),
                    _ => Err("--inapplicable-key takes ignore or deny"),
                })?;
            }
            lexopt::Arg::Long("unmatched") => {
                flags.unmatched = parser.value()?.parse_with(|text| match text {
                    "deny" => Ok(Unmatched::Deny),
                    "pass" => Ok(Unmatched::Pass),
                    _ => Err("--unmatched takes deny or pass"),
                })?;
            }
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Serve(flags))
}
