//! Bytes to and from a server, by TCP or TLS.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::settings::Server;
use super::wire::{self, Line};

/// For the address, the connection and TLS together.
const CONNECTING: Duration = Duration::from_secs(30);
/// A server that takes nothing for so long is lost.
const WRITING: Duration = Duration::from_secs(30);
/// More than any server may send in a line, tags included.
const LONGEST_LINE: usize = 16 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) struct Connection {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// With what did not work, in words.
    pub(super) async fn open(server: &Server) -> Result<Self, String> {
        let (host, port) = (&server.host, server.port);
        let connecting = async {
            let tcp = server.dialer.connect(host, port).await.map_err(|error| error.to_string())?;
            tcp.set_nodelay(true).map_err(|error| error.to_string())?;
            Ok(match &server.tls {
                None => Box::new(tcp) as Box<dyn Stream>,
                Some(tls) => Box::new(tls.agree(tcp).await.map_err(|error| {
                    format!("no TLS: {error}; check its certificate, `host`, `port` and `tls_ca`")
                })?),
            })
        };
        let stream = tokio::time::timeout(CONNECTING, connecting)
            .await
            .unwrap_or_else(|_| Err(format!("no connection within {} s", CONNECTING.as_secs())))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// The next line; lines that are none are passed over. May be cut short and asked again without losing anything.
    ///
    /// # Errors
    /// When the connection is over.
    pub(super) async fn read(&mut self) -> Result<Line, String> {
        loop {
            while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let bytes: Vec<u8> = self.received.drain(..=end).collect();
                if let Some(line) = wire::parse(&String::from_utf8_lossy(&bytes)) {
                    return Ok(line);
                }
            }
            if self.received.len() > LONGEST_LINE {
                return Err("the server sends lines without end: it speaks another protocol".to_owned());
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Err("the server closed the connection".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(told(&error)),
            }
        }
    }

    /// Sends a line.
    ///
    /// # Errors
    /// When the connection is over.
    pub(super) async fn write(&mut self, line: &str) -> Result<(), String> {
        let writing = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(WRITING, writing).await {
            Ok(written) => written.map_err(|error| told(&error)),
            Err(_) => Err(format!("the server took nothing for {} s", WRITING.as_secs())),
        }
    }

    /// Ends it in order.
    pub(super) async fn close(&mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }
}

fn told(error: &io::Error) -> String {
    format!("the connection broke: {error}")
}
