//! The server loop: accepts connections, and limits their number and the time and size of a request's head.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::change_tasks::ChangeTasks;
use super::problem::Problem;
use super::seats::{Seat, SeatLimits, Seats};
use campanile_engine::Stop;

/// The places of connections. A request's head must be whole within the time of quiet, and the next one must follow
/// within it.
const DOOR: SeatLimits = SeatLimits { total: 1_024, of_peer: 256, quiet: Duration::from_secs(10) };
/// The places for those who come while all others have requests under way: they are told that there is no room, or how
/// the engine is.
const RESERVE: SeatLimits = SeatLimits { total: 64, of_peer: 64, quiet: Duration::from_secs(2) };
/// Largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 100;

/// Serves until `stop` says so, then takes no connection any more and lets requests under way finish, until the time that
/// it says at most. Those that may change something finish also when their clients have hung up.
///
/// A fault of a connection ends that connection only. Over their limit new ones are answered 503, but for questions after
/// the engine's health.
///
/// # Errors
/// When the listener will never give a connection again.
pub async fn serve(listener: TcpListener, router: Router, mut stop: Stop) -> io::Result<()> {
    let (seats, reserve) = (Seats::new(DOOR), Seats::new(RESERVE));
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    // The time of a head is the seats' matter: hyper's own knows nothing of the bytes before the protocol is known.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
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
            accepted = accept(&listener) => accepted,
        };
        let Some((stream, peer)) = accepted? else { continue };
        let (seat, has_room) = match seats.take(peer.ip()) {
            Some(seat) => (Some(seat), true),
            None => (reserve.take(peer.ip()), false),
        };
        let Some(seat) = seat.map(Arc::new) else { continue };
        let (builder, watcher) = (Arc::clone(&builder), graceful.watcher());
        let door = Door {
            router: router.clone(),
            changes: Arc::clone(&changes),
            seat: Arc::clone(&seat),
            has_room,
            peer,
        };
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request| door.respond(request));
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                ended = watcher.watch(connection) => if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "connection broke off");
                },
                () = seat.ended() => tracing::debug!(%peer, "connection ended: nothing came, or it made room"),
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

/// Accepts a connection; none after a fault that passes, and a pause.
async fn accept(listener: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            // A failure only means that small answers may wait for the peer's acknowledgement.
            let _ = stream.set_nodelay(true);
            Ok(Some((stream, peer)))
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
    seat: Arc<Seat>,
    /// False in the reserve, where only the engine's health is told.
    has_room: bool,
    peer: SocketAddr,
}

impl Door {
    fn respond(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        let busy = self.seat.begin();
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let refusal = match settle_host(&mut request) {
            Err(problem) => Some(problem),
            Ok(()) if self.has_room || is_about_health(&request) => None,
            Ok(()) => Some(Problem::no_room()),
        };
        let (router, changes) = (self.router.clone(), Arc::clone(&self.changes));
        let answered = match refusal {
            Some(problem) => Err((problem, busy)),
            None => Ok(changes.respond(router, request, busy)),
        };
        async move {
            let (problem, _busy) = match answered {
                Ok(answered) => return Ok(answered.await),
                Err(refused) => refused,
            };
            let mut response = problem.into_response();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            Ok(response)
        }
    }
}

/// Has the request name one host in its one `Host` header: that of its target, where that has one (RFC 9112, 3.2.2).
fn settle_host(request: &mut Request) -> Result<(), Problem> {
    let mut given = request.headers().get_all(HOST).iter();
    let (first, second) = (given.next().cloned(), given.next());
    if second.is_some() {
        return Err(Problem::bad_request("the request has more than one `Host`: send one"));
    }
    let of_target = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if first.is_none() && of_target.is_none() && request.version() >= Version::HTTP_11 {
        return Err(Problem::bad_request("the request has no `Host`: send one"));
    }
    if let Some(host) = of_target {
        request.headers_mut().insert(HOST, host);
    }
    Ok(())
}

/// Tells requests that are answered however full the engine is.
fn is_about_health(request: &Request) -> bool {
    let path = request.uri().path();
    request.method().is_safe() && (path.ends_with("/healthz") || path.ends_with("/readyz"))
}
