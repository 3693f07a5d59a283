//! The event `pull_request` of GitHub (H-XGH-11).

use serde_json::Value;

use super::Rejection;
use super::commit::one_line;
use super::github::{NAME, Outcome, repository, skipped};
use super::github_options::GithubOptions;
use super::json::Json;
use crate::model::{Change, Timestamp};

/// One change for a pull request that was opened, reopened or got commits.
pub(super) fn pull_request(
    options: &GithubOptions,
    value: &Value,
    now: Timestamp,
) -> Result<Outcome, Rejection> {
    let event = Json::top(NAME, value)?;
    let action = event.at("action")?.text()?.unwrap_or_default();
    if !matches!(action, "opened" | "reopened" | "synchronize") {
        return Ok(Outcome::Nothing(format!("pull request action `{action}' makes no changes")));
    }
    let number = event.at("number")?.required()?.word()?.unwrap_or_default();
    let pull = event.at("pull_request")?.required()?;
    let text = |path: &str| Ok::<_, Rejection>(pull.at(path)?.text()?.unwrap_or_default());
    let (title, body) = (text("title")?, text("body")?);
    // Without a look-up at GitHub these stand in for the head commit's message (H-XGH-13).
    if let Some(reason) = skipped(options, title).or_else(|| skipped(options, body)) {
        return Ok(Outcome::Nothing(reason));
    }
    let revlink = match pull.at("_links.html.href")?.text()? {
        Some(link) => link,
        None => text("html_url")?,
    };
    let repository = repository(&event)?;
    let project = text("base.repo.full_name")?;
    let mut change = Change {
        who: one_line(event.at("sender.login")?.text()?.unwrap_or_default()),
        comments: format!("GitHub Pull Request #{number}{}\n{title}\n{body}", commits(&pull)?),
        revision: pull.at("head.sha")?.required()?.word()?,
        branch: Some(format!("refs/pull/{number}/{}", options.pullrequest_ref)),
        when: when(&pull, action)?.unwrap_or(now),
        category: Some("pull".to_owned()),
        revlink: revlink.to_owned(),
        repository: repository.to_owned(),
        project: project.to_owned(),
        codebase: options.codebases.of(&[repository, project]),
        properties: options.whitelist.properties(NAME, pull.value()),
        src: Some("git".to_owned()),
        ..Change::default()
    };
    change.properties.set("pullrequesturl", revlink, "Change");
    change.properties.set("basename", text("base.ref")?, "Change");
    Ok(Outcome::Changes(vec![change]))
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
