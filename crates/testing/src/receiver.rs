//! A web server for pushes: keeps what it is sent and answers as a test says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Notify;
use url::form_urlencoded::parse;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
    /// The status that it was answered.
    pub status: u16,
    /// The time at which it had come.
    pub at: Instant,
}

impl Got {
    /// A field of the form that the body is.
    pub fn field(&self, name: &str) -> String {
        let mut fields = parse(self.body.as_bytes());
        fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    /// The packets of a form.
    pub fn packets(&self) -> Vec<serde_json::Value> {
        serde_json::from_str(&self.field("packets")).unwrap()
    }
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    Later(u16, u32),
    /// With this status, once it is told to.
    Held(u16, Arc<Notify>),
    /// Not at all, for as long as anybody waits.
    Hang,
    /// By a body that breaks off.
    Drop,
}

/// The server.
pub struct Receiver {
    pub port: u16,
    got: Arc<Mutex<Vec<Got>>>,
    /// Most requests that were there at the same time.
    at_once: Arc<AtomicUsize>,
}

impl Receiver {
    /// Everything is fine.
    pub async fn kind() -> Self {
        Self::start(0, |_, _| Reply::Status(200)).await
    }

    /// On this port, or on any for 0; `reply` is given the number of the request, from 1, and its body.
    pub async fn start(
        port: u16,
        reply: impl Fn(usize, &str) -> Reply + Clone + Send + Sync + 'static,
    ) -> Self {
        let got = Arc::<Mutex<Vec<Got>>>::default();
        let (now, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (keep, at_once) = (Arc::clone(&got), Arc::clone(&most));
        let handler = async move |headers: HeaderMap, uri: Uri, body: String| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let number = keep.lock().unwrap().len() + 1;
            let reply = reply(number, &body);
            let status = match reply {
                Reply::Status(status) | Reply::Later(status, _) | Reply::Held(status, _) => status,
                Reply::Hang | Reply::Drop => 0,
            };
            keep.lock().unwrap().push(Got {
                path: uri.path().to_owned(),
                headers,
                body,
                status,
                at: Instant::now(),
            });
            let response = answer(reply).await;
            now.fetch_sub(1, Ordering::SeqCst);
            response
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = axum::Router::new().fallback(handler).layer(axum::extract::DefaultBodyLimit::disable());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, got, at_once }
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The packets of all forms that were taken, in the order of their coming.
    pub fn packets(&self) -> Vec<serde_json::Value> {
        let taken = self.got().into_iter().filter(|got| (200..300).contains(&got.status));
        taken.flat_map(|got| got.packets()).collect()
    }

    pub fn most_at_once(&self) -> usize {
        self.at_once.load(Ordering::SeqCst)
    }
}

async fn answer(reply: Reply) -> Response {
    match reply {
        Reply::Status(status) => (StatusCode::from_u16(status).unwrap(), "as told").into_response(),
        Reply::Held(status, go_on) => {
            go_on.notified().await;
            StatusCode::from_u16(status).unwrap().into_response()
        }
        Reply::Later(status, seconds) => {
            let after = [("retry-after", seconds.to_string())];
            (StatusCode::from_u16(status).unwrap(), after, "later").into_response()
        }
        Reply::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        }
        Reply::Drop => {
            let broken = futures_util::stream::iter([Err::<String, _>(std::io::Error::other("gone"))]);
            Response::new(Body::from_stream(broken))
        }
    }
}
