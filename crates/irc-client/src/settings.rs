//! Settings of a client, checked by whoever fills them in.

use campanile_config::Secret;
use campanile_outbound::{Dialer, TlsConnector};

use crate::outbox::Rate;

/// Everything that a client is told. Texts that become part of a line must be one line, names one word.
#[derive(Debug)]
pub struct ClientSettings {
    /// The server and the identity there. Taken up by a new connection only.
    pub server: ServerSettings,
    /// Channels to be in, whatever becomes of it: after being thrown out, the client comes back.
    pub channels: Vec<Channel>,
    /// The rate that lines go out at.
    pub rate: Rate,
    /// NOTICE instead of PRIVMSG for texts to channels (I-OUT-02).
    pub notice_on_channel: bool,
    /// The answer to CTCP VERSION (I-CON-09).
    pub version: String,
}

impl ClientSettings {
    /// All that the server is told and may repeat, in each form that it knows.
    pub(crate) fn told(&self) -> Vec<Secret> {
        use base64::Engine as _;
        let server = &self.server;
        let mut told: Vec<Secret> = self.channels.iter().filter_map(|channel| channel.key.clone()).collect();
        told.extend(server.server_password.clone());
        if let AccountAuth::NickServ(password) | AccountAuth::SaslPlain(password) = &server.auth {
            let plain = format!("{nick}\0{nick}\0{}", password.expose(), nick = server.nick);
            told.push(Secret::new(base64::engine::general_purpose::STANDARD.encode(plain)));
            // NickServ's words come in lower case.
            told.push(Secret::new(password.expose().to_lowercase()));
            told.push(password.clone());
        }
        told
    }
}

/// A server, the way to it, and the identity that is used there.
#[derive(Debug)]
pub struct ServerSettings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS from the first byte on, if it is wanted.
    pub tls: Option<TlsConnector>,
    /// The way out, with its guard against addresses of the operator's own network.
    pub dialer: Dialer,
    /// Nickname to ask for, user name, and account name.
    pub nick: String,
    /// Free text that WHOIS shows.
    pub real_name: String,
    /// Password of the server itself (PASS).
    pub server_password: Option<Secret>,
    /// Proof that the nickname is ours.
    pub auth: AccountAuth,
    /// Asks for the capability `account-tag`, so that [`Prefix::account`](crate::Prefix::account) is known.
    pub account_tag: bool,
}

/// Proof of an account at the network's services.
#[derive(Clone, Debug)]
pub enum AccountAuth {
    /// No account.
    None,
    /// IDENTIFY to NickServ after the registration; for servers without SASL (I-CON-03).
    NickServ(Secret),
    /// SASL PLAIN during the registration, which fails if the password is wrong (I-ADD-03).
    SaslPlain(Secret),
}

/// A channel to be in.
#[derive(Clone, Debug)]
pub struct Channel {
    /// With its prefix, such as `#ci`.
    pub name: String,
    /// Key that the channel asks for (mode `+k`).
    pub key: Option<Secret>,
}
