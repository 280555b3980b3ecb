//! A remote server that accepts connections and holds them until it is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::server::Server;

/// A gate in front of a server. Closing it again cuts open connections.
pub(crate) struct Gate {
    url: String,
    inside: Arc<Inside>,
    task: JoinHandle<()>,
}

struct Inside {
    to: u16,
    is_open: watch::Sender<bool>,
    arrived: AtomicUsize,
    held: AtomicUsize,
}

impl Gate {
    pub(crate) async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Inside {
            to: server.port(),
            is_open: watch::Sender::new(false),
            arrived: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
        });
        let each = Arc::clone(&inside);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                each.arrived.fetch_add(1, Ordering::SeqCst);
                let inside = Arc::clone(&each);
                tokio::spawn(async move { inside.serve(stream).await });
            }
        });
        Self { url, inside, task }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn open(&self) {
        self.inside.is_open.send_replace(true);
    }

    pub(crate) fn shut(&self) {
        self.inside.is_open.send_replace(false);
    }

    /// The number of connections so far.
    pub(crate) fn arrived(&self) -> usize {
        self.inside.arrived.load(Ordering::SeqCst)
    }

    /// The number of waiting connections with a client that is still connected.
    pub(crate) fn held(&self) -> usize {
        self.inside.held.load(Ordering::SeqCst)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inside {
    async fn serve(&self, mut stream: TcpStream) {
        let mut is_open = self.is_open.subscribe();
        self.held.fetch_add(1, Ordering::SeqCst);
        let mut said = Vec::new();
        let let_through = loop {
            tokio::select! {
                _ = is_open.wait_for(|is_open| *is_open) => break true,
                read = stream.read_buf(&mut said) => match read {
                    Ok(0) | Err(_) => break false,
                    Ok(_) => {}
                },
            }
        };
        self.held.fetch_sub(1, Ordering::SeqCst);
        if let_through {
            tokio::select! {
                _ = is_open.wait_for(|is_open| !is_open) => {}
                _ = self.relay(&mut stream, &said) => {}
            }
        }
    }

    async fn relay(&self, stream: &mut TcpStream, said: &[u8]) -> std::io::Result<()> {
        let mut server = TcpStream::connect(("127.0.0.1", self.to)).await?;
        server.write_all(said).await?;
        copy_bidirectional(stream, &mut server).await?;
        Ok(())
    }
}
