//! The MailNotifier messageFormatter (M-45 to M-47): its types on the engine's side, and its call.

use serde::{Deserialize, Serialize};

use super::bindings::message_formatting::exports::campanile::notifier::message_formatter as wit;
use super::call::ITEM_COST;
use super::callback::{CallCost, Callback, sandboxed_call};
use super::caller::Caller;
use super::convert;
use super::error::CallbackError;
use super::kind::Kind;
use campanile_model::{Build, Results};

impl Callback {
    /// Runs the message formatter (M-45); `modes` is the expanded set, `name` the builder's.
    ///
    /// # Errors
    /// When the component has none, refuses, traps, or meets a limit.
    pub async fn format_message(
        &self,
        caller: &Caller,
        modes: Modes,
        name: &str,
        build: &Build,
        results: Results,
    ) -> Result<(FormattedMessage, CallCost), CallbackError> {
        let record = convert::build(build, &*caller.status);
        let (name, results) = (name.to_owned(), convert::results(results));
        let (answer, cost) =
            sandboxed_call!(self, caller, message_formatter, Kind::MessageFormatter, |store, instance| {
                let exports = instance.campanile_notifier_message_formatter();
                exports.call_format_message(&mut store, modes.into(), &name, &record, results)
            });
        let message = FormattedMessage::from(answer.map_err(CallbackError::answered)?);
        self.within_output(message.size())?;
        Ok((message, cost))
    }
}

impl From<Modes> for wit::Mode {
    fn from(modes: Modes) -> Self {
        modes.iter().fold(Self::empty(), |set, mode| {
            set | match mode {
                Mode::Change => Self::CHANGE,
                Mode::Failing => Self::FAILING,
                Mode::Passing => Self::PASSING,
                Mode::Problem => Self::PROBLEM,
                Mode::Warnings => Self::WARNINGS,
                Mode::Exception => Self::EXCEPTION,
                Mode::Cancelled => Self::CANCELLED,
            }
        })
    }
}

impl From<wit::Message> for FormattedMessage {
    fn from(message: wit::Message) -> Self {
        let kind = match message.kind {
            wit::Kind::Plain => MessageKind::Plain,
            wit::Kind::Html => MessageKind::Html,
        };
        let wit::Message { subject, body, alternative, headers, .. } = message;
        Self { subject, body, kind, alternative, headers }
    }
}

impl FormattedMessage {
    fn size(&self) -> usize {
        let texts = [self.subject.as_deref(), Some(&self.body), self.alternative.as_deref()];
        let texts: usize = texts.into_iter().flatten().map(str::len).sum();
        texts + self.headers.iter().map(|(name, value)| ITEM_COST + name.len() + value.len()).sum::<usize>()
    }
}

/// One of the seven modes of a mail target (M-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The result differs from the previous build's.
    Change,
    /// The build failed.
    Failing,
    /// The build succeeded.
    Passing,
    /// The build failed and the previous one did not.
    Problem,
    /// The build had warnings.
    Warnings,
    /// The machinery broke.
    Exception,
    /// Somebody stopped the build.
    Cancelled,
}

impl Mode {
    /// All seven.
    pub const ALL: [Self; 7] = [
        Self::Change,
        Self::Failing,
        Self::Passing,
        Self::Problem,
        Self::Warnings,
        Self::Exception,
        Self::Cancelled,
    ];

    /// The word in the settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Failing => "failing",
            Self::Passing => "passing",
            Self::Problem => "problem",
            Self::Warnings => "warnings",
            Self::Exception => "exception",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A set of modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modes(u8);

impl Modes {
    /// Adds one.
    #[must_use]
    pub fn with(self, mode: Mode) -> Self {
        Self(self.0 | 1 << mode as u8)
    }

    /// True if the mode is in the set.
    #[must_use]
    pub fn contains(self, mode: Mode) -> bool {
        self.0 & (1 << mode as u8) != 0
    }

    /// True if no mode is.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in the order of `Mode::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Mode> {
        Mode::ALL.into_iter().filter(move |mode| self.contains(*mode))
    }
}

impl FromIterator<Mode> for Modes {
    fn from_iter<I: IntoIterator<Item = Mode>>(modes: I) -> Self {
        modes.into_iter().fold(Self::default(), Self::with)
    }
}

/// Answer of a formatter. Nothing in it is trusted yet: the mail target checks subject and headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormattedMessage {
    /// Replaces the target's own subject (M-40).
    pub subject: Option<String>,
    /// The text or page.
    pub body: String,
    /// Kind of the body.
    pub kind: MessageKind,
    /// Plain text beside a page.
    pub alternative: Option<String>,
    /// Further headers, under the rules of `extraHeaders` (M-60).
    pub headers: Vec<(String, String)>,
}

/// Kind of a body (M-43).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// `text/plain`.
    Plain,
    /// `text/html`.
    Html,
}
