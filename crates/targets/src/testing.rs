//! Fixtures of the unit tests of several targets.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use campanile_config::{Document, Limits, Problems, Reader, Settings};
use campanile_outbound::{Allowed, Outbound, SystemResolver};

use crate::Parts;

/// Reads a target's table, which is the whole of `source`, and gives all problems of it, unknown keys included.
pub(crate) fn read_table<T>(
    source: &str,
    read: impl FnOnce(&Reader<'_>, &Parts<'_>) -> T,
) -> (T, Vec<String>) {
    let problems = Problems::new();
    let document = Document::parse(Path::new("target.toml"), source, &problems);
    let reader = Reader::root(&document, &problems);
    let settings = Settings::read(&Reader::root(&document, &Problems::new()), &Limits::default());
    let outbound = Outbound::new(Allowed::default(), Arc::new(SystemResolver));
    let callbacks = BTreeMap::new();
    let templates = campanile_callbacks::TemplateRenderer::in_process();
    let parts = Parts {
        settings: &settings,
        callbacks: &callbacks,
        outbound: &outbound,
        templates: &templates,
        problems: &problems,
    };
    let value = read(&reader, &parts);
    reader.finish();
    (value, problems.into_sorted().iter().map(ToString::to_string).collect())
}

/// Fails the test if a problem is more than a warning.
pub(crate) fn assert_only_warnings(source: &str, problems: &[String]) {
    assert!(problems.iter().all(|problem| problem.contains("warning")), "{source}: {problems:?}");
}

/// Fails the test if no problem says `text`.
pub(crate) fn assert_problem(source: &str, problems: &[String], text: &str) {
    assert!(problems.iter().any(|problem| problem.contains(text)), "{source}: {problems:?}");
}
