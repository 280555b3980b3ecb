//! The example as a process.

use std::env::consts::EXE_SUFFIX;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// How many commands it prints.
const COMMANDS: usize = 6;

pub(crate) struct Plane {
    pub(crate) url: String,
    pub(crate) gateway: String,
    process: Child,
    stdout: BufReader<ChildStdout>,
}

fn command(folder: &TempDir, flags: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let binary = profile
        .join("examples")
        .join(format!("control_plane{EXE_SUFFIX}"));
    assert!(
        binary.exists(),
        "build it first: cargo build --example control_plane"
    );
    let mut command = Command::new(binary);
    command
        .current_dir(folder.path())
        .args(flags)
        .env_remove("CONTROL_PLANE_TOKEN");
    command
}

/// Runs it until it exits: exit code, stdout, stderr.
pub(crate) fn run(folder: &TempDir, flags: &[&str]) -> (Option<i32>, String, String) {
    let output = command(folder, flags).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The output of a command line in a shell.
pub(crate) fn curl(line: &str) -> String {
    let line = line.replace("curl ", "curl -sS ");
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

impl Plane {
    pub(crate) fn start(folder: &TempDir, flags: &[&str]) -> Self {
        Self::start_with(folder, flags, |_| {})
    }

    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start_with(
        folder: &TempDir,
        flags: &[&str],
        set: impl FnOnce(&mut Command),
    ) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--gateway", "127.0.0.1:0"];
        let mut command = command(folder, &[&ports[..], flags].concat());
        set(&mut command);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut address = |prefix: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line.trim_end()
                .strip_prefix(prefix)
                .unwrap_or_else(|| panic!("not ready: {line:?}"))
                .to_owned()
        };
        let url = address("control plane on ");
        let gateway = address("gateway on ");
        Self {
            url,
            gateway,
            process,
            stdout,
        }
    }

    /// What it prints after the two addresses.
    pub(crate) fn rest_of_stdout(&mut self) -> String {
        let mut text = String::new();
        // The last of its commands is followed by an empty line.
        while !(text
            .matches(
                "
curl ",
            )
            .count()
            == COMMANDS
            && text.ends_with(
                "

",
            ))
        {
            let length = self.stdout.read_line(&mut text).unwrap();
            assert!(length > 0, "it ended early: {text}");
        }
        text
    }

    /// Ends it with SIGTERM: exit code and stderr.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let code = self.process.wait().unwrap().code();
        let mut stderr = String::new();
        self.process
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        (code, stderr)
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
