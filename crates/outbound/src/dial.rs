//! TCP connections to mail relays, chat servers and SSH. The operator's own settings may name any address; a tenant's
//! are guarded as everything by HTTP is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::limits;
use super::resolver::Guarded;

/// Makes TCP connections.
#[derive(Clone, Default)]
pub struct Dialer {
    /// None: everything may be reached.
    guarded: Option<Arc<Guarded>>,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("guarded", &self.guarded.is_some()).finish()
    }
}

impl Dialer {
    pub(super) fn guarded(guarded: Guarded) -> Self {
        Self { guarded: Some(Arc::new(guarded)) }
    }

    /// Connects to a name or an address, the first of the name's that answers. Cancel safe.
    ///
    /// The name is resolved once, and the addresses that were judged are those that are connected to: nothing is looked
    /// up between the two.
    ///
    /// # Errors
    /// When nobody answers within [`limits::CONNECT`], or the address may not be reached.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let until = Instant::now() + limits::CONNECT;
        let found = timeout_at(until, self.look_up(host, port)).await.map_err(|_| no_connection())??;
        let mut failed = None;
        for (number, address) in found.iter().enumerate() {
            // One that swallows what is sent to it must leave time for the others.
            let left = u32::try_from(found.len() - number).unwrap_or(u32::MAX);
            let share = until.saturating_duration_since(Instant::now()) / left;
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = Some(no_connection()),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other("the name has no address")))
    }

    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let Some(guarded) = &self.guarded else {
            return Ok(tokio::net::lookup_host((host, port)).await?.collect());
        };
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => guarded.resolver.look_up(host).await?,
        };
        let reachable = guarded.reachable(found).map_err(io::Error::other)?;
        Ok(reachable.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

fn no_connection() -> io::Error {
    let text = format!("no connection within {} s", limits::CONNECT.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text)
}
