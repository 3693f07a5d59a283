//! What went wrong in a talk with a relay, told apart by what it means for the mail.

use std::io;
use std::time::Duration;

use crate::{Fault, FaultCode};

/// How long a relay may take over one answer (M-71).
pub(super) const ANSWER: Duration = Duration::from_secs(300);

/// Why a command had no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The relay said no, with this code and text.
    Reply(u16, String),
    /// The connection is gone, or was never there.
    Lost(String),
    /// No answer in time.
    Slow,
    /// TLS could not be agreed on.
    Tls(String),
}

impl Trouble {
    /// Whether the relay said: never.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Reply(code, _) if *code >= 500)
    }

    /// Whether the connection can't be used any more.
    pub(super) fn ends_connection(&self) -> bool {
        !matches!(self, Self::Reply(code, _) if *code != 421)
    }

    /// What the relay said, for a sentence about one recipient.
    pub(super) fn answer(&self) -> String {
        match self {
            Self::Reply(code, text) => format!("{code} {text}").trim_end().to_owned(),
            Self::Lost(reason) | Self::Tls(reason) => reason.clone(),
            Self::Slow => "no answer in time".to_owned(),
        }
    }

    /// Whether the relay said that the mail is too large for it, or holds what it never takes.
    pub(super) fn is_about_content(&self) -> bool {
        matches!(self, Self::Reply(552, _))
    }

    /// The fault, with `what` as its beginning: who did not do what.
    pub(super) fn fault(&self, what: &str, refused: FaultCode, hint: &str) -> Fault {
        let text = format!("{what} ({}){hint}", self.answer());
        match self {
            Self::Reply(code, _) if *code >= 500 => Fault::permanent(refused, text),
            Self::Reply(..) => Fault::transient(FaultCode::Busy, text),
            Self::Lost(_) => Fault::transient(FaultCode::Connection, text),
            Self::Slow => Fault::transient(FaultCode::Timeout, text),
            Self::Tls(_) => Fault::transient(FaultCode::Tls, text),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Slow,
            _ => Self::Lost(shown(&error.to_string())),
        }
    }
}

/// A text from the far side on one line, and not too much of it.
pub(super) fn shown(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_67_what_an_answer_means() {
        let reply = |code| Trouble::Reply(code, "x".to_owned());
        assert!(reply(550).is_refusal() && !reply(450).is_refusal());
        assert!(
            reply(421).ends_connection() && !reply(450).ends_connection() && Trouble::Slow.ends_connection()
        );
        assert_eq!(reply(452).fault("w", FaultCode::Rejected, "").code, FaultCode::Busy);
        assert_eq!(
            reply(554).fault("w", FaultCode::Rejected, ": h"),
            Fault::permanent(FaultCode::Rejected, "w (554 x): h")
        );
        assert_eq!(shown("a\r\nb"), "a  b");
    }
}
