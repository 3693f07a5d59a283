//! HMACs under secrets, as senders of webhooks prove themselves by.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

use super::Secret;

/// What an HMAC is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-1, for senders that know no better.
    Sha1,
    /// MD5, for one sender that is gone.
    Md5,
}

/// Whether hex digits of either case are the HMAC of a body under any of the secrets.
#[must_use]
pub fn is_signed(hash: Hash, body: &[u8], secrets: &[Secret], hex: &str) -> bool {
    let Some(code) = from_hex(hex.trim()) else { return false };
    let matches = |secret: &&Secret| is_mac(hash, secret.expose().as_bytes(), body, &code);
    // Every secret is tried, so that the time does not tell which one is in use.
    secrets.iter().filter(matches).count() > 0
}

/// Whether a code is the HMAC of a body under a key; compared in constant time.
#[must_use]
pub fn is_mac(hash: Hash, key: &[u8], body: &[u8], code: &[u8]) -> bool {
    match hash {
        Hash::Sha256 => verify::<Hmac<Sha256>>(key, body, code),
        Hash::Sha1 => verify::<Hmac<Sha1>>(key, body, code),
        Hash::Md5 => verify::<Hmac<Md5>>(key, body, code),
    }
}

fn verify<M: Mac + KeyInit>(key: &[u8], body: &[u8], code: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(key).is_ok_and(|mac| mac.chain_update(body).verify_slice(code).is_ok())
}

/// The bytes that hex digits of either case stand for.
fn from_hex(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}
