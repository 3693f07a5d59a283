//! A command that somebody gave, and what may come of it.

use std::sync::Arc;
use std::time::Duration;

use crate::SessionContext;
use crate::irc::bot::Bot;
use crate::irc::eta::expected;
use crate::irc::settings::{IrcSettings, Rights};
use crate::irc::talk::{Saying, Speaker};
use crate::irc::wire::harmless;
use crate::irc::words::words;
use campanile_callbacks::StatusError;
use campanile_ci::control::{Asker, ControlError};
use campanile_model::{Build, Builder, natural_order, tags_match};

/// What is said in return, or what went wrong.
pub(in crate::irc) type Answer = Result<Vec<Saying>, Trouble>;

/// Why a command did nothing.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::irc) enum Trouble {
    /// What is said instead of an answer (I-DSP-06).
    Told(String),
    /// What goes to the log; people hear only that it did (I-DSP-06).
    Broken(String),
}

impl From<StatusError> for Trouble {
    fn from(error: StatusError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// A command with everything about it.
#[derive(Clone)]
pub(in crate::irc) struct Asked {
    pub(super) bot: Arc<Bot>,
    pub(super) settings: Arc<IrcSettings>,
    pub(super) desk: SessionContext,
    pub(super) speaker: Speaker,
    /// Whom the answer goes to: a channel, or the one who asked; lower-cased (I-OUT-01).
    pub(super) contact: String,
    /// Whether the contact is a channel.
    pub(super) in_channel: bool,
    /// What stands behind the command's name, trimmed.
    pub(super) rest: String,
}

/// One line as an answer.
pub(super) fn said(text: impl Into<String>) -> Answer {
    Ok(vec![Saying::Text(text.into())])
}

/// A usage error: its text is the reply.
pub(super) fn told<T>(text: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Told(text.into()))
}

impl Asked {
    /// The words behind the command's name (I-ARG-01).
    pub(super) fn words(&self) -> Result<Vec<String>, Trouble> {
        words(&self.rest).map_err(|why| Trouble::Told(why.to_owned()))
    }

    /// Says something before the answer.
    pub(super) async fn say(&self, text: impl Into<String>) {
        self.bot.say(&self.contact, vec![Saying::Text(text.into())]).await;
    }

    /// `IRC user <ada> on channel #ci` (I-CMD-38).
    pub(super) fn user(&self) -> String {
        let nick = harmless(&self.speaker.nick);
        if self.in_channel {
            format!("IRC user <{nick}> on channel {}", self.contact)
        } else {
            format!("IRC user <{nick}> (privmsg)")
        }
    }

    /// For the CI and the audit log.
    pub(super) fn asker(&self) -> Asker {
        let server = &self.settings.server.host;
        let place = if self.in_channel { format!("{server}/{}", self.contact) } else { server.clone() };
        let account =
            self.speaker.account.as_deref().map(|account| format!(", account {}", harmless(account)));
        Asker { who: format!("{}{}", self.user(), account.unwrap_or_default()), place }
    }

    /// Whether builds may be forced and stopped: with `authz`, whoever came so far may.
    pub(super) fn may_force(&self) -> bool {
        !matches!(self.settings.rights, Rights::Switches { allow_force: false, .. })
    }

    /// Whether the CI may be shut down.
    pub(super) fn may_shut_down(&self) -> bool {
        !matches!(self.settings.rights, Rights::Switches { allow_shutdown: false, .. })
    }

    /// Builders of the filter, sorted (I-FLT-01).
    pub(super) async fn builders(&self) -> Result<Vec<Builder>, Trouble> {
        let mut builders = self.desk.status.builders().await?;
        builders.retain(|builder| tags_match(&builder.tags, &self.settings.tags));
        builders.sort_by(|a, b| natural_order(&a.name, &b.name));
        Ok(builders)
    }

    /// The builder of this name, whatever the filter says (I-CMD-08, I-FLT-01).
    pub(super) async fn builder(&self, name: &str) -> Result<Builder, Trouble> {
        let builders = self.desk.status.builders().await?;
        match builders.into_iter().find(|builder| builder.name == name) {
            Some(builder) => Ok(builder),
            None => told(format!("no such builder '{}'", harmless(name))),
        }
    }

    /// How long a running build may still take, by the last good ones; none if there were none.
    pub(super) async fn eta(&self, build: &Build) -> Result<Option<Duration>, Trouble> {
        Ok(expected(build, &*self.desk.status).await?)
    }
}

/// What is said when the CI does not do as it is told.
pub(super) fn refused(error: &ControlError, what: &str) -> Trouble {
    match error {
        ControlError::NotConfigured => Trouble::Told(format!("{what} control is not enabled")),
        other => Trouble::Told(harmless(&other.to_string())),
    }
}
