//! Catalogs as documents.

mod text;

use std::io;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::catalog::{Catalog, KeySlot, Subscription};
use crate::document::schema::{
    APIS, ApiEntry, FORMAT, FORMAT_FIELD, OwnerAnswer, PRODUCTS, ProductEntry, SUBSCRIPTIONS,
    SubscriptionEntry,
};
use crate::document::{Format, WriteError};

use text::Style;

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
    Ok(String::from_utf8_lossy(&written).into_owned())
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
    match format {
        Format::Json => serde_json::to_writer(writer, &Document(catalog)).map_err(Into::into),
        Format::Toml => Style::Toml.write(catalog, &mut writer),
        Format::Yaml => Style::Yaml.write(catalog, &mut writer),
    }
    .map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => WriteError::NullInToml,
        _ => WriteError::Io(error),
    })
}

/// [`write()`] as JSON, which always succeeds.
#[must_use]
pub fn to_json(catalog: &Catalog) -> String {
    text_of(&Document(catalog))
}

/// Writes the owner of a key as JSON that [`parse_owner`](super::parse_owner)
/// reads: `{"format":1,"subscription":…,"slot":"primary"}` with the subscription in
/// the shape that it has in a catalog document, or
/// `{"format":1,"subscription":null}` if no subscription has the key.
#[must_use]
pub fn owner_to_json(owner: Option<(&Subscription, KeySlot)>) -> String {
    text_of(&OwnerAnswer::from(owner))
}

/// Writing to text cannot fail, and all values here can be written.
fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

struct Document<'a>(&'a Catalog);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(FORMAT_FIELD, &FORMAT)?;
        map.serialize_entry(APIS, &Each(|| self.0.apis().map(ApiEntry::from)))?;
        map.serialize_entry(
            PRODUCTS,
            &Each(|| self.0.products().map(ProductEntry::from)),
        )?;
        let subscriptions = || self.0.subscriptions().map(Owned);
        map.serialize_entry(SUBSCRIPTIONS, &Each(subscriptions))?;
        map.end()
    }
}

/// A list that is made while it is written.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A catalog unpacks its subscriptions one by one.
struct Owned(Subscription);

impl Serialize for Owned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SubscriptionEntry::from(&self.0).serialize(serializer)
    }
}
