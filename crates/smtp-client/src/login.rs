//! The login at a relay: CRAM-MD5, PLAIN and LOGIN (M-70).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;

use campanile_outbound::limits::SMTP_LOGIN;

use super::connection::SmtpConnection;
use super::error::SmtpError;
use super::extensions::EhloExtensions;
use campanile_config::{Secret, mask};

/// A user of the relay's, with the password.
#[derive(Debug)]
pub struct Credentials {
    /// Name that the relay knows.
    pub user: String,
    /// Password, in clear.
    pub password: Secret,
}

/// A login mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// CRAM-MD5 (RFC 2195): proves that the password is known without telling it.
    CramMd5,
    /// PLAIN (RFC 4616): tells user and password at once.
    Plain,
    /// LOGIN, which no RFC has and many relays offer: tells user and password one after the other.
    Login,
}

/// All mechanisms in the order that they are tried in: the one that tells nothing first.
const ALL: [Mechanism; 3] = [Mechanism::CramMd5, Mechanism::Plain, Mechanism::Login];

impl Mechanism {
    /// The name that relays offer it under.
    pub fn name(self) -> &'static str {
        match self {
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanisms that are offered and known here.
    pub(crate) fn offered(extensions: &EhloExtensions) -> Vec<Self> {
        ALL.into_iter().filter(|mechanism| extensions.has_mechanism(mechanism.name())).collect()
    }
}

impl Credentials {
    /// A text of the relay's without the password in any of the forms that the relay was told it in. Some relays quote
    /// the command that they refuse, and that quote would end up in records and logs.
    pub(crate) fn redact(&self, text: &str) -> String {
        mask(text, &self.told())
    }

    /// The password in all forms that a relay is told it in.
    pub(crate) fn told(&self) -> [Secret; 3] {
        let password = self.password.expose();
        [STANDARD.encode(plain(&self.user, password)), STANDARD.encode(password), password.to_owned()]
            .map(Secret::new)
    }
}

fn plain(user: &str, password: &str) -> String {
    format!("\0{user}\0{password}")
}

/// The mechanisms that may be used: over a line that others can read, only those that do not tell the password (M-70).
pub(crate) fn usable(mut mechanisms: Vec<Mechanism>, is_safe: bool) -> Vec<Mechanism> {
    mechanisms.retain(|mechanism| is_safe || *mechanism == Mechanism::CramMd5);
    mechanisms
}

/// Logs in by the first of `mechanisms` that works; some relays offer what the account has no secret for. Not cancel
/// safe: the connection is out of step afterwards.
pub(crate) async fn authenticate(
    connection: &mut SmtpConnection,
    credentials: &Credentials,
    mechanisms: &[Mechanism],
) -> Result<Mechanism, SmtpError> {
    let mut refused = SmtpError::Reply(504, "no way to log in".to_owned());
    for &mechanism in mechanisms {
        match authenticate_by(connection, credentials, mechanism).await {
            Ok(()) => return Ok(mechanism),
            Err(error) if error.is_permanent() => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

async fn authenticate_by(
    connection: &mut SmtpConnection,
    credentials: &Credentials,
    mechanism: Mechanism,
) -> Result<(), SmtpError> {
    let Credentials { user, password } = credentials;
    let password = password.expose();
    let reply = match mechanism {
        Mechanism::Plain => {
            let proof = STANDARD.encode(plain(user, password));
            connection.command(&format!("AUTH PLAIN {proof}"), SMTP_LOGIN).await?
        }
        Mechanism::Login => {
            connection.begin_command("AUTH LOGIN", SMTP_LOGIN).await?;
            connection.begin_command(&STANDARD.encode(user), SMTP_LOGIN).await?;
            connection.command(&STANDARD.encode(password), SMTP_LOGIN).await?
        }
        Mechanism::CramMd5 => {
            let reply = connection.begin_command("AUTH CRAM-MD5", SMTP_LOGIN).await?;
            let challenge = reply.lines.first().and_then(|line| STANDARD.decode(line.trim()).ok());
            let Some(challenge) = challenge else {
                // RFC 4954: a lone star takes it back.
                return connection.command("*", SMTP_LOGIN).await.and(Err(unexpected()));
            };
            connection.command(&STANDARD.encode(cram_md5(user, password, &challenge)), SMTP_LOGIN).await?
        }
    };
    if reply.code == 235 { Ok(()) } else { Err(unexpected()) }
}

/// An error that ends the connection: it is out of step, and a fresh one may do better.
fn unexpected() -> SmtpError {
    SmtpError::Connection("it answers a login in a way that no rule has".to_owned())
}

/// The response to a challenge (RFC 2195): the user, and the HMAC of the challenge in hexadecimal digits.
fn cram_md5(user: &str, password: &str, challenge: &[u8]) -> String {
    let mut mac = Hmac::<Md5>::new_from_slice(password.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(challenge);
    format!("{user} {}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_70_the_example_of_rfc_2195() {
        let answer = cram_md5("tim", "tanstaaftanstaaf", b"<1896.697170952@postoffice.reston.mci.net>");
        assert_eq!(answer, "tim b913a602c7eda7a495b4e6e7334d3890");
    }

    #[test]
    fn m_70_cram_md5_comes_first() {
        let extensions = EhloExtensions::read(&[
            "mx".to_owned(),
            "AUTH LOGIN XOAUTH2 PLAIN DIGEST-MD5 CRAM-MD5".to_owned(),
        ]);
        assert_eq!(Mechanism::offered(&extensions), ALL);
        assert!(Mechanism::offered(&EhloExtensions::default()).is_empty());
    }

    #[test]
    fn m_70_no_password_over_a_line_that_others_can_read() {
        assert_eq!(usable(ALL.to_vec(), false), [Mechanism::CramMd5]);
        assert_eq!(usable(vec![Mechanism::Plain, Mechanism::Login], false), []);
        assert_eq!(usable(ALL.to_vec(), true), ALL);
    }

    #[test]
    fn a_relay_that_repeats_the_password_is_not_quoted() {
        let credentials = Credentials { user: "bell".to_owned(), password: Secret::new("tower") };
        for said in ["no tower", "no dG93ZXI=", "no AGJlbGwAdG93ZXI="] {
            assert_eq!(credentials.redact(said), "no ***");
        }
    }
}
