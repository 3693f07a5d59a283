//! Easter eggs (I-FUN-01 to I-FUN-05).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ask::{Answer, Asked};
use crate::irc::talk::Saying;
use crate::irc::wire::harmless;

/// Prompts and what is said to them; the first line after half a second, the others every two and a half.
const SCENES: [(&str, &[&str]); 3] = [
    ("What happen ?", &["Somebody set up us the bomb."]),
    (
        "It's You !!",
        &[
            "How are you gentlemen !!",
            "All your base are belong to us.",
            "You are on the way to destruction.",
        ],
    ),
    ("What you say !!", &["You have no chance to survive make your time.", "HA HA HA HA ...."]),
];

const DANCE: [(u64, &str); 5] =
    [(1_000, "<(^.^<)"), (2_000, "<(^.^)>"), (3_000, "(>^.^)>"), (3_500, "(7^.^)7"), (5_000, "(>^.^<)")];

/// Plays the scene that the text is the exact prompt of; false if it is none.
pub(super) fn prompted(asked: &Asked, text: &str) -> bool {
    let Some((_, lines)) = SCENES.iter().find(|(prompt, _)| *prompt == text) else { return false };
    if !asked.settings.easter_eggs {
        return false;
    }
    play(asked, (0..).map(|number| 500 + 2_500 * number).zip(lines.iter().copied()).collect());
    true
}

pub(super) async fn dance(asked: Asked) -> Answer {
    if asked.settings.easter_eggs {
        play(&asked, DANCE.to_vec());
    }
    Ok(Vec::new())
}

/// I-T-8: it does not turn on itself.
pub(super) async fn destroy(asked: Asked) -> Answer {
    let itself = asked.rest.to_lowercase().contains(&asked.bot.nick().to_lowercase());
    if itself || !asked.settings.easter_eggs {
        return Ok(Vec::new());
    }
    Ok(vec![Saying::Action("readies phasers".to_owned())])
}

/// What is done in return for an action that ends in `s NICK`.
pub(super) fn returned(asked: &Asked, action: &str) -> Option<Saying> {
    let words: Vec<&str> = action.split_whitespace().collect();
    let [.., verb, whom] = words.as_slice() else { return None };
    let ours = asked.settings.easter_eggs && whom.eq_ignore_ascii_case(&asked.bot.nick());
    let (true, true) = (ours, verb.ends_with('s')) else { return None };
    Some(Saying::Action(match *verb {
        "kicks" => "kicks back".to_owned(),
        verb => format!("{} {} too", harmless(verb), harmless(&asked.speaker.nick)),
    }))
}

/// Says lines at their time, in milliseconds from now.
fn play(asked: &Asked, lines: Vec<(u64, &'static str)>) {
    let (bot, contact, began) = (Arc::clone(&asked.bot), asked.contact.clone(), Instant::now());
    tokio::spawn(async move {
        for (millis, line) in lines {
            sleep_until(began + Duration::from_millis(millis)).await;
            bot.say(&contact, vec![Saying::Text(line.to_owned())]).await;
        }
    });
}
