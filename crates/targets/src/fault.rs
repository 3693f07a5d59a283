//! Reasons: of a failed attempt, and of nothing being sent. Closed sets of codes, each with a text for people.

use std::fmt;
use std::time::Duration;

/// The kind of a fault. Its name is also the metric's label, so that the set must stay small and closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultCode {
    /// The far side could not be reached, or the connection broke.
    Connection,
    /// It took too long.
    Timeout,
    /// TLS is missing or its certificate is not right.
    Tls,
    /// The credentials were not taken.
    Authentication,
    /// The far side said: not now.
    Busy,
    /// The far side said: never.
    Rejected,
    /// A callback failed, and the target says that this stops the message.
    Callback,
    /// The store did not answer.
    Store,
    /// The target is no longer in the settings.
    TargetGone,
    /// The message does not fit what the far side takes.
    Content,
    /// Files or programs of this machine.
    Local,
}

impl FaultCode {
    /// Gives the code as stored, shown and counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Authentication => "authentication",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::Callback => "callback",
            Self::Store => "store",
            Self::TargetGone => "target-gone",
            Self::Content => "content",
            Self::Local => "local",
        }
    }
}

/// The reason of a failed attempt, for the one who must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// From the closed set.
    pub code: FaultCode,
    /// The text for people: what failed, where, and what to do.
    pub text: String,
    /// Tells if trying again can help.
    pub permanence: Permanence,
    /// The wait that the protocol wants after a first failure, each further one twice the last; none: the engine's own.
    pub first_delay: Option<Duration>,
    /// The part that is at fault.
    pub scope: Scope,
}

/// The reach of a fault: does it say anything about other messages?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The far side as a whole, as far as anybody can tell: once another message gets through, this one is worth a try.
    FarSide,
    /// The far side as a whole, which asks to be left alone for a time: until then nothing is sent to it.
    Pause,
    /// This message alone: that others get through says nothing about it.
    Message,
}

/// The duration of a fault: does it go away by itself?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permanence {
    /// It may: try again.
    Transient,
    /// It won't: somebody must act.
    Permanent,
}

impl Fault {
    /// Makes a fault of the far side that may go away by itself.
    #[must_use]
    pub fn transient(code: FaultCode, text: impl Into<String>) -> Self {
        let (permanence, scope) = (Permanence::Transient, Scope::FarSide);
        Self { code, text: text.into(), permanence, first_delay: None, scope }
    }

    /// Makes a fault that won't.
    #[must_use]
    pub fn permanent(code: FaultCode, text: impl Into<String>) -> Self {
        Self { permanence: Permanence::Permanent, ..Self::transient(code, text) }
    }

    /// Asks for this wait at least before the next attempt, and for a longer one after each further failure.
    #[must_use]
    pub fn tried_again_from(self, first_delay: Duration) -> Self {
        Self { first_delay: Some(first_delay), ..self }
    }

    /// Says that the far side asks to be left alone.
    #[must_use]
    pub fn asks_for_pause(self) -> Self {
        Self { scope: Scope::Pause, ..self }
    }

    /// Says that the fault is about this message alone.
    #[must_use]
    pub fn of_message(self) -> Self {
        Self { scope: Scope::Message, ..self }
    }
}

/// A target's decision on an event: something to send, or the reason of its silence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision<T, S = Silence> {
    /// Send this.
    Send(T),
    /// Send nothing.
    Silent(S),
}

/// The reason of nothing being sent though nothing failed (M-21). Its code is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// None of the target's modes says yes; what the build and the one before came to.
    Mode {
        /// For people: `success after success`.
        seen: String,
    },
    /// The build is not one of those that the target's table is for (M-FLT-01).
    Filtered {
        /// The key that leaves it out.
        key: FilterKey,
        /// Nothing can ever pass it.
        can_never_match: bool,
    },
    /// Another build stands for the request (M-17).
    Retry,
    /// Nobody is left to tell (M-38).
    NoRecipients,
    /// The build waits for the summary of its buildset.
    BuildsetSummary,
    /// It could not be sent while it was news (I-RC-05).
    Expired {
        /// The age that such news may reach.
        after: Duration,
    },
    /// Newer news took its place (I-RC-05).
    Overtaken,
    /// Nobody can tell what it is about at the far side (G-FIND).
    Unaddressed {
        /// For people: what is missing.
        why: String,
    },
    /// None of a buildset's builds is told of (M-22).
    WholeBuildset {
        /// For people: each build and why not.
        of_each: Vec<String>,
    },
}

/// The key of a target's table that says which builds it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKey {
    /// Names of builders.
    Builders,
    /// Tags of builders.
    Tags,
    /// Names of schedulers (M-X-04).
    Schedulers,
    /// Branches of the sources (M-X-04).
    Branches,
    /// Projects of the sources.
    Projects,
    /// Repositories of the sources.
    Repositories,
}

impl FilterKey {
    /// Gives the key as settings have it, and the code that is stored and counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Builders => "builders",
            Self::Tags => "tags",
            Self::Schedulers => "schedulers",
            Self::Branches => "branches",
            Self::Projects => "projects",
            Self::Repositories => "repositories",
        }
    }
}

impl Silence {
    /// Gives the code as stored and counted.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mode { .. } => "mode",
            Self::Filtered { key, .. } => key.name(),
            Self::Retry => "retry",
            Self::NoRecipients => "no-recipients",
            Self::BuildsetSummary => "buildset-summary",
            Self::Expired { .. } => "expired",
            Self::Overtaken => "overtaken",
            Self::Unaddressed { .. } => "unaddressed",
            Self::WholeBuildset { .. } => "whole-buildset",
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode { seen } => write!(f, "no mode of the target asks for {seen}"),
            Self::Filtered { key, can_never_match } => {
                f.write_str(match key {
                    FilterKey::Builders => "the builder is not among the target's `builders`",
                    FilterKey::Tags => "the builder's tags are not those of the target's `tags`",
                    FilterKey::Schedulers => "the build's scheduler is not among the target's `schedulers`",
                    FilterKey::Branches => "the build's branch is not among the target's `branches`",
                    FilterKey::Projects => "the build's project is not among the target's `projects`",
                    FilterKey::Repositories => {
                        "the build's repository is not among the target's `repositories`"
                    }
                })?;
                if *can_never_match {
                    let key = key.name();
                    write!(
                        f,
                        ", which nothing can pass: each of its names is left out again, or there is none (`{key}`)"
                    )?;
                }
                Ok(())
            }
            Self::Retry => f.write_str("the build was lost and another one stands for it"),
            Self::NoRecipients => {
                f.write_str(
                    "nobody is left to tell: no address of an interested user is known, or all of them are `ignored_addresses`",
                )
            }
            Self::BuildsetSummary => f.write_str("it waits for the summary of its buildset"),
            Self::Expired { after } => {
                write!(
                    f,
                    "it could not be sent within {} minutes, and is no news any more",
                    after.as_secs() / 60
                )
            }
            Self::Unaddressed { why } => f.write_str(why),
            Self::Overtaken => f.write_str("newer news took its place before it could be sent"),
            Self::WholeBuildset { of_each } if of_each.is_empty() => {
                f.write_str("no finished build of the buildset is known")
            }
            Self::WholeBuildset { of_each } => {
                write!(f, "none of the buildset's builds is told of: {}", of_each.join("; "))
            }
        }
    }
}
