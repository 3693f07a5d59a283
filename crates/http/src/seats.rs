//! The places of connections: how many there are at once, in all and from one address, and which of them end because
//! nothing comes.
//!
//! A connection is *quiet* while no request of it is under way: before the first head is whole, whatever its protocol,
//! and between requests. Quiet ones end after a while; where places are short, the one that is quiet for longest makes
//! room at once. So those who connect and say nothing can keep nobody out.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The limits of a number of places.
#[derive(Clone, Copy)]
pub(super) struct SeatLimits {
    /// Connections at once.
    pub(super) total: usize,
    /// Of these, from one address (of IPv6: from one network of 64 bits).
    pub(super) of_peer: usize,
    /// The time for which one may be quiet.
    pub(super) quiet: Duration,
}

/// The places of connections.
#[derive(Clone)]
pub(super) struct Seats {
    limits: SeatLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    seats: HashMap<u64, Place>,
    of_peer: HashMap<IpAddr, usize>,
    /// Quiet ones by the order in which they became so, with their numbers.
    quiet: BTreeMap<u64, u64>,
    /// The last number that was given, to seats and to times of becoming quiet.
    last: u64,
}

struct Place {
    peer: IpAddr,
    phase: watch::Sender<Phase>,
}

/// The state of a connection.
#[derive(Clone, Copy)]
enum Phase {
    /// No request is under way since this moment; with its key in `Taken::quiet`.
    Quiet(Instant, u64),
    /// So many requests are under way.
    Busy(usize),
    /// It made room for another.
    Ended,
}

impl Seats {
    pub(super) fn new(limits: SeatLimits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// Takes a place, in that of a quiet connection if there is no other; none if all connections have requests under
    /// way, in all or of this peer.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Seat> {
        let peer = network(peer);
        let mut taken = self.taken();
        if taken.of_peer.get(&peer).is_some_and(|count| *count >= self.limits.of_peer) {
            taken.make_room(Some(peer))?;
        } else if taken.seats.len() >= self.limits.total {
            taken.make_room(None)?;
        }
        let number = taken.next();
        let key = taken.next();
        let (phase, watched) = watch::channel(Phase::Quiet(Instant::now(), key));
        taken.quiet.insert(key, number);
        taken.seats.insert(number, Place { peer, phase });
        *taken.of_peer.entry(peer).or_default() += 1;
        Some(Seat { seats: self.clone(), number, watched })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Ends the connection that is quiet for longest, of this peer or of all; none if none is quiet.
    fn make_room(&mut self, peer: Option<IpAddr>) -> Option<()> {
        let is_of = |number: &u64| match (peer, self.seats.get(number)) {
            (Some(peer), Some(place)) => place.peer == peer,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let number = *self.quiet.values().find(|number| is_of(number))?;
        self.free(number);
        Some(())
    }

    fn free(&mut self, number: u64) {
        let Some(Place { peer, phase }) = self.seats.remove(&number) else { return };
        if let Phase::Quiet(_, key) = phase.send_replace(Phase::Ended) {
            self.quiet.remove(&key);
        }
        if let Some(count) = self.of_peer.get_mut(&peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_peer.remove(&peer);
            }
        }
    }
}

/// A connection's place, free again when this is dropped and no request of it is under way any more.
pub(super) struct Seat {
    seats: Seats,
    number: u64,
    watched: watch::Receiver<Phase>,
}

impl Seat {
    /// Notes that a request is under way until what this gives is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut taken = self.seats.taken();
        if let Some(place) = taken.seats.get(&self.number) {
            let mut key_of_quiet = None;
            place.phase.send_modify(|phase| {
                *phase = match *phase {
                    Phase::Quiet(_, key) => {
                        key_of_quiet = Some(key);
                        Phase::Busy(1)
                    }
                    Phase::Busy(count) => Phase::Busy(count + 1),
                    Phase::Ended => Phase::Ended,
                };
            });
            if let Some(key) = key_of_quiet {
                taken.quiet.remove(&key);
            }
        }
        Busy(Arc::clone(self))
    }

    /// Waits until the connection has been quiet for too long, or has to make room for another. Cancel safe.
    pub(super) async fn ended(&self) {
        let mut watched = self.watched.clone();
        loop {
            let phase = *watched.borrow_and_update();
            let changed = match phase {
                Phase::Ended => return,
                Phase::Busy(_) => watched.changed().await,
                Phase::Quiet(since, _) => {
                    let until = since + self.seats.limits.quiet;
                    match tokio::time::timeout_at(until, watched.changed()).await {
                        Ok(changed) => changed,
                        Err(_) => return,
                    }
                }
            };
            if changed.is_err() {
                return;
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().free(self.number);
    }
}

/// A request under way, until its answer has been written.
pub(super) struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut taken = self.0.seats.taken();
        let key = taken.next();
        let Some(place) = taken.seats.get(&self.0.number) else { return };
        let mut is_quiet = false;
        place.phase.send_modify(|phase| {
            if let Phase::Busy(count) = *phase {
                is_quiet = count <= 1;
                *phase = if is_quiet { Phase::Quiet(Instant::now(), key) } else { Phase::Busy(count - 1) };
            }
        });
        if is_quiet {
            taken.quiet.insert(key, self.0.number);
        }
    }
}

/// The one who is counted: an IPv4 address, or the network of an IPv6 one, since whoever has one has 2^64 of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seats(total: usize, of_peer: usize) -> Seats {
        Seats::new(SeatLimits { total, of_peer, quiet: Duration::from_secs(10) })
    }

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_connections_end_and_busy_ones_do_not() {
        let seats = seats(4, 4);
        let seat = Arc::new(seats.take(peer(1)).unwrap());
        let busy = seat.begin();
        let second = seat.begin();
        let wait = |seconds| tokio::time::timeout(Duration::from_secs(seconds), seat.ended());
        assert!(wait(600).await.is_err(), "a request is under way");
        drop(busy);
        assert!(wait(600).await.is_err(), "another one is");
        drop(second);
        assert!(wait(9).await.is_err());
        assert!(wait(2).await.is_ok());
    }

    /// Whoever is quiet for longest makes room, the peer's own where it is the peer that has too many; whoever is at work
    /// stays.
    #[tokio::test(start_paused = true)]
    async fn the_quiet_make_room() {
        let seats = seats(3, 2);
        let first = Arc::new(seats.take(peer(1)).unwrap());
        let other = Arc::new(seats.take(peer(2)).unwrap());
        let second = Arc::new(seats.take(peer(1)).unwrap());
        let has_ended =
            async |seat: &Arc<Seat>| tokio::time::timeout(Duration::ZERO, seat.ended()).await.is_ok();
        let third = Arc::new(seats.take(peer(1)).unwrap());
        assert!(has_ended(&first).await && !has_ended(&other).await && !has_ended(&second).await);
        let busy = [second.begin(), third.begin()];
        assert!(seats.take(peer(1)).is_none(), "all of this peer's are at work");
        let fourth = Arc::new(seats.take(peer(3)).unwrap());
        assert!(has_ended(&other).await, "there are three in all");
        drop(busy);
        assert!(!has_ended(&second).await && !has_ended(&fourth).await);
        drop((first, other, second, third, fourth));
        let taken = seats.taken();
        assert!(taken.seats.is_empty() && taken.of_peer.is_empty() && taken.quiet.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
        assert_eq!(of("::ffff:192.0.2.1"), peer(1));
    }
}
