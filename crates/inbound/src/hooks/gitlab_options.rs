//! The options of the dialect `gitlab` (H-GL-03, H-XGL-01).

use super::HookError;
use super::commit::Codebases;
use super::json::Json;
use super::options::{Builds, NonDistinct, ProjectSource, Skips, Tags, secrets};
use campanile_config::{Reader, Secret};

/// Options of the dialect, checked.
#[derive(Default)]
pub(super) struct GitlabOptions {
    pub(super) secrets: Vec<Secret>,
    pub(super) codebases: Codebases,
    pub(super) project: ProjectSource,
    pub(super) repository_url: RepositoryUrl,
    pub(super) skips: Skips,
    pub(super) tags: Tags,
    pub(super) non_distinct: NonDistinct,
    pub(super) builds: Builds,
}

impl GitlabOptions {
    /// Reads the options; wrong ones are noted and keep their default.
    pub(super) fn read(table: &Reader<'_>) -> Self {
        Self {
            secrets: secrets(table),
            codebases: Codebases::read(table),
            project: ProjectSource::read(table),
            repository_url: RepositoryUrl::read(table),
            skips: Skips::read(table).unwrap_or_default(),
            tags: Tags::read(table),
            non_distinct: NonDistinct::read(table),
            builds: Builds::read(table),
        }
    }
}

/// The address that a repository goes by, of those that it has (H-GL-03).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RepositoryUrl {
    #[default]
    AsSent,
    Ssh,
    Http,
}

impl RepositoryUrl {
    fn read(table: &Reader<'_>) -> Self {
        match table.text("repository_url").as_deref() {
            None | Some("as_sent") => Self::AsSent,
            Some("ssh") => Self::Ssh,
            Some("http") => Self::Http,
            Some(other) => {
                let text = format!("`repository_url` must be `as_sent`, `ssh` or `http`, not `{other}`");
                table.error("repository_url", text);
                Self::AsSent
            }
        }
    }

    /// The address in a push.
    pub(super) fn of<'a>(self, push: &Json<'a>) -> Result<&'a str, HookError> {
        let path = match self {
            Self::AsSent => "repository.url",
            Self::Ssh => "project.git_ssh_url",
            Self::Http => "project.git_http_url",
        };
        Ok(push.at(path)?.required()?.text()?.unwrap_or_default())
    }
}
