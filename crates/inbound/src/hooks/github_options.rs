//! The options of the dialect `github` and of those that take after it (H-XGH-01, H-XGH-02, H-XGH-04).

use super::commit::Codebases;
use super::github_flavour::Flavour;
use super::github_look_up::LookUpSettings;
use super::options::{Builds, NonDistinct, ProjectSource, Skips, Tags, secrets};
use super::signature::Unsigned;
use super::whitelist::Whitelist;
use campanile_config::{Reader, Secret};

/// Options of the dialect, checked.
pub(super) struct GithubOptions {
    pub(super) secrets: Vec<Secret>,
    pub(super) unsigned: Unsigned,
    pub(super) codebases: Codebases,
    pub(super) whitelist: Whitelist,
    pub(super) skips: Skips,
    pub(super) look_ups: Option<LookUpSettings>,
    pub(super) pullrequest_ref: String,
    pub(super) tags: Tags,
    pub(super) non_distinct: NonDistinct,
    pub(super) project: ProjectSource,
    pub(super) builds: Builds,
}

impl GithubOptions {
    /// The defaults, and over them what the table says; wrong options are noted and keep their default.
    pub(super) fn read(table: Option<&Reader<'_>>, flavour: &Flavour) -> Self {
        let mut options = Self {
            secrets: Vec::new(),
            unsigned: Unsigned::Refuse,
            codebases: Codebases::None,
            whitelist: Whitelist::default(),
            skips: Skips::github_defaults(),
            look_ups: None,
            pullrequest_ref: flavour.pullrequest_ref.to_owned(),
            tags: Tags::default(),
            non_distinct: NonDistinct::default(),
            project: ProjectSource::default(),
            builds: Builds::default(),
        };
        let Some(table) = table else { return options };
        options.read_secret(table);
        options.codebases = Codebases::read(table);
        options.whitelist = Whitelist::read(table, &format!("{}_property_whitelist", flavour.name));
        if let Some(skips) = Skips::read(table) {
            options.skips = skips;
        }
        if let Some(name) = table.text("pullrequest_ref") {
            options.pullrequest_ref = name;
        }
        options.tags = Tags::read(table);
        options.non_distinct = NonDistinct::read(table);
        options.project = ProjectSource::read(table);
        if flavour.has_builds {
            options.builds = Builds::read(table);
        }
        options
    }

    fn read_secret(&mut self, table: &Reader<'_>) {
        self.secrets = secrets(table);
        let given = table.item("secret");
        match (table.boolean("strict"), given.is_some()) {
            (Some(true), false) => {
                table.error("strict", "Strict mode is requested while no secret is provided");
            }
            (Some(false), true) => {
                self.unsigned = Unsigned::Pass;
                table.warning(
                    "strict",
                    "requests without a signature pass although there is a `secret`: leave `strict` out to refuse them",
                );
            }
            _ => {}
        }
    }
}
