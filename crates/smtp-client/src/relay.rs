//! A relay: connections to it made ready for messages, and kept between them (M-68 to M-71, M-X-01).

use std::sync::Arc;

use campanile_outbound::{Dialer, TlsConnector, limits};

use super::connection::SmtpConnection;
use super::error::{ConnectError, SendError, SmtpError, TransactionError};
use super::extensions::EhloExtensions;
use super::login::{self, Credentials, Mechanism};
use super::pool::Pool;
use super::transaction::{Message, RecipientResults, transact};

/// Encryption of a connection, with the names and authorities that count for it.
#[derive(Debug)]
pub enum Encryption {
    /// None.
    None,
    /// STARTTLS where the relay offers it (M-69). Whoever is on the way can take the offer out.
    IfOffered(TlsConnector),
    /// STARTTLS before anything else is said (M-68).
    Required(TlsConnector),
    /// TLS from the first byte (M-X-01).
    FromStart(TlsConnector),
}

/// A relay's address, and what is asked of a connection to it.
#[derive(Debug)]
pub struct RelayConfig {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Encryption of all its connections.
    pub encryption: Encryption,
    /// None: no login.
    pub credentials: Option<Credentials>,
    /// Lets the password go over a line that others can read (M-70).
    pub allow_plain_auth: bool,
    /// Makes the connections, and guards where they go.
    pub dialer: Dialer,
}

/// A relay, with the connections to it that are kept.
pub struct Relay {
    config: RelayConfig,
    ehlo_name: String,
    pool: Arc<Pool>,
}

/// A relay's capabilities, as found by trying them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// Version of TLS; none without TLS.
    pub tls: Option<&'static str>,
    /// The mechanism that the credentials work by; none without credentials.
    pub login: Option<Mechanism>,
    /// Extensions that it offers.
    pub extensions: EhloExtensions,
}

impl Relay {
    /// Takes over the configuration. Connects to nothing yet.
    pub fn new(config: RelayConfig) -> Self {
        Self { config, ehlo_name: ehlo_name(), pool: Arc::default() }
    }

    /// Hands a message over, once, on a kept connection or a fresh one. Waits while too many are in use. When the
    /// future is dropped, its connection is closed, and nobody knows whether the relay has the message.
    ///
    /// # Errors
    /// When no recipient was even asked for, or the relay broke the transaction off. Recipients who were all refused
    /// are no error.
    pub async fn send(&self, message: &Message<'_>) -> Result<RecipientResults, SendError> {
        let _permit = self.pool.permit().await;
        while let Some(mut connection) = self.pool.take() {
            match transact(&mut connection, message, limits::SMTP_ALIVE).await {
                // It died while it idled, and the relay took nothing on it: another one takes its place, and the caller
                // never hears of it. This holds for the reply to the sender only; later, something was under way.
                Err(TransactionError::Sender(error)) if error.ends_connection() => {}
                done => return self.settle(connection, done).await,
            }
        }
        let (mut connection, _) = self.connect().await?;
        let done = transact(&mut connection, message, limits::SMTP_REPLY).await;
        self.settle(connection, done).await
    }

    /// Keeps the connection if it is, or can be brought, between two transactions.
    async fn settle(
        &self,
        mut connection: SmtpConnection,
        done: Result<RecipientResults, TransactionError>,
    ) -> Result<RecipientResults, SendError> {
        let is_usable = match &done {
            Ok(results) if results.receipt.is_some() => true,
            Err(error) if error.ends_connection() => false,
            // The relay still has a sender, and perhaps recipients: without RSET they would be those of the next
            // message.
            _ => connection.command("RSET", limits::SMTP_ALIVE).await.is_ok(),
        };
        if is_usable {
            self.pool.put(connection);
        }
        done.map_err(SendError::from)
    }

    /// Connects, encrypts and logs in, as for a message, and tells what there is.
    ///
    /// # Errors
    /// When no message could be sent now.
    pub async fn probe(&self) -> Result<ProbeReport, ConnectError> {
        let (mut connection, login) = self.connect().await?;
        // A relay that hangs up without a word is as good as one that says goodbye.
        let _ = connection.command("QUIT", limits::SMTP_QUIT).await;
        Ok(ProbeReport { tls: connection.tls, login, extensions: connection.extensions })
    }

    /// Makes a connection ready for messages.
    async fn connect(&self) -> Result<(SmtpConnection, Option<Mechanism>), ConnectError> {
        let RelayConfig { host, port, encryption, dialer, .. } = &self.config;
        let from_start = match encryption {
            Encryption::FromStart(tls) => Some(tls),
            _ => None,
        };
        let connected = SmtpConnection::connect(dialer, host, *port, from_start).await;
        let mut connection = connected.map_err(|error| match error {
            SmtpError::Tls(_) => ConnectError::Tls(error),
            error => ConnectError::Greeting(error),
        })?;
        self.ehlo(&mut connection).await?;
        let mut connection = self.start_tls(connection).await?;
        let login = self.log_in(&mut connection).await?;
        Ok((connection, login))
    }

    async fn ehlo(&self, connection: &mut SmtpConnection) -> Result<(), ConnectError> {
        let name = &self.ehlo_name;
        connection.ehlo(name).await.map_err(|error| ConnectError::Ehlo { name: name.clone(), error })
    }

    async fn start_tls(&self, connection: SmtpConnection) -> Result<SmtpConnection, ConnectError> {
        let is_offered = connection.extensions.starttls;
        let tls = match &self.config.encryption {
            Encryption::IfOffered(tls) if is_offered => tls,
            Encryption::Required(tls) if is_offered => tls,
            Encryption::Required(_) => return Err(ConnectError::StartTlsMissing),
            Encryption::None | Encryption::FromStart(_) | Encryption::IfOffered(_) => return Ok(connection),
        };
        let mut connection = connection.start_tls(tls).await.map_err(ConnectError::StartTls)?;
        // The extensions from before count no more: anybody on the way could have offered them.
        self.ehlo(&mut connection).await?;
        Ok(connection)
    }

    async fn log_in(&self, connection: &mut SmtpConnection) -> Result<Option<Mechanism>, ConnectError> {
        let Some(credentials) = &self.config.credentials else { return Ok(None) };
        let offered = Mechanism::offered(&connection.extensions);
        if offered.is_empty() {
            return Err(ConnectError::NoMechanism);
        }
        let is_safe = connection.tls.is_some() || connection.is_loopback || self.config.allow_plain_auth;
        let usable = login::usable(offered, is_safe);
        if usable.is_empty() {
            return Err(ConnectError::UnsafeLogin);
        }
        // A relay that repeats what it was told must not put the password into anybody's records.
        connection.hidden = credentials.told().into();
        login::authenticate(connection, credentials, &usable)
            .await
            .map(Some)
            .map_err(|error| ConnectError::Login { user: credentials.redact(&credentials.user), error })
    }
}

/// This host's full name, or an address literal when it has none, as RFC 5321 (4.1.4) wants it (M-71).
fn ehlo_name() -> String {
    let name = hostname::get().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| is_full_name(name)).unwrap_or_else(|| "[127.0.0.1]".to_owned())
}

/// True for two labels or more of letters, digits and `-`, with one final dot at most.
fn is_full_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.contains('.') && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_71_a_name_for_ehlo_is_a_full_one() {
        for name in ["ci.example.org", "a.b", "ci.example.org."] {
            assert!(is_full_name(name), "{name}");
        }
        for name in ["", "ci", "ci.", ".org", "a..b", "a_b.org", "ci.example.org\r\nRSET", "ü.org"] {
            assert!(!is_full_name(name), "{name}");
        }
    }
}
