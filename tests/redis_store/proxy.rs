//! A TCP proxy in front of a server that can delay, hold and reset connections.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What the proxy does with the bytes that pass through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Delivers every byte after this delay.
    Delay(Duration),
    /// Delivers nothing; connections stay open.
    Hold,
    /// Closes open connections and those that arrive.
    Reset,
}

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    target: AtomicU16,
    mode: watch::Sender<Mode>,
    repeats_next: AtomicBool,
}

impl Proxy {
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target: AtomicU16::new(target),
            mode: watch::Sender::new(Mode::Delay(Duration::ZERO)),
            repeats_next: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move { shared.serve(client).await });
            }
        });
        Self { port, shared, task }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Delivers the next answer of the server twice.
    pub fn repeat_next_answer(&self) {
        self.shared.repeats_next.store(true, Ordering::SeqCst);
    }

    /// Sends later connections to another server, and closes the open ones.
    pub fn fail_over_to(&self, target: u16) {
        self.shared.target.store(target, Ordering::SeqCst);
        let before = *self.shared.mode.borrow();
        self.set(Mode::Reset);
        self.set(before);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn serve(&self, client: TcpStream) {
        let target = self.target.load(Ordering::SeqCst);
        let mut reset = self.mode.subscribe();
        if *reset.borrow_and_update() == Mode::Reset {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
            return;
        };
        let (client, server) = (client.into_split(), server.into_split());
        tokio::select! {
            () = self.relay(client.0, server.1, false) => {}
            () = self.relay(server.0, client.1, true) => {}
            () = async {
                // A reset that another mode follows at once must count, too.
                while *reset.borrow_and_update() != Mode::Reset
                    && self.target.load(Ordering::SeqCst) == target
                {
                    if reset.changed().await.is_err() {
                        return;
                    }
                }
            } => {}
        }
    }

    /// Reads ahead, so that a delay costs time and no throughput.
    async fn relay(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_answer: bool) {
        let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
        let read = async move {
            loop {
                let mut chunk = Vec::with_capacity(4096);
                match from.read_buf(&mut chunk).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) if sender.send((Instant::now(), chunk)).await.is_err() => return,
                    Ok(_) => {}
                }
            }
        };
        let mut mode = self.mode.subscribe();
        let write = async move {
            while let Some((arrived, chunk)) = chunks.recv().await {
                loop {
                    let delay = match *mode.borrow_and_update() {
                        Mode::Delay(delay) => delay,
                        Mode::Reset => return,
                        Mode::Hold => Duration::MAX,
                    };
                    let left = delay.saturating_sub(arrived.elapsed());
                    tokio::select! {
                        () = tokio::time::sleep(left) => break,
                        changed = mode.changed() => if changed.is_err() { return },
                    }
                }
                let twice = is_answer && self.repeats_next.swap(false, Ordering::SeqCst);
                for _ in 0..=usize::from(twice) {
                    if to.write_all(&chunk).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::join!(read, write);
    }
}
