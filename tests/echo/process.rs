//! The example as a process, and a client that writes and reads raw bytes.

use std::env::consts::EXE_SUFFIX;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A limit, so that a broken example fails its test instead of blocking it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An example, not yet started.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let binary = profile.join("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(
        binary.exists(),
        "build it first: cargo build --example {name}"
    );
    Command::new(binary)
}

/// The echo example, not yet started. It runs in a temporary directory.
pub(crate) fn command() -> Command {
    let mut command = example("echo");
    command.current_dir(std::env::temp_dir());
    command
}

/// Runs it until it exits: exit code, stdout, stderr.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The example, serving.
pub(crate) struct Echo {
    pub(crate) process: Child,
    pub(crate) address: String,
    pub(crate) stdout: BufReader<ChildStdout>,
    stderr: Receiver<String>,
    folder: Option<TempDir>,
    catalog: PathBuf,
}

impl Echo {
    /// Serves the given catalog text.
    pub(crate) fn with_catalog(text: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = folder.path().join("catalog.toml");
        std::fs::write(&catalog, text).unwrap();
        let mut echo = Self::start(command().arg("--catalog").arg(&catalog).args(flags));
        echo.folder = Some(folder);
        echo.catalog = catalog;
        echo
    }

    /// Serves on a free port and waits until it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let (to_lines, stderr) = channel();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| to_lines.send(line))
        });

        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        let address = ready
            .strip_prefix("listening on http://")
            .and_then(|line| line.strip_suffix('\n'))
            .unwrap_or_else(|| panic!("not ready: {ready:?}"));
        let port = address.strip_prefix("127.0.0.1:").unwrap();
        assert_ne!(port.parse::<u16>().unwrap(), 0);
        Self {
            address: address.to_owned(),
            process,
            stdout,
            stderr,
            folder: None,
            catalog: PathBuf::new(),
        }
    }

    pub(crate) fn catalog(&self) -> &Path {
        &self.catalog
    }

    /// Writes the given bytes, and reads until the connection closes.
    pub(crate) fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_ref()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::read(bytes)
    }

    /// A request without a body, with the given header lines.
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: api.example:81\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        self.send(request + "Connection: close\r\n\r\n")
    }

    pub(crate) fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", target, headers)
    }

    /// The next line on stderr.
    pub(crate) fn stderr_line(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).unwrap()
    }

    /// Repeats a request until the response matches.
    pub(crate) fn until(&self, mut such: impl FnMut(&Self) -> bool) {
        let begin = Instant::now();
        while !such(self) {
            assert!(begin.elapsed() < PATIENCE, "it never came");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A raw response without its date.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            panic!("no answer: {text:?}");
        };
        let lines = head.split("\r\n");
        let dateless: Vec<_> = lines.filter(|line| !line.starts_with("date: ")).collect();
        Self {
            head: dateless.join("\r\n"),
            body: body.to_owned(),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        let code = self.head.strip_prefix("HTTP/1.1 ").unwrap();
        code[..3].parse().unwrap()
    }

    /// What the inner service saw.
    pub(crate) fn seen(&self) -> Value {
        assert_eq!(self.status(), 200, "{self:?}");
        assert!(self.body.ends_with("}\n"), "an answer ends with a line end");
        serde_json::from_str(&self.body).unwrap()
    }

    /// `access` as text: API, product, subscription, key, scope, owner.
    pub(crate) fn access(&self) -> String {
        let seen = self.seen();
        let access = seen["access"].as_object().unwrap();
        assert_eq!(access.len(), 6);
        let names = ["api", "product", "subscription", "key", "scope", "owner"];
        let values = names.map(|name| access[name].as_str().unwrap_or("-"));
        values.join(" ")
    }
}
