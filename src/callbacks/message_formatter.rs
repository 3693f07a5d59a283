//! The MailNotifier messageFormatter (M-45 to M-47): its types on the engine's side, and its call.

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

    /// Whether it is in the set.
    #[must_use]
    pub fn contains(self, mode: Mode) -> bool {
        self.0 & (1 << mode as u8) != 0
    }

    /// Whether none is.
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

/// What a formatter gives back. Nothing in it is trusted yet: the mail target checks subject and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormattedMessage {
    /// Replaces the target's own subject (M-40).
    pub subject: Option<String>,
    /// The text or page.
    pub body: String,
    /// Which of both it is.
    pub kind: MessageKind,
    /// Plain text beside a page.
    pub alternative: Option<String>,
    /// Further headers, under the rules of `extraHeaders` (M-60).
    pub headers: Vec<(String, String)>,
}

/// What a body is (M-43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// `text/plain`.
    Plain,
    /// `text/html`.
    Html,
}
