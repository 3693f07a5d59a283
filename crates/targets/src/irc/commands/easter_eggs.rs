//! Easter eggs (I-FUN-01 to I-FUN-05).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::invocation::{Invocation, Reply};
use campanile_irc::OutgoingMessage;
use campanile_model::line_text;

/// Prompts and the lines that answer them; the first after half a second, the others every two and a half.
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

/// Steps of the dance, each with its time in milliseconds.
const DANCE: [(u64, &str); 5] =
    [(1_000, "<(^.^<)"), (2_000, "<(^.^)>"), (3_000, "(>^.^)>"), (3_500, "(7^.^)7"), (5_000, "(>^.^<)")];

/// Plays the scene that the text is the exact prompt of; false if it is none.
pub(super) fn prompted(call: &Invocation, text: &str) -> bool {
    let Some((_, lines)) = SCENES.iter().find(|(prompt, _)| *prompt == text) else { return false };
    if !call.settings.easter_eggs {
        return false;
    }
    play(call, (0..).map(|number| 500 + 2_500 * number).zip(lines.iter().copied()).collect());
    true
}

pub(super) async fn dance(call: Invocation) -> Reply {
    if call.settings.easter_eggs {
        play(&call, DANCE.to_vec());
    }
    Ok(Vec::new())
}

/// Destroys, but does not turn on itself (I-T-8).
pub(super) async fn destroy(call: Invocation) -> Reply {
    let itself = call.rest.to_lowercase().contains(&call.bot.nick().to_lowercase());
    if itself || !call.settings.easter_eggs {
        return Ok(Vec::new());
    }
    Ok(vec![OutgoingMessage::Action("readies phasers".to_owned())])
}

/// The action in return for one that ends in `s NICK`.
pub(super) fn returned(call: &Invocation, action: &str) -> Option<OutgoingMessage> {
    let words: Vec<&str> = action.split_whitespace().collect();
    let [.., verb, whom] = words.as_slice() else { return None };
    let ours = call.settings.easter_eggs && whom.eq_ignore_ascii_case(&call.bot.nick());
    let (true, true) = (ours, verb.ends_with('s')) else { return None };
    Some(OutgoingMessage::Action(match *verb {
        "kicks" => "kicks back".to_owned(),
        verb => format!("{} {} too", line_text(verb), line_text(&call.from.nick)),
    }))
}

/// Says lines at their time, in milliseconds from now.
fn play(call: &Invocation, lines: Vec<(u64, &'static str)>) {
    let (bot, contact, began) = (Arc::clone(&call.bot), call.contact.clone(), Instant::now());
    call.bot.spawn(async move {
        for (millis, line) in lines {
            sleep_until(began + Duration::from_millis(millis)).await;
            bot.say(&contact, vec![OutgoingMessage::Text(line.to_owned())]).await;
        }
    });
}
