use tower_subscription_key::document::{self, Format};

use crate::args::{Common, Export};
use crate::failure::{Failure, Result};
use crate::file::CatalogFile;
use crate::output;
use crate::source::Source;

pub(super) async fn run(common: &Common, args: &Export) -> Result {
    let file = args.output.clone().map(CatalogFile::new).transpose()?;
    let format = match (args.format, &file) {
        (Some(format), _) => format,
        (None, Some(file)) => file.format(),
        (None, None) if common.json => Format::Json,
        (None, None) => Format::Toml,
    };
    let catalog = Source::open(common).await?.catalog().await?;
    let text = document::write(&catalog, format).map_err(Failure::refused)?;
    match file {
        None => output::print(&text),
        Some(file) => {
            let lock = file.lock()?;
            file.replace(&lock, &text)
        }
    }
}
