//! Lines of the protocol: what the server said, taken apart by `irc-proto`, and what is said to it, made harmless.

use irc_proto::{CapSubCommand, Command, Message, Prefix};

/// Who sent a line. A server has no user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) nick: String,
    pub(super) user: String,
    pub(super) host: String,
}

impl Source {
    /// Bytes of `:nick!user@host ` before a line of theirs.
    pub(super) fn prefix_length(&self) -> usize {
        self.nick.len() + self.user.len() + self.host.len() + ":!@ ".len()
    }
}

/// What the server said, as far as the bot cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It wants a sign of life.
    Ping(String),
    /// The answer to our own.
    Pong(String),
    /// Somebody joined a channel.
    Join(String),
    /// Somebody left a channel.
    Part(String),
    /// Somebody was thrown out: channel, whom, why.
    Kick(String, String, String),
    /// Somebody has another nickname.
    Nick(String),
    /// Somebody has another user name and host.
    ChangedHost(String, String),
    /// A message: to whom, and what.
    Privmsg(String, String),
    /// A notice: to whom, and what. Never answered (I-CON-09).
    Notice(String, String),
    /// Capabilities were granted.
    Granted(String),
    /// Capabilities were denied.
    Denied(String),
    /// A step of SASL.
    Authenticate(String),
    /// It ends the connection, and why.
    Error(String),
    /// A reply by number, with its parameters; the first is whom it is for.
    Number(u16, Vec<String>),
    /// Anything else.
    Other,
}

/// A line from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) source: Source,
    /// The sender's account, where the server tells (`account-tag`).
    pub(super) account: Option<String>,
    pub(super) heard: Heard,
}

/// Takes a line apart; none if it is none.
pub(super) fn parse(line: &str) -> Option<Line> {
    let message: Message = line.trim_end_matches(['\r', '\n']).parse().ok()?;
    let account = message.tags.unwrap_or_default().into_iter().find(|tag| tag.0 == "account");
    let source = match message.prefix {
        Some(Prefix::Nickname(nick, user, host)) => Source { nick, user, host },
        Some(Prefix::ServerName(nick)) => Source { nick, ..Source::default() },
        None => Source::default(),
    };
    Some(Line { source, account: account.and_then(|tag| tag.1), heard: heard(message.command) })
}

fn heard(command: Command) -> Heard {
    match command {
        Command::PING(first, second) => Heard::Ping(second.unwrap_or(first)),
        Command::PONG(first, second) => Heard::Pong(second.unwrap_or(first)),
        Command::JOIN(channel, ..) => Heard::Join(channel),
        Command::PART(channel, _) => Heard::Part(channel),
        Command::KICK(channel, nick, why) => Heard::Kick(channel, nick, why.unwrap_or_default()),
        Command::NICK(nick) => Heard::Nick(nick),
        Command::CHGHOST(user, host) => Heard::ChangedHost(user, host),
        Command::PRIVMSG(to, text) => Heard::Privmsg(to, text),
        Command::NOTICE(to, text) => Heard::Notice(to, text),
        Command::CAP(_, CapSubCommand::ACK, first, second) => Heard::Granted(last(first, second)),
        Command::CAP(_, CapSubCommand::NAK, first, second) => Heard::Denied(last(first, second)),
        Command::AUTHENTICATE(text) => Heard::Authenticate(text),
        Command::ERROR(text) => Heard::Error(text),
        Command::Response(response, parameters) => Heard::Number(response as u16, parameters),
        Command::Raw(verb, parameters) => raw(&verb, parameters),
        _ => Heard::Other,
    }
}

/// What `irc-proto` has no name for, or not with so many parameters.
fn raw(verb: &str, parameters: Vec<String>) -> Heard {
    let mut given = parameters.iter();
    match (verb, given.next()) {
        ("JOIN", Some(channel)) => Heard::Join(channel.clone()),
        ("ERROR", _) => Heard::Error(parameters.join(" ")),
        _ => match verb.parse() {
            Ok(number) if verb.len() == 3 => Heard::Number(number, parameters),
            _ => Heard::Other,
        },
    }
}

fn last(first: Option<String>, second: Option<String>) -> String {
    second.or(first).unwrap_or_default()
}

/// A value from outside without what could end a line or mean something to a client (I-OUT-04). Line breaks become
/// spaces, so that words stay apart.
pub(super) fn harmless(value: &str) -> String {
    let breaks = |c: char| matches!(c, '\r' | '\n' | '\t');
    value.chars().filter_map(|c| if breaks(c) { Some(' ') } else { (!c.is_control()).then_some(c) }).collect()
}

/// A whole line as it is sent. Whatever is in it, it ends where it ends (I-OUT-04).
pub(super) fn line(text: &str) -> String {
    let mut line: String = text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect();
    line.push_str("\r\n");
    line
}

/// Whether two nicknames or channels are the same to a server: `{}|^` are the lower case of `[]\~`.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let fold = |byte: u8| match byte {
        b'[' => b'{',
        b']' => b'}',
        b'\\' => b'|',
        b'~' => b'^',
        other => other.to_ascii_lowercase(),
    };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// Whether a destination is a channel.
pub(super) fn is_channel(name: &str) -> bool {
    name.starts_with(['#', '&', '+', '!'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Heard {
        parse(line).unwrap().heard
    }

    #[test]
    fn what_servers_say() {
        let line = parse(":bb!~u@host.example.org JOIN :#CI\r\n").unwrap();
        assert_eq!(line.source.prefix_length(), ":bb!~u@host.example.org ".len());
        assert_eq!(line.heard, Heard::Join("#CI".to_owned()));
        assert_eq!(told(":irc.example.org PONG irc.example.org :c7"), Heard::Pong("c7".to_owned()));
        assert_eq!(told("PING :a b"), Heard::Ping("a b".to_owned()));
        assert_eq!(told(":s CAP * ACK :sasl"), Heard::Granted("sasl".to_owned()));
        assert_eq!(told(":s CAP bb NAK :sasl"), Heard::Denied("sasl".to_owned()));
        assert_eq!(told("AUTHENTICATE +"), Heard::Authenticate("+".to_owned()));
        assert_eq!(
            told("ERROR :Closing Link: x (Excess Flood)"),
            Heard::Error("Closing Link: x (Excess Flood)".to_owned())
        );
        for (number, line) in [(1, ":s 001 bb :hi"), (433, ":s 433 * bb :taken"), (908, ":s 908 bb PLAIN :x")]
        {
            let Heard::Number(found, parameters) = told(line) else { panic!("{line}") };
            assert_eq!(found, number);
            assert!(parameters.len() >= 2);
        }
        assert_eq!(
            parse("@account=ada;x=1 :ada!u@h PRIVMSG #ci :hi").unwrap().account.as_deref(),
            Some("ada")
        );
    }

    #[test]
    fn i_out_04_nothing_from_outside_makes_a_second_line() {
        assert_eq!(harmless("a\r\nQUIT :b\0\x01\x03"), "a  QUIT :b");
        assert_eq!(line("PRIVMSG #ci :a\r\nQUIT\0"), "PRIVMSG #ci :aQUIT\r\n");
        assert!(same_name("Bob[x]", "bOB{X}") && !same_name("bob", "bo"));
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(text in "\\PC{0,120}", colon in "[@: ]{0,4}[A-Z0-9]{0,7}[ :;=]{0,4}") {
            let _ = parse(&text);
            let _ = parse(&format!("{colon}{text}"));
        }
    }
}
