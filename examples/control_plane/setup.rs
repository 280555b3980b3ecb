//! What is made before anything is served: the database, tokens and files.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use tower_subscription_key::document::{self, Format, HostKeys, Source};
use tower_subscription_key::manage::{Caller, Import, ImportOptions, ListQuery, Manage};

use crate::flags::Flags;
use crate::say;

type Failure = Box<dyn Error>;

/// Opens the database, with keys that can be read back if a key file is given.
pub(crate) async fn open(flags: &Flags) -> Result<Manage, Failure> {
    let mut builder = Manage::builder();
    if let Some(path) = &flags.recoverable_keys {
        builder = builder.encryption_key(encryption_key(path)?);
    }
    Ok(builder.open(&flags.database).await?)
}

/// Imports a catalog file into a database that holds nothing but the all-access
/// subscription.
pub(crate) async fn import(manage: &Manage, path: &Path) -> Result<(), Failure> {
    let admin = Caller::publisher("control_plane");
    let query = ListQuery::default();
    let apis = manage.list_apis(&admin, &query).await?.total;
    let products = manage.list_products(&admin, &query).await?.total;
    let subscriptions = manage.list_subscriptions(&admin, &query).await?.total;
    if apis + products > 0 || subscriptions > 1 {
        say(
            io::stderr(),
            &format!(
                "{} is not imported: the database is not empty\n",
                path.display()
            ),
        );
        return Ok(());
    }
    let text =
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let source = Source::new(path, Format::from_path(path)?, &text);
    let catalog = document::parse_all(&[source], &HostKeys::new())?;
    manage
        .import(&admin, Import::from(&catalog), ImportOptions::default())
        .await?;
    Ok(())
}

/// Reads the key of 32 bytes that a file holds as hex digits, or makes both.
fn encryption_key(path: &Path) -> Result<[u8; 32], Failure> {
    let failed = |what: &str, error: io::Error| {
        format!("cannot {what} the key file {}: {error}", path.display())
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("{}\n", random_hex::<32>()?);
            write_private(path, &text).map_err(|error| failed("write", error))?;
            text
        }
        Err(error) => return Err(failed("read", error).into()),
    };
    let digits = text.trim_end();
    let mut key = [0; 32];
    let is_hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err(format!(
            "the key file {} holds no key: 64 hex digits are expected",
            path.display()
        )
        .into());
    }
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair)?, 16)?;
    }
    Ok(key)
}

/// Writes a new file that only its owner can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// So many random bytes as hex digits.
pub(crate) fn random_hex<const N: usize>() -> Result<String, Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
