//! A session over a connection: lines are written when the session says so, and what is read is the session's to judge.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::connection::{Connection, ConnectionError};
use crate::event::SessionEvent;
use crate::message::encode;
use crate::session::Session;
use crate::settings::ClientSettings;

/// Time that the server gets to take our goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// One connection and its session. The caller's loop is: [`send_due`](Self::send_due), then wait for
/// [`next_events`](Self::next_events) and whatever else it waits for.
///
/// Two calls rather than one, since only reading can be cut short: a line of which half has been written, when another
/// branch of a `select!` was faster, would garble the next one.
pub struct Client {
    connection: Connection,
    session: Session,
}

impl Client {
    /// Begins a session on a connection that has just been made. `more_channels` are joined besides those of the
    /// settings, without being in them.
    #[must_use]
    pub fn new(connection: Connection, settings: Arc<ClientSettings>, more_channels: &[String]) -> Self {
        Self { connection, session: Session::new(settings, more_channels, Instant::now()) }
    }

    /// The session, to ask.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, to send something. It goes out by the next [`send_due`](Self::send_due).
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Writes all lines that may go out now. Not cancel safe.
    ///
    /// # Errors
    /// When the connection is over, or counts as lost since the server gives no sign of life.
    pub async fn send_due(&mut self) -> Result<(), ConnectionError> {
        let now = Instant::now();
        while let Some(line) = self.session.next_line(now) {
            self.connection.write(&line).await?;
        }
        if self.session.is_lost(now) { Err(ConnectionError::Silent(self.session.silence())) } else { Ok(()) }
    }

    /// Waits for a line of the server's, and gives what it means: often nothing. Comes back with nothing, too, when it
    /// is time for [`send_due`](Self::send_due). Cancel safe.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn next_events(&mut self) -> Result<Vec<SessionEvent>, ConnectionError> {
        tokio::select! {
            message = self.connection.read() => Ok(self.session.receive(message?, Instant::now())),
            () = sleep_until(self.session.due()) => Ok(Vec::new()),
        }
    }

    /// Says goodbye (I-RC-04) and gives the server a second to pass it on. What waits in the outbox is not sent.
    pub async fn quit(&mut self, reason: &str) {
        if self.connection.write(&encode(&format!("QUIT :{reason}"))).await.is_err() {
            return;
        }
        // Read to the end: closing a socket with unread bytes in it resets the connection, and the server might never
        // see the QUIT.
        let goodbye = async { while self.connection.read().await.is_ok() {} };
        tokio::select! { () = goodbye => {}, () = sleep(GOODBYE) => {} }
    }

    /// Closes the connection.
    pub async fn close(mut self) {
        self.connection.close().await;
    }
}
