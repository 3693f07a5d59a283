//! What the settings of a GitHub target come to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::settings::{self, GithubSettings, Repository};
use crate::config::{Document, Problems, Reader, Settings};
use crate::interpolate::Text;
use crate::model::Results;
use crate::outbound::{Allowed, Outbound, SystemNames};
use crate::targets::Parts;

fn read(more: &str) -> (Option<GithubSettings>, Vec<String>) {
    let problems = Problems::new();
    let source = format!("token = \"t\"\n{more}");
    let document = Document::parse(Path::new("github.toml"), &source, &problems);
    let reader = Reader::root(&document, &problems);
    let settings = Settings::read(&Reader::root(&document, &Problems::new()));
    let outbound = Outbound::new(Allowed::default(), Arc::new(SystemNames));
    let callbacks = BTreeMap::new();
    let parts =
        Parts { settings: &settings, callbacks: &callbacks, outbound: &outbound, problems: &problems };
    let settings = settings::read(&reader, 1, &parts);
    reader.finish();
    (settings, problems.into_sorted().iter().map(ToString::to_string).collect())
}

fn github(more: &str) -> GithubSettings {
    let (settings, problems) = read(more);
    assert!(problems.iter().all(|problem| problem.contains("warning")), "{problems:?}");
    settings.unwrap()
}

#[test]
fn gs_cfg_01_to_12_defaults_and_what_empty_values_mean() {
    for more in
        ["", "sha = \"\"\ncontext = \"\"\nstartDescription = \"\"\nendDescription = \"\"\nbaseURL = \"\"\n"]
    {
        let settings = github(more);
        let source = |text: &Text| match text {
            Text::Plain(text) => text.clone(),
            Text::Template(template) => template.source().to_owned(),
        };
        assert_eq!(source(&settings.sha), "%(src::revision)s");
        assert_eq!(source(&settings.context), "buildbot/%(prop:buildername)s");
        assert_eq!(source(&settings.start_description), "Build started.");
        assert_eq!(source(&settings.end_description), "Build done.");
        assert_eq!(settings.base_url.as_str(), "https://api.github.com/");
        assert!(matches!(&settings.repository, Repository::Both(both) if source(both) == "%(src::project)s"));
        assert_eq!(settings.name, "github-1");
    }
    assert!(matches!(github("sha = { interpolate = \"%(prop:a)s\" }\n").sha, Text::Template(_)));
    assert!(matches!(github("context = \"100%\"\n").context, Text::Plain(text) if text == "100%"));
}

#[test]
fn gs_cfg_13_to_15_what_is_refused() {
    for (more, told) in [
        (
            "repoOwner = \"a\"\nrepoName = \"b\"\nrepo = \"a/b\"\n",
            "Specify repoOwner and repoName or repo, but not both",
        ),
        ("repo_owner = \"a\"\n", "Specify both or none of repoOwner and repoName"),
        ("repo_name = \"a\"\n", "Specify both or none of repoOwner and repoName"),
        ("base_url = \"http://github.example.org/api/v3\"\n", "a token must not go out in the clear"),
        ("base_url = \"github\"\n", "`github` is no address"),
        ("sha = \"%(prop:a\"\n", "`sha`: "),
        ("state_mapping = \"old\"\n", "`state_mapping` must be `modern`, `2014` or a table, not `old`"),
        ("state_mapping = { nope = \"error\" }\n", "`nope` is no result of a build"),
        ("state_mapping = { success = \"fine\" }\n", "a state is `pending`, `success`, `failure` or `error`"),
    ] {
        let (_, problems) = read(more);
        assert!(problems.iter().any(|problem| problem.contains(told)), "{more}: {problems:?}");
    }
    let enterprise = github("base_url = \"https://github.example.org/api/v3\"\n");
    assert_eq!(enterprise.base_url.as_str(), "https://github.example.org/api/v3/");
    let open = github("base_url = \"http://127.0.0.1:8/\"\nallowInsecure = true\n");
    assert_eq!(open.base_url.as_str(), "http://127.0.0.1:8/");
    let mapped = github("state_mapping = { warnings = \"failure\" }\n").mapping;
    assert_eq!(mapped.state(Some(Results::Warnings)).name(), "failure");
    assert_eq!(github("state_mapping = \"2014\"\n").mapping.state(Some(Results::Warnings)).name(), "error");
}
