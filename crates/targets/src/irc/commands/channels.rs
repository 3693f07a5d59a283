//! join, leave (I-CMD-16, I-CMD-17).

use super::ask::{Answer, Asked, Trouble, said, told};
use crate::irc::settings::{is_word, with_prefix};

pub(super) async fn join(asked: Asked) -> Answer {
    let channel = channel(&asked, "try 'join <channel>'")?;
    asked.bot.join(&channel).await;
    said(format!("Joined {channel}"))
}

pub(super) async fn leave(asked: Asked) -> Answer {
    let channel = channel(&asked, "try 'leave <channel>'")?;
    // Said first: after that, the bot may be gone from where it was asked.
    asked.say(format!("Buildbot has been told to leave {channel}")).await;
    asked.bot.part(&channel).await;
    Ok(Vec::new())
}

fn channel(asked: &Asked, usage: &str) -> Result<String, Trouble> {
    if !asked.may_force() {
        return told("builder control is not enabled");
    }
    let words = asked.words()?;
    let Some(name) = words.first() else { return told(usage) };
    if !is_word(name) || name.contains(',') {
        return told(usage);
    }
    Ok(with_prefix(name))
}
