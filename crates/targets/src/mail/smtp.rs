//! A relay: how to reach it, and the connections that are kept (M-68 to M-71, M-X-01). What is said there about one
//! mail is in `transaction`.

use std::sync::Arc;
use std::time::Duration;

use super::login::{self, Credentials, Mechanism};
use super::message::StoredMail;
use super::pool::Pool;
use super::transaction::{self, Stop, Tally};
use super::trouble::{ANSWER, Trouble};
use super::wire::Wire;
use campanile_outbound::Dialer;
use campanile_outbound::TlsConnector;
use crate::{Fault, FaultCode, Permanence, Outcome};

/// How long a connection may take to come up (M-71).
const CONNECT: Duration = Duration::from_secs(30);
/// How long a kept connection may take to show that it lives; a fresh one is near.
const ALIVE: Duration = Duration::from_secs(30);

/// When a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Never.
    None,
    /// When the relay offers it (M-69).
    IfOffered,
    /// By STARTTLS, before anything else is said (M-68).
    Required,
    /// From the first byte (M-X-01).
    FromStart,
}

/// A relay, how to talk to it, and the connections that are kept.
pub(super) struct Relay {
    /// The beginning of every error: which target, which relay.
    label: String,
    host: String,
    port: u16,
    encryption: Encryption,
    tls: Option<TlsConnector>,
    credentials: Option<Credentials>,
    allow_plain_auth: bool,
    hello: String,
    dialer: Dialer,
    pool: Arc<Pool>,
}

impl Relay {
    pub(super) fn new(
        target: &str,
        host: String,
        port: u16,
        encryption: Encryption,
        tls: Option<TlsConnector>,
        credentials: Option<Credentials>,
        allow_plain_auth: bool,
    ) -> Self {
        let label = format!("mail target `{target}`: the relay {host}:{port}");
        let (hello, dialer, pool) = (hello(), Dialer::default(), Arc::default());
        Self { label, host, port, encryption, tls, credentials, allow_plain_auth, hello, dialer, pool }
    }

    /// Connects only where this one does.
    pub(super) fn through(self, dialer: Dialer) -> Self {
        Self { dialer, ..self }
    }

    /// Hands the mail over once to those who are still to get it.
    pub(super) async fn send(&self, mail: StoredMail) -> Outcome {
        let _turn = self.pool.turn().await;
        while let Some(mut wire) = self.pool.take() {
            match transaction::hand_over(&mut wire, &self.label, &mail, ALIVE).await {
                // It died while it waited, and nothing was sent on it: a fresh one takes its place.
                Err(Stop::Sender(trouble)) if trouble.ends_connection() => {}
                done => return self.settle(wire, done, mail).await,
            }
        }
        let mut wire = match self.open().await {
            Ok((wire, _)) => wire,
            Err(fault) => return transaction::failed(fault, &mail),
        };
        let done = transaction::hand_over(&mut wire, &self.label, &mail, ANSWER).await;
        self.settle(wire, done, mail).await
    }

    /// Keeps the connection if it can be used again, and says what became of the mail.
    async fn settle(&self, mut wire: Wire, done: Result<Tally, Stop>, mail: StoredMail) -> Outcome {
        let usable = match &done {
            Ok(tally) if tally.receipt.is_some() => true,
            Err(stop) if stop.ends_connection() => false,
            // Makes it forget a mail that went nowhere.
            _ => wire.ask("RSET", ALIVE).await.is_ok(),
        };
        if usable {
            self.pool.put(wire);
        }
        transaction::outcome(&self.label, done, mail)
    }

    /// Proves that the relay can be talked to, and says what it offers.
    pub(super) async fn probe(&self) -> Result<String, Fault> {
        let (mut wire, login) = self.open().await?;
        let encrypted = wire.tls.unwrap_or("not encrypted");
        let login = login.map(|by| format!(", the credentials work by {}", by.name())).unwrap_or_default();
        let said =
            format!("{}:{} answers ({encrypted}{login}) and offers {}", self.host, self.port, wire.offers);
        let _ = wire.ask("QUIT", Duration::from_secs(5)).await;
        Ok(said)
    }

    /// Connects, encrypts and logs in, as far as the settings want it.
    async fn open(&self) -> Result<(Wire, Option<Mechanism>), Fault> {
        let from_start = self.tls.as_ref().filter(|_| self.encryption == Encryption::FromStart);
        let connected = Wire::connect(&self.dialer, &self.host, self.port, from_start, CONNECT).await;
        let mut wire = connected.map_err(|trouble| match trouble {
            Trouble::Tls(_) => self.no_tls(&trouble),
            trouble => {
                let what = format!("{} cannot be reached or does not greet us", self.label);
                let hint = ": check `relayhost`, `smtp_port` and the relay";
                passing(trouble.fault(&what, FaultCode::Rejected, hint))
            }
        })?;
        self.greet(&mut wire).await?;
        let mut wire = self.encrypt(wire).await?;
        let login = self.log_in(&mut wire).await?;
        Ok((wire, login))
    }

    async fn greet(&self, wire: &mut Wire) -> Result<(), Fault> {
        wire.greet(&self.hello).await.map_err(|trouble| {
            let what = format!("{} does not take our greeting as `{}`", self.label, self.hello);
            passing(trouble.fault(&what, FaultCode::Rejected, ""))
        })
    }

    async fn encrypt(&self, wire: Wire) -> Result<Wire, Fault> {
        let wanted = match self.encryption {
            Encryption::None | Encryption::FromStart => false,
            Encryption::IfOffered => wire.offers.starttls,
            Encryption::Required => true,
        };
        let Some(tls) = self.tls.as_ref().filter(|_| wanted) else { return Ok(wire) };
        if !wire.offers.starttls {
            let text = format!(
                "{} does not offer STARTTLS (use_tls = true); set use_smtps for a port that starts with TLS",
                self.label
            );
            return Err(Fault::permanent(FaultCode::Tls, text));
        }
        let mut wire = wire.start_tls(tls).await.map_err(|trouble| self.no_tls(&trouble))?;
        // What was offered before counts no more: anybody on the way could have said it.
        self.greet(&mut wire).await?;
        Ok(wire)
    }

    /// A wrong certificate is put right sooner or later, often by the relay's own people: the mail waits for that.
    fn no_tls(&self, trouble: &Trouble) -> Fault {
        let what = format!("{} does not agree with us on TLS", self.label);
        let hint = match self.encryption {
            Encryption::FromStart => {
                ": check its certificate, `relayhost` and `tls_ca`, and that its port starts with TLS"
            }
            _ => ": check its certificate, `relayhost` and `tls_ca`",
        };
        Fault { code: FaultCode::Tls, ..trouble.fault(&what, FaultCode::Tls, hint) }
    }

    async fn log_in(&self, wire: &mut Wire) -> Result<Option<Mechanism>, Fault> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let never =
            |text: &str| Fault::permanent(FaultCode::Authentication, format!("{} {text}", self.label));
        let offered = Mechanism::offered(&wire.offers);
        if offered.is_empty() {
            return Err(never(
                "offers no login by CRAM-MD5, PLAIN or LOGIN: remove `smtp_user`, or check `use_tls` and the port",
            ));
        }
        let safe = wire.tls.is_some() || wire.loopback || self.allow_plain_auth;
        let usable = login::usable(offered, safe);
        if usable.is_empty() {
            return Err(never(
                "would get the password unencrypted: set `use_tls`, or `allow_plain_auth` if the way there is safe",
            ));
        }
        login::log_in(wire, credentials, &usable).await.map(Some).map_err(|trouble| {
            let what = format!("{} did not take the login of `{}`", self.label, credentials.user);
            let hint = ": check `smtp_user` and `smtp_password`";
            let fault = trouble.fault(&what, FaultCode::Authentication, hint);
            // A relay that repeats what it was told must not put the password into our records.
            Fault { text: credentials.hidden_in(&fault.text), ..fault }
        })
    }
}

/// A relay that turns everybody away says nothing about this mail, and may be back tomorrow.
fn passing(fault: Fault) -> Fault {
    Fault { lasting: Permanence::Transient, ..fault }
}

/// This host's full name, or an address literal when it has none (M-71).
fn hello() -> String {
    let name = hostname::get().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| super::address::is_domain(name, 2)).unwrap_or_else(|| "[127.0.0.1]".to_owned())
}
