//! TCP connections to mail relays, chat servers and SSH. The operator's own settings may name any address; a tenant's
//! are guarded as everything by HTTP is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpStream;

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

    /// Connects to a name or an address, the first of the name's that answers.
    ///
    /// The name is resolved once, and the addresses that were judged are those that are connected to: nothing is looked
    /// up between the two.
    ///
    /// # Errors
    /// When nobody answers, or the address may not be reached.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let Some(guarded) = &self.guarded else { return TcpStream::connect((host, port)).await };
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => guarded.resolver.look_up(host).await?,
        };
        let reachable = guarded.reachable(found).map_err(io::Error::other)?;
        let reachable: Vec<SocketAddr> =
            reachable.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        TcpStream::connect(&*reachable).await
    }
}
