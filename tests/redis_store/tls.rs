//! TLS connections (`rediss://`).

use std::path::Path;

use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher};

use crate::server::Server;
use crate::support::*;

/// A server with a self-signed certificate, its URL, and the certificate.
fn secured() -> (Server, String, String) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let server = Server::start_with(|directory: &Path, port: u16| {
        let path = |name: &str| directory.join(name).display().to_string();
        std::fs::write(path("cert.pem"), &certificate).unwrap();
        std::fs::write(path("key.pem"), &key).unwrap();
        [
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &path("cert.pem"),
            "--tls-key-file",
            &path("key.pem"),
            "--tls-auth-clients",
            "no",
            "--tls-ca-cert-file",
            &path("cert.pem"),
        ]
        .map(str::to_owned)
        .to_vec()
    });
    let url = format!("rediss://localhost:{}", server.other_port());
    (server, url, certificate)
}

#[tokio::test]
async fn tls_server_with_an_untrusted_certificate_is_rejected() {
    let (_server, url, certificate) = secured();
    let patient = RedisOptions::new(url)
        .with_timeout(PATIENCE)
        .with_connect_timeout(PATIENCE);
    let trusting = patient.clone().with_root_certificates(certificate);
    let publisher = RedisPublisher::new(trusting.clone()).unwrap();
    publisher.publish(&catalog()).await.unwrap();
    let store = cached(builder(trusting).open().await.unwrap());
    assert_eq!(status(&store, KEY).await, 200);
    publisher.put_subscription(&suspended()).await.unwrap();
    comes_to(&store, KEY, 401).await;
    // The system does not trust the certificate.
    let error = builder(patient).open().await.unwrap_err();
    assert!(
        full_message(&error).to_lowercase().contains("certificate"),
        "{}",
        full_message(&error)
    );
}
