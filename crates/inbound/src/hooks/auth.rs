//! The guard of all hooks: HTTP Basic against a file or a list in the settings (H-AUTH-01 to H-AUTH-08).
//!
//! Reading the file is the one piece of I/O in `hooks`; it is read anew for each request, so that an edit counts at
//! once. Passwords that were verified by a slow hash are remembered (`verified`), so that a forge pays for it once.

use std::borrow::Cow;
use std::fmt;

use argon2::password_hash::{PasswordVerifier as _, phc::PasswordHash};
use base64::Engine as _;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::HookError;
use super::verified::Verified;
use campanile_config::{Reader, RegularFile};

/// Size of the largest file of passwords, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Most memory of an argon2 hash, in KiB, its passes, and its lanes.
const MAX_ARGON2: (u32, u32, u32) = (64 << 10, 8, 8);
/// Greatest cost of a bcrypt hash: each one more doubles the time, and this is half a second.
const MAX_BCRYPT: u32 = 13;

/// The guard in front of all dialects: a request that any checker accepts may pass (H-AUTH-06).
#[derive(Debug)]
pub(super) struct Auth {
    checkers: Vec<Checker>,
    verified: Verified,
}

enum Checker {
    File(RegularFile),
    Memory(Vec<User>),
}

/// A user and the stored form of the password.
///
/// Bytes, not text: a password in another encoding must not come to equal one with replacement characters.
#[derive(Clone)]
struct User {
    name: Vec<u8>,
    password: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PasswordScheme {
    Plain,
    Bcrypt,
    Argon2,
}

impl Auth {
    /// Makes the guard of `change_hooks.auth`, and notes what is wrong with it (H-AUTH-02, H-AUTH-05).
    pub(super) fn from_settings(descriptions: &[String], table: Option<&Reader<'_>>) -> Self {
        let mut checkers = Vec::new();
        for description in descriptions {
            match (checker(description, table), table) {
                (Some(checker), Some(table)) => {
                    if let Checker::File(file) = &checker
                        && let Err(error) = file.read(MAX_FILE)
                    {
                        let path = file.path().display();
                        table.warning(
                            "auth",
                            format!("`{path}` cannot be read ({error}): every hook will be refused"),
                        );
                    }
                    if checker.users().iter().any(User::is_too_costly) {
                        table.error("auth", costly());
                    }
                    checkers.push(checker);
                }
                (Some(checker), None) => checkers.push(checker),
                (None, Some(table)) => table.error("auth", invalid(description)),
                (None, None) => {}
            }
        }
        Self { checkers, verified: Verified::default() }
    }

    /// Lets a request with a known user's password through; 401 for all others (H-AUTH-07).
    pub(super) fn authorize(&self, headers: &HeaderMap) -> Result<(), HookError> {
        let accepted = self.accepts(headers, &|user, password| {
            let is_right = user.has_password(password);
            if is_right && user.scheme() != PasswordScheme::Plain {
                self.verified.insert(&user.password, password);
            }
            is_right
        });
        if accepted { Ok(()) } else { Err(HookError { status: 401, message: "Unauthorized".to_owned() }) }
    }

    /// True if a request may pass by what was verified before: no slow hash is computed.
    pub(super) fn remembers(&self, headers: &HeaderMap) -> bool {
        self.accepts(headers, &|user, password| match user.scheme() {
            PasswordScheme::Plain => user.has_password(password),
            PasswordScheme::Bcrypt | PasswordScheme::Argon2 => {
                self.verified.contains(&user.password, password)
            }
        })
    }

    fn accepts(&self, headers: &HeaderMap, is_right: &dyn Fn(&User, &[u8]) -> bool) -> bool {
        // Without credentials no file is read and no hash computed.
        credentials(headers).is_some_and(|(name, password)| {
            // All of them are asked, so that the time does not tell which one knows the user.
            self.checkers.iter().fold(false, |accepted, checker| {
                accepted | accepts(&checker.users(), &name, &password, is_right)
            })
        })
    }

    /// True if a check may block: on a file, or on computing a hash.
    pub(super) fn is_slow(&self) -> bool {
        self.checkers.iter().any(|checker| match checker {
            Checker::File(_) => true,
            Checker::Memory(users) => users.iter().any(|user| user.scheme() != PasswordScheme::Plain),
        })
    }
}

impl Checker {
    /// Its users as they are now.
    fn users(&self) -> Cow<'_, [User]> {
        match self {
            Self::Memory(users) => Cow::Borrowed(users),
            Self::File(file) => match file.read(MAX_FILE) {
                Ok(bytes) => Cow::Owned(users_of(&bytes)),
                Err(error) => {
                    tracing::error!(file = %file.path().display(), "password file of change_hooks.auth cannot be read: {error}");
                    Cow::Owned(Vec::new())
                }
            },
        }
    }
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "file:{}", file.path().display()),
            Self::Memory(users) => write!(f, "memory:({} users)", users.len()),
        }
    }
}

impl User {
    fn scheme(&self) -> PasswordScheme {
        let begins = |prefix: &[u8]| self.password.starts_with(prefix);
        if begins(b"$2a$") || begins(b"$2b$") || begins(b"$2y$") {
            PasswordScheme::Bcrypt
        } else if begins(b"$argon2id$") {
            PasswordScheme::Argon2
        } else {
            PasswordScheme::Plain
        }
    }

    /// True if a check of this hash would take more than anybody is given.
    fn is_too_costly(&self) -> bool {
        let Ok(hash) = std::str::from_utf8(&self.password) else { return false };
        match self.scheme() {
            PasswordScheme::Plain => false,
            PasswordScheme::Bcrypt => {
                let cost = hash.get(4..6).and_then(|cost| cost.parse::<u32>().ok());
                cost.is_some_and(|cost| cost > MAX_BCRYPT)
            }
            PasswordScheme::Argon2 => {
                let costs = hash.split('$').nth(3).unwrap_or_default();
                costs.split(',').filter_map(|cost| cost.split_once('=')).any(|(name, value)| {
                    let most = match name {
                        "m" => MAX_ARGON2.0,
                        "t" => MAX_ARGON2.1,
                        "p" => MAX_ARGON2.2,
                        _ => return false,
                    };
                    value.parse::<u32>().map_or(true, |value| value > most)
                })
            }
        }
    }

    fn has_password(&self, sent: &[u8]) -> bool {
        if self.is_too_costly() {
            // In a file, which may change at any time; those of the settings are refused there.
            tracing::error!("change_hooks.auth: a user is refused: {}", costly());
            return false;
        }
        let hash = std::str::from_utf8(&self.password);
        match self.scheme() {
            // Digests are compared, so that not even the length shows in the time.
            PasswordScheme::Plain => Sha256::digest(&self.password).ct_eq(&Sha256::digest(sent)).into(),
            PasswordScheme::Bcrypt => hash.is_ok_and(|hash| bcrypt::verify(sent, hash).unwrap_or(false)),
            PasswordScheme::Argon2 => hash.is_ok_and(|hash| {
                PasswordHash::new(hash)
                    .is_ok_and(|hash| argon2::Argon2::default().verify_password(sent, &hash).is_ok())
            }),
        }
    }
}

/// Checks one password of each kind that the list has, the user's own or else the first of that kind, so that an
/// unknown user costs as much as a known one (H-AUTH-04). Only the user's own counts.
fn accepts(users: &[User], name: &[u8], password: &[u8], is_right: &dyn Fn(&User, &[u8]) -> bool) -> bool {
    let mut own = None;
    for user in users {
        let same: Choice = Sha256::digest(&user.name).ct_eq(&Sha256::digest(name));
        if bool::from(same) && own.is_none() {
            own = Some(user);
        }
    }
    let mut accepted = false;
    for scheme in [PasswordScheme::Plain, PasswordScheme::Bcrypt, PasswordScheme::Argon2] {
        let mine = own.filter(|user| user.scheme() == scheme);
        if let Some(tried) = mine.or_else(|| users.iter().find(|user| user.scheme() == scheme)) {
            let matches = is_right(tried, password);
            accepted |= matches && mine.is_some() && !tried.password.is_empty();
        }
    }
    accepted
}

fn checker(description: &str, table: Option<&Reader<'_>>) -> Option<Checker> {
    let (scheme, argument) = description.split_once(':')?;
    match scheme {
        "file" if !argument.is_empty() => Some(Checker::File(match table {
            Some(table) => table.regular_file(&table.path_at("auth", argument)?),
            None => RegularFile::new(argument),
        })),
        "memory" => {
            let parts: Vec<&str> = argument.split(':').collect();
            let users = parts.chunks(2).map(|pair| match pair {
                [name, password] => {
                    Some(User { name: name.as_bytes().into(), password: password.as_bytes().into() })
                }
                _ => None,
            });
            users.collect::<Option<_>>().map(Checker::Memory)
        }
        _ => None,
    }
}

/// The objection to a hash that costs too much.
fn costly() -> String {
    let (memory, passes, lanes) = MAX_ARGON2;
    format!(
        "a password's hash costs too much: at most `m={memory},t={passes},p={lanes}` of argon2id, and a cost of \
         {MAX_BCRYPT} of bcrypt"
    )
}

/// Names the scheme only: what follows it may be a password.
fn invalid(description: &str) -> String {
    let scheme = description.split_once(':').map(|(scheme, _)| format!("`{scheme}:...`")).unwrap_or_default();
    format!(
        "Invalid change_hook checker description: {scheme}: the schemes are `file:PATH` and \
         `memory:USER:PASSWORD[:USER:PASSWORD...]`"
    )
}

/// Lines `user:password`; white space at the end of a line goes, a line without `:` is skipped (H-AUTH-03).
fn users_of(bytes: &[u8]) -> Vec<User> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| split_at_colon(line.trim_ascii_end())).collect()
}

fn split_at_colon(bytes: &[u8]) -> Option<User> {
    let at = bytes.iter().position(|byte| *byte == b':')?;
    Some(User { name: bytes.get(..at)?.to_vec(), password: bytes.get(at + 1..)?.to_vec() })
}

/// User and password of an `Authorization: Basic` header.
fn credentials(headers: &HeaderMap) -> Option<(Vec<u8>, Vec<u8>)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    split_at_colon(&decoded).map(|user| (user.name, user.password))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn basic(user_and_password: &str) -> HeaderMap {
        let encoded = base64::engine::general_purpose::STANDARD.encode(user_and_password);
        authorization(&format!("Basic {encoded}"))
    }

    fn authorization(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        headers
    }

    fn auth(descriptions: &[&str]) -> Auth {
        let descriptions: Vec<String> = descriptions.iter().map(ToString::to_string).collect();
        Auth::from_settings(&descriptions, None)
    }

    fn passes(auth: &Auth, sent: &str) -> bool {
        auth.authorize(&basic(sent)).is_ok()
    }

    #[test]
    fn h_auth_01_an_empty_list_refuses_everyone() {
        assert!(!passes(&auth(&[]), "ada:pw"));
    }

    #[test]
    fn h_auth_03_lines_of_the_file_and_edits_count_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        std::fs::write(&path, "no colon\nada:pa:ss \t\r\nada:second\nblank:\n:anonymous\n").unwrap();
        let auth = auth(&[&format!("file:{}", path.display())]);
        assert!(auth.is_slow());
        assert!(passes(&auth, "ada:pa:ss"));
        for wrong in ["ada:pa", "ada:second", "Ada:pa:ss", "ada:", "blank:", "no colon:", "ada:pa:ss "] {
            assert!(!passes(&auth, wrong), "{wrong}");
        }
        std::fs::write(&path, "ada:new").unwrap();
        assert!(passes(&auth, "ada:new") && !passes(&auth, "ada:pa:ss"));
        std::fs::remove_file(&path).unwrap();
        assert!(!passes(&auth, "ada:new"), "h_auth_05: never open");
    }

    #[test]
    fn h_auth_04_hashes_of_both_kinds() {
        use argon2::password_hash::PasswordHasher as _;
        let bcrypt = bcrypt::hash("tower", 4).unwrap();
        let params = argon2::Params::new(64, 1, 1, None).unwrap();
        let hasher = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let argon: PasswordHash = hasher.hash_password_with_salt(b"bell", b"campanile-salt").unwrap();
        let auth = auth(&[&format!("memory:ada:{bcrypt}:bob:{argon}:eve:plain:bad:$2b$nonsense")]);
        assert!(auth.is_slow());
        assert!(passes(&auth, "ada:tower") && passes(&auth, "bob:bell") && passes(&auth, "eve:plain"));
        for wrong in ["ada:bell", "bob:tower", "eve:tower", "mallory:tower", "mallory:bell", "mallory:plain"]
        {
            assert!(!passes(&auth, wrong), "{wrong}");
        }
        assert!(!passes(&auth, &format!("ada:{bcrypt}")), "a hash is not the password");
        assert!(!passes(&auth, "bad:$2b$nonsense"));
        // What was verified is remembered, and nothing else is.
        let remembers = |sent: &str| auth.remembers(&basic(sent));
        assert!(remembers("ada:tower") && remembers("bob:bell") && remembers("eve:plain"), "H-AUTH-10");
        for wrong in ["ada:bell", "bob:tower", "mallory:tower", "bob:", "ada:"] {
            assert!(!remembers(wrong), "{wrong}");
        }
    }

    #[test]
    fn h_auth_10_hashes_that_cost_too_much_are_no_passwords() {
        let of = |password: &str| User { name: b"ada".to_vec(), password: password.as_bytes().to_vec() };
        for (hash, too_costly) in [
            ("$2b$31$abc", true),
            ("$2y$14$abc", true),
            ("$2b$13$abc", false),
            ("$2b$nonsense", false),
            ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", false),
            ("$argon2id$v=19$m=700000,t=1,p=1$c2FsdA$aGFzaA", true),
            ("$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdA$aGFzaA", true),
            ("$argon2id$v=19$m=64,t=99999999999,p=1$c2FsdA$aGFzaA", true),
            ("plain", false),
        ] {
            assert_eq!(of(hash).is_too_costly(), too_costly, "{hash}");
        }
        assert!(!of("$2b$31$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123").has_password(b"x"));
    }

    #[test]
    fn h_auth_06_any_entry_that_accepts_is_enough() {
        let auth = auth(&["memory:ada:one", "memory:ada:two:bob:three"]);
        assert!(passes(&auth, "ada:one") && passes(&auth, "ada:two") && passes(&auth, "bob:three"));
        assert!(!passes(&auth, "bob:one") && !auth.is_slow());
    }

    #[test]
    fn h_auth_07_basic_only() {
        let auth = auth(&["memory:ada:pw"]);
        let encoded = base64::engine::general_purpose::STANDARD.encode("ada:pw");
        assert!(auth.authorize(&authorization(&format!("bASIC {encoded}"))).is_ok());
        for wrong in
            [format!("Bearer {encoded}"), encoded, "Basic".into(), "Basic !!!".into(), "Basic YWRh".into()]
        {
            let rejection = auth.authorize(&authorization(&wrong)).unwrap_err();
            assert_eq!((rejection.status, rejection.message.as_str()), (401, "Unauthorized"));
        }
        assert_eq!(auth.authorize(&HeaderMap::new()).unwrap_err().status, 401);
    }
}
