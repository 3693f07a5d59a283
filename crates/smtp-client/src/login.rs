//! Logging in at a relay: CRAM-MD5, PLAIN and LOGIN (M-70).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use md5::Md5;

use super::offers::Offers;
use super::trouble::{ANSWER, Trouble};
use super::wire::Wire;
use campanile_config::Secret;

/// Who we are to the relay.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
}

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// Proves that we know the password without telling it.
    CramMd5,
    Plain,
    Login,
}

/// In the order that they are tried in.
const ALL: [Mechanism; 3] = [Mechanism::CramMd5, Mechanism::Plain, Mechanism::Login];

impl Mechanism {
    /// As relays name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Those of the relay's that we know.
    pub(super) fn offered(offers: &Offers) -> Vec<Self> {
        ALL.into_iter().filter(|mechanism| offers.takes(mechanism.name())).collect()
    }
}

impl Credentials {
    /// A text of the relay's without the password, in any of the forms that it was told it in.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        let password = self.password.expose();
        let forms =
            [STANDARD.encode(plain(&self.user, password)), STANDARD.encode(password), password.to_owned()];
        forms.iter().fold(text.to_owned(), |text, form| text.replace(form, "..."))
    }
}

fn plain(user: &str, password: &str) -> String {
    format!("\0{user}\0{password}")
}

/// Those that may be used: over a line that others can read, only those that do not tell the password (M-70).
pub(super) fn usable(mut mechanisms: Vec<Mechanism>, safe: bool) -> Vec<Mechanism> {
    mechanisms.retain(|mechanism| safe || *mechanism == Mechanism::CramMd5);
    mechanisms
}

/// Logs in by the first of `mechanisms` that works; some relays offer what the account has no secret for.
pub(super) async fn log_in(
    wire: &mut Wire,
    credentials: &Credentials,
    mechanisms: &[Mechanism],
) -> Result<Mechanism, Trouble> {
    let mut refused = Trouble::Reply(504, "no way to log in".to_owned());
    for &mechanism in mechanisms {
        match by(wire, credentials, mechanism).await {
            Ok(()) => return Ok(mechanism),
            Err(trouble) if trouble.is_refusal() => refused = trouble,
            Err(trouble) => return Err(trouble),
        }
    }
    Err(refused)
}

async fn by(wire: &mut Wire, credentials: &Credentials, mechanism: Mechanism) -> Result<(), Trouble> {
    let Credentials { user, password } = credentials;
    let password = password.expose();
    let reply = match mechanism {
        Mechanism::Plain => {
            let proof = STANDARD.encode(plain(user, password));
            wire.ask(&format!("AUTH PLAIN {proof}"), ANSWER).await?
        }
        Mechanism::Login => {
            wire.begin("AUTH LOGIN").await?;
            wire.begin(&STANDARD.encode(user)).await?;
            wire.ask(&STANDARD.encode(password), ANSWER).await?
        }
        Mechanism::CramMd5 => {
            let reply = wire.begin("AUTH CRAM-MD5").await?;
            let challenge = reply.lines.first().and_then(|line| STANDARD.decode(line.trim()).ok());
            let Some(challenge) = challenge else {
                // RFC 4954: a lone star takes it back.
                return wire.ask("*", ANSWER).await.and(Err(unexpected()));
            };
            wire.ask(&STANDARD.encode(cram_md5(user, password, &challenge)), ANSWER).await?
        }
    };
    if reply.code == 235 { Ok(()) } else { Err(unexpected()) }
}

/// The talk is out of step; a fresh connection may do better.
fn unexpected() -> Trouble {
    Trouble::Lost("it answers a login in a way that no rule has".to_owned())
}

/// RFC 2195.
fn cram_md5(user: &str, password: &str, challenge: &[u8]) -> String {
    let mut mac = Hmac::<Md5>::new_from_slice(password.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(challenge);
    let mut answer = format!("{user} ");
    for byte in mac.finalize().into_bytes() {
        answer.push_str(&format!("{byte:02x}"));
    }
    answer
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
        let offers =
            Offers::read(&["mx".to_owned(), "AUTH LOGIN XOAUTH2 PLAIN DIGEST-MD5 CRAM-MD5".to_owned()]);
        assert_eq!(Mechanism::offered(&offers), ALL);
        assert!(Mechanism::offered(&Offers::default()).is_empty());
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
            assert_eq!(credentials.hidden_in(said), "no ...");
        }
    }
}
