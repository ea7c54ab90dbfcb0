//! A server below HTTP: it reads one request from a connection and then does what the test says with the bare socket.

use std::future::Future;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A server on loopback.
pub struct Wire {
    pub url: String,
}

impl Wire {
    /// Hands each request's body and its socket to `act`.
    pub async fn start<F, Fut>(act: F) -> Self
    where
        F: Fn(Vec<u8>, TcpStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let act = Arc::new(act);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let act = Arc::clone(&act);
                tokio::spawn(async move {
                    if let Some(body) = request_body(&mut socket).await {
                        act(body, socket).await;
                    }
                });
            }
        });
        Self { url }
    }
}

async fn request_body(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let end = head_end + length.unwrap_or(0);
    while bytes.len() < end {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(bytes[head_end..end].to_vec())
}

/// Writes bytes as they are.
pub async fn say(socket: &mut TcpStream, bytes: &[u8]) {
    let _gone = socket.write_all(bytes).await;
    let _gone = socket.flush().await;
}
