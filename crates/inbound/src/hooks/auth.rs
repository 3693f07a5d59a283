//! The guard of all hooks: HTTP Basic against a file or a list in the settings (H-AUTH-01 to H-AUTH-08).
//!
//! Reading the file is the one piece of I/O in `hooks`; it is read anew for each request, so that an edit counts at
//! once.

use std::fmt;
use std::path::PathBuf;

use argon2::password_hash::{PasswordVerifier as _, phc::PasswordHash};
use base64::Engine as _;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::HookError;
use campanile_config::Reader;

/// The guard in front of all dialects: a request that any checker accepts may pass (H-AUTH-06).
#[derive(Debug)]
pub(super) struct Auth(Vec<Checker>);

enum Checker {
    File(PathBuf),
    Memory(Vec<User>),
}

/// Bytes, not text: a password in another encoding must not come to equal one with replacement characters.
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
                    if let Checker::File(path) = &checker
                        && let Err(error) = std::fs::read(path)
                    {
                        let path = path.display();
                        table.warning(
                            "auth",
                            format!("`{path}` cannot be read ({error}): every hook will be refused"),
                        );
                    }
                    checkers.push(checker);
                }
                (Some(checker), None) => checkers.push(checker),
                (None, Some(table)) => table.error("auth", invalid(description)),
                (None, None) => {}
            }
        }
        Self(checkers)
    }

    /// Lets a request with a known user's password through; 401 for all others (H-AUTH-07).
    pub(super) fn authorize(&self, headers: &HeaderMap) -> Result<(), HookError> {
        let sent = credentials(headers);
        // Without credentials no file is read and no hash computed.
        let accepted = sent.is_some_and(|(user, password)| {
            // All of them are asked, so that the time does not tell which one knows the user.
            self.0.iter().fold(false, |accepted, checker| accepted | checker.accepts(&user, &password))
        });
        if accepted { Ok(()) } else { Err(HookError { status: 401, message: "Unauthorized".to_owned() }) }
    }

    /// True if a check may block: on a file, or on computing a hash.
    pub(super) fn is_slow(&self) -> bool {
        self.0.iter().any(|checker| match checker {
            Checker::File(_) => true,
            Checker::Memory(users) => users.iter().any(|user| user.scheme() != PasswordScheme::Plain),
        })
    }
}

impl Checker {
    fn accepts(&self, user: &[u8], password: &[u8]) -> bool {
        match self {
            Self::Memory(users) => accepts(users, user, password),
            Self::File(path) => match std::fs::read(path) {
                Ok(bytes) => accepts(&users_of(&bytes), user, password),
                Err(error) => {
                    tracing::error!(file = %path.display(), "password file of change_hooks.auth cannot be read: {error}");
                    false
                }
            },
        }
    }
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
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

    fn has_password(&self, sent: &[u8]) -> bool {
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
fn accepts(users: &[User], name: &[u8], password: &[u8]) -> bool {
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
            let matches = tried.has_password(password);
            accepted |= matches && mine.is_some() && !tried.password.is_empty();
        }
    }
    accepted
}

fn checker(description: &str, table: Option<&Reader<'_>>) -> Option<Checker> {
    let (scheme, argument) = description.split_once(':')?;
    match scheme {
        "file" if !argument.is_empty() => Some(Checker::File(match table {
            Some(table) => table.path_at("auth", argument)?,
            None => PathBuf::from(argument),
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
