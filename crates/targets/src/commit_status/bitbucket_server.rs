//! Statuses of commits at Bitbucket Server and Data Center: `[[bitbucket_server]]` (K-04 to K-06).

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::bitbucket_cloud::state;
use super::commit_ref::CommitRef;
use super::description::distinct;
use super::forge::{About, DefaultAddressing, Defaults, Forge};
use super::payload::{Details, StoredStatus};
use super::settings::{Shared, text};
use super::states::StateNames;
use crate::http::{Credentials, JSON, below, deferred};
use crate::{Decision, Outcome, Parts, Target};
use campanile_config::Reader;
use campanile_model::Timestamp;
use campanile_model::interpolate::{RenderError, Scope, Text};
use campanile_outbound::Request;

/// Makes a target of the n-th `[[bitbucket_server]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<BitbucketServer>(reader, index, parts)
}

pub(super) const EXAMPLE: &str = "https://bitbucket.example.org/";

/// A Bitbucket of one's own.
pub(super) struct BitbucketServer {
    credentials: Credentials,
    name: Option<Text>,
    core: Option<Core>,
}

/// The things that only the newer API is told (K-06).
struct Core {
    git_ref: Option<Text>,
    parent: Option<Text>,
}

/// Reads credentials, which must be there.
pub(super) fn credentials(reader: &Reader<'_>) -> Option<Credentials> {
    if !Credentials::is_given(reader) {
        reader.error("token", "credentials are missing: `token`, or `username` and `password`");
    }
    Credentials::read(reader)
}

/// Makes a request for one repository: who is not known is told so there.
pub(super) fn probe_request(credentials: &Credentials, shared: &Shared) -> Result<Request, Outcome> {
    let mut url = below(&shared.base_url, ["rest", "api", "1.0", "repos"])?;
    url.set_query(Some("limit=1"));
    credentials.sign(Request::get(url)).map_err(deferred)
}

/// Renders a text that may be left out.
fn rendered(text: Option<&Text>, scope: &Scope<'_>) -> Result<Option<String>, RenderError> {
    text.map(|text| text.render(scope).map(|text| text.trim().to_owned())).transpose()
}

impl Core {
    fn details(
        &self,
        about: &About<'_>,
        commit: &CommitRef,
        scope: &Scope<'_>,
    ) -> Result<Details, RenderError> {
        let mut details = Details::new();
        let branch = commit.branch.as_deref().map(|branch| {
            if branch.starts_with("refs/") { branch.to_owned() } else { format!("refs/heads/{branch}") }
        });
        if let Some(git_ref) = rendered(self.git_ref.as_ref(), scope)?.or(branch) {
            details.insert("ref".to_owned(), git_ref.into());
        }
        let parent = rendered(self.parent.as_ref(), scope)?;
        details.insert("parent".to_owned(), parent.unwrap_or_else(|| about.builder.to_owned()).into());
        let Some(build) = about.build else { return Ok(details) };
        details.insert("buildNumber".to_owned(), build.number.to_string().into());
        details.insert("name".to_owned(), distinct(&format!("{} #{}", build.builder, build.number)).into());
        if let Some(duration) = build.duration() {
            let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            details.insert("duration".to_owned(), millis.into());
        }
        let count = |name| about.property(name).and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        let [failed, skipped, successful] = ["tests_failed", "tests_skipped", "tests_successful"].map(count);
        if failed + skipped + successful > 0 {
            let results = json!({"failed": failed, "skipped": skipped, "successful": successful});
            details.insert("testResults".to_owned(), results);
        }
        Ok(details)
    }
}

/// Finds project and slug: the last two parts of the repository's path, or those that its page has (K-06).
pub(super) fn project_and_slug(owner: &str, name: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = owner.split('/').chain([name]).filter(|part| !part.is_empty()).collect();
    let repos = parts.iter().position(|part| *part == "repos");
    let (project, slug) =
        match repos.and_then(|at| Some((parts.get(at.checked_sub(1)?)?, parts.get(at + 1)?))) {
            Some(pair) => pair,
            None => (parts.get(parts.len().checked_sub(2)?)?, parts.last()?),
        };
    Some(((*project).to_owned(), (*slug).to_owned()))
}

#[async_trait]
impl Forge for BitbucketServer {
    const TABLE: &'static str = "bitbucket_server";
    const TITLE: &'static str = "Bitbucket Server";
    const STATE_NAMES: StateNames = StateNames {
        states: &["INPROGRESS", "SUCCESSFUL", "FAILED"],
        transient: &["INPROGRESS"],
        requested: "INPROGRESS",
        running: "INPROGRESS",
        unknown: "FAILED",
        mappings: &[("modern", state)],
    };
    const DEFAULTS: Defaults = Defaults {
        base_url: None,
        example: EXAMPLE,
        addressing: DefaultAddressing::EachStamp,
        project_first: false,
        context: ("key", "%(prop:buildername)s"),
        start_description: Some("Build started."),
        requests: Some(false),
        needs_url: true,
        max_description: 255,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        let given = |key| reader.item(key).and_then(|_| text(reader, key, ""));
        let (name, git_ref, parent) = (given("status_name"), given("ref"), given("parent"));
        let is_core = reader.boolean("core_api").unwrap_or(false);
        for (key, text) in [("ref", &git_ref), ("parent", &parent)] {
            if text.is_some() && !is_core {
                reader.error(
                    key,
                    format!("`{key}` is for `core_api = true`: the older API has no place for it"),
                );
            }
        }
        let core = is_core.then_some(Core { git_ref, parent });
        Some(Self { credentials: credentials(reader)?, name, core })
    }

    /// The older API goes by the revision alone (K-05).
    fn needs_repository(&self) -> bool {
        self.core.is_some()
    }

    fn details(
        &self,
        about: &About<'_>,
        commit: &CommitRef,
        scope: &Scope<'_>,
    ) -> Result<Decision<Details, String>, RenderError> {
        let mut details = match &self.core {
            Some(core) => core.details(about, commit, scope)?,
            None => Details::new(),
        };
        if let Some(name) = rendered(self.name.as_ref(), scope)? {
            details.insert("name".to_owned(), distinct(&name).into());
        }
        Ok(Decision::Send(details))
    }

    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        _: Timestamp,
    ) -> Result<Request, Outcome> {
        let url = if self.core.is_some() {
            let pair = project_and_slug(&status.owner, &status.name);
            let (project, slug) = pair.unwrap_or_else(|| (status.owner.clone(), status.name.clone()));
            let path = ["rest", "api", "1.0", "projects", &project, "repos", &slug, "commits", &status.sha];
            below(&shared.base_url, path.into_iter().chain(["builds"]))?
        } else {
            below(&shared.base_url, ["rest", "build-status", "1.0", "commits", &status.sha])?
        };
        let mut body = status.details.clone();
        let texts = [
            ("state", Some(&status.state)),
            ("key", Some(&status.context)),
            ("description", Some(&status.description)),
            ("url", status.target_url.as_ref()),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                body.insert(key.to_owned(), text.as_str().into());
            }
        }
        let request = Request::post(url, JSON, Value::from(body).to_string());
        self.credentials.sign(request).map_err(deferred)
    }

    async fn probe_request(&self, shared: &Shared, _: Timestamp) -> Result<Request, Outcome> {
        probe_request(&self.credentials, shared)
    }

    fn hint(code: u16) -> &'static str {
        match code {
            401 | 403 | 404 => "; the credentials may not read the repository, or there is no such commit",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_06_project_and_slug() {
        for (owner, name, found) in [
            ("QUAD", "bells", ("QUAD", "bells")),
            ("scm/QUAD", "bells", ("QUAD", "bells")),
            ("git/scm/~ada", "bells", ("~ada", "bells")),
            ("projects/QUAD/repos/bells", "browse", ("QUAD", "bells")),
            ("projects/QUAD/repos", "bells", ("QUAD", "bells")),
        ] {
            let found = Some((found.0.to_owned(), found.1.to_owned()));
            assert_eq!(project_and_slug(owner, name), found, "{owner}/{name}");
        }
    }
}
