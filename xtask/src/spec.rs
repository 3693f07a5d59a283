//! Which numbers of the specification no test names: every sentence of `docs/spec` is proven, or listed here with why not.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::place;

/// Pages whose parts are built.
const PAGES: &[&str] = &[
    "change-hooks.md",
    "gerrit.md",
    "github.md",
    "interpolate.md",
    "irc.md",
    "mail-notifier.md",
    "model.md",
    "push.md",
];

/// Numbers that no test can name, and why.
const WITHOUT_TEST: &[(&str, &str)] = &[
    ("G-CB-03", "the contract's types have no room for it"),
    ("G-CB-08", "the contract's types have no room for it"),
    ("G-VER-04", "the only way to run a command there is waits for its end"),
    ("G-RUN-05", "a stop treats all targets alike, which `durability` proves"),
    ("I-COL-03", "a table of what numbers mean to clients; those that are used are in I-COL-02"),
    ("H-XGH-14", "names programs that there need not be"),
    ("N-EV-06", "no target asks yet whether a rendered text is empty"),
    ("M-BLD-05", "a fact about numbers that senders give"),
    ("M-SET-04", "a fact about builds that senders run"),
    ("M-SS-02", "a fact about source stamps that senders give"),
    ("M-EV-03", "tells what 2014 did instead of `Target::wants`, which M-05 proves"),
    ("M-EV-05", "a fact about the order in which senders tell"),
];

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let missing = missing()?;
    print(&missing);
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells what `missing` found.
pub(crate) fn print(missing: &[(&str, String)]) {
    for (page, number) in missing {
        println!("docs/spec/{page}: no test names {number}");
    }
    if missing.is_empty() {
        println!("every number of {} is named by a test, but for these:", PAGES.join(", "));
        for (number, reason) in WITHOUT_TEST {
            println!("  {number}: {reason}");
        }
    }
}

/// Numbers that no test names, with their pages.
pub(crate) fn missing() -> anyhow::Result<Vec<(&'static str, String)>> {
    let root = place::repo();
    let mut tests = String::new();
    gather(&root.join("tests"), &mut tests, true)?;
    gather(&root.join("src"), &mut tests, false)?;
    gather(&root.join("guest-examples/rust"), &mut tests, false)?;
    let named = names(&tests);
    let mut missing = Vec::new();
    for page in PAGES {
        let path = root.join("docs/spec").join(page);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let numbers = numbers(&text);
        if numbers.is_empty() {
            bail!("{} has no numbers: is it still a page of the specification?", path.display());
        }
        let unproven = numbers.into_iter().filter(|number| {
            !named.contains(&plain(number)) && !WITHOUT_TEST.iter().any(|(known, _)| known == number)
        });
        missing.extend(unproven.map(|number| (*page, number)));
    }
    Ok(missing)
}

/// The numbers that a page gives out, in its order: those that begin a line, less plans and tales of old faults.
fn numbers(page: &str) -> Vec<String> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("- "));
    let given = lines.filter_map(|line| {
        let (number, rest) = line.split_once(' ')?;
        let is_number = number.contains('-')
            && number.starts_with(|c: char| c.is_ascii_uppercase())
            && number.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && number.contains(|c: char| c.is_ascii_digit());
        let is_plan = rest.starts_with("Not built yet.");
        (is_number && !is_plan && !is_tale(number)).then(|| number.to_owned())
    });
    given.collect()
}

/// Whether a number stands for an old fault, whose remedy has a number of its own.
fn is_tale(number: &str) -> bool {
    number.contains("-T-") || number.contains("-TRAP-")
}

/// All text of tests below a folder: whole files, or of sources only what is compiled for tests.
fn gather(folder: &Path, text: &mut String, whole: bool) -> anyhow::Result<()> {
    let module = std::fs::read_to_string(folder.join("mod.rs")).unwrap_or_default();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let of_tests = whole || is_for_tests(&module, name);
        if path.is_dir() {
            gather(&path, text, of_tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            let source = std::fs::read_to_string(&path)?;
            let tests = match source.rsplit_once("#[cfg(test)]\n") {
                _ if of_tests => source.as_str(),
                Some((_, tests)) if tests.contains("mod tests {") => tests,
                _ => "",
            };
            text.push_str(tests);
            text.push('\n');
        }
    }
    Ok(())
}

/// Whether a module is compiled for tests only, by the attributes before its `mod NAME;`.
fn is_for_tests(parent: &str, name: &str) -> bool {
    let lines: Vec<&str> = parent.lines().collect();
    let wanted = format!("mod {name};");
    let place = lines.iter().position(|line| *line == wanted).unwrap_or_default();
    lines
        .iter()
        .take(place)
        .rev()
        .take_while(|line| line.starts_with("#["))
        .any(|line| *line == "#[cfg(test)]")
}

/// Every `M-21` and `m_21` of a text, in one form. A name such as `m_13_m_21_silences` has two, `n_err_01_to_12` twelve,
/// and so have the words `N-ERR-01 to N-ERR-12`.
fn names(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let separators = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
    let words: Vec<&str> = text.split(separators).filter(|word| !word.is_empty()).collect();
    for range in words.windows(3).filter(|range| range[1] == "to") {
        let (Some((kind, first)), Some((same, last))) =
            (range[0].rsplit_once('-'), range[2].rsplit_once('-'))
        else {
            continue;
        };
        if let (true, Ok(first), Ok(last)) = (kind == same, first.parse::<u32>(), last.parse::<u32>()) {
            found.extend((first..=last).map(|number| format!("{}_{number:02}", plain(kind))));
        }
    }
    for word in words {
        let word = plain(word);
        let parts: Vec<&str> = word.split('_').collect();
        // A number ends with its digits (and perhaps a letter) and begins up to three words of letters before them.
        for (end, part) in parts.iter().enumerate() {
            if part.starts_with(|c: char| c.is_ascii_digit()) {
                let letters = parts[..end]
                    .iter()
                    .rev()
                    .take_while(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic()))
                    .take(3)
                    .count();
                for start in end - letters..end {
                    found.insert(parts[start..=end].join("_"));
                    let last = match parts.get(end + 1..end + 3) {
                        Some(["to", last]) => last.parse().unwrap_or(0),
                        _ => 0_u32,
                    };
                    for between in part.parse().unwrap_or(u32::MAX)..=last {
                        found.insert(format!("{}_{between:02}", parts[start..end].join("_")));
                    }
                }
            }
        }
    }
    found
}

fn plain(number: &str) -> String {
    number.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_lines_and_plans_have_none() {
        let page = "# x\n- M-01 Must.\n- M-04b Not built yet. Will.\n- M-T-01 Was.\n  - M-02 no\n- plain text\n- H-GH-03 Must.\n";
        assert_eq!(numbers(page), ["M-01", "H-GH-03"]);
    }

    #[test]
    fn tests_name_numbers_in_names_and_comments() {
        let found = names("fn m_13_m_21_silences() {} // M-X-08, H-GH-03; not M-9x9");
        for number in ["m_13", "m_21", "m_x_08", "h_gh_03"] {
            assert!(found.contains(number), "{number}: {found:?}");
        }
        assert!(!found.contains("m_01"));
        let found = names("// I-ADR-02 to I-ADR-04, M-X-08 to others");
        assert!(found.contains("i_adr_03") && found.contains("i_adr_04"), "{found:?}");
        assert!(!found.contains("i_adr_05") && !found.contains("m_x_09"), "{found:?}");
        let found = names("fn n_err_01_to_03() {}");
        assert!(
            found.contains("n_err_02") && found.contains("n_err_03") && !found.contains("n_err_04"),
            "{found:?}"
        );
    }
}
