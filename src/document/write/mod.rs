//! Catalogs as documents.

mod text;

use std::io;

use crate::catalog::{Catalog, KeySlot, Subscription};
use crate::document::schema::OwnerAnswer;
use crate::document::{Format, WriteError};

/// Writes a catalog as a document that reads back as an equal catalog, with the
/// order kept.
///
/// Keys are written as their digests. A time outside the years 0 to 9999 becomes
/// the nearest one inside.
///
/// ```
/// use tower_subscription_key::catalog::{Api, Catalog};
/// use tower_subscription_key::document::{self, Format};
///
/// let catalog = Catalog::builder().api(Api::new("echo", "/echo")).build()?;
/// let toml = document::write(&catalog, Format::Toml)?;
/// assert_eq!(toml, "format = 1\n\n[[apis]]\nid = \"echo\"\npath = \"/echo\"\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`WriteError::NullInToml`] if metadata holds a null and the format is TOML.
pub fn write(catalog: &Catalog, format: Format) -> Result<String, WriteError> {
    let mut written = Vec::new();
    write_to(catalog, format, &mut written)?;
    // All that is written is UTF-8.
    Ok(String::from_utf8(written).unwrap_or_default())
}

/// [`write()`] to a writer, entry by entry: a million of them need no memory. Many
/// small pieces are written, so give a file a [`BufWriter`](io::BufWriter).
///
/// # Errors
///
/// Those of [`write()`], and [`WriteError::Io`].
pub fn write_to(
    catalog: &Catalog,
    format: Format,
    mut writer: impl io::Write,
) -> Result<(), WriteError> {
    text::write(catalog, format, &mut writer).map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => WriteError::NullInToml,
        _ => WriteError::Io(error),
    })
}

/// [`write()`] as JSON, which always succeeds.
#[must_use]
pub fn to_json(catalog: &Catalog) -> String {
    // Writing to text cannot fail, and JSON has all values.
    write(catalog, Format::Json).unwrap_or_default()
}

/// Writes the owner of a key as JSON that [`parse_owner`](super::parse_owner)
/// reads: `{"format":1,"subscription":…,"slot":"primary"}` with the subscription in
/// the shape that it has in a catalog document, or
/// `{"format":1,"subscription":null}` if no subscription has the key.
#[must_use]
pub fn owner_to_json(owner: Option<(&Subscription, KeySlot)>) -> String {
    serde_json::to_string(&OwnerAnswer::from(owner)).unwrap_or_default()
}
