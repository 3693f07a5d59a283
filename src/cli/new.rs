//! `campanile new`: a project for one callback in one language, which builds at once and has a sample and a test.

mod language;
mod parts;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use self::language::Language;
use super::output::out;
use campanile_callbacks::Kind;

#[derive(clap::Args)]
pub(super) struct Options {
    /// What it is called as
    #[arg(value_parser = PossibleValuesParser::new(Kind::ALL.iter().map(|kind| kind.name()))
        .map(|name| Kind::from_name(&name).expect("only names of kinds are possible")))]
    callback: Kind,
    /// What it is written in
    #[arg(long, value_name = "LANGUAGE")]
    lang: Language,
    /// Where to: a folder that is not there yet, or an empty one
    dir: PathBuf,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let Options { callback, lang, dir } = options;
    refuse_used(dir)?;
    for (place, bytes) in parts::project(*callback, *lang) {
        write(&dir.join(place), &bytes)?;
    }
    let steps = lang.steps(*callback);
    out!("In `{}` is a {} in {}. What to run there:", dir.display(), callback.name(), lang.title());
    out!("");
    out!("    {}", steps.build);
    out!("    {}", steps.test);
    out!("    campanile preview {} --sample sample.json", steps.component);
    Ok(ExitCode::SUCCESS)
}

/// Fails unless nothing can be lost by writing into the folder.
fn refuse_used(dir: &Path) -> anyhow::Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    if !dir.is_dir() {
        bail!("`{}` is a file: name a folder that is not there yet", dir.display());
    }
    let mut entries = std::fs::read_dir(dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
    if entries.next().is_some() {
        bail!("`{}` is not empty: name a folder that is not there yet", dir.display());
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}
