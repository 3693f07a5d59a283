//! Names become addresses here, in the very resolver that connections use: what it gives out is what is connected to,
//! so that a name that changes its mind between a check and a connection (DNS rebinding) gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::Forbidden;
use super::range::Allowed;

/// Looks names up. The system does, but for tests.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of a name.
    ///
    /// # Errors
    /// When there are none, or nobody could be asked.
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Names as the system knows them.
#[derive(Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Gives out only addresses that may be reached.
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) names: Arc<dyn Resolver>,
    pub(super) allowed: Allowed,
}

impl Guarded {
    /// Those of the found addresses that may be reached.
    pub(super) fn reachable(&self, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Forbidden> {
        let mut forbidden = None;
        let mut reachable = Vec::with_capacity(found.len());
        for address in found {
            match self.allowed.check(address) {
                Ok(()) => reachable.push(address),
                Err(inside) => forbidden = Some(Forbidden { address, inside }),
            }
        }
        match forbidden {
            Some(forbidden) if reachable.is_empty() => Err(forbidden),
            _ => Ok(reachable),
        }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guarded = self.clone();
        Box::pin(async move {
            let found = guarded.names.look_up(name.as_str()).await?;
            let reachable = guarded.reachable(found)?.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(reachable) as Addrs)
        })
    }
}
