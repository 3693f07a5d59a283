//! HMACs under secrets, as senders of webhooks prove themselves by.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

use super::Secret;

/// Hash function of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-1, for senders that know no better.
    Sha1,
    /// MD5, for one sender that is gone.
    Md5,
}

/// Verifies an HMAC of a body, written as hex digits of either case, under any of the secrets.
#[must_use]
pub fn verify_hex_hmac(hash: Hash, body: &[u8], secrets: &[Secret], digits: &str) -> bool {
    let Ok(code) = hex::decode(digits.trim()) else { return false };
    let matches = |secret: &&Secret| verify_hmac(hash, secret.expose().as_bytes(), body, &code);
    // Every secret is tried, so that the time does not tell which one is in use.
    secrets.iter().filter(matches).count() > 0
}

/// Tells if `digits` could be such a code at all: it is hex, and of the right length.
#[must_use]
pub fn is_hex_code(hash: Hash, digits: &str) -> bool {
    let bytes = match hash {
        Hash::Sha256 => 32,
        Hash::Sha1 => 20,
        Hash::Md5 => 16,
    };
    hex::decode(digits.trim()).is_ok_and(|code| code.len() == bytes)
}

/// Verifies the HMAC of a body under a key, in constant time. Under a blank key nothing is right.
#[must_use]
pub fn verify_hmac(hash: Hash, key: &[u8], body: &[u8], code: &[u8]) -> bool {
    if key.trim_ascii().is_empty() {
        return false;
    }
    match hash {
        Hash::Sha256 => verify::<Hmac<Sha256>>(key, body, code),
        Hash::Sha1 => verify::<Hmac<Sha1>>(key, body, code),
        Hash::Md5 => verify::<Hmac<Md5>>(key, body, code),
    }
}

fn verify<M: Mac + KeyInit>(key: &[u8], body: &[u8], code: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(key).is_ok_and(|mac| mac.chain_update(body).verify_slice(code).is_ok())
}
