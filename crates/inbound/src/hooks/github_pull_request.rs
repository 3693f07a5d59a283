//! The event `pull_request` of GitHub and of forges that take after it (H-XGH-11).

use serde_json::Value;

use super::Rejection;
use super::commit::one_line;
use super::github::{Github, repository};
use super::github_look_up::LookUp;
use super::github_options::GithubOptions;
use super::json::Json;
use super::outcome::Outcome;
use campanile_model::{Change, Timestamp};

/// One change for a pull request that was opened, reopened or got commits.
pub(super) fn pull_request(github: &Github, value: &Value, now: Timestamp) -> Result<Outcome, Rejection> {
    let Github { options, flavour } = github;
    let event = Json::top(flavour.name, value)?;
    let action = event.at("action")?.text()?.unwrap_or_default();
    if !flavour.actions.contains(&action) {
        return Ok(Outcome::Ignored(format!("pull request action `{action}' makes no changes")));
    }
    let number = event.at("number")?.required()?.word()?.unwrap_or_default();
    let pull = event.at("pull_request")?.required()?;
    let text = |path: &'static str| Ok::<_, Rejection>(pull.at(path)?.text()?.unwrap_or_default());
    let (title, body) = (text("title")?, text("body")?);
    // Without a look-up at GitHub these stand in for the head commit's message (H-XGH-13).
    if options.look_ups.is_none()
        && let Some(reason) = options.skips.reason(title).or_else(|| options.skips.reason(body))
    {
        return Ok(Outcome::Ignored(reason));
    }
    let revlink = match pull.at("_links.html.href")?.text()? {
        Some(link) => link,
        None => text("html_url")?,
    };
    let repository = repository(&event)?;
    let project = text("base.repo.full_name")?;
    let mut change = Change {
        who: one_line(event.at("sender.login")?.text()?.unwrap_or_default()),
        comments: format!("{} Pull Request #{number}{}\n{title}\n{body}", flavour.title, commits(&pull)?),
        revision: pull.at("head.sha")?.required()?.word()?,
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
    change.properties.set("basename", text("base.ref")?, "Change");
    Ok(Outcome::Changes(vec![change]))
}

/// What is to be looked up about it, if the options want that (H-XGH-13).
pub(super) fn look_up(options: &GithubOptions, value: &Value, change: &Change) -> Option<LookUp> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let number = value.get("number").map(Value::to_string)?;
    let full_name = text("/pull_request/base/repo/full_name")?;
    let ups = options.look_ups.as_ref()?;
    ups.about(full_name, number.trim_matches('"'), change.revision.as_deref()?, &options.skips)
}

/// ` (3 commits)`; nothing when the forge does not count them.
fn commits(pull: &Json<'_>) -> Result<String, Rejection> {
    Ok(match pull.at("commits")?.word()?.as_deref() {
        None => String::new(),
        Some("1") => " (1 commit)".to_owned(),
        Some(many) => format!(" ({many} commits)"),
    })
}

/// When it was opened, or else when it last changed.
fn when(pull: &Json<'_>, action: &str) -> Result<Option<Timestamp>, Rejection> {
    let created = pull.at("created_at")?.date()?;
    let updated = pull.at("updated_at")?.date()?;
    Ok(if action == "opened" { created } else { updated.or(created) })
}
