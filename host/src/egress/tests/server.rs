//! A server on loopback that answers with the bytes that a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(super) struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    closes: Arc<AtomicBool>,
    accepting: tokio::task::JoinHandle<()>,
}

/// 200 with that text.
pub(super) fn answer(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

impl Server {
    /// `answer`: of a request's head with what came with it.
    pub(super) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, closes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, ends, answer) = (connections.clone(), closes.clone(), Arc::new(answer));
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (ends, answer) = (ends.clone(), answer.clone());
                tokio::spawn(async move {
                    let (mut head, mut part) = (Vec::new(), [0; 4096]);
                    while let Ok(count @ 1..) = stream.read(&mut part).await {
                        head.extend_from_slice(&part[..count]);
                        if !head.windows(4).any(|end| end == b"\r\n\r\n") {
                            continue;
                        }
                        let bytes = answer(&String::from_utf8_lossy(&std::mem::take(&mut head)));
                        if stream.write_all(&bytes).await.is_err() || ends.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, connections, closes, accepting }
    }

    /// Each connection ends after one answer.
    pub(super) fn closing(self) -> Self {
        self.closes.store(true, Ordering::Relaxed);
        self
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
