use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Value, json};
use tower_subscription_key::catalog::{Catalog, SubscriptionKey};
use tower_subscription_key::import::{self, Found, ImportError, Keys, LeftOut, settle};
use tower_subscription_key::key::KeyDigest;
use tower_subscription_key::manage::{Import as Changes, ImportOptions, Imported};

use crate::args::{Common, Import};
use crate::edit::{KeyForm, KeyForms};
use crate::failure::{Failure, Result};
use crate::file::CatalogFile;
use crate::keys::subscription_key;
use crate::output;
use crate::session::{Session, stand_in};
use crate::target::Missing;
use crate::undo;
use crate::values::System;

pub(super) async fn run(common: &Common, args: &Import) -> Result {
    let mut session = match args.dry_run {
        true => Session::open_to_look(common).await?,
        false => Session::open(common, Missing::Make).await?,
    };
    let existing = session.definitions().await?;
    let mut keys = ImportKeys {
        is_file: session.is_file(),
        generates: args.generate_keys,
        forms: KeyForms::new(),
    };
    let (changes, left_out) = match args.system {
        System::Catalog => from_catalogs(args, &mut keys)?,
        System::Azure => {
            let found = import::azure::read(&args.files, args.parameters.as_deref());
            settled(found.map_err(failure)?, &existing, &mut keys)
        }
        System::Kong => {
            let found = import::kong::read(&args.files).map_err(failure)?;
            settled(found, &existing, &mut keys)
        }
    };
    if changes.apis.is_empty() && existing.apis().next().is_none() {
        output::note(&left_out_text(&left_out));
        return Err(Failure::refused(
            "nothing is imported: no API is left, and without one a catalog opens nothing",
        ));
    }
    if args.deny_left_out && !left_out.is_empty() {
        output::note(&left_out_text(&left_out));
        return Err(Failure::refused(
            "nothing is imported, because something would be left out",
        ));
    }
    session.add_forms(keys.forms);
    let options = ImportOptions {
        replace: args.replace,
        dry_run: args.dry_run,
        generate_keys: args.generate_keys,
    };
    let spinner = spinner(changes.subscriptions.len());
    let imported = session
        .manage
        .import(&session.caller, changes, options)
        .await;
    spinner.finish_and_clear();
    let imported = session.accepted(imported).await?.value;
    if !args.dry_run {
        session.commit().await?;
    }
    print(common, args.dry_run, &imported, &left_out)?;
    if !args.dry_run {
        undo::none("remove what was imported, or go back to a copy");
    }
    Ok(())
}

fn failure(error: ImportError) -> Failure {
    match &error {
        ImportError::Read { source, .. } => Failure::unreachable(format_args!("{error}: {source}")),
        _ => Failure::refused(error),
    }
}

/// Something that moves while many subscriptions are written.
fn spinner(subscriptions: usize) -> ProgressBar {
    if subscriptions < 1_000 {
        return ProgressBar::hidden();
    }
    let spinner =
        ProgressBar::new_spinner().with_message(format!("importing {subscriptions} subscriptions"));
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// Where the keys of placeholders come from.
struct ImportKeys {
    is_file: bool,
    generates: bool,
    forms: KeyForms,
}

impl Keys for ImportKeys {
    fn variable(&mut self, name: &str) -> std::result::Result<SubscriptionKey, String> {
        let value = std::env::var(name).ok();
        let key = value.as_deref().map(subscription_key);
        if !self.is_file {
            return match key {
                Some(Ok(key)) => Ok(key),
                Some(Err(_)) => Err(format!("the environment variable {name} holds no key")),
                None => Err(format!("the environment variable {name} is not set")),
            };
        }
        // A file keeps the reference, whatever the variable holds here.
        let key = match key {
            Some(Ok(key)) => key,
            _ => SubscriptionKey::from_digest(KeyDigest::of(stand_in(name).as_encoded_bytes())),
        };
        self.forms
            .insert(*key.digest(), KeyForm::Env(name.to_owned()));
        Ok(key)
    }

    fn generates(&self) -> bool {
        self.generates
    }
}

fn settled(mut found: Found, existing: &Catalog, keys: &mut ImportKeys) -> (Changes, Vec<LeftOut>) {
    let subscriptions = settle(&mut found, existing, keys);
    let changes = Changes {
        apis: found.apis,
        products: found.products,
        memberships: found.memberships,
        subscriptions,
    };
    (changes, found.left_out)
}

/// Several catalog files are one catalog each.
fn from_catalogs(args: &Import, keys: &mut ImportKeys) -> Result<(Changes, Vec<LeftOut>)> {
    let mut changes = Changes::default();
    for path in &args.files {
        let file = CatalogFile::new(path.clone())?;
        let text = file.read()?;
        let (catalog, forms) = crate::session::read_with_forms(&file, &text, keys.is_file)?;
        keys.forms.extend(forms);
        let more = Changes::from(&*catalog);
        changes.apis.extend(more.apis);
        changes.products.extend(more.products);
        changes.subscriptions.extend(more.subscriptions);
    }
    Ok((changes, Vec::new()))
}

fn print(common: &Common, dry_run: bool, imported: &Imported, left_out: &[LeftOut]) -> Result {
    let keys = imported.keys.iter();
    let cure = "they are in force: get others with `subscription-key regenerate`";
    if common.json {
        let keys = keys.map(|new| {
            json!({
                "id": new.id,
                "primary_key": new.primary_key.expose(),
                "secondary_key": new.secondary_key.expose(),
            })
        });
        let text = output::json_text(&json!({
            "imported": {
                "apis": imported.apis,
                "products": imported.products,
                "memberships": imported.memberships,
                "subscriptions": imported.subscriptions,
            },
            "left_out": left_out,
            "keys": keys.collect::<Vec<Value>>(),
        }))?;
        return output::print_keys(&text, cure);
    }
    let counts = [
        ("apis", imported.apis),
        ("products", imported.products),
        ("memberships", imported.memberships),
        ("subscriptions", imported.subscriptions),
    ];
    let mut text = output::table(
        [if dry_run { "WOULD IMPORT" } else { "IMPORTED" }, ""],
        counts.map(|(name, n)| [name.to_owned(), n.to_string()]),
    );
    if !left_out.is_empty() {
        text.push('\n');
        text.push_str(&left_out_text(left_out));
        text.push('\n');
    }
    if imported.keys.is_empty() {
        return output::print(&text);
    }
    let rows = keys.map(|new| {
        [
            new.id.clone(),
            new.primary_key.expose().to_owned(),
            new.secondary_key.expose().to_owned(),
        ]
    });
    text.push('\n');
    text.push_str(&output::table(["ID", "PRIMARY KEY", "SECONDARY KEY"], rows));
    output::print_keys(&text, cure)
}

fn left_out_text(left_out: &[LeftOut]) -> String {
    let rows = left_out.iter().map(|out| {
        [
            out.kind.clone(),
            out.id.clone().unwrap_or_default(),
            out.count.to_string(),
            out.reason.clone(),
        ]
    });
    output::table(["LEFT OUT", "ID", "COUNT", "WHY"], rows)
        .trim_end()
        .to_owned()
}
