//! Messages that go into a session, and events that come out of it.

use campanile_config::{Secret, mask};

use crate::message::Prefix;
use crate::outbox::Ticket;

/// Something that has happened in a session.
#[derive(Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The server has taken us (001).
    Registered {
        /// Nickname that we go by, as the server has it.
        nick: String,
    },
    /// NickServ has answered our IDENTIFY, well or not.
    NickServReplied {
        /// Its words, in lower case.
        text: String,
    },
    /// We are in a channel.
    Joined {
        /// In the server's spelling.
        channel: String,
    },
    /// We are not in a channel any more, or could not get in. It is tried again while it is wanted.
    Left {
        /// In the server's spelling.
        channel: String,
        /// For people.
        reason: String,
    },
    /// Somebody said something to us or in a channel.
    Message {
        /// The sender.
        from: Prefix,
        /// Our nickname, or a channel.
        to: String,
        /// Without an end of line.
        text: String,
    },
    /// Somebody did something, as `/me` does.
    Action {
        /// The sender.
        from: Prefix,
        /// Our nickname, or a channel.
        to: String,
        /// Without the marks of CTCP.
        text: String,
    },
    /// The server has worked on all of a delivery.
    Delivered {
        /// As [`Session::deliver`](crate::Session::deliver) gave it.
        ticket: Ticket,
        /// Recipients that did not get it. Of deliveries that were under way together, one may be told of another's.
        refused: Vec<Refusal>,
    },
    /// The server does not pass on something that was sent, whether within a delivery or not.
    Refused(Refusal),
    /// The session is over: the server ends it, or does not take us.
    Closed {
        /// For people.
        reason: String,
    },
}

impl SessionEvent {
    /// The event without these secrets in what the server says for people.
    pub(crate) fn masked(self, secrets: &[Secret]) -> Self {
        let refusal = |refusal: Refusal| Refusal { reason: mask(&refusal.reason, secrets), ..refusal };
        match self {
            Self::NickServReplied { text } => Self::NickServReplied { text: mask(&text, secrets) },
            Self::Left { channel, reason } => Self::Left { channel, reason: mask(&reason, secrets) },
            Self::Delivered { ticket, refused } => {
                Self::Delivered { ticket, refused: refused.into_iter().map(refusal).collect() }
            }
            Self::Refused(refused) => Self::Refused(refusal(refused)),
            Self::Closed { reason } => Self::Closed { reason: mask(&reason, secrets) },
            other => other,
        }
    }
}

/// A recipient that did not get a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Channel or nickname, lower-cased.
    pub recipient: String,
    /// For people: the server's words and number, or ours.
    pub reason: String,
    /// It may get it later: a channel that we are not in and want to be in, or there was no room in the outbox.
    pub passes: bool,
}

/// A message to a channel or a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutgoingMessage {
    /// Text; each line of it becomes one message or more.
    Text(String),
    /// As `/me` does (I-OUT-03).
    Action(String),
}

impl OutgoingMessage {
    /// The words, without the form.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Action(text) => text,
        }
    }
}
