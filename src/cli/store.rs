//! `campanile store`: copies of the store, restoring one, looking for damage, giving space back.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::ConfigOption;
use super::output::out;
use campanile_config::{Document, Limits, Problems, Reader, Settings};
use campanile_model::now;
use campanile_store::sqlite::upkeep;

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the store anew without the space that removed rows have left; the engine must not run
    Vacuum,
    /// Write a copy of the store to a new file, also while the engine runs
    #[command(after_help = "Example: campanile store backup /var/backups/campanile-monday.db")]
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Look through all of the store for damage, also while the engine runs; exits with 1 if there is any
    #[command(after_help = "Example: campanile store check --salvage /var/backups/campanile-saved.db")]
    Check {
        /// Write what can be read to a new file, to be put in place with `restore`
        #[arg(long, value_name = "FILE")]
        salvage: Option<PathBuf>,
    },
    /// Put a backup in the place of the store, which is kept beside it; the engine must not run
    #[command(after_help = "Example: campanile store restore /var/backups/campanile-monday.db")]
    Restore {
        /// A file that `backup` has written
        file: PathBuf,
    },
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    // Whatever else is wrong with the settings, the store's place is what counts here.
    let problems = Problems::new();
    let document = Document::read(&options.config.config, &problems);
    let Some(document) = document else {
        super::serve::tell(&problems.into_sorted());
        return Ok(super::usage_error());
    };
    let url = Settings::read(&Reader::root(&document, &problems), &Limits::default()).store_url;
    match options.command {
        Command::Vacuum => {
            let (before, after) = upkeep::vacuum(&url).await?;
            out!("{url}: {before} bytes before, {after} bytes after");
        }
        Command::Backup { file } => {
            let bytes = upkeep::backup(&url, &file).await?;
            out!("{}: {bytes} bytes", file.display());
        }
        Command::Check { salvage } => {
            let damaged = upkeep::check(&url).await?;
            if let Some(file) = salvage {
                let bytes = upkeep::salvage(&url, &file).await?;
                out!("{}: {bytes} bytes, whole: `campanile store restore` puts it in place", file.display());
            }
            if damaged.is_empty() {
                out!("{url}: whole");
                return Ok(ExitCode::SUCCESS);
            }
            for (table, fault) in damaged {
                out!("{url}: table {table} is damaged: {fault}");
            }
            out!("stop the engine, then put a backup in its place with `campanile store restore`");
            return Ok(ExitCode::FAILURE);
        }
        Command::Restore { file } => {
            let kept = upkeep::restore(&url, &file, now()).await?;
            out!("{url}: restored from {}", file.display());
            if let Some(kept) = kept {
                out!("what was there is kept as {}", kept.display());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
