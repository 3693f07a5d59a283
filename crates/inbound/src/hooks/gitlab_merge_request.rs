//! Merge requests of GitLab, and notes on them (H-XGL-04 to H-XGL-06).

use super::HookError;
use super::commit::author;
use super::gitlab_options::GitlabOptions;
use super::json::Json;
use super::outcome::HookOutcome;
use campanile_model::{Change, Timestamp};

/// One change for a merge request that was opened, reopened or got commits.
pub(super) fn merge_request(
    options: &GitlabOptions,
    event: &Json<'_>,
    now: Timestamp,
) -> Result<HookOutcome, HookError> {
    let request = event.at("object_attributes")?.required()?;
    let state = request.at("state")?.text()?.unwrap_or_default();
    if matches!(state, "closed" | "merged" | "approved") {
        return Ok(HookOutcome::Ignored(format!("merge request is {state}")));
    }
    let action = request.at("action")?.text()?.unwrap_or_default();
    let counts = match action {
        "open" | "reopen" => true,
        // Code was pushed, and not just a text changed.
        "update" => request.at("oldrev")?.value().is_some(),
        _ => false,
    };
    if !counts {
        return Ok(HookOutcome::Ignored(format!("merge request action `{action}' makes no changes")));
    }
    one(options, &request, "merge_request", now)
}

/// One change for a note on a merge request; a note on anything else makes none.
pub(super) fn note(
    options: &GitlabOptions,
    event: &Json<'_>,
    now: Timestamp,
) -> Result<HookOutcome, HookError> {
    let request = event.at("merge_request")?;
    if request.value().is_none() {
        return Ok(HookOutcome::Ignored("a note on something that is no merge request".to_owned()));
    }
    let text = event.at("object_attributes.note")?.text()?.unwrap_or_default();
    let mut outcome = one(options, &request, "note", now)?;
    if let HookOutcome::Changes(changes) = &mut outcome {
        for change in changes {
            change.properties.set("comments", text, "Change");
        }
    }
    Ok(outcome)
}

fn one(
    options: &GitlabOptions,
    request: &Json<'_>,
    category: &str,
    now: Timestamp,
) -> Result<HookOutcome, HookError> {
    let text = |path: &'static str| Ok::<_, HookError>(request.at(path)?.text()?.unwrap_or_default());
    let commit = request.at("last_commit")?;
    if commit.value().is_none() {
        return Ok(HookOutcome::Ignored("the merge request has no commit".to_owned()));
    }
    if let Some(message) = commit.at("message")?.text()?
        && let Some(reason) = options.skips.reason(message)
    {
        return Ok(HookOutcome::Ignored(reason));
    }
    let number = request.at("iid")?.required()?.word()?.unwrap_or_default();
    let (title, description) = (text("title")?, text("description")?);
    let repository = request.at("target.git_http_url")?.required()?.text()?.unwrap_or_default();
    let mut change = Change {
        who: author(&commit.at("author")?)?,
        comments: format!("MR#{number}: {title}\n\n{description}"),
        revision: commit.at("id")?.required()?.word()?,
        branch: Some(text("target_branch")?.to_owned()).filter(|branch| !branch.is_empty()),
        when: commit.at("timestamp")?.date()?.unwrap_or(now),
        category: Some(category.to_owned()),
        revlink: text("url")?.to_owned(),
        repository: repository.to_owned(),
        project: text("target.name")?.to_owned(),
        codebase: options.codebases.of(&[repository, text("target.path_with_namespace")?]),
        src: Some("git".to_owned()),
        ..Change::default()
    };
    for (name, path) in [
        ("source_branch", "source_branch"),
        ("source_project_id", "source_project_id"),
        ("source_repository", "source.git_http_url"),
        ("source_git_ssh_url", "source.git_ssh_url"),
        ("target_branch", "target_branch"),
        ("target_project_id", "target_project_id"),
        ("target_repository", "target.git_http_url"),
        ("target_git_ssh_url", "target.git_ssh_url"),
    ] {
        if let Some(value) = request.at(path)?.value() {
            change.properties.set(name, value.clone(), "Change");
        }
    }
    Ok(HookOutcome::Changes(vec![change]))
}
