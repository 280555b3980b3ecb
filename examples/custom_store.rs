//! A store of your own: a folder with one file for each key. The name of the file is
//! the digest of the key, its text is the partner who owns the key.

mod demo;

use std::io;
use std::path::PathBuf;

use axum::Router;
use axum::routing::get;
use tokio::fs;
use tower_subscription_key::catalog::{Api, KeyOwner, KeySlot, Scope, Subscription};
use tower_subscription_key::{Access, KeyDigest, SubscriptionKeyLayer, SubscriptionStore};

struct PartnerFolder(PathBuf);

impl SubscriptionStore for PartnerFolder {
    type Error = io::Error;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, io::Error> {
        let partner = match fs::read_to_string(self.0.join(key.to_hex())).await {
            Ok(partner) => partner,
            // An unknown key is an answer. A disk that fails is an error.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let subscription = Subscription::new(partner.trim()).with_scope(Scope::AllApis);
        Ok(Some(KeyOwner::new(subscription, KeySlot::Primary)))
    }
}

const CONTOSO: &str = "0b1f6a5d3e9c4f7f8a2e4b6c8d0e1f3a";
const STRANGER: &str = "ffffffffffffffffffffffffffffffff";

#[tokio::main]
async fn main() -> Result<(), demo::Error> {
    let folder = tempfile::tempdir()?;
    let contoso = folder.path().join(KeyDigest::of(CONTOSO).to_hex());
    fs::write(&contoso, "contoso\n").await?;

    // The folder knows keys only: the whole service is one API.
    let store = PartnerFolder(folder.path().to_owned());
    let keys = SubscriptionKeyLayer::new(store)
        .single_api(Api::new("orders", ""))?
        .validate()?;
    let app = Router::new()
        .route("/orders", get(list_orders))
        .route_layer(keys);

    demo::run(app, async |client| {
        let key = ("Ocp-Apim-Subscription-Key", CONTOSO);
        let wrong_key = ("Ocp-Apim-Subscription-Key", STRANGER);
        client.get("/orders", &[key], 200).await?;
        client.get("/orders", &[wrong_key], 401).await?;

        // This file is not text: the store cannot answer.
        fs::write(&contoso, [0xff]).await?;
        client.get("/orders", &[key], 503).await?;

        fs::remove_file(&contoso).await?;
        client.get("/orders", &[key], 401).await
    })
    .await
}

async fn list_orders(access: Access) -> String {
    let caller = access.subscription();
    format!(
        "the orders of {}",
        caller.map_or("an anonymous caller", |s| s.id())
    )
}
