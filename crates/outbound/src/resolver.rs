//! The guarded resolver that connections use: the addresses that it gives out are those that are connected to, so that
//! a name that changes its mind between a check and a connection (DNS rebinding) gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::ForbiddenError;
use super::range::Allowed;

/// A source of addresses for names: the system, but for tests.
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

/// A resolver that gives out only addresses that may be reached.
///
/// The guard is here, and not before the request, because the client connects to whatever its resolver says: a check
/// that resolves a name for itself, and lets the client resolve it again, judges another answer than the one used.
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) allowed: Allowed,
    /// True if a tenant uses it, who is not told the addresses that it refuses.
    pub(super) is_tenants: bool,
}

impl Guarded {
    /// Filters the found addresses by the guard; an error if none is left. A name with one public and one private
    /// address is reached by the public one.
    pub(super) fn reachable(&self, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, ForbiddenError> {
        let mut forbidden = None;
        let mut reachable = Vec::with_capacity(found.len());
        for address in found {
            match self.allowed.check(address) {
                Ok(()) => reachable.push(address),
                Err(class) => forbidden = Some(ForbiddenError { address, class, is_told: !self.is_tenants }),
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
            let found = guarded.resolver.look_up(name.as_str()).await?;
            let reachable = guarded.reachable(found)?.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(reachable) as Addrs)
        })
    }
}
