//! The command line: what can be asked, and which file does it.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or settings; `report` has one more (3), and `report run` ends as its command
//! does. Standard output is for data, standard error for people.

mod address;
mod audit;
mod callbacks;
mod check;
mod client;
mod deliveries;
mod demo;
mod health;
mod init;
mod moment;
mod new;
mod output;
mod pages;
mod preview;
mod recovery;
mod report;
mod send_change;
mod serve;
mod services;
mod store;
mod supervisor;
mod token;
mod watched;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

/// A notifier engine for continuous integration.
#[derive(Parser)]
#[command(name = "campanile", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the engine
    #[command(after_help = "Example: campanile serve --config /etc/campanile/campanile.toml")]
    Serve(serve::Options),
    /// Check a settings file and everything that it names, or one component
    #[command(after_help = "Example: campanile check --connect --config campanile.toml")]
    Check(check::Options),
    /// Tell a running engine about a build, from any script or CI job
    #[command(
        after_help = "Example: campanile report build-finished --builder linux --number 7 --results failure\n\n\
                      Exit codes: 0 the engine has it, 1 it has not, 2 wrong usage, 3 the number was told of before with \
                      other content; `run` ends as its command does"
    )]
    Report(report::Options),
    /// Tell a change hook of dialect `base` about a change
    #[command(
        after_help = "Example: campanile send-change -r https://git.example.org/bells -P bells -R 1f0c2d -f tower.c"
    )]
    SendChange(send_change::Options),
    /// List, explain and repeat deliveries of a running engine
    #[command(after_help = "Example: campanile deliveries list --state dead")]
    Deliveries(deliveries::Options),
    /// Back up, restore and shrink the store
    Store(store::Options),
    /// Ask whether a running engine is well
    #[command(after_help = "Example: campanile health --server http://127.0.0.1:8010/")]
    Health(health::Options),
    /// Make, list and revoke tokens for the API of a running engine
    #[command(after_help = "Example: campanile token make --name 'build workers' --role ingest --lasts 90d")]
    Token(token::Options),
    /// Who asked the CI for what, from where, and what came of it
    Audit(audit::Options),
    /// Show, change and roll back the callbacks of a running engine
    #[command(after_help = "Example: campanile callbacks push html html-mail.wasm --dry-run")]
    Callbacks(callbacks::Options),
    /// Run a callback's component on a sample build, and show what it answers and costs
    #[command(after_help = "Example: campanile preview html-mail.wasm --html mail.html --watch")]
    Preview(preview::Options),
    /// Start a project for a callback of your own, with a sample build and a test
    #[command(after_help = "Example: campanile new message-formatter --lang python html-mail")]
    New(new::Options),
    /// Write settings for a Buildbot that runs, and say what to add to its master.cfg
    #[command(
        after_help = "Example: campanile init --buildbot http://127.0.0.1:8010/ --listen 127.0.0.1:8020"
    )]
    Init(init::Options),
    /// Show on a temporary store what the engine does with a push and four builds
    #[command(after_help = "Example: campanile demo --keep")]
    Demo(demo::Options),
    /// Print a shell's completions
    #[command(after_help = "Example: campanile completions bash > /etc/bash_completion.d/campanile")]
    Completions(pages::CompletionOptions),
    /// Write the manual's pages
    #[command(after_help = "Example: campanile man /usr/local/share/man/man1")]
    Man(pages::ManOptions),
    /// Compile a component from standard input within limits; the engine calls this itself
    #[command(hide = true)]
    CompileComponent {
        /// Where to write the code
        output: PathBuf,
    },
    /// Render templates from standard input within limits; the engine calls this itself
    #[command(hide = true)]
    RenderTemplates,
}

/// The settings file to use.
#[derive(Args)]
struct ConfigOption {
    /// The settings file
    #[arg(short, long, value_name = "FILE", default_value = "campanile.toml", env = "CAMPANILE_CONFIG")]
    config: PathBuf,
}

/// Runs the program with the process's arguments.
#[must_use]
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::CompileComponent { output } = &cli.command {
        // Without a runtime, so that the limits on memory and CPU time count for the compiler alone.
        return campanile_callbacks::compile_component(output);
    }
    if let Command::RenderTemplates = &cli.command {
        return campanile_callbacks::render_templates();
    }
    // Fails only if somebody else was first, and then there is one too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("campanile: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(options) => serve::run(options).await,
            Command::Check(options) => check::run(options).await,
            Command::Report(options) => report::run(options).await,
            Command::SendChange(options) => send_change::run(options).await,
            Command::Deliveries(options) => deliveries::run(options).await,
            Command::Store(options) => store::run(options).await,
            Command::Health(options) => health::run(options).await,
            Command::Token(options) => token::run(options).await,
            Command::Audit(options) => audit::run(options).await,
            Command::Callbacks(options) => callbacks::run(options).await,
            Command::Preview(options) => preview::run(options).await,
            Command::New(options) => new::run(&options),
            Command::Init(options) => init::run(options).await,
            Command::Demo(options) => demo::run(options).await,
            Command::Completions(options) => pages::completions(&options, Cli::command()),
            Command::Man(options) => pages::man(&options, Cli::command()),
            Command::CompileComponent { .. } | Command::RenderTemplates => Ok(ExitCode::SUCCESS),
        }
    });
    // What still blocks somewhere has had its time to drain.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done.unwrap_or_else(|error| {
        if output::reader_left(&error) {
            return ExitCode::SUCCESS;
        }
        eprintln!("campanile: {error:#}");
        ExitCode::FAILURE
    })
}

/// Wrong usage or settings.
fn usage_error() -> ExitCode {
    ExitCode::from(2)
}

/// The form of the program's own log.
#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// Sends the program's own log to standard error; `CAMPANILE_LOG` filters it (`debug`, `campanile=trace`...).
fn start_log(format: LogFormat) {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_env("CAMPANILE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // Fails only if a log is set up already, as when `demo` serves.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
