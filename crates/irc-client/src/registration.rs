//! Proving who we are before the server takes us: nicknames, capabilities, SASL PLAIN (I-CON-01, I-CON-07, I-ADD-03).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::settings::Server;
use super::wire::Heard;

/// SASL answers are sent in pieces of so many letters.
const PIECE: usize = 400;
/// A nickname that is taken so often is not got at all.
const MOST_NICKS: u32 = 12;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Say(Vec<String>),
    /// It comes to nothing, and why.
    Failed(String),
}

/// How far the login has come.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// Capabilities that the server has not answered about yet.
    open: Vec<&'static str>,
    proven: bool,
    /// SASL is under way.
    proving: bool,
    nicks: u32,
}

impl Login {
    pub(super) fn new(server: &Server) -> Self {
        let wanted = [(server.sasl, "sasl"), (server.wants_accounts, "account-tag")];
        let open = wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect();
        Self { open, ..Self::default() }
    }

    /// I-CON-01; PASS only with a password for the server itself (I-CON-04).
    pub(super) fn first_lines(&self, server: &Server, product: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.open.iter().map(|name| format!("CAP REQ :{name}")).collect();
        lines.extend(server.server_password.as_ref().map(|password| format!("PASS :{}", password.expose())));
        lines.push(format!("NICK {}", server.nick));
        lines.push(format!("USER {} foo bar :{product}", server.nick));
        lines
    }

    /// Whether SASL has proven who we are.
    pub(super) fn has_proven(&self) -> bool {
        self.proven
    }

    /// Takes an answer about capabilities or SASL.
    pub(super) fn take(&mut self, heard: &Heard, server: &Server) -> Step {
        match heard {
            Heard::Granted(names) => {
                let granted = |name: &str| names.split_whitespace().any(|other| other == name);
                if granted("sasl") && self.open.contains(&"sasl") {
                    self.proving = true;
                    self.close(names);
                    return Step::Say(vec!["AUTHENTICATE PLAIN".to_owned()]);
                }
                self.close(names);
                self.end_if_done()
            }
            Heard::Denied(names) if names.split_whitespace().any(|name| name == "sasl") => {
                Step::Failed("the server offers no SASL: leave `sasl` out to identify at NickServ".to_owned())
            }
            Heard::Denied(names) => {
                self.close(names);
                self.end_if_done()
            }
            Heard::Authenticate(text) if text == "+" && self.proving => Step::Say(answer(server)),
            Heard::Number(903, _) => {
                (self.proving, self.proven) = (false, true);
                self.end_if_done()
            }
            Heard::Number(907, _) => self.end_if_done(),
            Heard::Number(902 | 904..=906 | 908, parameters) => {
                let text = parameters.last().map_or("", String::as_str);
                Step::Failed(format!("SASL was refused: {text}; check `nick` and `password`"))
            }
            _ => Step::Say(Vec::new()),
        }
    }

    /// Another nickname to try (I-CON-07).
    pub(super) fn another_nick(&mut self, number: u16, nick: &str) -> Option<String> {
        self.nicks += 1;
        let next = if number == 432 { "defaultnick".to_owned() } else { format!("{nick}_") };
        (self.nicks <= MOST_NICKS).then_some(next)
    }

    fn close(&mut self, names: &str) {
        self.open.retain(|open| !names.split_whitespace().any(|name| name == *open));
    }

    fn end_if_done(&self) -> Step {
        let done = self.open.is_empty() && !self.proving;
        Step::Say(if done { vec!["CAP END".to_owned()] } else { Vec::new() })
    }
}

/// Name, name and password, in pieces; a last one that is full is followed by an empty one.
fn answer(server: &Server) -> Vec<String> {
    let password = server.password.as_ref().map_or("", |password| password.expose());
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
