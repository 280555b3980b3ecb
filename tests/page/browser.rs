//! A headless Chromium, driven over its DevTools protocol.

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Only so that a broken page fails its test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The interval at which a condition is checked.
const PAUSE: Duration = Duration::from_millis(25);

/// A page in a browser of its own, with an empty profile.
pub(crate) struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    calls: u64,
    /// What the page wrote to the console, and what the browser logged about it.
    messages: Vec<String>,
    /// Each request as the browser sent it, without its headers.
    requests: Vec<String>,
    _process: Child,
    _profile: tempfile::TempDir,
}

impl Page {
    pub(crate) async fn open(url: &str) -> Self {
        let mut page = Self::start().await;
        page.call("Page.navigate", json!({ "url": url })).await;
        page
    }

    /// A blank page.
    async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--remote-debugging-port=0",
                "--lang=en-US",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromium does not start: install the package `chromium`");
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap();
            let line = line.expect("chromium ended before it was ready");
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                break address.to_owned();
            }
        };
        // The pipe must not fill up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = tokio_tungstenite::connect_async(address).await.unwrap();
        let mut page = Self {
            socket,
            session: String::new(),
            calls: 0,
            messages: Vec::new(),
            requests: Vec::new(),
            _process: process,
            _profile: profile,
        };
        let target = page
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = page.call("Target.attachToTarget", attach).await;
        page.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "DOM", "Accessibility", "Network"] {
            page.call(&format!("{domain}.enable"), json!({})).await;
        }
        page
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params)
            .await
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        self.socket
            .send(Message::text(call.to_string()))
            .await
            .unwrap();
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message = message
                .expect("the browser does not answer")
                .unwrap()
                .unwrap();
            let Ok(text) = message.to_text() else {
                continue;
            };
            let message: Value = serde_json::from_str(text).unwrap_or_default();
            if message["id"] == self.calls {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        match event["method"].as_str() {
            Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded") => {
                self.messages.push(event["params"].to_string());
            }
            Some("Network.requestWillBeSent") => {
                let request = &event["params"]["request"];
                self.requests.push(format!(
                    "{} {} {}",
                    request["method"], request["url"], request["postData"]
                ));
            }
            _ => {}
        }
    }

    /// Nothing was written to the console.
    pub(crate) async fn expect_quiet_console(&mut self) {
        self.evaluate("1").await;
        assert_eq!(self.messages, Vec::<String>::new());
    }

    pub(crate) fn requests(&self) -> &[String] {
        &self.requests
    }

    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", params).await;
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    pub(crate) async fn wait_until(&mut self, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.evaluate(&format!("Boolean({expression})")).await != true {
            assert!(
                Instant::now() < end,
                "never true: {expression}\n{}",
                self.shown().await
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn shown(&mut self) -> String {
        self.evaluate("document.body.innerText")
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) async fn wait_for_text(&mut self, text: &str) {
        self.wait_until(&format!(
            "document.body.innerText.includes({})",
            json!(text)
        ))
        .await;
    }

    /// The nodes of the accessibility tree with the role and name.
    async fn nodes(&mut self, role: &str, name: &str) -> Vec<i64> {
        // The document may just be replaced.
        let Ok(document) = self
            .try_call("DOM.getDocument", json!({ "depth": 0 }))
            .await
        else {
            return Vec::new();
        };
        let query =
            json!({ "nodeId": document["root"]["nodeId"], "role": role, "accessibleName": name });
        let Ok(found) = self.try_call("Accessibility.queryAXTree", query).await else {
            return Vec::new();
        };
        let nodes = found["nodes"].as_array().into_iter().flatten();
        nodes
            .filter(|node| node["ignored"] == false)
            .filter_map(|node| node["backendDOMNodeId"].as_i64())
            .collect()
    }

    pub(crate) async fn has(&mut self, role: &str, name: &str) -> bool {
        !self.nodes(role, name).await.is_empty()
    }

    /// Whether the node is there within a second.
    pub(crate) async fn appears(&mut self, role: &str, name: &str) -> bool {
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            if self.has(role, name).await {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    /// Waits for the node with the role and name. The last one, where a dialog
    /// repeats what is below it.
    pub(crate) async fn find(&mut self, role: &str, name: &str) -> Node<'_> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(id) = self.nodes(role, name).await.last() {
                let node = self
                    .try_call("DOM.resolveNode", json!({ "backendNodeId": id }))
                    .await;
                if let Ok(node) = node {
                    let object = node["object"]["objectId"].as_str().unwrap().to_owned();
                    return Node { page: self, object };
                }
            }
            assert!(
                Instant::now() < end,
                "no {role} {name:?}\n{}",
                self.shown().await
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) async fn wait_gone(&mut self, role: &str, name: &str) {
        let end = Instant::now() + PATIENCE;
        while self.has(role, name).await {
            assert!(Instant::now() < end, "{role} {name:?} stays");
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) async fn click(&mut self, role: &str, name: &str) {
        self.find(role, name)
            .await
            .run("function() { this.focus(); this.click(); }")
            .await;
    }

    /// Replaces the text of a field as typing does.
    pub(crate) async fn fill(&mut self, name: &str, text: &str) {
        self.find("textbox", name)
            .await
            .run("function() { this.focus(); this.select(); }")
            .await;
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    pub(crate) async fn choose(&mut self, name: &str, option: &str) {
        let choose = "function(option) {
            this.value = [...this.options].find((one) => one.text === option).value;
            this.dispatchEvent(new Event('change', { bubbles: true }));
        }";
        self.find("combobox", name)
            .await
            .run_with(choose, json!([{ "value": option }]))
            .await;
    }

    pub(crate) async fn text_by_label(&mut self, name: &str) -> String {
        let selector = format!("document.querySelector('[aria-label=\"{name}\"]')");
        self.wait_until(&selector).await;
        self.evaluate(&format!("{selector}.textContent"))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Presses a key as a keyboard does.
    pub(crate) async fn press(&mut self, key: &str) {
        let (key, modifiers) = match key.strip_prefix("Shift+") {
            Some(key) => (key, 8),
            None => (key, 0),
        };
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            " " => (32, " "),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            "ArrowDown" => (40, ""),
            "ArrowUp" => (38, ""),
            _ => panic!("{key} has no code here"),
        };
        let mut event = json!({
            "type": if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "key": key, "code": key,
            "windowsVirtualKeyCode": code, "modifiers": modifiers,
        });
        if !text.is_empty() {
            event["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", event.clone()).await;
        event["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", event).await;
    }

    /// Types text where the focus is.
    pub(crate) async fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// The accessible name of what has the focus.
    pub(crate) async fn focused(&mut self) -> String {
        let answer = self
            .call(
                "Runtime.evaluate",
                json!({ "expression": "document.activeElement" }),
            )
            .await;
        let object = answer["result"]["objectId"].clone();
        let Ok(tree) = self
            .try_call(
                "Accessibility.getPartialAXTree",
                json!({ "objectId": object, "fetchRelatives": false }),
            )
            .await
        else {
            return String::new();
        };
        tree["nodes"][0]["name"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Presses Tab until what has the name has the focus.
    pub(crate) async fn tab_to(&mut self, name: &str) {
        let end = Instant::now() + PATIENCE;
        while self.focused().await != name {
            assert!(
                Instant::now() < end,
                "Tab never reaches {name:?}\n{}",
                self.shown().await
            );
            self.press("Tab").await;
        }
    }

    pub(crate) async fn resize(&mut self, width: u32, dark: bool) {
        let metrics =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let scheme = if dark { "dark" } else { "light" };
        // Without motion, no colour is read on its way to another.
        let media = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.call("Emulation.setEmulatedMedia", media).await;
    }

    pub(crate) async fn reload(&mut self) {
        self.evaluate("window.old = true").await;
        self.call("Page.reload", json!({})).await;
        self.wait_until("!window.old && document.readyState === 'complete'")
            .await;
    }

    /// Follows a link to another address of the same page.
    pub(crate) async fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url })).await;
    }
}

/// An element of the page.
pub(crate) struct Node<'p> {
    page: &'p mut Page,
    object: String,
}

impl Node<'_> {
    pub(crate) async fn run(self, function: &str) -> Value {
        self.run_with(function, json!([])).await
    }

    async fn run_with(self, function: &str, arguments: Value) -> Value {
        let params = json!({
            "objectId": self.object, "functionDeclaration": function, "arguments": arguments, "returnByValue": true,
        });
        let answer = self.page.call("Runtime.callFunctionOn", params).await;
        assert!(answer["exceptionDetails"].is_null(), "{answer}");
        answer["result"]["value"].clone()
    }
}
