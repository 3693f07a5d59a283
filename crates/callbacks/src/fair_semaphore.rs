//! Permits for what all tenants share, given out in turns by tenant: whoever asks for many stands in one place of the line.
//!
//! A plain semaphore is first come, first served: one tenant's hundred requests would all go before another's one. With more
//! permits than anybody asks for, and one for each, it is a lock by name.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A tenant's name in the line for what callbacks share, see [`CpuBudget::share`](super::CpuBudget::share).
pub type Share = u64;

/// Names of those who wait and hold.
pub trait Name: Clone + Eq + Hash {}

impl<T: Clone + Eq + Hash> Name for T {}

/// A semaphore whose permits go round among those who wait, one at a time each. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FairSemaphore<N: Name = Share> {
    shared: Arc<Shared<N>>,
}

#[derive(Debug)]
struct Shared<N: Name> {
    /// Most permits that one may hold.
    each: usize,
    state: Mutex<State<N>>,
}

#[derive(Debug)]
struct State<N: Name> {
    free: usize,
    holders: HashMap<N, Holder<N>>,
    /// Those who wait, in the order of their turns; each once, however much it waits for.
    line: VecDeque<N>,
}

/// Gone when it neither holds nor waits.
#[derive(Debug)]
struct Holder<N: Name> {
    held: usize,
    waiting: VecDeque<oneshot::Sender<FairPermit<N>>>,
}

impl<N: Name> Default for Holder<N> {
    fn default() -> Self {
        Self { held: 0, waiting: VecDeque::new() }
    }
}

/// A permit; gives itself back when it is dropped.
#[derive(Debug)]
pub struct FairPermit<N: Name = Share> {
    shared: Arc<Shared<N>>,
    name: N,
}

impl<N: Name> FairSemaphore<N> {
    /// So many permits in all, and for one at most.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Self {
        let state = State { free: all, holders: HashMap::new(), line: VecDeque::new() };
        Self { shared: Arc::new(Shared { each: each.max(1), state: Mutex::new(state) }) }
    }

    /// Waits for a permit. Cancel safe: who goes away leaves the line, and a permit that was on its way goes back.
    ///
    /// # Panics
    /// Never: a sender in the line goes only with its permit or with the semaphore, which the caller holds.
    pub async fn acquire(&self, name: N) -> FairPermit<N> {
        let (permit, granted) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            let waiting = &mut state.holders.entry(name.clone()).or_default().waiting;
            waiting.push_back(permit);
            // One whose waiters have all gone away stands in the line until it is passed over.
            if !state.line.contains(&name) {
                state.line.push_back(name);
            }
        }
        Shared::grant(&self.shared);
        granted.await.expect("a sender leaves the line only with a permit")
    }
}

impl<N: Name> Shared<N> {
    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out what is free to those whose turn it is.
    fn grant(shared: &Arc<Self>) {
        loop {
            let next = shared.lock().next(shared.each);
            let Some((name, waiting)) = next else { return };
            // Not under the lock: a permit that nobody takes any more is dropped here, which locks it. That may free one
            // for somebody else, so it goes on.
            let _ = waiting.send(FairPermit { shared: Arc::clone(shared), name });
        }
    }
}

impl<N: Name> State<N> {
    /// Takes a permit for the first in the line who may have one more, and puts it at the line's end if it waits for others.
    fn next(&mut self, each: usize) -> Option<(N, oneshot::Sender<FairPermit<N>>)> {
        let mut place = 0;
        while self.free > 0
            && let Some(name) = self.line.get(place).cloned()
        {
            let holder = self.holders.entry(name.clone()).or_default();
            // Senders whose receivers have gone away.
            while holder.waiting.front().is_some_and(oneshot::Sender::is_closed) {
                holder.waiting.pop_front();
            }
            if holder.waiting.is_empty() {
                self.line.remove(place);
                self.forget_if_idle(&name);
                continue;
            }
            if holder.held >= each {
                place += 1;
                continue;
            }
            let sender = holder.waiting.pop_front()?;
            holder.held += 1;
            self.free -= 1;
            self.line.remove(place);
            if !holder.waiting.is_empty() {
                self.line.push_back(name.clone());
            }
            return Some((name, sender));
        }
        None
    }

    fn forget_if_idle(&mut self, name: &N) {
        if self.holders.get(name).is_some_and(|holder| holder.held == 0 && holder.waiting.is_empty()) {
            self.holders.remove(name);
        }
    }
}

impl<N: Name> Drop for FairPermit<N> {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.free += 1;
            if let Some(holder) = state.holders.get_mut(&self.name) {
                holder.held = holder.held.saturating_sub(1);
            }
            state.forget_if_idle(&self.name);
        }
        Shared::grant(&self.shared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has each of these wait, one after the other, and gives the order in which they get the only permit.
    async fn order(semaphore: &FairSemaphore, shares: &[Share]) -> Vec<Share> {
        let got = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for share in shares.iter().copied() {
            let (semaphore, got) = (semaphore.clone(), Arc::clone(&got));
            tasks.push(tokio::spawn(async move {
                let _permit = semaphore.acquire(share).await;
                got.lock().unwrap().push(share);
                tokio::task::yield_now().await;
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        got.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn who_asks_for_much_takes_turns_with_who_asks_for_little() {
        let semaphore = FairSemaphore::new(1, 1);
        let held = semaphore.acquire(1).await;
        let (after, order) = tokio::join!(
            async {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                drop(held);
            },
            order(&semaphore, &[1, 1, 1, 1, 2, 3, 3]),
        );
        let () = after;
        assert_eq!(order, [1, 2, 3, 1, 3, 1, 1]);
        assert!(semaphore.shared.lock().holders.is_empty(), "nothing is kept of who is done");
    }

    #[tokio::test]
    async fn nobody_has_more_than_one_may() {
        let semaphore = FairSemaphore::new(3, 2);
        let _first = semaphore.acquire(1).await;
        let second = semaphore.acquire(1).await;
        let mut third = Box::pin(semaphore.acquire(1));
        assert!(futures_poll(&mut third).await.is_none());
        let _other = semaphore.acquire(2).await;
        drop(second);
        assert!(futures_poll(&mut third).await.is_some());
    }

    #[tokio::test]
    async fn a_permit_that_nobody_waits_for_any_more_goes_on() {
        let semaphore = FairSemaphore::new(1, 1);
        let held = semaphore.acquire(1).await;
        let mut gone = Box::pin(semaphore.acquire(2));
        let mut granted = Box::pin(semaphore.acquire(3));
        let mut last = Box::pin(semaphore.acquire(4));
        for waiting in [&mut gone, &mut granted, &mut last] {
            assert!(futures_poll(waiting).await.is_none());
        }
        drop(gone);
        drop(held);
        // It was handed the permit and goes away before it looks.
        drop(granted);
        assert!(futures_poll(&mut last).await.is_some());
    }

    async fn futures_poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        tokio::time::timeout(std::time::Duration::from_millis(20), future).await.ok()
    }
}
