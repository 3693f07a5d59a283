//! hello, version, source, commands, help (I-CMD-01 to I-CMD-04, I-CMD-22 to I-CMD-24).

use super::ask::{Answer, Asked, said, told};
use super::{find, names};
use crate::irc::wire::harmless;

/// What `shutdown` takes, for `help shutdown WORD`.
const SHUTDOWN: [(&str, &str); 4] = [
    ("check", "whether the CI is running or shutting down"),
    ("start", "no new builds; the CI ends when the running ones are done"),
    ("stop", "takes `shutdown start` back"),
    ("now", "ends the CI at once"),
];

pub(super) async fn hello(_: Asked) -> Answer {
    said("yes?")
}

pub(super) async fn version(asked: Asked) -> Answer {
    said(format!("{}-{} at your service", asked.settings.product, env!("CARGO_PKG_VERSION")))
}

pub(super) async fn source(asked: Asked) -> Answer {
    said(format!("My source can be found at {}", asked.settings.source_url))
}

pub(super) async fn commands(asked: Asked) -> Answer {
    said(format!("{} commands: {}", asked.settings.product, names().join(", ")))
}

pub(super) async fn help(asked: Asked) -> Answer {
    let words = asked.words()?;
    let Some((first, more)) = words.split_first() else {
        return said(
            "Get help on what? (try 'help <foo>', 'help <foo> <bar>, or 'commands' for a command list)",
        );
    };
    let Some(command) = find(first) else { return told(format!("no such command '{}'", harmless(first))) };
    let usage = match (command.name, more) {
        (_, []) => command.usage.map(|(grammar, what)| (grammar.to_owned(), what)),
        ("shutdown", [word]) => {
            let known = SHUTDOWN.iter().find(|(known, _)| known == word);
            known.map(|(word, what)| (format!("shutdown {word}"), *what))
        }
        // The grammar says it all; whatever is asked about it, it is the answer.
        ("force" | "stop", [word]) if word == "build" => {
            command.usage.map(|(grammar, what)| (grammar.to_owned(), what))
        }
        _ => None,
    };
    match usage {
        Some((grammar, what)) => said(format!("Usage: {grammar} - {what}")),
        None => {
            let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", harmless(word))).collect();
            said(format!("No usage info for {}", quoted.join(" ")))
        }
    }
}
