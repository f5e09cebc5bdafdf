//! Connections: accepting them, bounds on them, and letting them finish.
//!
//! HTTP/1.1, and HTTP/2 for those who begin with its preface (h2c; TLS is a proxy's). A connection costs a task; there is a
//! bound on them, and more wait in the kernel's queue.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Version, header};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::linger::Lingering;
use super::peer::Peer;
use super::sendfile::MediaSocket;
use crate::telemetry::metric;

/// Bounds on connections.
#[derive(Clone, Debug)]
pub struct ServeLimits {
    /// Open at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// From the first byte of a request, or from the end of the one before, to the end of its head. Also how long an idle
    /// connection is kept.
    pub head_timeout: Duration,
    /// How long requests may go on after the shutdown began.
    pub drain_timeout: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        ServeLimits {
            // Each costs a file descriptor and some 20 KiB; players open two to six.
            connections_max: 4096,
            // Players ask again within a segment or two; who sends heads drop by drop holds a connection no longer than this.
            head_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_millis(1500),
        }
    }
}

/// Heads and what is read ahead of a body. Half would refuse a signed address beside many cookies of a shared domain; double costs
/// memory for each of hundreds of senders.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
/// HTTP/2 requests at once on one connection: a player's prefetch, not more.
const STREAMS_MAX: u32 = 64;
/// Headers of one HTTP/2 request together.
const HEADERS_BYTES_MAX: u32 = 32 * 1024;
/// When the process has no file descriptors left, accepting fails at once, again and again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop`, then lets requests finish for [`ServeLimits::drain_timeout`] and cuts off the rest.
pub async fn serve(listener: TcpListener, router: Router, limits: ServeLimits, stop: CancellationToken) {
    let builder = Arc::new(builder(&limits));
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let open = metrics::gauge!(metric::HTTP_CONNECTIONS);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("nothing closes the semaphore");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (builder, router, watcher, open) = (Arc::clone(&builder), router.clone(), graceful.watcher(), open.clone());
        connections.spawn(async move {
            let _place = Place::take(place, open);
            connection(&builder, stream, peer, router, watcher).await;
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::info!("requests that did not finish in time were cut off");
    }
    // Aborts what is left, and waits until it is gone: nothing of a request runs after this.
    connections.shutdown().await;
}

/// One of the connections that may be open; given back however it ends.
struct Place {
    open: metrics::Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn take(permit: OwnedSemaphorePermit, open: metrics::Gauge) -> Self {
        open.increment(1);
        Place { open, _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.decrement(1);
    }
}

fn builder(limits: &ServeLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .keep_alive_interval(limits.head_timeout);
    builder
}

async fn connection(builder: &Builder<TokioExecutor>, stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    // Playlists and the last part of a segment must not wait for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "set TCP_NODELAY");
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let read = Arc::new(AtomicBool::new(false));
        let mut request = request.map(|body| Body::new(Watched::new(body, Arc::clone(&read))));
        request.extensions_mut().insert(Peer(Some(peer)));
        let closes = matches!(request.version(), Version::HTTP_10 | Version::HTTP_11);
        let answer = router.clone().oneshot(request);
        async move {
            let mut response = answer.await?;
            // What nobody read of a body would be taken for the next request: the connection ends, and the client must not
            // send another request on it.
            if closes && !read.load(Ordering::Relaxed) {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(Lingering::new(MediaSocket::new(stream)));
    if let Err(error) = watcher.watch(builder.serve_connection(io, service)).await {
        // A peer that hangs up, stalls or speaks nonsense is its own business.
        tracing::debug!(%peer, error, "connection ended");
    }
}

/// A request's body that tells whether it was read to its end.
struct Watched {
    body: Incoming,
    read: Arc<AtomicBool>,
}

impl Watched {
    fn new(body: Incoming, read: Arc<AtomicBool>) -> Self {
        read.store(body.is_end_stream(), Ordering::Relaxed);
        Watched { body, read }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.read.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
