//! Hands mails to a relay, each recipient with a result of its own (M-65 to M-71).

use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials as Login, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::message::StoredMail;
use super::pool::Pool;
use super::trouble::{ANSWER, Trouble, answered, receipt};
use crate::config::Secret;
use crate::targets::{Fault, FaultCode, Outcome};

/// How long a connection may take to come up (M-71).
const CONNECT: Duration = Duration::from_secs(30);
/// How long a kept connection may take to show that it lives; a fresh one is near.
const ALIVE: Duration = Duration::from_secs(30);

/// Who we are to the relay.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
}

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
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    allow_plain_auth: bool,
    hello: ClientId,
    pool: Arc<Pool>,
}

/// What became of the recipients of one transaction.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: Vec<String>,
    deferred: Vec<(String, Trouble)>,
}

impl Relay {
    pub(super) fn new(
        target: &str,
        host: String,
        port: u16,
        encryption: Encryption,
        tls: Option<TlsParameters>,
        credentials: Option<Credentials>,
        allow_plain_auth: bool,
    ) -> Self {
        let label = format!("mail target `{target}`: the relay {host}:{port}");
        let (hello, pool) = (hello(), Arc::default());
        Self { label, host, port, encryption, tls, credentials, allow_plain_auth, hello, pool }
    }

    /// Hands the mail over once to those who are still to get it.
    pub(super) async fn send(&self, mail: StoredMail) -> Outcome {
        while let Some(mut connection) = self.pool.take() {
            match self.begin(&mut connection, &mail, ALIVE).await {
                // It died while it waited, and nothing was sent on it: a fresh one takes its place.
                Err(trouble) if trouble.ends_connection() => {}
                begun => return self.go_on(connection, begun, mail).await,
            }
        }
        let mut connection = match self.open().await {
            Ok(connection) => connection,
            Err(fault) => return failed(fault, &mail),
        };
        let begun = self.begin(&mut connection, &mail, ANSWER).await;
        self.go_on(connection, begun, mail).await
    }

    /// Proves that the relay can be talked to, and says what it offers.
    pub(super) async fn probe(&self) -> Result<String, Fault> {
        let mut connection = self.open().await?;
        let info = connection.server_info();
        let offers = [
            (Extension::StartTls, "STARTTLS"),
            (Extension::EightBitMime, "8BITMIME"),
            (Extension::SmtpUtfEight, "SMTPUTF8"),
            (Extension::Authentication(Mechanism::Plain), "AUTH PLAIN"),
            (Extension::Authentication(Mechanism::Login), "AUTH LOGIN"),
        ];
        let offers: Vec<&str> = offers
            .into_iter()
            .filter(|(what, _)| info.supports_feature(*what))
            .map(|(_, name)| name)
            .collect();
        let offers = if offers.is_empty() { "no extensions".to_owned() } else { offers.join(", ") };
        let encrypted = if connection.is_encrypted() { "encrypted" } else { "not encrypted" };
        let login = if self.credentials.is_some() { ", the credentials work" } else { "" };
        let said = format!("{}:{} answers ({encrypted}{login}) and offers {offers}", self.host, self.port);
        let _ = tokio::time::timeout(Duration::from_secs(5), connection.command(Quit)).await;
        Ok(said)
    }

    /// Connects, encrypts and logs in, as far as the settings want it.
    async fn open(&self) -> Result<AsyncSmtpConnection, Fault> {
        let from_start = self.tls.clone().filter(|_| self.encryption == Encryption::FromStart);
        let address = (self.host.as_str(), self.port);
        let connect =
            AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT), &self.hello, from_start, None);
        let connection = answered(connect, CONNECT + ANSWER).await;
        let mut connection = connection.map_err(|trouble| {
            let what = format!("{} cannot be reached or does not greet us", self.label);
            trouble.fault(&what, FaultCode::Rejected, ": check `relayhost`, `smtp_port` and the relay")
        })?;
        self.encrypt(&mut connection).await?;
        self.log_in(&mut connection).await?;
        Ok(connection)
    }

    async fn encrypt(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Fault> {
        let wanted = match self.encryption {
            Encryption::None | Encryption::FromStart => false,
            Encryption::IfOffered => connection.can_starttls(),
            Encryption::Required => true,
        };
        let Some(tls) = self.tls.clone().filter(|_| wanted) else { return Ok(()) };
        if !connection.can_starttls() {
            let text = format!(
                "{} does not offer STARTTLS (use_tls = true); set use_smtps for a port that starts with TLS",
                self.label
            );
            return Err(Fault::lasting(FaultCode::Tls, text));
        }
        let begun = answered(connection.starttls(tls, &self.hello), ANSWER).await;
        begun.map_err(|trouble| {
            let what = format!("{} does not agree with us on TLS", self.label);
            let fault =
                trouble.fault(&what, FaultCode::Tls, ": check its certificate, `relayhost` and `tls_ca`");
            Fault { code: FaultCode::Tls, ..fault }
        })
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Fault> {
        let Some(Credentials { user, password }) = &self.credentials else { return Ok(()) };
        if !(connection.is_encrypted() || self.allow_plain_auth || self.is_loopback()) {
            let text = format!(
                "{} would get the password unencrypted: set `use_tls`, or `allow_plain_auth` if the way there is safe",
                self.label
            );
            return Err(Fault::lasting(FaultCode::Authentication, text));
        }
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
            let text = format!(
                "{} offers no login by PLAIN or LOGIN: remove `smtp_user`, or check `use_tls` and the port",
                self.label
            );
            return Err(Fault::lasting(FaultCode::Authentication, text));
        }
        let login = Login::new(user.clone(), password.expose().to_owned());
        let result = answered(connection.auth(&mechanisms, &login), ANSWER).await;
        result.map(drop).map_err(|trouble| {
            let what = format!("{} did not take the login of `{user}`", self.label);
            let hint = ": check `smtp_user` and `smtp_password`";
            let fault = trouble.fault(&what, FaultCode::Authentication, hint);
            // A relay that repeats what it was told must not put the password into our records.
            Fault { text: fault.text.replace(password.expose(), "..."), ..fault }
        })
    }

    fn is_loopback(&self) -> bool {
        let address: Result<std::net::IpAddr, _> = self.host.parse();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    /// Names the sender.
    async fn begin(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &StoredMail,
        limit: Duration,
    ) -> Result<(), Trouble> {
        let mut parameters = Vec::new();
        if !mail.raw.is_ascii() {
            // Only an address of another script is ever written as it is.
            let info = connection.server_info();
            let both = [Extension::SmtpUtfEight, Extension::EightBitMime];
            if !both.into_iter().all(|extension| info.supports_feature(extension)) {
                let text = "it does not offer SMTPUTF8, which addresses of other scripts need";
                return Err(Trouble::Reply(553, text.to_owned()));
            }
            parameters.push(MailParameter::SmtpUtfEight);
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let sender = Some(address(&mail.envelope.sender));
        answered(connection.command(Mail::new(sender, parameters)), limit).await.map(drop)
    }

    /// Everything after the sender was named.
    async fn go_on(
        &self,
        mut connection: AsyncSmtpConnection,
        begun: Result<(), Trouble>,
        mail: StoredMail,
    ) -> Outcome {
        if let Err(trouble) = begun {
            self.keep(connection, &trouble).await;
            let what = format!("{} did not take the sender `{}`", self.label, mail.envelope.sender);
            return failed(trouble.fault(&what, FaultCode::Rejected, ": check `fromaddr`"), &mail);
        }
        let tally = match self.name_recipients(&mut connection, &mail).await {
            Ok(tally) => tally,
            Err(trouble) => {
                let what = format!("{} broke off while recipients were named", self.label);
                return failed(trouble.fault(&what, FaultCode::Rejected, ""), &mail);
            }
        };
        if tally.accepted == 0 {
            self.reset(connection).await;
            return self.nobody(tally, &mail);
        }
        match self.hand_over(&mut connection, &mail.raw).await {
            Ok(receipt) => {
                self.pool.put(connection);
                self.handed_over(tally, mail, &receipt)
            }
            Err(trouble) => {
                let fault =
                    trouble.fault(&format!("{} did not take the mail", self.label), FaultCode::Rejected, "");
                self.keep(connection, &trouble).await;
                failed(fault, &mail)
            }
        }
    }

    async fn name_recipients(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &StoredMail,
    ) -> Result<Tally, Trouble> {
        let mut tally = Tally::default();
        for recipient in &mail.envelope.recipients {
            let named = connection.command(Rcpt::new(address(recipient), Vec::new()));
            match answered(named, ANSWER).await {
                Ok(_) => tally.accepted += 1,
                Err(trouble) if trouble.ends_connection() => return Err(trouble),
                // RFC 5321, 4.5.3.1.10: old relays say 552 when they mean 452, too many at once.
                Err(trouble @ Trouble::Reply(552, _)) if tally.accepted > 0 => {
                    tally.deferred.push((recipient.clone(), trouble));
                }
                Err(trouble) if trouble.is_refusal() => {
                    let text = format!(
                        "{} refused `{recipient}` ({}): fix the address or remove it",
                        self.label,
                        trouble.answer()
                    );
                    tracing::warn!("{text}");
                    tally.refused.push(text);
                }
                Err(trouble) => tally.deferred.push((recipient.clone(), trouble)),
            }
        }
        Ok(tally)
    }

    async fn hand_over(&self, connection: &mut AsyncSmtpConnection, raw: &[u8]) -> Result<String, Trouble> {
        answered(connection.command(Data), ANSWER).await?;
        // The end of the last line comes with the final dot.
        let raw = raw.strip_suffix(b"\r\n").unwrap_or(raw);
        let answer = answered(connection.message(raw), ANSWER).await;
        match answer {
            Ok(response) => Ok(receipt(&response)),
            Err(Trouble::Lost(reason)) => Err(Trouble::Lost(format!(
                "the connection broke before it confirmed the mail, which may arrive twice: {reason}"
            ))),
            Err(trouble) => Err(trouble),
        }
    }

    /// All recipients were refused or put off.
    fn nobody(&self, tally: Tally, mail: &StoredMail) -> Outcome {
        if let Some((recipient, trouble)) = tally.deferred.first() {
            let what = format!("{} does not take mail for `{recipient}` now", self.label);
            let fault = Fault::passing(FaultCode::Busy, format!("{what} ({})", trouble.answer()));
            return Outcome::Deferred { fault, not_before: None };
        }
        let refused: Vec<String> = mail.envelope.refused.iter().cloned().chain(tally.refused).collect();
        if mail.envelope.served > 0 {
            let receipt = format!("{} got it at an earlier attempt", mail.envelope.served);
            return Outcome::Partly { receipt, refused };
        }
        Outcome::Refused(Fault::lasting(FaultCode::Rejected, refused.join("; ")))
    }

    /// At least one recipient got it.
    fn handed_over(&self, tally: Tally, mut mail: StoredMail, receipt: &str) -> Outcome {
        let served = mail.envelope.served + tally.accepted;
        let receipt = format!("{}:{} took it for {}: {receipt}", self.host, self.port, tally.accepted);
        mail.envelope.served = served;
        mail.envelope.refused.extend(tally.refused);
        if let Some((_, trouble)) = tally.deferred.first() {
            let text = format!(
                "{} took the mail for {}, but not yet for {} ({})",
                self.label,
                tally.accepted,
                tally.deferred.len(),
                trouble.answer()
            );
            mail.envelope.recipients = tally.deferred.into_iter().map(|(recipient, _)| recipient).collect();
            let fault = Fault::passing(FaultCode::Busy, text);
            return Outcome::Rest { message: mail.to_bytes(), fault, not_before: None };
        }
        match mail.envelope.refused {
            refused if refused.is_empty() => Outcome::Delivered(receipt),
            refused => Outcome::Partly { receipt, refused },
        }
    }

    async fn keep(&self, connection: AsyncSmtpConnection, trouble: &Trouble) {
        if !trouble.ends_connection() {
            self.reset(connection).await;
        }
    }

    /// Makes the connection forget a mail that went nowhere, and keeps it.
    async fn reset(&self, mut connection: AsyncSmtpConnection) {
        if answered(connection.command(Rset), ALIVE).await.is_ok() {
            self.pool.put(connection);
        }
    }
}

fn failed(fault: Fault, mail: &StoredMail) -> Outcome {
    match fault.lasting {
        crate::targets::Lasting::No => Outcome::Deferred { fault, not_before: None },
        // Those served at an earlier attempt have it: that is not a failure of the whole.
        crate::targets::Lasting::Yes if mail.envelope.served > 0 => {
            let mut refused = mail.envelope.refused.clone();
            refused.push(format!("{}: not sent to {}", fault.text, mail.envelope.recipients.join(", ")));
            Outcome::Partly {
                receipt: format!("{} got it at an earlier attempt", mail.envelope.served),
                refused,
            }
        }
        crate::targets::Lasting::Yes => Outcome::Refused(fault),
    }
}

/// Our addresses are checked where they enter; here they only change their type.
fn address(text: &str) -> lettre::Address {
    let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    lettre::Address::new_dangerous(local, domain)
}

/// This host's full name, or an address literal when it has none (M-71).
fn hello() -> ClientId {
    match ClientId::default() {
        ClientId::Domain(name) if name.contains('.') && super::address::is_domain(&name, 2) => {
            ClientId::Domain(name)
        }
        _ => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
    }
}
