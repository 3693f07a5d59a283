//! Errors of a conversation with a relay, told apart by what they mean for the message: of one command, of a connection
//! that is to be made ready, of a message that is handed over.
//!
//! Their texts are the end of a sentence that begins with the relay: "RELAY did not take the login of `bell` (535 no)".

use std::io;

/// A command without a good reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpError {
    /// A reply of 4xx or 5xx: its code, and its text on one line of 300 characters at most.
    #[error("{}", reply_line(*.0, .1))]
    Reply(u16, String),
    /// A connection that never came up, that broke, or on which something else than SMTP is spoken.
    #[error("{0}")]
    Connection(String),
    /// No reply within the time for it.
    #[error("no answer in time")]
    Timeout,
    /// No agreement on TLS: the reason, mostly about the certificate.
    #[error("{0}")]
    Tls(String),
}

impl SmtpError {
    /// The code of the relay's reply, if there was one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Reply(code, _) => Some(*code),
            _ => None,
        }
    }

    /// True for a reply of 5xx: the same command will never do.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Reply(code, _) if *code >= 500)
    }

    /// True for a reply of 552: the message is too large, or holds something that the relay never takes.
    pub fn is_about_content(&self) -> bool {
        matches!(self, Self::Reply(552, _))
    }

    /// True when nothing more can be said on the connection. 421 is the relay's announcement that it hangs up.
    pub(crate) fn ends_connection(&self) -> bool {
        !matches!(self, Self::Reply(code, _) if *code != 421)
    }
}

impl From<io::Error> for SmtpError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Connection(sanitized(&error.to_string())),
        }
    }
}

/// A connection that could not be made ready for messages, by the step that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No connection, or no greeting on it. A reply here turns everybody away and says nothing about any message.
    #[error("cannot be reached or does not greet us ({0})")]
    Greeting(#[source] SmtpError),
    /// Neither EHLO nor HELO was taken.
    #[error("does not take our greeting as `{name}` ({error})")]
    Ehlo {
        /// The name that was said.
        name: String,
        /// The reply to it.
        #[source]
        error: SmtpError,
    },
    /// No TLS on a port that begins with it.
    #[error("does not agree with us on TLS ({0})")]
    Tls(#[source] SmtpError),
    /// STARTTLS is required and not offered. It is never asked for in that case: the reply would come from anybody.
    #[error("does not offer STARTTLS")]
    StartTlsMissing,
    /// STARTTLS was refused, or TLS could not be agreed on after it.
    #[error("does not agree with us on TLS ({0})")]
    StartTls(#[source] SmtpError),
    /// There are credentials, and none of the mechanisms that are known here is offered.
    #[error("offers no login by CRAM-MD5, PLAIN or LOGIN")]
    NoMechanism,
    /// Only mechanisms that tell the password are offered, and others could read the line.
    #[error("would get the password unencrypted")]
    UnsafeLogin,
    /// All mechanisms that may be used were refused.
    #[error("did not take the login of `{user}` ({error})")]
    Login {
        /// User that was named.
        user: String,
        /// Reply to the last mechanism that was tried, without the password, should the relay have repeated it.
        #[source]
        error: SmtpError,
    },
}

/// A transaction that broke off: nobody got the message, unless the last reply was lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// In reply to the sender's name (MAIL).
    #[error("did not take the sender ({0})")]
    Sender(#[source] SmtpError),
    /// While recipients were named (RCPT). A recipient who is refused or deferred is a result and no error.
    #[error("broke off while recipients were named ({0})")]
    Recipients(#[source] SmtpError),
    /// When the message itself was handed over (DATA).
    #[error("did not take the mail ({0})")]
    Message(#[source] SmtpError),
    /// Before anything was said: the content cannot be as small as the relay wants it (SIZE).
    #[error("takes no mail of more than {max_bytes} bytes")]
    TooLarge {
        /// Largest message that the relay takes.
        max_bytes: u64,
    },
}

impl TransactionError {
    /// True when nothing more can be said on the connection.
    pub(crate) fn ends_connection(&self) -> bool {
        match self {
            Self::Sender(error) | Self::Recipients(error) | Self::Message(error) => error.ends_connection(),
            Self::TooLarge { .. } => false,
        }
    }
}

/// A message that was handed to nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There was no connection to send it on.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The relay broke the transaction off.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
}

/// A text from the far side on one line, and not too much of it: it ends up in logs and on terminals.
pub(crate) fn sanitized(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().to_owned()
}

fn reply_line(code: u16, text: &str) -> String {
    format!("{code} {text}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_67_what_an_answer_means() {
        let reply = |code| SmtpError::Reply(code, "x".to_owned());
        assert!(reply(550).is_permanent() && !reply(450).is_permanent());
        assert!(
            reply(421).ends_connection()
                && !reply(450).ends_connection()
                && SmtpError::Timeout.ends_connection()
        );
        assert_eq!((reply(452).code(), SmtpError::Timeout.code()), (Some(452), None));
        assert!(reply(552).is_about_content() && !reply(550).is_about_content());
        assert_eq!(sanitized("a\r\nb"), "a  b");
    }

    #[test]
    fn errors_are_the_end_of_a_sentence() {
        let error =
            ConnectError::Login { user: "bell".to_owned(), error: SmtpError::Reply(535, "no".to_owned()) };
        assert_eq!(error.to_string(), "did not take the login of `bell` (535 no)");
        let error = TransactionError::Sender(SmtpError::Reply(421, String::new()));
        assert_eq!(SendError::from(error).to_string(), "did not take the sender (421)");
    }
}
