//! Request bodies, read within limits of size and time.
//!
//! `http_body_util::Limited` is no help: it knows no time, so the loop would stay, and its error would have to be told
//! from a broken connection's behind a `Box<dyn Error>`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Problem, ProblemCode};
use campanile_model::read_json;

/// The longest wait for the next chunk of a body.
const CHUNK_DEADLINE: Duration = Duration::from_secs(30);
/// The longest time for a whole body.
const BODY_DEADLINE: Duration = Duration::from_secs(600);
/// The longest wait for the next chunk of a sender who has not proven anything yet.
const UNPROVEN_CHUNK_DEADLINE: Duration = Duration::from_secs(10);
/// The longest time for such a sender's whole body.
const UNPROVEN_DEADLINE: Duration = Duration::from_secs(60);
/// Memory for bodies of all senders who have not proven anything yet, in KiB.
const UNPROVEN_KIB: u32 = 64 << 10;
/// Bodies up to this size have their part of it from the beginning, in KiB.
const SMALL_KIB: u32 = 256;
/// The longest wait for a part of that memory.
const ROOM_DEADLINE: Duration = Duration::from_secs(5);

/// The memory for bodies whose senders can prove themselves only by them, or not at all: one for the whole engine.
#[derive(Clone)]
pub(super) struct UnprovenRoom(Arc<Semaphore>);

impl Default for UnprovenRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(UNPROVEN_KIB as usize)))
    }
}

impl UnprovenRoom {
    /// Takes so many KiB. Fails with 503 when others have it for too long.
    async fn take(&self, kib: u32) -> Result<OwnedSemaphorePermit, Problem> {
        let room = Arc::clone(&self.0).acquire_many_owned(kib);
        match tokio::time::timeout(ROOM_DEADLINE, room).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(Problem::no_room_for_bodies()),
        }
    }

    /// Takes so many KiB more. Fails with 503 without a wait: those who hold a part and wait for more would have each other
    /// wait, and everybody else.
    fn take_at_once(&self, kib: u32) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0).try_acquire_many_owned(kib).map_err(|_| Problem::no_room_for_bodies())
    }
}

/// A body that is read chunk by chunk, and no further than its limits; the total deadline runs from its creation.
pub(super) struct LimitedBody {
    body: Body,
    /// The bytes that were announced and have not come.
    announced: Option<u64>,
    left: u64,
    limit: u64,
    until: tokio::time::Instant,
    /// The longest wait for the next chunk.
    patience: Duration,
}

impl LimitedBody {
    pub(super) fn new(body: Body, limit: u64) -> Self {
        let announced = body.size_hint().exact();
        let until = tokio::time::Instant::now() + BODY_DEADLINE;
        Self { body, announced, left: limit, limit, until, patience: CHUNK_DEADLINE }
    }

    /// Has less patience from now on: nothing proves yet that the sender has any right to it.
    fn hurry(&mut self) {
        self.until = self.until.min(tokio::time::Instant::now() + UNPROVEN_DEADLINE);
        self.patience = UNPROVEN_CHUNK_DEADLINE;
    }

    /// Reads the next chunk; none at the end. Fails with 408 when it comes too late, with 413 over the limit.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let deadline = self.until.min(tokio::time::Instant::now() + self.patience);
            let Ok(frame) = tokio::time::timeout_at(deadline, self.body.frame()).await else {
                return Err(Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    ProblemCode::TooSlow,
                    "the body came too slowly",
                ));
            };
            let Some(frame) = frame else {
                // In HTTP/2 a client that takes its request back ends the body as one does that has sent all of it.
                if let Some(missing @ 1..) = self.announced {
                    return Err(Problem::bad_request(format!(
                        "the body broke off: {missing} bytes are missing"
                    )));
                }
                return Ok(None);
            };
            let frame =
                frame.map_err(|error| Problem::bad_request(format!("the body broke off: {error}")))?;
            let Ok(chunk) = frame.into_data() else { continue };
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.announced = self.announced.map(|announced| announced.saturating_sub(length));
            self.left = self.left.checked_sub(length).ok_or_else(|| too_large(self.limit))?;
            return Ok(Some(chunk));
        }
    }

    /// Reads all of it into the memory for unproven senders, which is in use as long as the permit is there.
    pub(super) async fn unproven_bytes(
        &mut self,
        room: &UnprovenRoom,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
        self.hurry();
        let mut all = BytesMut::new();
        let (mut held, mut held_kib): (Option<OwnedSemaphorePermit>, u32) = (None, 0);
        let announced = self.announced.unwrap_or_default().div_ceil(1 << 10);
        let announced_kib = u32::try_from(announced).unwrap_or(u32::MAX);
        while let Some(chunk) = self.chunk().await? {
            let wanted = u32::try_from((all.len() + chunk.len()).div_ceil(1 << 10)).unwrap_or(u32::MAX);
            match &mut held {
                None => {
                    held_kib = wanted.max(announced_kib.min(SMALL_KIB)).max(1);
                    held = Some(room.take(held_kib).await?);
                }
                Some(held) if wanted > held_kib => {
                    held.merge(room.take_at_once(wanted - held_kib)?);
                    held_kib = wanted;
                }
                Some(_) => {}
            }
            all.extend_from_slice(&chunk);
        }
        Ok((all.freeze(), held))
    }

    /// Reads all of it as JSON.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and 400 for what is no `T`.
    pub(super) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let body = self.bytes().await?;
        read_json(&body).map_err(|error| Problem::bad_request(format!("$: {error}")))
    }

    /// Reads what comes, and keeps nothing: a refusal takes as long whatever its reason.
    pub(super) async fn discard(&mut self) {
        self.hurry();
        while let Ok(Some(_)) = self.chunk().await {}
    }

    /// Reads all of it into memory.
    pub(super) async fn bytes(&mut self) -> Result<Bytes, Problem> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

fn too_large(limit: u64) -> Problem {
    let detail = format!("the body is larger than {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, ProblemCode::TooLarge, detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt as _, stream};

    use super::*;

    /// A sender that goes silent is told so, and so is one that trickles for longer than a whole body may take.
    #[tokio::test(start_paused = true)]
    async fn slow_bodies_come_to_an_end() {
        let began = tokio::time::Instant::now();
        let silent = stream::iter([Ok::<_, Infallible>("author=")]).chain(stream::pending());
        let problem = LimitedBody::new(Body::from_stream(silent), 1_000).bytes().await.unwrap_err();
        assert_eq!(
            (problem.status(), problem.detail()),
            (StatusCode::REQUEST_TIMEOUT, "the body came too slowly")
        );
        assert_eq!(began.elapsed().as_secs(), CHUNK_DEADLINE.as_secs());

        let began = tokio::time::Instant::now();
        let trickling = stream::unfold((), |()| async {
            tokio::time::sleep(CHUNK_DEADLINE / 2).await;
            Some((Ok::<_, Infallible>("x"), ()))
        });
        let problem = LimitedBody::new(Body::from_stream(trickling), 1_000).bytes().await.unwrap_err();
        assert_eq!(problem.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(began.elapsed().as_secs(), BODY_DEADLINE.as_secs());
    }
}
