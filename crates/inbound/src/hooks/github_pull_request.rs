//! The event `pull_request` of GitHub and of forges that take after it (H-XGH-11).

use serde_json::Value;

use super::HookError;
use super::commit::one_line;
use super::github_flavour::Flavour;
use super::github_look_up::LookUp;
use super::github_options::GithubOptions;
use super::json::Json;
use super::outcome::HookOutcome;
use super::push::repository;
use campanile_model::{Change, Timestamp};

/// One change for a pull request that was opened, reopened or got commits.
pub(super) fn pull_request(
    options: &GithubOptions,
    flavour: &Flavour,
    value: &Value,
    now: Timestamp,
) -> Result<HookOutcome, HookError> {
    let event = Json::top(flavour.name, value)?;
    let action = event.at("action")?.text()?.unwrap_or_default();
    if !flavour.actions.contains(&action) {
        return Ok(HookOutcome::Ignored(format!("pull request action `{action}' makes no changes")));
    }
    let number = event.at("number")?.required()?.word()?.unwrap_or_default();
    let pull = event.at("pull_request")?.required()?;
    let text = |path: &'static str| Ok::<_, HookError>(pull.at(path)?.text()?.unwrap_or_default());
    let either = |path: &'static str, of_gogs: &'static str| match pull.at(path)?.text()? {
        Some(text) => Ok(text),
        None => text(of_gogs),
    };
    let (title, body) = (text("title")?, text("body")?);
    // Without a look-up at GitHub these stand in for the head commit's message (H-XGH-13).
    if options.look_ups.is_none()
        && let Some(reason) = options.skips.reason(title).or_else(|| options.skips.reason(body))
    {
        return Ok(HookOutcome::Ignored(reason));
    }
    let revlink = match pull.at("_links.html.href")?.text()? {
        Some(link) => link,
        None => text("html_url")?,
    };
    let repository = repository(&event)?;
    let project = either("base.repo.full_name", "base_repo.full_name")?;
    let mut change = Change {
        who: one_line(event.at("sender.login")?.text()?.unwrap_or_default()),
        comments: format!("{} Pull Request #{number}{}\n{title}\n{body}", flavour.title, commits(&pull)?),
        revision: revision(&pull)?,
        branch: Some(format!("refs/pull/{number}/{}", options.pullrequest_ref)),
        when: when(&pull, action)?.unwrap_or(now),
        category: Some("pull".to_owned()),
        revlink: revlink.to_owned(),
        repository: repository.to_owned(),
        project: project.to_owned(),
        codebase: options.codebases.of(&[repository, project]),
        properties: options.whitelist.properties(flavour.name, pull.value()),
        src: Some("git".to_owned()),
        ..Change::default()
    };
    change.properties.set("pullrequesturl", revlink, "Change");
    change.properties.set("basename", either("base.ref", "base_branch")?, "Change");
    Ok(HookOutcome::Changes(vec![change]))
}

/// The look-up about a pull request's change, if the options want one (H-XGH-13).
pub(super) fn look_up(options: &GithubOptions, value: &Value, change: &Change) -> Option<LookUp> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let number = value.get("number").map(Value::to_string)?;
    let full_name = text("/pull_request/base/repo/full_name")?;
    let settings = options.look_ups.as_ref()?;
    settings.about(full_name, number.trim_matches('"'), change.revision.as_deref()?, &options.skips)
}

/// Its head's revision. Gogs has none to tell, and names its branches at the top instead.
fn revision(pull: &Json<'_>) -> Result<Option<String>, HookError> {
    let sha = pull.at("head.sha")?;
    if pull.at("head_branch")?.value().is_some() { sha.word() } else { sha.required()?.word() }
}

/// ` (3 commits)`; nothing when the forge does not count them.
fn commits(pull: &Json<'_>) -> Result<String, HookError> {
    Ok(match pull.at("commits")?.word()?.as_deref() {
        None => String::new(),
        Some("1") => " (1 commit)".to_owned(),
        Some(many) => format!(" ({many} commits)"),
    })
}

/// Time of its opening, or else of its last change.
fn when(pull: &Json<'_>, action: &str) -> Result<Option<Timestamp>, HookError> {
    let created = pull.at("created_at")?.date()?;
    let updated = pull.at("updated_at")?.date()?;
    Ok(if action == "opened" { created } else { updated.or(created) })
}
