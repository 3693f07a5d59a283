//! Mails through a relay: the settings' words for what the SMTP client reports, and each recipient's result as the
//! delivery's outcome (M-65 to M-71).

use std::borrow::Cow;
use std::time::Duration;

use campanile_smtp::{
    ConnectError, EhloExtensions, Message, MessageContent, MessageTooLarge, RecipientError, RecipientResults,
    Relay, RelayConfig, SendError, SmtpError, TransactionError,
};

use super::ascii_downgrade;
use super::payload::StoredMail;
use super::send::{attempt_failed, served_earlier};
use crate::{Fault, FaultCode, Outcome, Permanence};

/// The wait after a relay said "not now": RFC 5321 (4.5.4.1) wants a client to leave the relay alone for a while, and
/// relays that greylist count those against a sender that come back too soon.
pub(super) const NOT_NOW_DELAY: Duration = Duration::from_secs(30);

/// A target's relay.
pub(super) struct SmtpTransport {
    target: String,
    /// `HOST:PORT`.
    address: String,
    relay: Relay,
}

impl SmtpTransport {
    /// Makes the transport of the target of this name. Connects to nothing yet.
    pub(super) fn new(target: &str, config: RelayConfig) -> Self {
        let address = format!("{}:{}", config.host, config.port);
        Self { target: target.to_owned(), address, relay: Relay::new(config) }
    }

    /// Hands the mail over once to those who are still to get it.
    pub(super) async fn send(&self, mail: StoredMail) -> Outcome {
        let message =
            Message { sender: &mail.envelope.sender, recipients: &mail.envelope.recipients, content: &mail };
        match self.relay.send(&message).await {
            Ok(results) => {
                self.log_refused(&results.refused);
                self.outcome(results, mail)
            }
            Err(SendError::Connect(error)) => attempt_failed(self.connect_fault(&error), &mail),
            Err(SendError::Transaction(error)) => self.transaction_failed(&error, &mail),
        }
    }

    /// Proves that mails could be sent, and says what the relay offers.
    pub(super) async fn probe(&self) -> Result<String, Fault> {
        let report = self.relay.probe().await.map_err(|error| self.connect_fault(&error))?;
        let encrypted = report.tls.unwrap_or("not encrypted");
        let login = report.login.map(|by| format!(", the credentials work by {}", by.name()));
        let login = login.unwrap_or_default();
        Ok(format!("{} answers ({encrypted}{login}) and offers {}", self.address, report.extensions))
    }

    /// The beginning of every text for people: which target, which relay.
    fn label(&self) -> String {
        format!("mail target `{}`: the relay {}", self.target, self.address)
    }

    fn log_refused(&self, refused: &[RecipientError]) {
        for RecipientError { recipient, error } in refused {
            tracing::warn!(
                target = self.target,
                relay = self.address,
                recipient,
                code = error.code(),
                "mail: the relay refused a recipient: {error}"
            );
        }
    }

    /// The outcome of a transaction that came to its end.
    fn outcome(&self, results: RecipientResults, mail: StoredMail) -> Outcome {
        match &results.receipt {
            Some(receipt) => {
                let receipt = format!("{} took it for {}: {receipt}", self.label(), results.accepted.len());
                self.handed_over(results, mail, receipt)
            }
            None => self.not_handed_over(&results, &mail),
        }
    }

    /// At least one recipient got it. The deferred ones are all that the next attempt has to serve.
    fn handed_over(&self, results: RecipientResults, mut mail: StoredMail, receipt: String) -> Outcome {
        let RecipientResults { accepted, refused, deferred, .. } = results;
        mail.envelope.served += accepted.len();
        mail.envelope.refused.extend(self.refusals(&refused));
        if let Some(first) = deferred.first() {
            let text = format!(
                "{} took the mail for {}, but not yet for {} ({})",
                self.label(),
                accepted.len(),
                deferred.len(),
                first.error
            );
            mail.envelope.recipients = deferred.into_iter().map(|one| one.recipient).collect();
            return Outcome::Remainder { message: mail.to_bytes(), fault: put_off(text), not_before: None };
        }
        match mail.envelope.refused {
            refused if refused.is_empty() => Outcome::Delivered(receipt),
            refused => Outcome::Partial { receipt, refused },
        }
    }

    /// All recipients were refused or deferred. With one deferred, all of them wait: those who were refused will be so
    /// again, and be counted then.
    fn not_handed_over(&self, results: &RecipientResults, mail: &StoredMail) -> Outcome {
        if let Some(RecipientError { recipient, error }) = results.deferred.first() {
            let text = format!("{} does not take mail for `{recipient}` now ({error})", self.label());
            let fault = match error {
                // It hangs up on everybody.
                SmtpError::Reply(421, _) => reply_fault(error, text, FaultCode::Rejected),
                _ => put_off(text),
            };
            return Outcome::Deferred { fault, not_before: None };
        }
        let mut refused = mail.envelope.refused.clone();
        refused.extend(self.refusals(&results.refused));
        if mail.envelope.served > 0 {
            return Outcome::Partial { receipt: served_earlier(mail), refused };
        }
        Outcome::Refused(Fault::permanent(FaultCode::Rejected, refused.join("; ")))
    }

    /// A sentence about each.
    fn refusals(&self, refused: &[RecipientError]) -> Vec<String> {
        let label = self.label();
        refused.iter().map(|one| format!("{label} refused {one}: fix the address or remove it")).collect()
    }

    /// The outcome of a transaction that broke off.
    fn transaction_failed(&self, broken: &TransactionError, mail: &StoredMail) -> Outcome {
        let label = self.label();
        let (error, what, hint) = match broken {
            TransactionError::Sender(error) if !error.is_about_content() => {
                let hint = if error.is_permanent() { ": check `fromaddr`" } else { "" };
                (error, format!("did not take the sender `{}`", mail.envelope.sender), hint)
            }
            TransactionError::Recipients(error) => {
                (error, "broke off while recipients were named".to_owned(), "")
            }
            // With SIZE, the sender's reply is already about the size of the content.
            TransactionError::Sender(error) | TransactionError::Message(error) => {
                let hint = if error.is_about_content() { ": lower `max_message_bytes`" } else { "" };
                (error, "did not take the mail".to_owned(), hint)
            }
            TransactionError::TooLarge { max_bytes } => {
                let text = format!(
                    "{label} takes no mail of more than {max_bytes} bytes, and the text alone has more"
                );
                return attempt_failed(Fault::permanent(FaultCode::Content, text), mail);
            }
        };
        let fault = reply_fault(error, format!("{label} {what} ({error}){hint}"), FaultCode::Rejected);
        // A relay that answered and stays is there for other mails, unless the trouble is its own.
        let fault = if error.code().is_some() && !is_the_relays(error) { fault.of_message() } else { fault };
        // Better a mail without its attachments than none.
        match error.is_about_content().then(|| mail.without_attachments()).flatten() {
            Some(bare) => {
                let text = format!("{}; it goes without its attachments next", fault.text);
                let fault = Fault::transient(FaultCode::Content, text).of_message();
                Outcome::Remainder { message: bare.to_bytes(), fault, not_before: None }
            }
            None => attempt_failed(fault, mail),
        }
    }

    /// The fault of an attempt that had no connection, with the setting that may be wrong.
    fn connect_fault(&self, failed: &ConnectError) -> Fault {
        let hint = match failed {
            ConnectError::Greeting(_) => ": check `relayhost`, `smtp_port` and the relay",
            ConnectError::Ehlo { .. } => "",
            ConnectError::Tls(_) => {
                ": check its certificate, `relayhost` and `tls_ca`, and that its port starts with TLS"
            }
            ConnectError::StartTls(_) => ": check its certificate, `relayhost` and `tls_ca`",
            ConnectError::StartTlsMissing => {
                " (use_tls = true); set use_smtps for a port that starts with TLS"
            }
            ConnectError::NoMechanism => ": remove `smtp_user`, or check `use_tls` and the port",
            ConnectError::UnsafeLogin => ": set `use_tls`, or `allow_plain_auth` if the way there is safe",
            ConnectError::Login { .. } => ": check `smtp_user` and `smtp_password`",
        };
        let text = format!("{} {failed}{hint}", self.label());
        match failed {
            // A relay that turns everybody away says nothing about this mail, and may be back tomorrow.
            ConnectError::Greeting(error) | ConnectError::Ehlo { error, .. } => {
                Fault { permanence: Permanence::Transient, ..reply_fault(error, text, FaultCode::Rejected) }
            }
            // A wrong certificate is put right sooner or later, often by the relay's own people: the mail waits for
            // that.
            ConnectError::Tls(error) | ConnectError::StartTls(error) => {
                Fault { code: FaultCode::Tls, ..reply_fault(error, text, FaultCode::Tls) }
            }
            ConnectError::StartTlsMissing => Fault::permanent(FaultCode::Tls, text),
            ConnectError::NoMechanism | ConnectError::UnsafeLogin => {
                Fault::permanent(FaultCode::Authentication, text)
            }
            ConnectError::Login { error, .. } => reply_fault(error, text, FaultCode::Authentication),
        }
    }
}

/// True for an answer that is about the relay and not about the mail: it hangs up, has no room, or has trouble of its own. What
/// policy puts off (450, 4.7.1), as greylisting does, is about the mail.
fn is_the_relays(error: &SmtpError) -> bool {
    match error {
        SmtpError::Reply(421 | 452, _) => true,
        SmtpError::Reply(451, text) => !text.starts_with("4.7."),
        _ => false,
    }
}

/// The fault of a mail that the relay puts off for its recipients' sake: greylisting, a full mailbox.
fn put_off(text: String) -> Fault {
    Fault::transient(FaultCode::Busy, text).tried_again_from(NOT_NOW_DELAY).of_message()
}

/// The fault of a command without a good reply; `refused` is its code when the relay said: never.
fn reply_fault(error: &SmtpError, text: String, refused: FaultCode) -> Fault {
    match error {
        // The delay counts where a caller knows better than the relay that it may pass.
        SmtpError::Reply(..) if error.is_permanent() => {
            Fault::permanent(refused, text).tried_again_from(NOT_NOW_DELAY)
        }
        SmtpError::Reply(..) => Fault::transient(FaultCode::Busy, text).tried_again_from(NOT_NOW_DELAY),
        SmtpError::Connection(_) => Fault::transient(FaultCode::Connection, text),
        SmtpError::Timeout => Fault::transient(FaultCode::Timeout, text),
        SmtpError::Tls(_) => Fault::transient(FaultCode::Tls, text),
    }
}

impl MessageContent for StoredMail {
    /// The stored bytes; without the attachments that the relay has no room for (M-X-15), and in ASCII for one that
    /// knows nothing else (M-62).
    fn bytes_for<'a>(&'a self, extensions: &EhloExtensions) -> Result<Cow<'a, [u8]>, MessageTooLarge> {
        let raw = match extensions.max_bytes {
            Some(max_bytes) if self.raw.len() as u64 > max_bytes => {
                Cow::Owned(self.cut_to(max_bytes).ok_or(MessageTooLarge { max_bytes })?.raw)
            }
            _ => Cow::Borrowed(self.raw.as_slice()),
        };
        let knows_scripts = extensions.smtp_utf8 && extensions.eight_bit_mime;
        Ok(if knows_scripts { raw } else { Cow::Owned(ascii_downgrade::downgrade(&raw)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_dlv_04_trouble_of_the_relay_is_not_the_mails() {
        let is_the_relays = |code, text: &str| is_the_relays(&SmtpError::Reply(code, text.to_owned()));
        for (code, text) in
            [(421, "4.3.2 shutting down"), (452, "4.3.1 no room"), (451, "4.3.0 local error"), (451, "")]
        {
            assert!(is_the_relays(code, text), "{code} {text}");
        }
        for (code, text) in
            [(450, "4.7.1 greylisted"), (451, "4.7.1 greylisted"), (550, "no"), (554, "5.7.1 no")]
        {
            assert!(!is_the_relays(code, text), "{code} {text}");
        }
        assert!(!super::is_the_relays(&SmtpError::Timeout));
    }

    #[test]
    fn m_67_what_an_answer_means() {
        let reply = |code| SmtpError::Reply(code, "x".to_owned());
        let fault = |error: &SmtpError| reply_fault(error, format!("w ({error}): h"), FaultCode::Rejected);
        assert_eq!(fault(&reply(452)).code, FaultCode::Busy);
        assert_eq!(fault(&reply(452)).first_delay, Some(NOT_NOW_DELAY));
        let refused = Fault::permanent(FaultCode::Rejected, "w (554 x): h").tried_again_from(NOT_NOW_DELAY);
        assert_eq!(fault(&reply(554)), refused);
        assert_eq!(fault(&SmtpError::Connection("x".to_owned())).first_delay, None);
        assert_eq!(fault(&SmtpError::Timeout).code, FaultCode::Timeout);
        assert_eq!(fault(&SmtpError::Connection("x".to_owned())).code, FaultCode::Connection);
    }
}
