//! One message on one connection: the sender, the recipients with a result for each, the content (M-65 to M-67).

use std::borrow::Cow;
use std::time::Duration;

use campanile_outbound::limits::SMTP_REPLY;

use super::connection::SmtpConnection;
use super::error::{SmtpError, TransactionError};
use super::extensions::EhloExtensions;

/// Most commands that go out before their replies are read, where the relay offers PIPELINING (RFC 2920). Bounded,
/// because both sides can have full buffers: a relay that waits for us to read its replies reads no more commands.
const GROUP: usize = 50;

/// A message and its envelope.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Bare address of the sender. The caller has checked that it is one: it stands between `<` and `>` as it is.
    pub sender: &'a str,
    /// Bare addresses of the recipients, checked likewise, each once.
    pub recipients: &'a [String],
    /// Headers and text.
    pub content: &'a dyn MessageContent,
}

/// The bytes of a message, which may depend on what the relay can take.
pub trait MessageContent: Sync {
    /// Returns the bytes as RFC 5322 has them, with CRLF at all line ends, for a relay with these extensions. Bytes
    /// above 127 are for relays that offer `eight_bit_mime`, such bytes in headers for those that offer `smtp_utf8`
    /// too.
    ///
    /// # Errors
    /// When they cannot be as few as the relay wants.
    fn bytes_for<'a>(&'a self, extensions: &EhloExtensions) -> Result<Cow<'a, [u8]>, MessageTooLarge>;
}

/// A message that a relay has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageTooLarge {
    /// Largest message that the relay takes.
    pub max_bytes: u64,
}

/// The result of each recipient of a message; each of them is in one of the three lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientResults {
    /// Those that the relay took the message over for. If there are none, it was not handed over.
    pub accepted: Vec<String>,
    /// Those that it will never take it for.
    pub refused: Vec<RecipientError>,
    /// Those to try again later.
    pub deferred: Vec<RecipientError>,
    /// The relay's reply to the message itself, for people; none if it was not handed over for want of recipients.
    pub receipt: Option<String>,
}

/// A recipient that the relay did not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{recipient}` ({error})")]
pub struct RecipientError {
    /// Address as in the message's recipients.
    pub recipient: String,
    /// The relay's reply; 553 in our own words for an address that it cannot write.
    #[source]
    pub error: SmtpError,
}

/// Hands a message over, once. `first_limit` is for the first reply: a kept connection shows there whether it lives.
/// After success, all replies are read; a connection without a receipt still has to forget the sender (RSET).
pub(crate) async fn transact(
    connection: &mut SmtpConnection,
    message: &Message<'_>,
    first_limit: Duration,
) -> Result<RecipientResults, TransactionError> {
    let content = message.content.bytes_for(&connection.extensions);
    let content = content.map_err(|large| TransactionError::TooLarge { max_bytes: large.max_bytes })?;
    let mut results = RecipientResults::default();
    name_all(connection, message, &content, &mut results, first_limit).await?;
    if !results.accepted.is_empty() {
        let reply = connection.data(&content).await.map_err(|error| match error {
            // The relay may have the message by now: its 250 makes it responsible (RFC 5321, 6.1), and that is what got
            // lost. A second copy is a nuisance, none at all is a loss, so this counts as not sent; readers can
            // tell copies by the Message-ID.
            SmtpError::Connection(reason) => TransactionError::Message(SmtpError::Connection(format!(
                "the connection broke before it confirmed the mail, which may arrive twice: {reason}"
            ))),
            error => TransactionError::Message(error),
        })?;
        results.receipt = Some(connection.shown(&reply));
    }
    Ok(results)
}

/// Names the sender and all recipients, several at once where the relay can.
async fn name_all(
    connection: &mut SmtpConnection,
    message: &Message<'_>,
    content: &[u8],
    results: &mut RecipientResults,
    first_limit: Duration,
) -> Result<(), TransactionError> {
    let sender = mail_command(&connection.extensions, message, content).map_err(TransactionError::Sender)?;
    // Only those whose address the relay can write at all; for each of the others that is its own result.
    let writable = |recipient: &&String| recipient.is_ascii() || connection.extensions.smtp_utf8;
    let (recipients, foreign): (Vec<&String>, Vec<&String>) = message.recipients.iter().partition(writable);
    for recipient in foreign {
        results.record(recipient, Err(needs_smtp_utf8()))?;
    }
    // DATA never goes out in a group with RCPT, though RFC 2920 allows that: with all recipients refused, a relay may
    // still answer 354, and would have to be given an empty message.
    let group = if connection.extensions.pipelining { GROUP } else { 1 };
    let (with_sender, others) = recipients.split_at(recipients.len().min(group - 1));
    let mut lines = vec![sender];
    lines.extend(with_sender.iter().map(rcpt_command));
    connection.write_commands(&lines).await.map_err(TransactionError::Sender)?;
    if let Err(error) = connection.read_completion(first_limit).await {
        if !error.ends_connection() {
            // The recipients that went out with the sender have their replies all the same. Unread, they would pass for
            // those to the next commands on this connection.
            for _ in with_sender {
                if let Err(error) = connection.read_completion(SMTP_REPLY).await
                    && error.ends_connection()
                {
                    return Err(TransactionError::Recipients(error));
                }
            }
        }
        return Err(TransactionError::Sender(error));
    }
    for recipient in with_sender {
        results.record(recipient, connection.read_completion(SMTP_REPLY).await.map(drop))?;
    }
    for group in others.chunks(group) {
        let lines: Vec<String> = group.iter().map(rcpt_command).collect();
        connection.write_commands(&lines).await.map_err(TransactionError::Recipients)?;
        for recipient in group {
            results.record(recipient, connection.read_completion(SMTP_REPLY).await.map(drop))?;
        }
    }
    Ok(())
}

fn rcpt_command(recipient: &&String) -> String {
    format!("RCPT TO:<{recipient}>")
}

fn mail_command(
    extensions: &EhloExtensions,
    message: &Message<'_>,
    content: &[u8],
) -> Result<String, SmtpError> {
    let Message { sender, recipients, .. } = message;
    let mut line = format!("MAIL FROM:<{sender}>");
    if extensions.size {
        line.push_str(&format!(" SIZE={}", content.len()));
    }
    if !sender.is_ascii() && !extensions.smtp_utf8 {
        return Err(needs_smtp_utf8());
    }
    if !content.is_ascii() {
        line.push_str(" BODY=8BITMIME");
    }
    let is_international =
        !content.is_ascii() || !sender.is_ascii() || !recipients.iter().all(|one| one.is_ascii());
    if extensions.smtp_utf8 && is_international {
        line.push_str(" SMTPUTF8");
    }
    Ok(line)
}

/// The result of an address that the relay cannot write, as if it had said so.
fn needs_smtp_utf8() -> SmtpError {
    SmtpError::Reply(553, "it does not offer SMTPUTF8, which addresses of other scripts need".to_owned())
}

impl RecipientResults {
    /// Records the reply to one recipient. An error is what ends the whole transaction.
    fn record(&mut self, recipient: &str, reply: Result<(), SmtpError>) -> Result<(), TransactionError> {
        let Err(error) = reply else {
            self.accepted.push(recipient.to_owned());
            return Ok(());
        };
        if error.ends_connection() {
            return Err(TransactionError::Recipients(error));
        }
        // RFC 5321, 4.5.3.1.10: old relays say 552 when they mean 452, too many at once.
        let is_too_many = error.code() == Some(552) && !self.accepted.is_empty();
        let list = if error.is_permanent() && !is_too_many { &mut self.refused } else { &mut self.deferred };
        list.push(RecipientError { recipient: recipient.to_owned(), error });
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    impl MessageContent for &str {
        fn bytes_for<'a>(&'a self, extensions: &EhloExtensions) -> Result<Cow<'a, [u8]>, MessageTooLarge> {
            match extensions.max_bytes {
                Some(max_bytes) if self.len() as u64 > max_bytes => Err(MessageTooLarge { max_bytes }),
                _ => Ok(Cow::Borrowed(self.as_bytes())),
            }
        }
    }

    /// Transacts with a relay that has these replies ready; and what it was told.
    async fn transacted(
        extensions: EhloExtensions,
        recipients: &[&str],
        content: &str,
        replies: &str,
    ) -> (Result<RecipientResults, TransactionError>, String) {
        let (mut relay, ours) = tokio::io::duplex(1 << 20);
        relay.write_all(replies.as_bytes()).await.unwrap();
        relay.shutdown().await.unwrap();
        let mut connection = SmtpConnection::over(Box::new(ours));
        connection.extensions = extensions;
        let recipients: Vec<String> = recipients.iter().map(|name| format!("{name}@x.org")).collect();
        let message = Message { sender: "ci@x.org", recipients: &recipients, content: &content };
        let results = transact(&mut connection, &message, LIMIT).await;
        drop(connection);
        let mut told = String::new();
        relay.read_to_string(&mut told).await.unwrap();
        (results, told)
    }

    fn names(of: &[RecipientError]) -> Vec<&str> {
        of.iter().map(|error| error.recipient.as_str()).collect()
    }

    #[tokio::test]
    async fn m_67_each_recipient_has_a_result() {
        let replies = "250 ok\r\n250 ok\r\n550 5.1.1 gone\r\n452 later\r\n354 go on\r\n250 queued as X1\r\n";
        for pipelining in [false, true] {
            let extensions = EhloExtensions { pipelining, ..EhloExtensions::default() };
            let (results, told) = transacted(extensions, &["a", "b", "c"], ".x\r\n", replies).await;
            let results = results.unwrap();
            assert_eq!(results.accepted, ["a@x.org"]);
            assert_eq!(names(&results.refused), ["b@x.org"]);
            assert_eq!(results.refused[0].to_string(), "`b@x.org` (550 5.1.1 gone)");
            assert_eq!(names(&results.deferred), ["c@x.org"]);
            assert_eq!(results.receipt.as_deref(), Some("250 queued as X1"));
            assert_eq!(
                told,
                "MAIL FROM:<ci@x.org>\r\nRCPT TO:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nRCPT TO:<c@x.org>\r\n\
                 DATA\r\n..x\r\n.\r\n"
            );
        }
    }

    #[tokio::test]
    async fn m_67_without_recipients_nothing_is_handed_over() {
        let (results, told) =
            transacted(EhloExtensions::default(), &["a", "b"], "x", "250 ok\r\n550 no\r\n552 no\r\n").await;
        let results = results.unwrap();
        assert_eq!((names(&results.refused), results.receipt), (vec!["a@x.org", "b@x.org"], None));
        assert!(results.accepted.is_empty() && results.deferred.is_empty() && !told.contains("DATA"));
    }

    #[tokio::test]
    async fn m_67_552_after_some_were_accepted_means_too_many() {
        let replies = "250 ok\r\n250 ok\r\n552 too many\r\n354 go on\r\n250 ok\r\n";
        let (results, _) = transacted(EhloExtensions::default(), &["a", "b"], "x", replies).await;
        let results = results.unwrap();
        assert_eq!((names(&results.deferred), results.refused.len()), (vec!["b@x.org"], 0));
    }

    #[tokio::test]
    async fn m_65_replies_to_a_refused_group_are_all_read() {
        let extensions = EhloExtensions { pipelining: true, ..EhloExtensions::default() };
        let replies = "553 not you\r\n503 first MAIL\r\n503 first MAIL\r\n";
        let (results, told) = transacted(extensions.clone(), &["a", "b"], "x", replies).await;
        let error = results.unwrap_err();
        assert_eq!(error, TransactionError::Sender(SmtpError::Reply(553, "not you".to_owned())));
        assert!(!error.ends_connection() && !told.contains("DATA"));
        // One reply less: the connection is out of step, whatever the sender's error was.
        let (results, _) =
            transacted(extensions, &["a", "b"], "x", "553 not you\r\n503 first MAIL\r\n").await;
        assert!(results.unwrap_err().ends_connection());
    }

    #[tokio::test]
    async fn m_67_a_lost_reply_to_the_message_is_said_to_be_one() {
        let replies = "250 ok\r\n250 ok\r\n354 go on\r\n";
        let (results, _) = transacted(EhloExtensions::default(), &["a"], "x", replies).await;
        let error = results.unwrap_err();
        assert!(matches!(error, TransactionError::Message(SmtpError::Connection(_))), "{error:?}");
        assert!(error.to_string().contains("which may arrive twice"), "{error}");
    }

    #[tokio::test]
    async fn m_62_addresses_that_the_relay_cannot_write_are_refused_without_a_word() {
        let replies = "250 ok\r\n250 ok\r\n354 go on\r\n250 ok\r\n";
        let (results, told) = transacted(EhloExtensions::default(), &["jörg", "a"], "x", replies).await;
        assert_eq!(names(&results.unwrap().refused), ["jörg@x.org"]);
        assert!(told.is_ascii(), "{told}");
        let extensions =
            EhloExtensions { smtp_utf8: true, eight_bit_mime: true, size: true, ..EhloExtensions::default() };
        let (results, told) = transacted(extensions, &["jörg"], "ü", replies).await;
        assert_eq!(results.unwrap().accepted, ["jörg@x.org"]);
        assert!(told.starts_with("MAIL FROM:<ci@x.org> SIZE=2 BODY=8BITMIME SMTPUTF8\r\n"), "{told}");
    }

    #[tokio::test]
    async fn m_x_15_a_message_that_is_too_large_is_not_even_begun() {
        let extensions = EhloExtensions { max_bytes: Some(3), ..EhloExtensions::default() };
        let (results, told) = transacted(extensions, &["a"], "four", "").await;
        assert_eq!((results, told.as_str()), (Err(TransactionError::TooLarge { max_bytes: 3 }), ""));
    }
}
