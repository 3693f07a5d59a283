//! Commands that people can give to the bot: one line here, and one function, each.

mod builders;
mod channels;
mod control;
mod easter_eggs;
mod help;
mod invocation;
mod listener;
mod notify;
mod shutdown;
mod watch;

use std::future::Future;
use std::pin::Pin;

pub(super) use control::begun;
pub(super) use listener::CommandListener;

use invocation::{Invocation, Reply};

type Run = fn(Invocation) -> Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A command that people can give.
struct Command {
    name: &'static str,
    /// Grammar and effect, for `help`; none for what is not to be found there.
    usage: Option<(&'static str, &'static str)>,
    run: Run,
}

macro_rules! command {
    ($name:literal, $run:path) => {
        Command { name: $name, usage: None, run: |call| Box::pin($run(call)) }
    };
    ($name:literal, $run:path, $grammar:literal, $what:literal) => {
        Command { name: $name, usage: Some(($grammar, $what)), run: |call| Box::pin($run(call)) }
    };
}

/// Every command, by name (I-CMD-24).
const COMMANDS: &[Command] = &[
    command!("commands", help::commands, "commands", "what the bot can be told"),
    command!("dance", easter_eggs::dance),
    command!("destroy", easter_eggs::destroy),
    command!(
        "force",
        control::force,
        "force build [--branch=branch] [--revision=revision] [--props=prop1=val1,prop2=val2...] <which> <reason>",
        "asks for a build"
    ),
    command!("hello", help::hello),
    command!("help", help::help, "help <command> [<arg> [<subarg> ...]]", "how a command is written"),
    command!("join", channels::join, "join <channel>", "has the bot come to a channel"),
    command!("last", builders::last, "last <which>", "what the last build of a builder came to"),
    command!("leave", channels::leave, "leave <channel>", "has the bot leave a channel"),
    command!("list", builders::list, "list builders", "the names of the builders"),
    command!("mute", notify::mute, "mute", "nothing more is said here until `unmute`"),
    command!(
        "notify",
        notify::notify,
        "notify on|off|list [<EVENT>] ...",
        "which of these are told here: started, finished, success, failure, exception, xToY"
    ),
    command!(
        "shutdown",
        shutdown::shutdown,
        "shutdown check|start|stop|now",
        "ends the CI, now or when it is done"
    ),
    command!("source", help::source, "source", "where the bot's own source is"),
    command!("status", builders::status, "status [<which>]", "what a builder is doing, or all of them"),
    command!(
        "stop",
        control::stop,
        "stop build <which> <reason>",
        "stops the builds that a builder runs, and those forced here that wait"
    ),
    command!("unmute", notify::unmute, "unmute", "ends `mute`"),
    command!("version", help::version),
    command!("watch", watch::watch, "watch <which>", "tells when the builds that a builder runs are done"),
];

fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.eq_ignore_ascii_case(name))
}

/// The names of all commands, sorted.
pub(super) fn names() -> Vec<&'static str> {
    COMMANDS.iter().map(|command| command.name).collect()
}
