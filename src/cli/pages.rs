//! `campanile completions` and `campanile man`: written from the definitions that `--help` comes from.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap_complete::Shell;

#[derive(clap::Args)]
pub(super) struct CompletionOptions {
    /// The shell to complete in
    shell: Shell,
}

#[derive(clap::Args)]
pub(super) struct ManOptions {
    /// The folder to write to; it is made if there is none
    folder: PathBuf,
}

pub(super) fn completions(
    options: &CompletionOptions,
    mut command: clap::Command,
) -> anyhow::Result<ExitCode> {
    // Not straight to standard output: it may be closed early.
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, "campanile", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(options: &ManOptions, command: clap::Command) -> anyhow::Result<ExitCode> {
    let folder = &options.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .with_context(|| format!("cannot write to `{}`", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
