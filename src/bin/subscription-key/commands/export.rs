use tower_subscription_key::document::{self, Format};

use crate::args::{Common, Export, ExportFormat};
use crate::commands::catalog;
use crate::failure::{Failure, Result};
use crate::file::CatalogFile;
use crate::output;

pub(super) async fn run(common: &Common, args: &Export) -> Result {
    let file = args.output.clone().map(CatalogFile::new).transpose()?;
    let format = match (args.format, &file) {
        (Some(ExportFormat::Toml), _) | (None, None) => Format::Toml,
        (Some(ExportFormat::Json), _) => Format::Json,
        (Some(ExportFormat::Yaml), _) => Format::Yaml,
        (None, Some(file)) => file.format(),
    };
    let catalog = catalog(common).await?;
    let text = document::write(&catalog, format).map_err(Failure::refused)?;
    match file {
        None => output::print(&text),
        Some(file) => {
            let lock = file.lock()?;
            file.replace(&lock, &text)
        }
    }
}
