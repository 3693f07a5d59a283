//! Registration: proving who we are before the server takes us. Capabilities, SASL PLAIN, nicknames (I-CON-01, I-CON-07,
//! I-ADD-03).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::message::ServerCommand;
use crate::settings::{AccountAuth, ServerSettings};

/// SASL's answers are sent in pieces of so many letters.
const PIECE: usize = 400;
/// So many nicknames are tried at most: a server that refuses them all has another reason than their owners.
const MOST_NICKS: u32 = 12;

/// The next step of a registration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Lines to send, ahead of all others.
    Send(Vec<String>),
    /// It comes to nothing, for this reason.
    Failed(String),
}

/// A registration under way.
///
/// The server holds its welcome back until CAP END, so SASL is over before anybody could take us for someone else, and
/// channels for registered people only (`+r`) can be joined at once.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    /// Capabilities that the server has not answered about yet.
    open: Vec<&'static str>,
    authenticated: bool,
    /// SASL is under way.
    authenticating: bool,
    nicks_tried: u32,
}

impl Registration {
    pub(crate) fn new(server: &ServerSettings) -> Self {
        let sasl = matches!(server.auth, AccountAuth::SaslPlain(_));
        let wanted = [(sasl, "sasl"), (server.account_tag, "account-tag")];
        let open = wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect();
        Self { open, ..Self::default() }
    }

    /// The lines that begin it (I-CON-01); PASS only with a password for the server itself (I-CON-04).
    ///
    /// Each capability is asked for by itself: a server denies a request as a whole if it lacks one of those named.
    pub(crate) fn first_lines(&self, server: &ServerSettings) -> Vec<String> {
        let mut lines: Vec<String> = self.open.iter().map(|name| format!("CAP REQ :{name}")).collect();
        lines.extend(server.server_password.as_ref().map(|password| format!("PASS :{}", password.expose())));
        lines.push(format!("NICK {}", server.nick));
        lines.push(format!("USER {} foo bar :{}", server.nick, server.real_name));
        lines
    }

    /// Says whether SASL has proven who we are.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Takes an answer about capabilities or SASL.
    pub(crate) fn receive(&mut self, command: &ServerCommand, server: &ServerSettings) -> Step {
        match command {
            ServerCommand::CapAck(names) => {
                let granted = |name: &str| names.split_whitespace().any(|other| other == name);
                if granted("sasl") && self.open.contains(&"sasl") {
                    self.authenticating = true;
                    self.close(names);
                    return Step::Send(vec!["AUTHENTICATE PLAIN".to_owned()]);
                }
                self.close(names);
                self.end_if_done()
            }
            // Not without: whoever asks for SASL does not want to be there as nobody.
            ServerCommand::CapNak(names) if names.split_whitespace().any(|name| name == "sasl") => {
                Step::Failed("the server offers no SASL: leave `sasl` out to identify at NickServ".to_owned())
            }
            ServerCommand::CapNak(names) => {
                self.close(names);
                self.end_if_done()
            }
            ServerCommand::Authenticate(text) if text == "+" && self.authenticating => {
                Step::Send(sasl_plain(server))
            }
            ServerCommand::Numeric(903, _) => {
                (self.authenticating, self.authenticated) = (false, true);
                self.end_if_done()
            }
            ServerCommand::Numeric(907, _) => self.end_if_done(),
            ServerCommand::Numeric(902 | 904..=906 | 908, parameters) => {
                let text = parameters.last().map_or("", String::as_str);
                Step::Failed(format!("SASL was refused: {text}; check `nick` and `password`"))
            }
            _ => Step::Send(Vec::new()),
        }
    }

    /// Another nickname to try after this one was refused by a numeric (I-CON-07); none after too many.
    pub(crate) fn another_nick(&mut self, numeric: u16, nick: &str) -> Option<String> {
        self.nicks_tried += 1;
        // 432: a name that is not one does not become one by a longer end.
        let next = if numeric == 432 { "defaultnick".to_owned() } else { format!("{nick}_") };
        (self.nicks_tried <= MOST_NICKS).then_some(next)
    }

    fn close(&mut self, names: &str) {
        self.open.retain(|open| !names.split_whitespace().any(|name| name == *open));
    }

    fn end_if_done(&self) -> Step {
        let done = self.open.is_empty() && !self.authenticating;
        Step::Send(if done { vec!["CAP END".to_owned()] } else { Vec::new() })
    }
}

/// Name, name and password, in pieces; a last one that is full is followed by an empty one, which ends it.
fn sasl_plain(server: &ServerSettings) -> Vec<String> {
    let password = match &server.auth {
        AccountAuth::SaslPlain(password) => password.expose(),
        AccountAuth::NickServ(_) | AccountAuth::None => "",
    };
    let nick = &server.nick;
    let text = STANDARD.encode(format!("{nick}\0{nick}\0{password}"));
    let mut lines = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(PIECE));
        lines.push(format!("AUTHENTICATE {piece}"));
        rest = after;
    }
    if text.len().is_multiple_of(PIECE) {
        lines.push("AUTHENTICATE +".to_owned());
    }
    lines
}
