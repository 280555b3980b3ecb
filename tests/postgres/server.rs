//! A PostgreSQL server in a temporary folder, gone with its test process.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tower_subscription_key::manage::{Manage, ManageBuilder, ManageError};

use crate::support::Repository;

/// Far longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server. It listens on a socket in its folder, and on a port of 127.0.0.1.
pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Running>,
}

/// The server ends, and its folder is removed, when its standard input is closed:
/// so also if the test process ends without dropping it.
struct Running {
    shell: Child,
    alive: ChildStdin,
}

/// The user that the server runs as: PostgreSQL refuses to run as root.
fn user() -> Option<u32> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    match id(&["-u"]) {
        Some(0) => Some(id(&["-u", "postgres"]).unwrap_or(65_534)),
        _ => None,
    }
}

/// A program of PostgreSQL, from the path or from where Debian puts it.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdout(Stdio::null());
    if let Some(user) = user() {
        command.uid(user).gid(user);
    }
    command
}

impl Server {
    pub fn start() -> Self {
        Self::start_with("", |_| ())
    }

    /// With lines of configuration, and after something was done in its folder.
    pub fn start_with(configuration: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        if let Some(user) = user() {
            chown(folder.path(), Some(user), Some(user)).unwrap();
        }
        let data = folder.path().join("data");
        let made = command(&program("initdb"))
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
                "-D",
            ])
            .arg(&data)
            .current_dir(folder.path())
            .status();
        let made = made.unwrap_or_else(|error| {
            panic!("cannot start initdb: {error}: install PostgreSQL (Debian: postgresql)")
        });
        assert!(made.success(), "initdb failed");
        prepare(folder.path());
        let own = data.join("postgresql.conf");
        let text = fs::read_to_string(&own).unwrap() + "\n" + configuration;
        fs::write(&own, text).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Self {
            folder,
            port,
            running: None,
        };
        server.run();
        server
    }

    /// Starts the server that was stopped, with its data.
    pub fn run(&mut self) {
        let script = r#"
            folder=$1; shift
            "$@" & server=$!
            read word
            kill -INT $server; wait $server
            [ "$word" = stop ] || rm -rf "$folder"
        "#;
        let mut shell = command(Path::new("/bin/sh"))
            .args(["-c", script, "sh"])
            .arg(self.folder.path())
            .arg(program("postgres"))
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-p", &self.port.to_string(), "-k"])
            .arg(self.folder.path())
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=300",
            ])
            .stdin(Stdio::piped())
            .stderr(fs::File::create(self.folder.path().join("log")).unwrap())
            .current_dir(self.folder.path())
            .spawn()
            .unwrap();
        let alive = shell.stdin.take().unwrap();
        self.running = Some(Running { shell, alive });
        let end = Instant::now() + PATIENCE;
        while !self.psql("postgres", "SELECT 1").0 {
            assert!(
                Instant::now() < end,
                "the server does not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops the server, which ends all connections.
    pub fn stop(&mut self) {
        if let Some(Running {
            mut shell,
            mut alive,
        }) = self.running.take()
        {
            alive.write_all(b"stop\n").unwrap();
            shell.wait().unwrap();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL. Returns whether it succeeded, and what it printed.
    pub fn psql(&self, database: &str, sql: &str) -> (bool, String) {
        let output = Command::new(program("psql"))
            .arg("-h")
            .arg(self.folder.path())
            .args([
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                "-d",
                database,
            ])
            .args(["-X", "-q", "-A", "-t", "-c", sql])
            .stderr(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        )
    }

    /// A new database, by its URL.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        assert!(self.psql("postgres", &format!("CREATE DATABASE {name}")).0);
        self.url(&name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Writes the certificate of the server and its key, for its user only.
pub fn write_private(folder: &Path, certificate: &str, key: &str) {
    for (name, text) in [("server.crt", certificate), ("server.key", key)] {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        let mode = if name == "server.key" { 0o600 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        if let Some(user) = user() {
            chown(&path, Some(user), Some(user)).unwrap();
        }
    }
}

/// A new database on the server that all tests of this process share, by its URL.
pub fn shared_database() -> String {
    static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
    SERVER.database()
}

/// A database on the server that all tests of this process share.
pub struct Postgres(String);

impl Repository for Postgres {
    async fn start() -> Self {
        Self(tokio::task::spawn_blocking(shared_database).await.unwrap())
    }

    fn target(&self) -> Option<String> {
        Some(self.0.clone())
    }

    async fn open(&self, builder: ManageBuilder) -> Result<Manage, ManageError> {
        builder.open(&self.0).await
    }

    async fn execute(&self, sql: &str) {
        let pool = sqlx::PgPool::connect(&self.0).await.unwrap();
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
        query.execute(&pool).await.unwrap();
    }
}
