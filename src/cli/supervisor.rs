//! Tells a service manager such as systemd how the engine does (sd_notify(3)).
//!
//! Written here and not taken from a crate: it is one datagram, and the ones at hand know no abstract names.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use campanile_engine::Engine;

/// Whoever started the engine and wants to know of it; nobody, if it was started by hand.
#[derive(Clone, Debug)]
pub(super) struct Supervisor {
    socket: Option<Arc<UnixDatagram>>,
    /// Longest time between two signs of life that it accepts.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one of `NOTIFY_SOCKET`, with the watchdog of `WATCHDOG_USEC` if that is meant for this process.
    pub(super) fn from_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| match connect(&name) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(error) => {
                tracing::warn!("cannot tell the service manager anything at `{}`: {error}", name.display());
                None
            }
        });
        let number = |name| std::env::var_os(name).and_then(|text| text.to_str()?.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|process| process == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0);
        Self { socket, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// It works, or works again.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// It reads its settings anew; `ready` ends that.
    pub(super) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reading the settings anew"));
    }

    /// It is about to end.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=finishing what is under way");
    }

    /// Says twice in each interval that all is well, as long as deliveries are seen to and the store takes writes.
    pub(super) async fn watch(self, engine: Arc<Engine>) {
        let Some(interval) = self.watchdog.filter(|_| self.socket.is_some()) else { return };
        let mut ticks = tokio::time::interval(interval / 2);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // An engine that hangs is not told of at all.
            match engine.heartbeat().await {
                Ok(()) => self.tell("WATCHDOG=1"),
                Err(error) => tracing::error!("the service manager is not told that all is well: {error}"),
            }
        }
    }

    fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            tracing::warn!("cannot tell the service manager: {error}");
        }
    }
}

/// A path, or an abstract name behind an `@`.
fn connect(name: &OsStr) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let address = match name.as_bytes().split_first() {
        Some((b'@', hidden)) => SocketAddr::from_abstract_name(hidden)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    socket.connect_addr(&address)?;
    // A manager that does not read must not hold the engine up.
    socket.set_nonblocking(true)?;
    Ok(socket)
}
