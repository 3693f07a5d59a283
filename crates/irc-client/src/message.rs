//! Lines of the protocol: those of the server, parsed by `irc-proto`, and those to it, made harmless.

use irc_proto::{CapSubCommand, Command, Message};

/// Sender of a line: `nick!user@host`, and the account where the server tells it. A server has a name only, as `nick`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// Nickname, in the sender's own case.
    pub nick: String,
    pub(crate) user: String,
    pub(crate) host: String,
    /// Account at the network's services (`account-tag`). Unlike a nickname, it can't be anybody's.
    pub account: Option<String>,
}

impl Prefix {
    /// Bytes of `:nick!user@host ` before a line of theirs.
    pub(crate) fn length(&self) -> usize {
        self.nick.len() + self.user.len() + self.host.len() + ":!@ ".len()
    }
}

/// Command of a line of the server's, as far as a session cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerCommand {
    /// A request for a sign of life, with the token to return.
    Ping(String),
    /// The answer to a PING of ours, with its token.
    Pong(String),
    /// Somebody joined a channel.
    Join(String),
    /// Somebody left a channel.
    Part(String),
    /// Somebody was thrown out: channel, nickname, reason.
    Kick(String, String, String),
    /// Somebody has another nickname.
    Nick(String),
    /// Somebody has another user name and host.
    ChgHost(String, String),
    /// A message: recipient and text.
    Privmsg(String, String),
    /// A notice: its text. Never answered (I-CON-09): two bots would answer each other for ever.
    Notice(String),
    /// Capabilities that were granted, parted by blanks.
    CapAck(String),
    /// Capabilities that were denied, parted by blanks.
    CapNak(String),
    /// A step of SASL.
    Authenticate(String),
    /// The end of the connection, and its reason.
    Error(String),
    /// A numeric reply with its parameters; the first is whom it is for.
    Numeric(u16, Vec<String>),
    /// Anything else.
    Other,
}

/// A line from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerMessage {
    pub(crate) prefix: Prefix,
    pub(crate) command: ServerCommand,
}

/// Parses a line; none if it is none.
pub(crate) fn parse(line: &str) -> Option<ServerMessage> {
    let message: Message = line.trim_end_matches(['\r', '\n']).parse().ok()?;
    let account = message.tags.unwrap_or_default().into_iter().find(|tag| tag.0 == "account");
    let account = account.and_then(|tag| tag.1);
    let prefix = match message.prefix {
        Some(irc_proto::Prefix::Nickname(nick, user, host)) => Prefix { nick, user, host, account },
        Some(irc_proto::Prefix::ServerName(nick)) => Prefix { nick, account, ..Prefix::default() },
        None => Prefix { account, ..Prefix::default() },
    };
    Some(ServerMessage { prefix, command: command(message.command) })
}

fn command(command: Command) -> ServerCommand {
    match command {
        Command::PING(first, second) => ServerCommand::Ping(second.unwrap_or(first)),
        Command::PONG(first, second) => ServerCommand::Pong(second.unwrap_or(first)),
        Command::JOIN(channel, ..) => ServerCommand::Join(channel),
        Command::PART(channel, _) => ServerCommand::Part(channel),
        Command::KICK(channel, nick, why) => ServerCommand::Kick(channel, nick, why.unwrap_or_default()),
        Command::NICK(nick) => ServerCommand::Nick(nick),
        Command::CHGHOST(user, host) => ServerCommand::ChgHost(user, host),
        Command::PRIVMSG(to, text) => ServerCommand::Privmsg(to, text),
        Command::NOTICE(_, text) => ServerCommand::Notice(text),
        Command::CAP(_, CapSubCommand::ACK, first, second) => ServerCommand::CapAck(last(first, second)),
        Command::CAP(_, CapSubCommand::NAK, first, second) => ServerCommand::CapNak(last(first, second)),
        Command::AUTHENTICATE(text) => ServerCommand::Authenticate(text),
        Command::ERROR(text) => ServerCommand::Error(text),
        Command::Response(response, parameters) => ServerCommand::Numeric(response as u16, parameters),
        Command::Raw(verb, parameters) => raw(&verb, parameters),
        _ => ServerCommand::Other,
    }
}

/// Commands that `irc-proto` has no name for, or not with so many parameters.
fn raw(verb: &str, parameters: Vec<String>) -> ServerCommand {
    let mut given = parameters.iter();
    match (verb, given.next()) {
        ("JOIN", Some(channel)) => ServerCommand::Join(channel.clone()),
        ("ERROR", _) => ServerCommand::Error(parameters.join(" ")),
        _ => match verb.parse() {
            Ok(number) if verb.len() == 3 => ServerCommand::Numeric(number, parameters),
            _ => ServerCommand::Other,
        },
    }
}

fn last(first: Option<String>, second: Option<String>) -> String {
    second.or(first).unwrap_or_default()
}

/// A whole line as it is sent. The last guard of all: whatever is in the text, there is one line and no second (I-OUT-04).
pub(crate) fn encode(text: &str) -> String {
    let mut line: String = text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect();
    line.push_str("\r\n");
    line
}

/// Compares two nicknames or channels as servers do: `{}|^` are the lower case of `[]\~`.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    let fold = |byte: u8| match byte {
        b'[' => b'{',
        b']' => b'}',
        b'\\' => b'|',
        b'~' => b'^',
        other => other.to_ascii_lowercase(),
    };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// Tells a channel from a nickname, by its first letter.
#[must_use]
pub fn is_channel(name: &str) -> bool {
    name.starts_with(['#', '&', '+', '!'])
}

/// Tells a text that can stand where a line of the protocol has room for one word.
#[must_use]
pub fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(':')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command_of(line: &str) -> ServerCommand {
        parse(line).unwrap().command
    }

    #[test]
    fn what_servers_say() {
        let line = parse(":bb!~u@host.example.org JOIN :#CI\r\n").unwrap();
        assert_eq!(line.prefix.length(), ":bb!~u@host.example.org ".len());
        assert_eq!(line.command, ServerCommand::Join("#CI".to_owned()));
        assert_eq!(
            command_of(":irc.example.org PONG irc.example.org :c7"),
            ServerCommand::Pong("c7".to_owned())
        );
        assert_eq!(command_of("PING :a b"), ServerCommand::Ping("a b".to_owned()));
        assert_eq!(command_of(":s CAP * ACK :sasl"), ServerCommand::CapAck("sasl".to_owned()));
        assert_eq!(command_of(":s CAP bb NAK :sasl"), ServerCommand::CapNak("sasl".to_owned()));
        assert_eq!(command_of("AUTHENTICATE +"), ServerCommand::Authenticate("+".to_owned()));
        assert_eq!(
            command_of("ERROR :Closing Link: x (Excess Flood)"),
            ServerCommand::Error("Closing Link: x (Excess Flood)".to_owned())
        );
        for (number, line) in [(1, ":s 001 bb :hi"), (433, ":s 433 * bb :taken"), (908, ":s 908 bb PLAIN :x")]
        {
            let ServerCommand::Numeric(found, parameters) = command_of(line) else { panic!("{line}") };
            assert_eq!(found, number);
            assert!(parameters.len() >= 2);
        }
        assert_eq!(
            parse("@account=ada;x=1 :ada!u@h PRIVMSG #ci :hi").unwrap().prefix.account.as_deref(),
            Some("ada")
        );
    }

    #[test]
    fn i_out_04_nothing_from_outside_makes_a_second_line() {
        assert_eq!(encode("PRIVMSG #ci :a\r\nQUIT\0"), "PRIVMSG #ci :aQUIT\r\n");
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
