//! The talk with a relay as bytes: commands out, replies in, over TCP or TLS. Knows nothing of mails.
//!
//! lettre has a connection of its own, which is not used: it keeps its read buffer across STARTTLS, so that what
//! somebody on the way puts behind the relay's answer would pass for the relay's words under TLS; it also reads lines
//! of any length, and tells neither SIZE nor the version of TLS.
//!
//! Invariant: nothing that was read before TLS is used after it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::offers::Offers;
use super::trouble::{ANSWER, Trouble, shown};
use campanile_outbound::Dialer;
use campanile_outbound::TlsConnector;

/// The longest line of a reply; RFC 5321 allows 512 octets, and some relays say more.
const LONGEST_LINE: u64 = 4 << 10;
/// The most lines of a reply.
const MOST_LINES: usize = 128;
/// Bytes of a mail that must go out within the time for an answer.
const BLOCK: usize = 64 << 10;

/// What bytes travel on.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to a relay.
pub(super) struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    /// What the relay offers since the last greeting.
    pub(super) offers: Offers,
    /// The version of TLS, if any.
    pub(super) tls: Option<&'static str>,
    /// Whether it ends on this machine.
    pub(super) loopback: bool,
}

/// A relay's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// The answer on one line, for people.
    pub(super) fn shown(&self) -> String {
        shown(&format!("{} {}", self.code, self.lines.join(" ")))
    }
}

impl Wire {
    /// Connects, by TLS from the first byte if so wanted, and hears the relay's greeting.
    pub(super) async fn connect(
        dialer: &Dialer,
        host: &str,
        port: u16,
        from_start: Option<&TlsConnector>,
        limit: Duration,
    ) -> Result<Self, Trouble> {
        let stream = within(limit, dialer.connect(host, port)).await?;
        // Commands are small and each is waited for.
        stream.set_nodelay(true)?;
        let loopback = stream.peer_addr()?.ip().to_canonical().is_loopback();
        let mut wire = Self { loopback, ..Self::over(Box::new(stream)) };
        if let Some(tls) = from_start {
            wire = wire.encrypted(tls).await?;
        }
        wire.answer(ANSWER).await?;
        Ok(wire)
    }

    fn over(stream: Box<dyn Stream>) -> Self {
        Self { stream: BufReader::new(stream), offers: Offers::default(), tls: None, loopback: false }
    }

    /// Asks for TLS and agrees on it (M-68).
    pub(super) async fn start_tls(mut self, tls: &TlsConnector) -> Result<Self, Trouble> {
        self.ask("STARTTLS", ANSWER).await?;
        self.encrypted(tls).await
    }

    async fn encrypted(self, tls: &TlsConnector) -> Result<Self, Trouble> {
        if !self.stream.buffer().is_empty() {
            let text = "it said more behind its answer to STARTTLS, or somebody on the way did";
            return Err(Trouble::Tls(text.to_owned()));
        }
        let loopback = self.loopback;
        let agreed = tls.connect(self.stream.into_inner());
        let stream = match tokio::time::timeout(ANSWER, agreed).await {
            Ok(agreed) => agreed.map_err(|error| Trouble::Tls(shown(&error.to_string())))?,
            Err(_) => return Err(Trouble::Slow),
        };
        let version = campanile_outbound::tls_version(&stream);
        Ok(Self { tls: Some(version), loopback, ..Self::over(Box::new(stream)) })
    }

    /// Says who we are, and hears what the relay offers. Old relays know only HELO, and offer nothing.
    pub(super) async fn greet(&mut self, name: &str) -> Result<(), Trouble> {
        self.offers = match self.ask(&format!("EHLO {name}"), ANSWER).await {
            Ok(reply) => Offers::read(&reply.lines),
            Err(Trouble::Reply(500 | 502 | 504, _)) => {
                self.ask(&format!("HELO {name}"), ANSWER).await?;
                Offers::default()
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(())
    }

    /// Says one line that the relay carries out, and hears that it did.
    pub(super) async fn ask(&mut self, line: &str, limit: Duration) -> Result<Reply, Trouble> {
        self.say(&[line]).await?;
        self.answer(limit).await
    }

    /// Says one line that begins something, and hears that the relay wants to hear more.
    pub(super) async fn begin(&mut self, line: &str) -> Result<Reply, Trouble> {
        self.say(&[line]).await?;
        self.heard(3, ANSWER).await
    }

    /// Says some lines at once; each will have an answer.
    pub(super) async fn say<T: AsRef<str>>(&mut self, lines: &[T]) -> Result<(), Trouble> {
        let mut bytes = String::new();
        for line in lines {
            // What goes into a command was checked where it came in; a line break that slipped through ends the talk
            // before it becomes a command of its own.
            if line.as_ref().contains(['\r', '\n', '\0']) {
                return Err(Trouble::Lost("a line break in a command".to_owned()));
            }
            bytes.push_str(line.as_ref());
            bytes.push_str("\r\n");
        }
        self.write(bytes.as_bytes()).await
    }

    /// Hands a mail over and hears what became of it. Lines that begin with a dot get a second one on the way.
    pub(super) async fn hand_over(&mut self, mail: &[u8]) -> Result<Reply, Trouble> {
        self.begin("DATA").await?;
        self.write(&dotted(mail)).await?;
        self.answer(ANSWER).await
    }

    /// Hears that something was done; anything but 2xx is trouble.
    pub(super) async fn answer(&mut self, limit: Duration) -> Result<Reply, Trouble> {
        self.heard(2, limit).await
    }

    /// Hears an answer whose code begins with this digit. A good answer to something else means that the talk is out of
    /// step: what the relay says next could be taken for what it is not.
    async fn heard(&mut self, digit: u16, limit: Duration) -> Result<Reply, Trouble> {
        let reply = match tokio::time::timeout(limit, self.reply()).await {
            Ok(reply) => reply?,
            Err(_) => return Err(Trouble::Slow),
        };
        match reply.code {
            code if code / 100 == digit => Ok(reply),
            400.. => Err(Trouble::Reply(reply.code, shown(&reply.lines.join(" ")))),
            _ => Err(Trouble::Lost(format!("its answers are out of step: {}", reply.shown()))),
        }
    }

    async fn reply(&mut self) -> Result<Reply, Trouble> {
        let mut reply = Reply::default();
        for number in 0..MOST_LINES {
            let line = self.line().await?;
            let (code, last, text) = parsed(&line).ok_or_else(|| strange(&line))?;
            if number > 0 && code != reply.code {
                return Err(strange(&line));
            }
            reply.code = code;
            reply.lines.push(text.to_owned());
            if last {
                return Ok(reply);
            }
        }
        Err(Trouble::Lost(format!("it answers with more than {MOST_LINES} lines")))
    }

    async fn line(&mut self) -> Result<String, Trouble> {
        let mut line = Vec::new();
        (&mut self.stream).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(Trouble::Lost("it hung up".to_owned()));
        }
        let text = String::from_utf8_lossy(&line);
        if !text.ends_with('\n') {
            return Err(strange(&text));
        }
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        for block in bytes.chunks(BLOCK) {
            within(ANSWER, self.stream.write_all(block)).await?;
        }
        within(ANSWER, self.stream.flush()).await
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Trouble::from),
        Err(_) => Err(Trouble::Slow),
    }
}

/// A line of a reply: its code, whether it is the last one, its text.
fn parsed(line: &str) -> Option<(u16, bool, &str)> {
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

fn strange(line: &str) -> Trouble {
    Trouble::Lost(format!("it does not speak SMTP: `{}`", shown(line)))
}

/// The mail with doubled dots, and the dot that ends it. Its line ends are CRLF already.
fn dotted(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + mail.len() / 64 + 5);
    for line in mail.split_inclusive(|&byte| byte == b'\n') {
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

    /// What is made of a relay's bytes.
    async fn heard(said: &[u8]) -> Result<Reply, Trouble> {
        let (mut relay, ours) = tokio::io::duplex(1 << 20);
        relay.write_all(said).await.unwrap();
        drop(relay);
        Wire::over(Box::new(ours)).answer(Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn replies_of_one_and_several_lines() {
        let reply = heard(b"250-a\r\n250-b c\r\n250 d\r\n").await.unwrap();
        assert_eq!((reply.code, reply.lines.join("|").as_str()), (250, "a|b c|d"));
        assert_eq!(heard(b"250\n").await.unwrap().lines, [""]);
        assert_eq!(heard(b"550 5.1.1 no\r\n").await, Err(Trouble::Reply(550, "5.1.1 no".to_owned())));
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
            let answer = heard(said).await;
            assert!(matches!(answer, Err(Trouble::Lost(_))), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_command_stays_one_line() {
        let (_relay, ours) = tokio::io::duplex(1 << 10);
        let mut wire = Wire::over(Box::new(ours));
        for line in ["RCPT TO:<a@b>\r\nDATA", "a\nb", "a\0b"] {
            assert!(matches!(wire.say(&[line]).await, Err(Trouble::Lost(_))), "{line:?}");
        }
    }

    #[test]
    fn m_63_dots_survive() {
        for (mail, sent) in [
            (&b".a\r\n..\r\nb.\r\n"[..], &b"..a\r\n...\r\nb.\r\n.\r\n"[..]),
            (b"", b"\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
        ] {
            assert_eq!(dotted(mail), sent);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_reply_makes_trouble_of_ours(said in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            if let Ok(reply) = runtime.block_on(heard(&said)) {
                proptest::prop_assert!((200..300).contains(&reply.code));
                proptest::prop_assert!(!reply.shown().contains(char::is_control));
            }
        }
    }
}
