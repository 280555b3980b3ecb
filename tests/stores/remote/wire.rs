//! A remote server that keeps its connections open and sends faulty answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::read_head;

/// A request: the number of its connection, its number on the connection, its head.
#[derive(Debug, Clone)]
pub struct Asked {
    pub connection: usize,
    pub nth: usize,
    pub head: String,
}

pub enum Reply {
    Answer(String),
    /// Closes the connection without an answer.
    Close,
}

pub struct Wire {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    accepting: JoinHandle<()>,
}

impl Wire {
    pub async fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let reply = Arc::new(reply);
        let accepting = tokio::spawn({
            let asked = Arc::clone(&asked);
            async move {
                for connection in 0.. {
                    let Ok((stream, _)) = listener.accept().await else {
                        return;
                    };
                    let (asked, reply) = (Arc::clone(&asked), Arc::clone(&reply));
                    tokio::spawn(serve(stream, connection, asked, reply));
                }
            }
        });
        Self {
            address,
            asked,
            accepting,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    all: Arc<Mutex<Vec<Asked>>>,
    reply: Arc<impl Fn(&Asked) -> Reply>,
) -> Option<()> {
    for nth in 0.. {
        let head = read_head(&mut stream).await?;
        let asked = Asked {
            connection,
            nth,
            head,
        };
        all.lock().unwrap().push(asked.clone());
        match reply(&asked) {
            Reply::Answer(answer) => stream.write_all(answer.as_bytes()).await.ok()?,
            Reply::Close => return None,
        }
    }
    None
}

/// An answer that keeps the connection open.
pub fn kept(headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Answer(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))
}
