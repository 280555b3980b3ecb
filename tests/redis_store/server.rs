//! A private `redis-server`, and three of them as a cluster.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Client, FromRedisValue, RedisResult, cmd};
use tokio::net::TcpSocket;

/// Far longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that stays reserved until this is dropped, even while its server is down.
///
/// A bound socket that does not listen reserves it: connections are refused, and
/// only a process that requests this port explicitly can listen on it.
pub struct Port {
    number: u16,
    _held: Option<TcpSocket>,
}

impl Port {
    pub fn free() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let number = socket.local_addr().unwrap().port();
        // Other systems do not allow two sockets on one port.
        let _held = cfg!(target_os = "linux").then_some(socket);
        Self { number, _held }
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}

/// A server that is killed on drop.
pub struct Server {
    port: Port,
    /// A second port, for TLS or for the cluster bus.
    other_port: Port,
    arguments: Vec<String>,
    directory: tempfile::TempDir,
    child: Child,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(|_, _| Vec::new())
    }

    /// Starts a server with arguments that may depend on its private directory and its
    /// second port.
    pub fn start_with(arguments: impl Fn(&Path, u16) -> Vec<String>) -> Self {
        // On systems without port reservation, another process may have taken it.
        for _ in 0..20 {
            let (port, other_port) = (Port::free(), Port::free());
            let directory = tempfile::tempdir().unwrap();
            let arguments = arguments(directory.path(), other_port.number);
            let child = spawn(port.number, &arguments, &directory);
            let mut server = Self {
                port,
                other_port,
                arguments,
                directory,
                child,
            };
            if server.comes_up() {
                return server;
            }
        }
        panic!("no redis-server found a free port");
    }

    fn comes_up(&mut self) -> bool {
        let begun = Instant::now();
        let own = format!("process_id:{}\r", self.child.id());
        while begun.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            // The answer may come from another process.
            let info: RedisResult<String> = self.try_run(&["INFO", "server"]);
            if info.is_ok_and(|info| info.contains(&own)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server did not come up");
    }

    pub fn port(&self) -> u16 {
        self.port.number
    }

    pub fn other_port(&self) -> u16 {
        self.other_port.number
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    pub fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_run(words).unwrap()
    }

    pub fn try_run<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let client = Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(PATIENCE)?;
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection)
    }

    /// Kills it, like a crash.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Restarts it on the same port, empty.
    pub fn restart(&mut self) {
        self.kill();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.child = spawn(self.port(), &self.arguments, &self.directory);
            if self.comes_up() {
                return;
            }
        }
        panic!("redis-server did not come up again");
    }

    /// Suspends it: connections are accepted, but never answered.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, arguments: &[String], directory: &tempfile::TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(directory.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("redis-server is not installed: apt-get install redis-server ({error})")
        })
}

/// Three masters.
pub struct Cluster {
    pub nodes: Vec<Server>,
}

impl Cluster {
    pub fn start() -> Self {
        // A slow node must not be taken for a failed one.
        let patience = PATIENCE.as_millis().to_string();
        let arguments = |_: &Path, bus: u16| {
            let words = ["--cluster-enabled", "yes", "--cluster-node-timeout"];
            let words = words.into_iter().chain([&*patience, "--cluster-port"]);
            let bus = bus.to_string();
            words.chain([&*bus]).map(str::to_owned).collect()
        };
        let nodes: Vec<_> = (0..3).map(|_| Server::start_with(arguments)).collect();
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (node, (first, last)) in nodes.iter().zip(slots) {
            let _: () = node.run(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        for node in &nodes[1..] {
            let [port, bus] = [node.port(), node.other_port()].map(|port| port.to_string());
            let _: () = nodes[0].run(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let cluster = Self { nodes };
        cluster.wait();
        cluster
    }

    fn wait(&self) {
        let begun = Instant::now();
        let is_whole = |node: &Server| {
            let info: String = node.run(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        };
        while !self.nodes.iter().all(is_whole) {
            assert!(begun.elapsed() < PATIENCE, "the cluster did not form");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }
}
