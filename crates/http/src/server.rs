//! The server loop: accepts connections, and limits their number and the time and size of a request's head.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::change_tasks::ChangeTasks;
use campanile_engine::Stop;

/// Connections at once.
const MAX_CONNECTIONS: usize = 1_024;
/// Longest time for a request's head.
const HEAD_DEADLINE: Duration = Duration::from_secs(15);
/// Largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 100;

/// Serves until `stop` says so, then takes no connection any more and lets requests under way finish, until the time that
/// it says at most. Those that may change something finish also when their clients have hung up.
///
/// A fault of a connection ends that connection only. Over their limit new ones wait in the listener's backlog.
///
/// # Errors
/// When the listener will never give a connection again.
pub async fn serve(listener: TcpListener, router: Router, mut stop: Stop) -> io::Result<()> {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(100)
        .keep_alive_interval(Duration::from_secs(30));
    let builder = Arc::new(builder);
    let mut connections = JoinSet::new();
    let changes = Arc::new(ChangeTasks::default());
    while stop.borrow().is_none() {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            _ = stop.changed() => continue,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, peer, permit)) = accepted? else { continue };
        let (builder, watcher) = (Arc::clone(&builder), graceful.watcher());
        let door =
            Door { router: router.clone(), changes: Arc::clone(&changes), permit: Arc::new(permit), peer };
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request| door.respond(request));
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%peer, %error, "connection broke off");
            }
        });
    }
    drop(listener);
    let deadline = stop.borrow().unwrap_or_else(tokio::time::Instant::now);
    if tokio::time::timeout_at(deadline, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests were cut off by the stop");
    }
    changes.finish(deadline).await;
    // Those too that the shutdown does not know of yet: what is under way behind it must not go on.
    connections.shutdown().await;
    Ok(())
}

type Accepted = (tokio::net::TcpStream, SocketAddr, OwnedSemaphorePermit);

/// Accepts a connection; none after a fault that passes, and a pause.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> io::Result<Option<Accepted>> {
    let Ok(permit) = Arc::clone(permits).acquire_owned().await else { return Ok(None) };
    match listener.accept().await {
        Ok((stream, peer)) => {
            // A failure only means that small answers may wait for the peer's acknowledgement.
            let _ = stream.set_nodelay(true);
            Ok(Some((stream, peer, permit)))
        }
        // The socket listens no more: asked again and again, it would say the same for ever.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            let text = format!("its socket takes no connections any more, and never will: {error}");
            Err(io::Error::new(error.kind(), text))
        }
        Err(error) => {
            tracing::warn!(%error, "connection not accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(None)
        }
    }
}

/// The way of a connection's requests to the router.
struct Door {
    router: Router,
    changes: Arc<ChangeTasks>,
    /// Given back when the connection is over, and all that it has begun.
    permit: Arc<OwnedSemaphorePermit>,
    peer: SocketAddr,
}

impl Door {
    fn respond(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let (router, changes, permit) =
            (self.router.clone(), Arc::clone(&self.changes), Arc::clone(&self.permit));
        let answered = changes.respond(router, request, permit);
        async move { Ok(answered.await) }
    }
}
