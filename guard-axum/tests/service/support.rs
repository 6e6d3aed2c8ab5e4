//! Dependencies that log what happens to them, and clients.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use guard_axum::{DependencyError, RequestScopeLayer};
use guard_core::{Outcome, async_context, yield_resource};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::yield_now;
use tower::ServiceExt;

/// The log of a test. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    events: Arc<Mutex<Vec<String>>>,
    changed: Arc<Notify>,
}

impl Log {
    pub(crate) fn push(&self, event: impl Into<String>) {
        self.events.lock().unwrap().push(event.into());
        self.changed.notify_waiters();
    }

    /// All events until now, which are forgotten.
    pub(crate) fn line(&self) -> String {
        std::mem::take(&mut *self.events.lock().unwrap()).join(" ")
    }

    /// Waits until this has happened.
    pub(crate) async fn until(&self, event: &str) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.events.lock().unwrap().iter().any(|e| e == event) {
                return;
            }
            changed.await;
        }
    }
}

/// An error of the tests' own.
#[derive(Debug)]
pub(crate) enum Refused {
    Teapot(String),
    Dependency(DependencyError),
}

impl From<DependencyError> for Refused {
    fn from(error: DependencyError) -> Self {
        error.downcast().unwrap_or_else(Self::Dependency)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Teapot(why) => f.write_str(why),
            Self::Dependency(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Teapot(why) => (StatusCode::IM_A_TEAPOT, why).into_response(),
            Self::Dependency(error) => error.into_response(),
        }
    }
}

pub(crate) fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "",
        Outcome::Failed(()) => ":failed",
        Outcome::Panicked => ":panicked",
        Outcome::Cancelled => ":cancelled",
    }
}

/// A context that logs its entering, its exit and the outcome, and suspends once in each.
#[async_context]
pub(crate) async fn logged(log: Log, name: &'static str, fails: bool) -> Result<String, Refused> {
    yield_now().await;
    log.push(format!("+{name}"));
    let mut lent = name.to_owned();
    let outcome = yield_resource!(lent);
    yield_now().await;
    log.push(format!("-{name}{}", mark(outcome)));
    if fails {
        return Err(Refused::Teapot(format!("{name} fails")));
    }
    Ok(())
}

/// A dependency that is [`logged`], with those that it needs. It may fail to exit.
macro_rules! dependency {
    ($name:ident $(needs $needs:ident)* $(, $fails:literal)?) => {
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl guard_axum::Dependency for $name {
            type State = $crate::support::Log;
            type Resource = String;
            type Error = $crate::support::Refused;

            async fn context(
                _parts: &mut axum::http::request::Parts,
                log: &$crate::support::Log,
            ) -> Result<guard_axum::ContextOf<Self>, $crate::support::Refused> {
                $(guard_axum::Depends::<$needs>::of(_parts, log).await?;)*
                let context = $crate::support::logged(
                    log.clone(),
                    stringify!($name),
                    false $(|| $fails)?,
                );
                Ok(guard_core::AsyncContext::boxed(context))
            }
        }
    };
}
pub(crate) use dependency;

dependency!(A);
dependency!(B needs A);
dependency!(C needs B);
dependency!(D needs A);
dependency!(Failing, true);

/// A router with one page, in a scope.
pub(crate) fn page<H, T>(log: &Log, handler: H) -> Router
where
    H: axum::handler::Handler<T, Log>,
    T: 'static,
{
    bare(handler)
        .layer(RequestScopeLayer::new())
        .with_state(log.clone())
}

/// A router with one page, and no scope.
pub(crate) fn bare<H, T>(handler: H) -> Router<Log>
where
    H: axum::handler::Handler<T, Log>,
    T: 'static,
{
    Router::new().route("/", axum::routing::any(handler))
}

pub(crate) fn request() -> Request<Body> {
    Request::new(Body::empty())
}

/// The status and the body of a request to a router, without a server. "response" is logged when it is there.
pub(crate) async fn answer(log: &Log, router: Router) -> (u16, String) {
    let response = router.oneshot(request()).await.unwrap();
    log.push("response");
    read(response).await
}

pub(crate) async fn read(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX);
    let body = body.await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// The status and the log of a request to a page with this handler.
pub(crate) async fn events<H, T>(handler: H) -> (u16, String)
where
    H: axum::handler::Handler<T, Log>,
    T: 'static,
{
    let log = Log::default();
    let (status, _) = answer(&log, page(&log, handler)).await;
    (status, log.line())
}

pub(crate) fn happened(status: u16, events: &str) -> (u16, String) {
    (status, events.to_owned())
}

/// A request that has been sent. Dropping it hangs up.
pub(crate) struct Sent<I>(pub(crate) I);

impl Sent<TcpStream> {
    pub(crate) async fn to(address: SocketAddr, path: &str) -> Self {
        Self::through(TcpStream::connect(address).await.unwrap(), path).await
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Sent<I> {
    pub(crate) async fn through(mut stream: I, path: &str) -> Self {
        let head = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// The status and the body. The status is 0 if the service hung up.
    pub(crate) async fn answer(mut self) -> (u16, String) {
        let mut answer = String::new();
        if self.0.read_to_string(&mut answer).await.is_err() {
            return (0, String::new());
        }
        let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok());
        let body = answer.split_once("\r\n\r\n");
        (
            status.unwrap_or(0),
            body.map(|(_, body)| body.to_owned()).unwrap_or_default(),
        )
    }
}

/// Panics without the panic hook, which would print.
pub(crate) fn quiet_panic() -> ! {
    std::panic::resume_unwind(Box::new("a panic"))
}

/// Polls once.
pub(crate) async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// A listener in memory, which accepts what [`Connect`] connects.
pub(crate) struct Memory(mpsc::UnboundedReceiver<DuplexStream>);

#[derive(Clone)]
pub(crate) struct Connect(mpsc::UnboundedSender<DuplexStream>);

pub(crate) fn memory() -> (Memory, Connect) {
    let (connect, accept) = mpsc::unbounded_channel();
    (Memory(accept), Connect(connect))
}

impl Connect {
    /// The client's end of a new connection. If nobody accepts, it is closed.
    pub(crate) fn connect(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(4096);
        drop(self.0.send(server));
        client
    }

    /// Waits until nobody accepts any more.
    #[cfg(feature = "http2")]
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

impl axum::serve::Listener for Memory {
    type Io = DuplexStream;
    type Addr = &'static str;

    async fn accept(&mut self) -> (DuplexStream, &'static str) {
        match self.0.recv().await {
            Some(stream) => (stream, "memory"),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<&'static str> {
        Ok("memory")
    }
}
