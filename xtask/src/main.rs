//! The chores of the workspace: `cargo xtask guests|test|spec|demo|bench|neighbours`, and tools that callbacks are built with.
#![forbid(unsafe_code)]

mod bench;
mod demo;
mod deny;
mod fuzz;
mod guest_tools;
mod guests;
mod install;
mod neighbours;
mod place;
mod run;
mod spec;
mod tally;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  guests   build the example and test callbacks into components
  test     install what the tests need, run them all and count them
           with --fuzz: each change hook dialect against made-up inputs, a minute each
  spec     list the numbers of docs/spec that no test names
  demo     build the engine and the html mail, and run `campanile demo`; further arguments, such as `--keep`, are
           passed on
  guest-cargo
           cargo as it compiles callbacks on this machine; all arguments are passed on
  bench    print figures of the engine against peers and limits of the same run; with names of parts (start, callback,
           guests, neighbours, fleet, events, hooks, gerrit, push, mails) only those; with --peers beside a Buildbot too
  neighbours
           print what a bad neighbour (a far side that hangs, a full disk) costs the others, beside the same run without it;
           with names of parts (far-sides, stops, disk) only those; with --debug by a debug build

  wit-bindgen, wasm-tools
           stand in for the tools of these names, as far as the callbacks' own builds use them
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();
    let outcome = match (command.as_deref(), rest.is_empty()) {
        (Some("guests"), true) => guests::run(),
        (Some("test"), true) => test::run(),
        (Some("test"), false) if rest == ["--fuzz"] => fuzz::run(),
        (Some("spec"), true) => spec::run(),
        (Some("deny"), true) => deny::run(),
        (Some("demo"), _) => demo::run(&rest),
        (Some("bench"), _) => bench::run(&rest),
        (Some("neighbours"), _) => neighbours::run(&rest),
        (Some("guest-cargo"), _) => guests::cargo(&rest),
        (Some("wit-bindgen"), _) => guest_tools::forward("wit-bindgen", &rest),
        (Some("wasm-tools"), _) => guest_tools::forward("wasm-tools", &rest),
        (Some("help" | "--help" | "-h"), _) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
