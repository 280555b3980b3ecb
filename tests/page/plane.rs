//! The example as a process.

use std::env::consts::EXE_SUFFIX;
use std::process::Stdio;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) const PUBLISHER: &str = "token-of-the-publisher";
pub(crate) const JANE: &str = "token-of-jane";

const BASE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/v";

/// A control plane with its echo service, ended with its test.
pub(crate) struct Plane {
    pub(crate) url: String,
    gateway: String,
    _process: Child,
    _folder: tempfile::TempDir,
}

impl Plane {
    pub(crate) async fn start() -> Self {
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let binary = profile
            .join("examples")
            .join(format!("control_plane{EXE_SUFFIX}"));
        assert!(
            binary.exists(),
            "build it first: cargo build --all-features --example control_plane"
        );
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(binary)
            .current_dir(folder.path())
            .args([
                "--listen",
                "127.0.0.1:0",
                "--gateway",
                "127.0.0.1:0",
                "--token",
                PUBLISHER,
            ])
            .args(["--owner-token", &format!("jane={JANE}")])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = async |prefix: &str| {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("the control plane ended");
            line.strip_prefix(prefix)
                .unwrap_or_else(|| panic!("{line}"))
                .to_owned()
        };
        let url = address("control plane on ").await;
        let gateway = address("gateway on ").await;
        Self {
            url,
            gateway,
            _process: process,
            _folder: folder,
        }
    }

    /// One with the API `Echo API`, and the products `Starter` and `Approved`, of
    /// which the second has terms and needs approval.
    pub(crate) async fn stocked() -> Self {
        let plane = Self::start().await;
        plane
            .put(
                "/apis/echo",
                json!({ "displayName": "Echo API", "path": "echo" }),
            )
            .await;
        plane
            .put(
                "/products/starter",
                json!({ "displayName": "Starter", "state": "published" }),
            )
            .await;
        let approved = json!({ "displayName": "Approved", "state": "published", "approvalRequired": true, "terms": "Be kind." });
        plane.put("/products/approved", approved).await;
        for product in ["starter", "approved"] {
            plane
                .put(&format!("/products/{product}/apis/echo"), json!({}))
                .await;
        }
        plane
    }

    pub(crate) async fn put(&self, path: &str, properties: Value) -> Value {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("{}{BASE}{path}?api-version=2024-05-01", self.url))
            .header("authorization", format!("Bearer {PUBLISHER}"))
            .header("content-type", "application/json")
            .body(Body::from(json!({ "properties": properties }).to_string()))
            .unwrap();
        let (status, text) = self.send(request).await;
        assert!(status.is_success(), "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The status that the echo service answers a key with.
    pub(crate) async fn call(&self, key: &str) -> u16 {
        let request = Request::get(format!("{}/echo/x", self.gateway))
            .header("ocp-apim-subscription-key", key);
        self.send(request.body(Body::empty()).unwrap())
            .await
            .0
            .as_u16()
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}
