//! The files of a project, out of those that the program carries.
//!
//! `scaffolds/LANGUAGE/project` is what all projects of a language have, `scaffolds/LANGUAGE/CALLBACK` what one kind of
//! callback has. In both, `{{callback}}` and `{{world}}` stand for names of the contract, `dot-NAME` is a file `.NAME`,
//! and `NAME.template` is a file `NAME` that tools must not take for their own here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Language;
use campanile_callbacks::Kind;

/// Every file, by its place in the repository.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/project_files.rs"));
const CONTRACT: &str = include_str!("../../../wit/0.1.1/notifier.wit");

/// The files of a project, by their place in it.
pub(super) fn project(callback: Kind, language: Language) -> BTreeMap<PathBuf, Cow<'static, [u8]>> {
    let mut files = BTreeMap::new();
    let sample = match callback {
        Kind::HookDialect => "scaffolds/hook-dialect.sample.json",
        _ => "crates/callbacks/src/sample.json",
    };
    let mut as_they_are = language.support(callback);
    as_they_are.push((sample, "sample.json"));
    for (from, to) in as_they_are {
        for (below, bytes) in below(from) {
            files.insert(PathBuf::from(format!("{to}{below}")), Cow::Borrowed(bytes));
        }
    }
    for of in ["project", callback.name()] {
        for (below, bytes) in below(&format!("scaffolds/{}/{of}", language.folder())) {
            files.insert(place(below), Cow::Owned(filled(bytes, callback)));
        }
    }
    files
}

/// A file itself, or all files below a folder, with what their paths have more.
fn below(from: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(move |(path, bytes)| {
        let rest = path.strip_prefix(from)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((rest, *bytes))
    })
}

fn place(template: &str) -> PathBuf {
    let names = template.split('/').filter(|name| !name.is_empty());
    let own = names.map(|name| match name.strip_prefix("dot-") {
        Some(rest) => format!(".{rest}"),
        None => name.strip_suffix(".template").unwrap_or(name).to_owned(),
    });
    own.collect()
}

fn filled(template: &[u8], callback: Kind) -> Vec<u8> {
    let text = String::from_utf8_lossy(template);
    text.replace("{{callback}}", callback.name()).replace("{{world}}", world(callback)).into_bytes()
}

/// The world of the contract that exports nothing but this.
fn world(callback: Kind) -> &'static str {
    let export = format!("export {};", callback.name());
    let line = CONTRACT.lines().find(|line| line.contains(&export));
    line.and_then(|line| line.split_whitespace().nth(1)).expect("the contract has a world for each callback")
}

#[cfg(test)]
mod tests {
    use super::{place, project, world};
    use crate::cli::new::Language;
    use campanile_callbacks::{Kind, Sample};
    use clap::ValueEnum as _;
    use std::path::Path;

    #[test]
    fn each_callback_has_a_world() {
        assert_eq!(world(Kind::MessageFormatter), "message-formatting");
        assert_eq!(world(Kind::HookDialect), "hook-parsing");
        for kind in Kind::ALL {
            assert!(!world(*kind).is_empty());
        }
    }

    #[test]
    fn names_of_templates_become_names_of_files() {
        assert_eq!(place("/dot-cargo/config.toml"), Path::new(".cargo/config.toml"));
        assert_eq!(place("/Cargo.toml.template"), Path::new("Cargo.toml"));
    }

    #[test]
    fn no_place_is_left_unfilled_and_every_sample_is_one() {
        for language in Language::value_variants() {
            for kind in Kind::ALL {
                let files = project(*kind, *language);
                for (place, bytes) in &files {
                    let text = std::str::from_utf8(bytes).unwrap();
                    assert!(
                        !text.contains("{{callback}}") && !text.contains("{{world}}"),
                        "{}",
                        place.display()
                    );
                }
                let folder = tempfile::tempdir().unwrap();
                let sample = folder.path().join("sample.json");
                std::fs::write(&sample, &files[Path::new("sample.json")]).unwrap();
                Sample::read(&sample).unwrap();
            }
        }
    }
}
