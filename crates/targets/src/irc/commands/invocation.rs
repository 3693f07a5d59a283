//! A command that somebody gave, with everything that it may need, and its possible results.

use std::sync::Arc;
use std::time::Duration;

use campanile_callbacks::StatusError;
use campanile_ci::control::{Asker, ControlError};
use campanile_irc::{OutgoingMessage, Prefix};
use campanile_model::{Build, Builder, line_text, natural_order};

use crate::SessionContext;
use crate::irc::bot::Bot;
use crate::irc::eta::expected;
use crate::irc::settings::{IrcSettings, Rights};
use crate::irc::shell_words::shell_words;

/// Lines to say in return; perhaps none, since all has been said.
pub(in crate::irc) type Reply = Result<Vec<OutgoingMessage>, CommandError>;

/// A command that was not done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::irc) enum CommandError {
    /// Its words or rights are not as they should be, or the CI said no: the text is the reply (I-DSP-06).
    #[error("{0}")]
    Rejected(String),
    /// Something broke: the text goes to the log, people hear only that it did (I-DSP-06).
    #[error("{0}")]
    Internal(String),
}

impl From<StatusError> for CommandError {
    fn from(error: StatusError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// One use of a command.
#[derive(Clone)]
pub(in crate::irc) struct Invocation {
    pub(super) bot: Arc<Bot>,
    pub(super) settings: Arc<IrcSettings>,
    pub(super) context: SessionContext,
    /// The sender.
    pub(super) from: Prefix,
    /// Recipient of the reply: a channel, or the one who asked; lower-cased (I-OUT-01).
    pub(super) contact: String,
    /// The contact is a channel.
    pub(super) in_channel: bool,
    /// The text behind the command's name, trimmed.
    pub(super) rest: String,
}

/// Replies with one line.
pub(super) fn line(text: impl Into<String>) -> Reply {
    Ok(vec![OutgoingMessage::Text(text.into())])
}

/// Rejects a command; the text is the reply.
pub(super) fn reject<T>(text: impl Into<String>) -> Result<T, CommandError> {
    Err(CommandError::Rejected(text.into()))
}

impl Invocation {
    /// Splits what stands behind the command's name (I-ARG-01).
    pub(super) fn words(&self) -> Result<Vec<String>, CommandError> {
        shell_words(&self.rest).map_err(|problem| CommandError::Rejected(problem.to_owned()))
    }

    /// Says something before the reply.
    pub(super) async fn say(&self, text: impl Into<String>) {
        self.bot.say(&self.contact, vec![OutgoingMessage::Text(text.into())]).await;
    }

    /// Words for who asked: `IRC user <ada> on channel #ci` (I-CMD-38).
    pub(super) fn user(&self) -> String {
        let nick = line_text(&self.from.nick);
        if self.in_channel {
            format!("IRC user <{nick}> on channel {}", self.contact)
        } else {
            format!("IRC user <{nick}> (privmsg)")
        }
    }

    /// The asker and the place, for the CI and the audit log.
    pub(super) fn asker(&self) -> Asker {
        let server = &self.settings.client.server.host;
        let place = if self.in_channel { format!("{server}/{}", self.contact) } else { server.clone() };
        let account = self.from.account.as_deref().map(|account| format!(", account {}", line_text(account)));
        Asker { who: format!("{}{}", self.user(), account.unwrap_or_default()), place }
    }

    /// Says whether builds may be forced and stopped. With `authz`, whoever came so far may: its rules were asked before
    /// the command was run.
    pub(super) fn may_force(&self) -> bool {
        !matches!(self.settings.rights, Rights::Switches { allow_force: false, .. })
    }

    /// Says whether the CI may be shut down; with `authz` as above.
    pub(super) fn may_shut_down(&self) -> bool {
        !matches!(self.settings.rights, Rights::Switches { allow_shutdown: false, .. })
    }

    /// Builders of the filter, sorted (I-FLT-01).
    pub(super) async fn builders(&self) -> Result<Vec<Builder>, CommandError> {
        let mut builders = self.context.status.builders().await?;
        builders.retain(|builder| self.settings.build_filter.wants_builder(builder));
        builders.sort_by(|a, b| natural_order(&a.name, &b.name));
        Ok(builders)
    }

    /// The builder of this name, whatever the filter says (I-CMD-08, I-FLT-01).
    pub(super) async fn builder(&self, name: &str) -> Result<Builder, CommandError> {
        let builders = self.context.status.builders().await?;
        match builders.into_iter().find(|builder| builder.name == name) {
            Some(builder) => Ok(builder),
            None => reject(format!("no such builder '{}'", line_text(name))),
        }
    }

    /// Time that a running build may still take, by the last good ones; none if there were none.
    pub(super) async fn eta(&self, build: &Build) -> Result<Option<Duration>, CommandError> {
        Ok(expected(build, &*self.context.status).await?)
    }
}

/// The reply when the CI does not do as it is told; `what` names the control for people.
pub(super) fn refused(error: &ControlError, what: &str) -> CommandError {
    match error {
        ControlError::NotConfigured => CommandError::Rejected(format!("{what} control is not enabled")),
        other => CommandError::Rejected(line_text(&other.to_string()).into_owned()),
    }
}
