//! Passwords that a slow hash has verified, remembered for as long as the settings stay.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use campanile_config::random_bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Most passwords that are remembered; the oldest go first.
const MAX: usize = 256;

type Digest = [u8; 32];

/// A bounded set of verified passwords. It holds no password, but keyed digests under a key that only this process has.
pub(super) struct Verified {
    /// None if the machine gives no random numbers: then nothing is remembered.
    key: Option<Digest>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    digests: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl Default for Verified {
    fn default() -> Self {
        Self { key: random_bytes(), known: Mutex::default() }
    }
}

impl Verified {
    /// True if this password was verified against this very hash.
    pub(super) fn contains(&self, hash: &[u8], password: &[u8]) -> bool {
        self.digest(hash, password).is_some_and(|digest| self.known().digests.contains(&digest))
    }

    /// Remembers a password that was verified.
    pub(super) fn insert(&self, hash: &[u8], password: &[u8]) {
        let Some(digest) = self.digest(hash, password) else { return };
        let mut known = self.known();
        if known.digests.insert(digest) {
            known.order.push_back(digest);
        }
        if known.order.len() > MAX
            && let Some(oldest) = known.order.pop_front()
        {
            known.digests.remove(&oldest);
        }
    }

    fn digest(&self, hash: &[u8], password: &[u8]) -> Option<Digest> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key?).ok()?;
        // With its length before it, no other pair has the same bytes.
        mac.update(&(hash.len() as u64).to_be_bytes());
        mac.update(hash);
        mac.update(password);
        Some(mac.finalize().into_bytes().into())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_auth_10_so_many_are_remembered_and_no_more() {
        let verified = Verified::default();
        verified.insert(b"hash", b"first");
        assert!(verified.contains(b"hash", b"first"));
        assert!(!verified.contains(b"has", b"hfirst") && !verified.contains(b"other", b"first"));
        for number in 0..MAX {
            verified.insert(b"hash", &number.to_be_bytes());
        }
        assert!(!verified.contains(b"hash", b"first"), "the oldest has gone");
        assert_eq!(verified.known().digests.len(), MAX);
    }
}
