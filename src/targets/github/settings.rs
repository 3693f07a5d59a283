//! Reads a `[[github]]` table (section 1 of the rules), with every problem at its line.

use std::collections::BTreeSet;

use url::Url;

use super::status::{Mapping, State};
use crate::config::{Reader, Secret};
use crate::interpolate::{Template, Text};
use crate::model::Results;
use crate::outbound::{Client, Tls};
use crate::targets::Parts;

/// What a GitHub target was told, checked.
pub(super) struct GithubSettings {
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) token: Secret,
    pub(super) base_url: Url,
    pub(super) repository: Repository,
    pub(super) sha: Text,
    pub(super) context: Text,
    pub(super) start_description: Text,
    pub(super) end_description: Text,
    pub(super) mapping: Mapping,
    /// Only these (GS-CFG-11).
    pub(super) builders: Option<BTreeSet<String>>,
    pub(super) tags: Vec<String>,
}

/// Where statuses go (GS-CFG-13, GS-CFG-14).
pub(super) enum Repository {
    OwnerAndName(Text, Text),
    Both(Text),
}

const API: &str = "https://api.github.com/";

/// Reads the n-th `[[github]]` table. Whatever is wrong is noted; nothing comes back if the target can't be made at all.
pub(super) fn read(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<GithubSettings> {
    let name = reader.text("name").filter(|name| !name.trim().is_empty());
    if reader.item("token").is_none() {
        reader.error("token", "`token` is missing: one that may set statuses (`repo:status`)");
    }
    let token = reader.secret("token");
    let repository = repository(reader);
    let sha = text(reader, "sha", "%(src::revision)s");
    let context = text(reader, "context", "buildbot/%(prop:buildername)s");
    let start_description = text(reader, "start_description", "Build started.");
    let end_description = text(reader, "end_description", "Build done.");
    let mapping = mapping(reader);
    let builders = reader.texts("builders").map(|builders| builders.into_iter().collect());
    let tags = reader.texts("tags").unwrap_or_default();
    let base_url = base_url(reader);
    let client = match parts.outbound.client(&Tls::read(reader)) {
        Ok(client) => client,
        Err(error) => {
            reader.error("tls_ca", error.to_string());
            return None;
        }
    };
    Some(GithubSettings {
        name: name.unwrap_or(format!("github-{index}")),
        client,
        token: token?,
        base_url: base_url?,
        repository: repository?,
        sha: sha?,
        context: context?,
        start_description: start_description?,
        end_description: end_description?,
        mapping,
        builders,
        tags,
    })
}

/// GS-CFG-13, GS-CFG-14.
fn repository(reader: &Reader<'_>) -> Option<Repository> {
    let [owner, name, both] = ["repo_owner", "repo_name", "repo"].map(|key| reader.item(key).is_some());
    match (owner, name, both) {
        (true, true, true) => {
            reader.error("repo", "Specify repoOwner and repoName or repo, but not both");
            None
        }
        (true, true, false) => {
            Some(Repository::OwnerAndName(text(reader, "repo_owner", "")?, text(reader, "repo_name", "")?))
        }
        (false, false, _) => Some(Repository::Both(text(reader, "repo", "%(src::project)s")?)),
        _ => {
            let key = if owner { "repo_owner" } else { "repo_name" };
            reader.error(key, "Specify both or none of repoOwner and repoName");
            None
        }
    }
}

/// A text, or a template: what has `%(` in it, and `{ interpolate = "..." }`. An empty one means the usual (GS-CFG-12).
fn text(reader: &Reader<'_>, key: &str, usual: &str) -> Option<Text> {
    let item = reader.item(key);
    let given = item.and_then(crate::config::Item::as_text);
    let parsed = match (item, given) {
        (Some(item), None) => {
            serde_json::from_value::<Text>(item.to_json()).map_err(|error| error.to_string())
        }
        (_, given) => {
            let source = given.filter(|given| !given.is_empty()).unwrap_or(usual);
            if source.contains("%(") {
                let joined = |errors: Vec<crate::interpolate::TemplateError>| {
                    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                };
                Template::parse(source).map(Text::Template).map_err(joined)
            } else {
                Ok(Text::from(source))
            }
        }
    };
    parsed.map_err(|error| reader.error(key, format!("`{key}`: {error}"))).ok()
}

/// GS-CFG-10, GS-MAP-01, GS-MAP-02.
fn mapping(reader: &Reader<'_>) -> Mapping {
    let Some(item) = reader.item("state_mapping") else { return Mapping::modern() };
    match item.as_text() {
        Some("modern") => return Mapping::modern(),
        Some("2014") => return Mapping::of_2014(),
        Some(other) => {
            item.error(format!("`state_mapping` must be `modern`, `2014` or a table, not `{other}`"));
            return Mapping::modern();
        }
        None => {}
    }
    let mut mapping = Mapping::modern();
    let Some(table) = item.table("state_mapping") else {
        item.error("`state_mapping` must be `modern`, `2014` or a table from results to states");
        return mapping;
    };
    for (key, item) in table.entries() {
        let results = Results::from_name(key);
        let state = item.as_text().and_then(|name| State::ALL.into_iter().find(|state| state.name() == name));
        match (results, state) {
            (Some(results), Some(state)) => mapping.set(results, state),
            (None, _) => item.error(format!("`{key}` is no result of a build")),
            (_, None) => item.error("a state is `pending`, `success`, `failure` or `error`"),
        }
    }
    table.finish();
    mapping
}

/// GS-CFG-15.
fn base_url(reader: &Reader<'_>) -> Option<Url> {
    let insecure = reader.boolean("allow_insecure").unwrap_or(false);
    let given = reader.text("base_url").filter(|url| !url.is_empty()).unwrap_or_else(|| API.to_owned());
    let slashed = if given.ends_with('/') { given.clone() } else { format!("{given}/") };
    match Url::parse(&slashed) {
        Ok(url) if url.scheme() == "https" && url.has_host() => Some(url),
        Ok(url) if url.scheme() == "http" && url.has_host() => {
            if !insecure {
                reader.error(
                    "base_url",
                    "a token must not go out in the clear: use https, or `allow_insecure = true`",
                );
            }
            insecure.then_some(url)
        }
        _ => {
            reader.error(
                "base_url",
                format!("`{given}` is no address such as https://github.example.org/api/v3/"),
            );
            None
        }
    }
}
