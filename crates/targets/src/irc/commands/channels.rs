//! join, leave (I-CMD-16, I-CMD-17).

use super::invocation::{CommandError, Invocation, Reply, line, reject};
use crate::irc::settings::with_prefix;
use campanile_irc::is_word;

pub(super) async fn join(call: Invocation) -> Reply {
    let channel = channel(&call, "try 'join <channel>'")?;
    call.bot.join(&channel).await;
    line(format!("Joined {channel}"))
}

pub(super) async fn leave(call: Invocation) -> Reply {
    let channel = channel(&call, "try 'leave <channel>'")?;
    // Said first: after that, the bot may be gone from where it was asked.
    call.say(format!("Buildbot has been told to leave {channel}")).await;
    call.bot.part(&channel).await;
    Ok(Vec::new())
}

fn channel(call: &Invocation, usage: &str) -> Result<String, CommandError> {
    if !call.may_force() {
        return reject("builder control is not enabled");
    }
    let words = call.words()?;
    let Some(name) = words.first() else { return reject(usage) };
    if !is_word(name) || name.contains(',') {
        return reject(usage);
    }
    Ok(with_prefix(name))
}
