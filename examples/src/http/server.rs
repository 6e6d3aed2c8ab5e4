//! A context that runs an HTTP server, and shuts it down gracefully.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use guard_core::{async_context, yield_resource};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A server that is running.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
}

impl Server {
    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Serves `router` on a listener, which may be bound to port 0.
///
/// The exit stops accepting, closes idle connections, and lets running requests end within `grace`. Then it
/// aborts the others: their handlers are dropped, and the contexts in them are cancelled. In that case the
/// exit fails with an error of the kind `TimedOut`.
///
/// This function can be copied.
#[async_context]
pub async fn server(listener: TcpListener, router: Router, grace: Duration) -> io::Result<Server> {
    let mut server = Server {
        address: listener.local_addr()?,
    };
    let (stop, stopped) = oneshot::channel::<Infallible>();
    let serving = tokio::spawn(serve(listener, router, stopped, grace));
    yield_resource!(server);
    drop(stop);
    match serving.await? {
        0 => Ok(()),
        cut => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{cut} connections were cut off after {grace:?}"),
        )),
    }
}

/// Accepts connections until `stopped`. Returns how many connections were aborted after that.
async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopped: oneshot::Receiver<Infallible>,
    grace: Duration,
) -> usize {
    let service = TowerToHyperService::new(router);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // The sender sends nothing. It is dropped.
            _ = &mut stopped => break,
            // Removes connections that have ended from the set.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                connections.spawn(graceful.watch(connection));
            }
            // Usually too many open files. That can change only with time, and the connection is gone.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    drop(listener);
    if timeout(grace, graceful.shutdown()).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    connections.shutdown().await;
    cut
}
