//! The keys that the tables of all forges have (section 1 of the rules), read with every problem at its line.

use url::Url;

use super::forge::{DefaultAddressing, Forge};
use super::states::Mapping;
use crate::Parts;
use crate::build_filter::BuildFilter;
use campanile_config::{Item, Reader};
use campanile_model::Results;
use campanile_model::interpolate::{Template, TemplateError, Text};
use campanile_outbound::Client;

/// The settings of a target that are not its forge's own, checked.
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) base_url: Url,
    pub(super) addressing: Addressing,
    /// Only commits of repositories there are told of (GS-T-8).
    pub(super) hosts: Option<Vec<String>>,
    pub(super) context: Text,
    /// None: nothing is told of builds that begin.
    pub(super) start_description: Option<Text>,
    pub(super) end_description: Text,
    /// None: nothing is told of requests.
    pub(super) requests: Option<RequestTexts>,
    pub(super) mapping: Mapping,
    /// Only these builds are told of (GS-CFG-11).
    pub(super) build_filter: BuildFilter,
}

/// The descriptions of requests (GS-ADD-02).
pub(super) struct RequestTexts {
    pub(super) pending: Text,
    pub(super) cancelled: Text,
}

/// The way from a build to its commits.
pub(super) enum Addressing {
    /// Without `sha`, the revision of the build, or the head of its pull request.
    Templates {
        repository: Box<Repository>,
        sha: Option<Text>,
    },
    EachStamp,
    /// By `Forge::own_commits`.
    Own,
}

/// The repository whose commits are told of (GS-CFG-13, GS-CFG-14).
pub(super) enum Repository {
    OwnerAndName(Text, Text),
    Both(Text),
    /// The default: what this comes to, else the repository's address.
    OfStamp(Text),
}

/// Reads the n-th table of a forge. Errors are noted; none if the target can't be made at all.
pub(super) fn read<F: Forge>(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Shared> {
    let defaults = F::DEFAULTS;
    let name = reader.text("name").filter(|name| !name.trim().is_empty());
    let (addressing, hosts) = match defaults.addressing {
        DefaultAddressing::Own => (Some(Addressing::Own), None),
        by => (addressing(reader, by), reader.texts("hosts")),
    };
    let context = match defaults.context {
        ("", default) => Some(Text::from(default)),
        (key, default) => text(reader, key, default),
    };
    let start_description = match (defaults.start_description, reader.item("start_description")) {
        (None, None) => None,
        (default, _) => text(reader, "start_description", default.unwrap_or_default()),
    };
    let end_description = text(reader, "end_description", "Build done.");
    let requests = defaults.requests.and_then(|default| requests(reader, default));
    let mapping = mapping::<F>(reader);
    let build_filter = BuildFilter::read(reader);
    let base_url = match (reader.item("base_url"), defaults.base_url) {
        (None, None) => {
            let text = format!("`base_url` is missing: where {} is, such as {}", F::TITLE, defaults.example);
            reader.error("base_url", text);
            None
        }
        (_, default) => address(reader, "base_url", default.unwrap_or_default(), defaults.example),
    };
    let client = parts.client(reader);
    Some(Shared {
        name: name.unwrap_or(format!("{}-{index}", F::TABLE)),
        client: client?,
        base_url: base_url?,
        addressing: addressing?,
        hosts,
        context: context?,
        start_description,
        end_description: end_description?,
        requests,
        mapping,
        build_filter,
    })
}

fn requests(reader: &Reader<'_>, default: bool) -> Option<RequestTexts> {
    let pending = text(reader, "pending_description", "Build pending.");
    let cancelled = text(reader, "cancelled_description", "Build cancelled.");
    let wanted = reader.boolean("requests").unwrap_or(default);
    Some(RequestTexts { pending: pending?, cancelled: cancelled? }).filter(|_| wanted)
}

/// Reads the way to the commits: templates where any is given, or the default and not declined; else every source
/// stamp.
fn addressing(reader: &Reader<'_>, default: DefaultAddressing) -> Option<Addressing> {
    let given = ["repo_owner", "repo_name", "repo", "sha"].into_iter().find(|key| reader.item(key).is_some());
    let each = reader.boolean("each_source_stamp");
    match (each, given) {
        (Some(true), Some(key)) => {
            reader.error(key, format!("with `each_source_stamp` each says its own: leave `{key}` out"));
            None
        }
        (Some(true), None) => Some(Addressing::EachStamp),
        (None, None) if default == DefaultAddressing::EachStamp => Some(Addressing::EachStamp),
        _ => {
            let sha = match reader.item("sha") {
                Some(item) if item.as_text() != Some("") => Some(text(reader, "sha", "")?),
                _ => None,
            };
            Some(Addressing::Templates { repository: Box::new(repository(reader)?), sha })
        }
    }
}

/// Reads `repo_owner` with `repo_name`, or `repo` (GS-CFG-13, GS-CFG-14).
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
        (false, false, true) => Some(Repository::Both(text(reader, "repo", "%(src::project)s")?)),
        (false, false, false) => Some(Repository::OfStamp(Text::from("%(src::project)s"))),
        _ => {
            let key = if owner { "repo_owner" } else { "repo_name" };
            reader.error(key, "Specify both or none of repoOwner and repoName");
            None
        }
    }
}

/// Reads a text, or a template: what has `%(` in it, and `{ interpolate = "..." }`. An empty one means the default
/// (GS-CFG-12).
pub(super) fn text(reader: &Reader<'_>, key: &str, default: &str) -> Option<Text> {
    let item = reader.item(key);
    let given = item.and_then(Item::as_text);
    let parsed = match (item, given) {
        (Some(item), None) => {
            serde_json::from_value::<Text>(item.to_json()).map_err(|error| error.to_string())
        }
        (_, given) => {
            let source = given.filter(|given| !given.is_empty()).unwrap_or(default);
            if source.contains("%(") {
                let joined = |errors: Vec<TemplateError>| {
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

/// Reads `state_mapping` (GS-CFG-10, GS-MAP-01, GS-MAP-02).
fn mapping<F: Forge>(reader: &Reader<'_>) -> Mapping {
    let names = F::STATE_NAMES;
    let named = |name: &str| names.mappings.iter().find(|(known, _)| *known == name);
    let mut mapping = Mapping::new(&names, names.mappings.first().map(|(_, state)| *state));
    let item = match names.states {
        // Comments have no states.
        [] => None,
        _ => reader.item("state_mapping"),
    };
    let Some(item) = item else { return mapping };
    let known = names.mappings.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if let Some(name) = item.as_text() {
        match named(name) {
            Some((_, state)) => return Mapping::new(&names, Some(*state)),
            None => item.error(format!("`state_mapping` must be {known} or a table, not `{name}`")),
        }
        return mapping;
    }
    let Some(table) = item.table("state_mapping") else {
        item.error(format!("`state_mapping` must be {known} or a table from results to states"));
        return mapping;
    };
    for (key, item) in table.entries() {
        let results = Results::from_name(key);
        let state = item.as_text().and_then(|name| names.states.iter().find(|state| **state == name));
        match (results, state) {
            (Some(results), Some(state)) => mapping.set(results, state),
            (None, _) => item.error(format!("`{key}` is no result of a build")),
            (_, None) => item.error(format!("a state is {}", alternatives(names.states))),
        }
    }
    table.finish();
    mapping
}

/// Writes `` `a`, `b` or `c` ``.
fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Reads the address of something that credentials are sent to, with a slash at its end (GS-CFG-15).
pub(super) fn address(reader: &Reader<'_>, key: &str, default: &str, example: &str) -> Option<Url> {
    let insecure = reader.boolean("allow_insecure").unwrap_or(false);
    let given = reader.text(key).filter(|url| !url.is_empty()).unwrap_or_else(|| default.to_owned());
    let slashed = if given.ends_with('/') { given.clone() } else { format!("{given}/") };
    match Url::parse(&slashed) {
        Ok(url) if url.scheme() == "https" && url.has_host() => Some(url),
        Ok(url) if url.scheme() == "http" && url.has_host() => {
            if !insecure {
                let text = "a token must not go out in the clear: use https, or `allow_insecure = true`";
                reader.error(key, text);
            }
            insecure.then_some(url)
        }
        _ => {
            reader.error(key, format!("`{given}` is no address such as {example}"));
            None
        }
    }
}
