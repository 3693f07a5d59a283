//! Numbers of the specification without a proof: every sentence of `docs/spec` is proven by a test, or listed here with
//! why not.
//!
//! A proof is a test function whose name spells the number out (`m_13_m_21_silences`), or a string literal of its own in
//! test code, `"I-CMD-14"`: the row of a table that carries its number, or what an assertion says when it fails. Comments
//! prove nothing, nor do ranges such as `n_err_01_to_12`: nobody would notice that a row of them is gone.

mod proofs;
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::place;
use proofs::File;

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
        println!("docs/spec/{page}: no test proves {number}");
    }
    if missing.is_empty() {
        println!("every number of {} is proven by a test, but for these:", PAGES.join(", "));
        for (number, reason) in WITHOUT_TEST {
            println!("  {number}: {reason}");
        }
    }
}

/// Numbers that no test proves, with their pages. An error if `WITHOUT_TEST` is out of date.
pub(crate) fn missing() -> anyhow::Result<Vec<(&'static str, String)>> {
    let root = place::repo();
    let proofs = gather(&root)?;
    let mut missing = Vec::new();
    let mut excused = BTreeSet::new();
    for page in PAGES {
        let path = root.join("docs/spec").join(page);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let numbers = numbers(&text);
        if numbers.is_empty() {
            bail!("{} has no numbers: is it still a page of the specification?", path.display());
        }
        for number in numbers {
            let is_excused = WITHOUT_TEST.iter().any(|(known, _)| *known == number);
            match (is_excused, proofs.contains(&plain(&number))) {
                (true, true) => bail!("{number} has a test: take it off the list of those without"),
                (true, false) => _ = excused.insert(number),
                (false, true) => {}
                (false, false) => missing.push((*page, number)),
            }
        }
    }
    if let Some((number, _)) = WITHOUT_TEST.iter().find(|(number, _)| !excused.contains(*number)) {
        bail!("no page gives out {number}: take it off the list of those without a test");
    }
    Ok(missing)
}

/// The numbers that a page gives out, in its order: those that begin a line, less plans and tales of old faults.
fn numbers(page: &str) -> Vec<String> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("- "));
    let given = lines.filter_map(|line| {
        let (number, rest) = line.split_once(' ')?;
        let is_plan = rest.starts_with("Not built yet.");
        (is_number(number) && !is_plan && !is_tale(number)).then(|| number.to_owned())
    });
    given.collect()
}

/// True when a word has the form of a number: `M-21`, `M-04b`, `I-CMD-14`.
fn is_number(word: &str) -> bool {
    word.contains('-')
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && word.contains(|c: char| c.is_ascii_digit())
}

/// True when a number stands for an old fault, whose remedy has a number of its own.
fn is_tale(number: &str) -> bool {
    number.contains("-T-") || number.contains("-TRAP-")
}

/// A number as names of functions spell it.
fn plain(number: &str) -> String {
    number.to_lowercase().replace('-', "_")
}

/// Every number that a test of the repository proves, as `plain` spells it.
fn gather(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut integration = Vec::new();
    let mut sources = Vec::new();
    rust_files(&root.join("tests"), &mut integration)?;
    // They are programs that tests run, not tests.
    integration.retain(|path| !path.starts_with(root.join("tests/guests")));
    rust_files(&root.join("src"), &mut sources)?;
    rust_files(&root.join("guest-examples/rust"), &mut sources)?;
    let crates = root.join("crates");
    for entry in std::fs::read_dir(&crates).with_context(|| format!("cannot read {}", crates.display()))? {
        let folder = entry?.path();
        for (part, files) in [("src", &mut sources), ("tests", &mut integration)] {
            let part = folder.join(part);
            if part.is_dir() {
                rust_files(&part, files)?;
            }
        }
    }
    let mut proofs = BTreeSet::new();
    for path in integration {
        File::read(&path)?.prove(true, &mut proofs);
    }
    let files = sources.iter().map(|path| Ok((path, File::read(path)?)));
    let files = files.collect::<anyhow::Result<Vec<_>>>()?;
    let test_modules: Vec<PathBuf> =
        files.iter().flat_map(|(path, file)| file.test_modules(&module_folder(path))).collect();
    for (path, file) in &files {
        let whole = test_modules
            .iter()
            .any(|module| path.starts_with(module) || **path == module.with_extension("rs"));
        file.prove(whole, &mut proofs);
    }
    Ok(proofs)
}

/// Rust sources below a folder, less what was built there.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                rust_files(&path, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The folder of the modules that a file declares.
fn module_folder(file: &Path) -> PathBuf {
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") => file.parent().map(Path::to_owned).unwrap_or_default(),
        _ => file.with_extension(""),
    }
}

#[cfg(test)]
mod tests {
    use super::tokens::tokens;
    use super::*;

    fn proven(source: &str, whole: bool) -> Vec<String> {
        let mut proofs = BTreeSet::new();
        File(tokens(source)).prove(whole, &mut proofs);
        proofs.into_iter().collect()
    }

    #[test]
    fn numbers_begin_lines_and_plans_have_none() {
        let page = "# x\n- M-01 Must.\n- M-04b Not built yet. Will.\n- M-T-01 Was.\n  - M-02 no\n- plain text\n- H-GH-03 Must.\n";
        assert_eq!(numbers(page), ["M-01", "H-GH-03"]);
    }

    #[test]
    fn names_of_tests_prove_each_number_that_they_spell_out() {
        assert!(
            proven("#[test]\nfn m_13_m_21_silences() {}", false).ends_with(&["m_13".into(), "m_21".into()])
        );
        let attributes =
            ["#[test]", "#[tokio::test]", "#[tokio::test(start_paused = true)]", "#[test] #[cfg(unix)]"];
        for attribute in attributes {
            let source = format!("{attribute} pub async fn m_04b_x() {{}}");
            assert_eq!(proven(&source, false), ["m_04b"], "{attribute}");
        }
        let properties =
            "proptest! { #![proptest_config(c())] #[test] fn i_cmd_14(x in \"M-01\") { let _ = 'a'; } }";
        assert!(proven(properties, false).contains(&"i_cmd_14".to_owned()));
        assert!(!proven(properties, false).contains(&"m_01".to_owned()));
    }

    #[test]
    fn names_of_other_functions_prove_nothing() {
        let others = [
            "fn m_13() {}",
            "#[derive(Debug)] fn m_13() {}",
            "#[test] fn works() { fn m_13() {} }",
            "#[test] #[ignore = \"slow\"] fn m_13() {}",
            "#[cfg(test)] mod tests { fn m_13() {} }",
            "#[doc = \"test\"] fn m_13() {}",
            "#[test] fn works() { m_13(); }",
        ];
        for source in others {
            assert!(proven(source, true).is_empty(), "{source}");
        }
    }

    #[test]
    fn ranges_prove_nothing() {
        assert!(proven("#[test] fn n_err_01_to_12() {}", true).is_empty());
        assert!(proven("#[test] fn g_cfg_01_to_g_cfg_13_arguments() {}", true).is_empty());
        assert!(proven("#[test] fn n_err_01_02() {}", true).contains(&"n_err_01".to_owned()));
        assert!(!proven("#[test] fn n_err_01_02() {}", true).contains(&"n_err_02".to_owned()));
        assert!(proven("#[test] fn m_21_to_all() {}", true).contains(&"m_21".to_owned()));
        assert!(proven("const A: &str = \"N-ERR-01 to N-ERR-12\";", true).is_empty());
        assert!(proven("const A: &str = \"N-ERR-01, N-ERR-12\";", true).is_empty());
    }

    #[test]
    fn comments_prove_nothing() {
        let comments = [
            "/// M-13\n#[test] fn works() {}",
            "//! \"M-13\"",
            "#[test] fn works() { // \"M-13\"\n }",
            "/* \"M-13\" /* nested */ \"M-13\" */",
            "/** #[test] fn m_13() {} */",
            "// #[test] fn m_13() {}",
            "#[doc = \"M-13\"] #[test] fn works() {}",
            "#[ignore = \"M-13\"] #[test] fn works() {}",
        ];
        for source in comments {
            assert!(proven(source, true).is_empty(), "{source}");
        }
        // What looks like a comment or a quote within a string or character ends nothing.
        assert_eq!(
            proven(
                "f(\"//\", '\"', '\\'', b\"/*\", r#\"\"\"#, \"\\\"\", &'a (), \"M-13\"); // \"M-14\"",
                true
            ),
            ["m_13"]
        );
    }

    #[test]
    fn strings_of_their_own_prove_in_test_code_only() {
        let row = "const ROWS: &[(&str, &str)] = &[(\"I-CMD-14\", \"x\"), (\"see M-13\", \"y\")];";
        assert_eq!(proven(row, true), ["i_cmd_14"]);
        assert!(proven(row, false).is_empty());
        let gated = format!(
            "fn a() {{ b(\"M-01\") }} #[cfg(test)] mod tests {{ fn c() {{}} {row} }} const D: &str = \"M-02\";"
        );
        assert_eq!(proven(&gated, false), ["i_cmd_14"]);
        let field = format!("struct A {{ #[cfg(test)] b: u8, }} fn c() {{ {row} }}");
        assert!(proven(&field, false).is_empty());
        let gates = ["#[cfg(test)]\n#[path = \"x.rs\"]", "#[cfg(all(test, unix))]"];
        for gate in gates {
            assert_eq!(proven(&format!("{gate} mod tests {{ {row} }}"), false), ["i_cmd_14"], "{gate}");
        }
        assert!(proven(&format!("#[cfg(not(test))] mod real {{ {row} }}"), false).is_empty());
        assert!(proven(&format!("#[cfg(feature = \"test\")] mod real {{ {row} }}"), false).is_empty());
    }

    #[test]
    fn modules_for_tests_are_files_of_their_own() {
        let parent =
            File(tokens("#[cfg(test)]\nmod rules;\nmod real;\n#[cfg(test)] mod inner { mod deep; }"));
        let folder = Path::new("src/hooks");
        assert_eq!(parent.test_modules(folder), [folder.join("rules"), folder.join("deep")]);
        for file in ["src/hooks/mod.rs", "src/hooks/lib.rs", "src/hooks.rs"] {
            assert_eq!(module_folder(Path::new(file)), folder, "{file}");
        }
    }
}
