//! hello, version, source, commands, help (I-CMD-01 to I-CMD-04, I-CMD-22 to I-CMD-24).

use super::invocation::{Invocation, Reply, line, reject};
use super::{find, names};
use campanile_model::line_text;

/// Words that `shutdown` takes, and their meanings, for `help shutdown WORD`.
const SHUTDOWN: [(&str, &str); 4] = [
    ("check", "whether the CI is running or shutting down"),
    ("start", "no new builds; the CI ends when the running ones are done"),
    ("stop", "takes `shutdown start` back"),
    ("now", "ends the CI at once"),
];

pub(super) async fn hello(_: Invocation) -> Reply {
    line("yes?")
}

pub(super) async fn version(call: Invocation) -> Reply {
    line(format!("{}-{} at your service", call.settings.product, env!("CARGO_PKG_VERSION")))
}

pub(super) async fn source(call: Invocation) -> Reply {
    line(format!("My source can be found at {}", call.settings.source_url))
}

pub(super) async fn commands(call: Invocation) -> Reply {
    line(format!("{} commands: {}", call.settings.product, names().join(", ")))
}

pub(super) async fn help(call: Invocation) -> Reply {
    let words = call.words()?;
    let Some((first, more)) = words.split_first() else {
        return line(
            "Get help on what? (try 'help <foo>', 'help <foo> <bar>, or 'commands' for a command list)",
        );
    };
    let Some(command) = find(first) else { return reject(format!("no such command '{}'", line_text(first))) };
    let usage = match (command.name, more) {
        (_, []) => command.usage.map(|(grammar, what)| (grammar.to_owned(), what)),
        ("shutdown", [word]) => {
            let known = SHUTDOWN.iter().find(|(known, _)| known == word);
            known.map(|(word, what)| (format!("shutdown {word}"), *what))
        }
        // The grammar says it all; whatever is asked about it, it is the reply.
        ("force" | "stop", [word]) if word == "build" => {
            command.usage.map(|(grammar, what)| (grammar.to_owned(), what))
        }
        _ => None,
    };
    match usage {
        Some((grammar, what)) => line(format!("Usage: {grammar} - {what}")),
        None => {
            let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", line_text(word))).collect();
            line(format!("No usage info for {}", quoted.join(" ")))
        }
    }
}
