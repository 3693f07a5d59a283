//! Bytes to and from a server, by TCP or TLS.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use campanile_outbound::limits;

use crate::message::{self, ServerMessage};
use crate::settings::ServerSettings;

/// Limit for TLS's goodbye, which changes nothing any more.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// More bytes than any server may send in a line, tags included.
const LONGEST_LINE: usize = 16 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that is not there, or no more.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The server can't be reached: its name, the guard of the way out, or TCP.
    #[error("{0}")]
    Connect(#[source] io::Error),
    /// No TLS: the server does not speak it, or its certificate is not right.
    #[error("no TLS: {0}")]
    Tls(#[source] io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// More than a line may hold came without an end.
    #[error("the server sends lines without end: it speaks another protocol")]
    LineTooLong,
    /// The server took nothing within this time.
    #[error("the server took nothing for {} s", .0.as_secs())]
    WriteTimeout(Duration),
    /// The server said nothing for this time, not even when asked to.
    #[error("the server has been silent for {} s", .0.as_secs())]
    Silent(Duration),
}

/// An open connection to a server, as lines.
pub struct Connection {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

impl Connection {
    /// Connects by TCP, and agrees on TLS if the settings ask for it. Dropping the future ends the attempt.
    ///
    /// # Errors
    /// When there is no connection, or no TLS on it, within their time ([`limits`]).
    pub async fn open(server: &ServerSettings) -> Result<Self, ConnectionError> {
        let tcp = server.dialer.connect(&server.host, server.port).await.map_err(ConnectionError::Connect)?;
        tcp.set_nodelay(true).map_err(ConnectionError::Connect)?;
        let stream = match &server.tls {
            None => Box::new(tcp) as Box<dyn Stream>,
            Some(tls) => Box::new(tls.connect(tcp).await.map_err(ConnectionError::Tls)?),
        };
        Ok(Self { stream, received: Vec::new() })
    }

    /// The next line; bytes that are none are passed over. Cancel safe: what has been received stays in the buffer.
    ///
    /// # Errors
    /// When the connection is over.
    pub(crate) async fn read(&mut self) -> Result<ServerMessage, ConnectionError> {
        loop {
            while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let bytes: Vec<u8> = self.received.drain(..=end).collect();
                if let Some(message) = message::parse(&String::from_utf8_lossy(&bytes)) {
                    return Ok(message);
                }
            }
            if self.received.len() > LONGEST_LINE {
                return Err(ConnectionError::LineTooLong);
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Err(ConnectionError::Closed),
                Ok(_) => {}
                Err(error) => return Err(ConnectionError::Broken(error)),
            }
        }
    }

    /// Sends a line, its end included. Not cancel safe: half a line may be out.
    ///
    /// # Errors
    /// When the connection is over, or the server takes nothing for 30 s.
    pub(crate) async fn write(&mut self, line: &str) -> Result<(), ConnectionError> {
        let writing = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(limits::IRC_WRITE, writing).await {
            Ok(written) => written.map_err(ConnectionError::Broken),
            Err(_) => Err(ConnectionError::WriteTimeout(limits::IRC_WRITE)),
        }
    }

    /// Ends the connection in order; without the far side's consent after a second.
    pub(crate) async fn close(&mut self) {
        // Whatever goes wrong, the connection is over.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.stream.shutdown()).await;
    }
}
