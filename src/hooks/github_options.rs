//! The options of the dialect `github` (H-XGH-01, H-XGH-02, H-XGH-04).

use regex::Regex;

use super::commit::Codebases;
use super::signature::Unsigned;
use super::whitelist::Whitelist;
use crate::config::{Reader, Secret};

/// What the user chose, checked.
#[derive(Debug)]
pub(super) struct GithubOptions {
    pub(super) secrets: Vec<Secret>,
    pub(super) unsigned: Unsigned,
    pub(super) codebases: Codebases,
    pub(super) whitelist: Whitelist,
    pub(super) skips: Vec<Regex>,
    pub(super) pullrequest_ref: String,
    pub(super) tags: Tags,
    pub(super) non_distinct: NonDistinct,
    pub(super) project: ProjectSource,
}

/// What a pushed tag makes (H-XGH-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    Changes,
    Nothing,
}

/// What becomes of commits that another branch had already (H-GH-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonDistinct {
    Keep,
    Drop,
}

/// Where the project comes from when the query does not say (H-GH-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProjectSource {
    Payload,
    Blank,
}

const DEFAULT_SKIPS: [&str; 2] = [r"\[ *skip *ci *\]", r"\[ *ci *skip *\]"];

/// Options that need requests to GitHub: refused, so that nobody believes they work (H-XGH-13).
const LOOK_UPS: [&str; 4] = ["token", "pull_request_lookup", "github_api_endpoint", "verify"];

impl GithubOptions {
    /// The defaults, and over them what the table says; wrong options are noted and keep their default.
    pub(super) fn read(table: Option<&Reader<'_>>) -> Self {
        let mut options = Self {
            secrets: Vec::new(),
            unsigned: Unsigned::Pass,
            codebases: Codebases::None,
            whitelist: Whitelist::default(),
            skips: DEFAULT_SKIPS.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect(),
            pullrequest_ref: "merge".to_owned(),
            tags: Tags::Changes,
            non_distinct: NonDistinct::Drop,
            project: ProjectSource::Blank,
        };
        let Some(table) = table else { return options };
        let flag = |key| table.boolean(key) == Some(true);
        options.read_secret(table);
        options.codebases = Codebases::read(table);
        options.whitelist = Whitelist::read(table, "github_property_whitelist");
        if let Some(patterns) = table.texts("skips") {
            options.skips = patterns.iter().filter_map(|pattern| skip(table, pattern)).collect();
        }
        if let Some(name) = table.text("pullrequest_ref") {
            options.pullrequest_ref = name;
        }
        if table.boolean("tags") == Some(false) {
            options.tags = Tags::Nothing;
        }
        if flag("keep_non_distinct") {
            options.non_distinct = NonDistinct::Keep;
        }
        if flag("project_from_payload") {
            options.project = ProjectSource::Payload;
        }
        for key in LOOK_UPS {
            if table.item(key).is_some() {
                table.error(key, format!("`{key}`: look-ups at GitHub are not available in this version"));
            }
        }
        options
    }

    fn read_secret(&mut self, table: &Reader<'_>) {
        self.secrets = table.secrets("secret");
        let given = table.item("secret");
        let blank = self.secrets.iter().any(|secret| secret.expose().is_empty());
        if blank || given.is_some_and(|item| item.list().is_some_and(|list| list.is_empty())) {
            table.error("secret", "`secret` is blank: anyone could sign with it");
        }
        match (table.boolean("strict") == Some(true), given.is_some()) {
            (true, false) => table.error("strict", "Strict mode is requested while no secret is provided"),
            (true, true) => self.unsigned = Unsigned::Refuse,
            (false, true) => table.warning(
                "secret",
                "requests without a signature pass although there is a `secret`: `strict = true` refuses them",
            ),
            (false, false) => {}
        }
    }
}

fn skip(table: &Reader<'_>, pattern: &str) -> Option<Regex> {
    match Regex::new(pattern) {
        Ok(regex) => Some(regex),
        Err(_) => {
            table.error("skips", format!("`skips`: `{pattern}` is not a regular expression"));
            None
        }
    }
}
