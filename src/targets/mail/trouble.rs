//! What went wrong in a talk with a relay, told apart by what it means for the mail.

use std::error::Error as _;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::Response;

use crate::targets::{Fault, FaultCode};

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

    /// The fault, with `what` as its beginning: who did not do what.
    pub(super) fn fault(&self, what: &str, refused: FaultCode, hint: &str) -> Fault {
        let text = format!("{what} ({}){hint}", self.answer());
        match self {
            Self::Reply(code, _) if *code >= 500 => Fault::lasting(refused, text),
            Self::Reply(..) => Fault::passing(FaultCode::Busy, text),
            Self::Lost(_) => Fault::passing(FaultCode::Connection, text),
            Self::Slow => Fault::passing(FaultCode::Timeout, text),
            Self::Tls(_) => Fault::passing(FaultCode::Tls, text),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        let reason = shown(&reason);
        match error.status() {
            Some(code) => Self::Reply(code.to_string().parse().unwrap_or(451), reason),
            None if error.is_timeout() => Self::Slow,
            None if error.is_tls() => Self::Tls(reason),
            None => Self::Lost(reason),
        }
    }
}

/// Waits for an answer, but not for ever.
pub(super) async fn answered<T>(
    answer: impl Future<Output = Result<T, Error>>,
    limit: Duration,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(Trouble::from),
        Err(_) => Err(Trouble::Slow),
    }
}

/// A good answer, for people.
pub(super) fn receipt(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    shown(&format!("{} {}", response.code(), text.join(" ")))
}

/// A text from the far side on one line, and not too much of it.
fn shown(text: &str) -> String {
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
            Fault::lasting(FaultCode::Rejected, "w (554 x): h")
        );
        assert_eq!(shown("a\r\nb"), "a  b");
    }
}
