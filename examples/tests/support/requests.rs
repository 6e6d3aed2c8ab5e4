//! A minimal HTTP client, which can hang up at any time.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request that has been sent. Dropping it hangs up.
pub struct Request(TcpStream);

impl Request {
    pub async fn send(address: SocketAddr, method: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(address)
            .await
            .expect("the service accepts connections");
        let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream
            .write_all(head.as_bytes())
            .await
            .expect("the service listens");
        Self(stream)
    }

    /// The status and the body. The status is 0 if the service hung up.
    pub async fn answer(mut self) -> (u16, String) {
        let mut answer = String::new();
        if self.0.read_to_string(&mut answer).await.is_err() {
            return (0, String::new());
        }
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = answer
            .split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned());
        (status.unwrap_or(0), body.unwrap_or_default())
    }
}

/// Sends a request and waits for its answer.
pub async fn request(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    Request::send(address, method, path).await.answer().await
}
