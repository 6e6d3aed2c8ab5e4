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
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Serves `router` on a listener of one's own, such as one that was bound to port 0.
///
/// The exit stops accepting, closes idle connections, and lets the requests that are running end within
/// `grace`. What runs longer is cut off: its handler is dropped, and the contexts in it are cancelled. That
/// a server had to do so is its error, of the kind `TimedOut`.
///
/// Reusable as it is.
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

/// Accepts connections until `stopped`, and tells how many were cut off after that.
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
            // Nothing is ever sent: the other end is dropped.
            _ = &mut stopped => break,
            // Forgets connections that have ended, so that their number stays that of the open ones.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                connections.spawn(graceful.watch(connection));
            }
            // Mostly too many open files, which only time can cure; the connection itself is gone.
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
