//! One connection to a relay as bytes: commands out, replies in, over TCP or TLS. Knows nothing of senders and
//! recipients.
//!
//! lettre has a connection of its own, which is not used: it keeps its read buffer across STARTTLS, so that what
//! somebody on the way puts behind the relay's reply would pass for the relay's words under TLS; it also reads lines
//! of any length, and tells neither SIZE nor the version of TLS.
//!
//! Invariant: nothing that was read before TLS is used after it. No method is cancel safe: a command whose reply was
//! not read leaves the connection out of step, so it is to be dropped when a future was.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use campanile_config::{Secret, mask};
use campanile_outbound::limits::{SMTP_LOGIN, SMTP_REPLY};
use campanile_outbound::{Dialer, TlsConnector, tls_version};

use super::error::{SmtpError, sanitized};
use super::extensions::EhloExtensions;

/// Most bytes of a reply's line; RFC 5321 allows 512, and some relays say more.
const MAX_LINE: u64 = 4 << 10;
/// Most lines of a reply.
const MAX_LINES: usize = 128;
/// Bytes of a message that must go out within the time for a reply: a large message may take longer as a whole, a relay
/// that reads nothing may not.
const BLOCK: usize = 64 << 10;

/// TCP, or TLS over it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to a relay.
pub(crate) struct SmtpConnection {
    stream: BufReader<Box<dyn Stream>>,
    /// Extensions in the reply to the last EHLO.
    pub(crate) extensions: EhloExtensions,
    /// Version of TLS; none without TLS.
    pub(crate) tls: Option<&'static str>,
    /// True when it ends on this machine, where nobody else can read the line.
    pub(crate) is_loopback: bool,
    /// Texts that the relay is told and may repeat in any later reply, but that stand in no record of ours.
    pub(crate) hidden: Vec<Secret>,
}

/// A relay's reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// From 200 to 599.
    pub(crate) code: u16,
    /// Texts behind the code, without line ends.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// The reply on one line, for people.
    pub(crate) fn shown(&self) -> String {
        sanitized(&format!("{} {}", self.code, self.lines.join(" ")))
    }
}

impl SmtpConnection {
    /// Connects, agrees on TLS before the first byte if `from_start` is given, and reads the relay's greeting.
    pub(crate) async fn connect(
        dialer: &Dialer,
        host: &str,
        port: u16,
        from_start: Option<&TlsConnector>,
    ) -> Result<Self, SmtpError> {
        let stream = dialer.connect(host, port).await?;
        // Commands are small and each is waited for.
        stream.set_nodelay(true)?;
        let is_loopback = stream.peer_addr()?.ip().to_canonical().is_loopback();
        let mut connection = Self { is_loopback, ..Self::over(Box::new(stream)) };
        if let Some(tls) = from_start {
            connection = connection.encrypted(tls).await?;
        }
        connection.read_completion(SMTP_LOGIN).await?;
        Ok(connection)
    }

    /// A connection over a stream that nothing was said on yet.
    pub(crate) fn over(stream: Box<dyn Stream>) -> Self {
        let (stream, extensions) = (BufReader::new(stream), EhloExtensions::default());
        Self { stream, extensions, tls: None, is_loopback: false, hidden: Vec::new() }
    }

    /// Asks for TLS and agrees on it (M-68). EHLO is to be said again afterwards.
    pub(crate) async fn start_tls(mut self, tls: &TlsConnector) -> Result<Self, SmtpError> {
        self.command("STARTTLS", SMTP_LOGIN).await?;
        self.encrypted(tls).await
    }

    async fn encrypted(self, tls: &TlsConnector) -> Result<Self, SmtpError> {
        // Somebody on the way can append replies of his own to the one to STARTTLS, which is in clear. Left in the
        // buffer, they would be read after the handshake as if the relay had said them under TLS: "250 ok" to a MAIL
        // that it refuses. `into_inner` would drop them; but a relay has no reason to say more there, so that it did,
        // or seems to have, is an attack or a broken relay, and not to be sent a password.
        if !self.stream.buffer().is_empty() {
            let text = "it said more behind its answer to STARTTLS, or somebody on the way did";
            return Err(SmtpError::Tls(text.to_owned()));
        }
        let is_loopback = self.is_loopback;
        let handshake = tls.connect(self.stream.into_inner());
        let stream = handshake.await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => SmtpError::Timeout,
            _ => SmtpError::Tls(sanitized(&error.to_string())),
        })?;
        let version = tls_version(&stream);
        // All else begins anew, the extensions too: those before TLS could have been anybody's words.
        Ok(Self { tls: Some(version), is_loopback, ..Self::over(Box::new(stream)) })
    }

    /// Says EHLO under this name and reads the extensions. Old relays know only HELO, and have no extensions.
    pub(crate) async fn ehlo(&mut self, name: &str) -> Result<(), SmtpError> {
        self.extensions = match self.command(&format!("EHLO {name}"), SMTP_LOGIN).await {
            Ok(reply) => EhloExtensions::read(&reply.lines),
            Err(SmtpError::Reply(500 | 502 | 504, _)) => {
                self.command(&format!("HELO {name}"), SMTP_LOGIN).await?;
                EhloExtensions::default()
            }
            Err(error) => return Err(error),
        };
        Ok(())
    }

    /// Writes a command and reads within `limit` that it was carried out (2xx).
    pub(crate) async fn command(&mut self, line: &str, limit: Duration) -> Result<Reply, SmtpError> {
        self.write_commands(&[line]).await?;
        self.read_completion(limit).await
    }

    /// Writes a command that begins something, and reads within `limit` that the relay waits for more (3xx).
    pub(crate) async fn begin_command(&mut self, line: &str, limit: Duration) -> Result<Reply, SmtpError> {
        self.write_commands(&[line]).await?;
        self.read_reply(3, limit).await
    }

    /// Writes some commands at once. There will be a reply to each, in their order, and all of them must be read.
    pub(crate) async fn write_commands<T: AsRef<str>>(&mut self, lines: &[T]) -> Result<(), SmtpError> {
        let mut bytes = String::new();
        for line in lines {
            // Addresses and names were checked where they came in; a line break that slipped through ends the
            // connection before it becomes a command of its own.
            if line.as_ref().contains(['\r', '\n', '\0']) {
                return Err(SmtpError::Connection("a line break in a command".to_owned()));
            }
            bytes.push_str(line.as_ref());
            bytes.push_str("\r\n");
        }
        self.write(bytes.as_bytes()).await
    }

    /// Hands a message's bytes over (DATA) and reads the relay's reply to them. The lines have CRLF already; those that
    /// begin with a dot get a second one on the way.
    pub(crate) async fn data(&mut self, content: &[u8]) -> Result<Reply, SmtpError> {
        self.begin_command("DATA", SMTP_REPLY).await?;
        self.write(&dot_stuff(content)).await?;
        self.read_completion(SMTP_REPLY).await
    }

    /// Reads within `limit` that a command was carried out (2xx); any other reply is an error.
    pub(crate) async fn read_completion(&mut self, limit: Duration) -> Result<Reply, SmtpError> {
        self.read_reply(2, limit).await
    }

    /// Reads a reply whose code begins with this digit. A good reply to something else, such as 354 to RCPT, ends the
    /// connection: it is out of step, and each further reply would be taken for one to another command than it is for.
    async fn read_reply(&mut self, digit: u16, limit: Duration) -> Result<Reply, SmtpError> {
        let reply = match tokio::time::timeout(limit, self.read_any_reply()).await {
            Ok(reply) => reply?,
            Err(_) => return Err(SmtpError::Timeout),
        };
        match reply.code {
            code if code / 100 == digit => Ok(reply),
            400.. => {
                Err(SmtpError::Reply(reply.code, mask(&sanitized(&reply.lines.join(" ")), &self.hidden)))
            }
            _ => Err(SmtpError::Connection(format!("its answers are out of step: {}", self.shown(&reply)))),
        }
    }

    /// A reply for people, without what the relay was told at the login.
    pub(crate) fn shown(&self, reply: &Reply) -> String {
        mask(&reply.shown(), &self.hidden)
    }

    async fn read_any_reply(&mut self) -> Result<Reply, SmtpError> {
        let mut reply = Reply::default();
        for number in 0..MAX_LINES {
            let line = self.read_line().await?;
            let (code, is_last, text) = parse_line(&line).ok_or_else(|| not_smtp(&line))?;
            if number > 0 && code != reply.code {
                return Err(not_smtp(&line));
            }
            reply.code = code;
            reply.lines.push(text.to_owned());
            if is_last {
                return Ok(reply);
            }
        }
        Err(SmtpError::Connection(format!("it answers with more than {MAX_LINES} lines")))
    }

    async fn read_line(&mut self) -> Result<String, SmtpError> {
        let mut line = Vec::new();
        (&mut self.stream).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(SmtpError::Connection("it hung up".to_owned()));
        }
        let text = String::from_utf8_lossy(&line);
        if !text.ends_with('\n') {
            return Err(not_smtp(&text));
        }
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), SmtpError> {
        for block in bytes.chunks(BLOCK) {
            within(SMTP_REPLY, self.stream.write_all(block)).await?;
        }
        within(SMTP_REPLY, self.stream.flush()).await
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> Result<T, SmtpError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(SmtpError::from),
        Err(_) => Err(SmtpError::Timeout),
    }
}

/// Parses a line of a reply: its code, true if it is the last one, its text.
fn parse_line(line: &str) -> Option<(u16, bool, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = code.bytes().all(|byte| byte.is_ascii_digit()).then(|| code.parse().ok())??;
    if !(200..600).contains(&code) {
        return None;
    }
    match rest.split_at_checked(1) {
        None => Some((code, true, "")),
        Some((" ", text)) => Some((code, true, text)),
        Some(("-", text)) => Some((code, false, text)),
        Some(_) => None,
    }
}

fn not_smtp(line: &str) -> SmtpError {
    SmtpError::Connection(format!("it does not speak SMTP: `{}`", sanitized(line)))
}

/// Doubles the dots at the beginning of lines, and adds the lone dot that ends a message (RFC 5321, 4.5.2): a line of
/// the message that is a lone dot would end it early, and what follows would be commands.
fn dot_stuff(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 64 + 5);
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Reads a relay's bytes as a reply.
    async fn read(said: &[u8]) -> Result<Reply, SmtpError> {
        let (mut relay, ours) = tokio::io::duplex(1 << 20);
        relay.write_all(said).await.unwrap();
        drop(relay);
        SmtpConnection::over(Box::new(ours)).read_completion(Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn replies_of_one_and_several_lines() {
        let reply = read(b"250-a\r\n250-b c\r\n250 d\r\n").await.unwrap();
        assert_eq!((reply.code, reply.lines.join("|").as_str()), (250, "a|b c|d"));
        assert_eq!(read(b"250\n").await.unwrap().lines, [""]);
        assert_eq!(read(b"550 5.1.1 no\r\n").await, Err(SmtpError::Reply(550, "5.1.1 no".to_owned())));
    }

    #[tokio::test]
    async fn a_relay_that_repeats_the_password_later_is_not_quoted() {
        let (mut relay, ours) = tokio::io::duplex(1 << 10);
        relay.write_all(b"550 you said bell-tower\r\n250 bell-tower\r\n").await.unwrap();
        let mut connection = SmtpConnection::over(Box::new(ours));
        connection.hidden = vec![Secret::new("bell-tower")];
        let refused = connection.read_completion(SMTP_REPLY).await;
        assert_eq!(refused, Err(SmtpError::Reply(550, "you said ***".to_owned())));
        let reply = connection.read_completion(SMTP_REPLY).await.unwrap();
        assert!(connection.shown(&reply).ends_with("***"));
    }

    #[tokio::test]
    async fn m_67_what_is_no_reply_ends_the_talk() {
        let endless = [b"250 ".as_slice(), &[b'x'; 100_000]].concat();
        let lines = b"250-x\r\n".repeat(1000);
        for said in [
            &b""[..],
            b"HTTP/1.1 400 Bad Request\r\n",
            b"25",
            b"250 cut",
            b"199 x\r\n",
            b"600 x\r\n",
            b"+50 x\r\n",
            b"250_x\r\n",
            b"\xff\xff\xff\r\n",
            b"250-a\r\n550 b\r\n",
            b"354 go on\r\n",
            &endless,
            &lines,
        ] {
            let answer = read(said).await;
            assert!(matches!(answer, Err(SmtpError::Connection(_))), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_command_stays_one_line() {
        let (_relay, ours) = tokio::io::duplex(1 << 10);
        let mut connection = SmtpConnection::over(Box::new(ours));
        for line in ["RCPT TO:<a@b>\r\nDATA", "a\nb", "a\0b"] {
            assert!(
                matches!(connection.write_commands(&[line]).await, Err(SmtpError::Connection(_))),
                "{line:?}"
            );
        }
    }

    #[test]
    fn m_63_dots_survive() {
        for (mail, sent) in [
            (&b".a\r\n..\r\nb.\r\n"[..], &b"..a\r\n...\r\nb.\r\n.\r\n"[..]),
            (b"", b"\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
        ] {
            assert_eq!(dot_stuff(mail), sent);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_reply_makes_trouble_of_ours(said in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            if let Ok(reply) = runtime.block_on(read(&said)) {
                proptest::prop_assert!((200..300).contains(&reply.code));
                proptest::prop_assert!(!reply.shown().contains(char::is_control));
            }
        }
    }
}
