//! Drone's system webhooks, and its plugin `webhook`. `docs/connect/woodpecker-drone.md` gives the meaning of their
//! fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::native::EventsError;
use super::read::{build_event, build_number, builder_name, header_text, json, moment, person, set, typed};
use super::{ParsedBatch, Proof, Source};
use crate::HeaderProof;
use campanile_config::{Hash, Secret, verify_hmac};
use campanile_model::{
    Build, Change, Results, SourceStamp, Step, Timestamp, non_empty, step_text, unique_step_name,
};

/// Of properties.
const SET_BY: &str = "Drone";

/// The source `drone`.
pub(super) struct Drone;

impl Source for Drone {
    fn name(&self) -> &'static str {
        "drone"
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof { headers: judge_headers, whole: is_proven })
    }

    fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError> {
        let body = json(body)?;
        match header_text(headers, "x-drone-event") {
            Some("build") | None => parse_hook(typed::<Hook>(&body, "$")?),
            Some(other) => Ok(ParsedBatch::ignored(format!("`{other}` tells nothing of builds"))),
        }
    }
}

/// Drone signs the headers `date` and `digest`, so that only the digest waits for the body.
fn judge_headers(headers: &HeaderMap, secrets: &[Secret], _: Timestamp) -> Option<HeaderProof> {
    let (text, code) = header_text(headers, "signature").and_then(|sent| signed(headers, sent))?;
    let matches =
        |secret: &&Secret| verify_hmac(Hash::Sha256, secret.expose().as_bytes(), text.as_bytes(), &code);
    // Every secret is tried, so that the time does not tell which one is in use.
    (secrets.iter().filter(matches).count() > 0).then_some(HeaderProof::WithBody)
}

fn is_proven(headers: &HeaderMap, body: &[u8], secrets: &[Secret], now: Timestamp) -> bool {
    let digest = header_text(headers, "digest").and_then(|sent| sent.strip_prefix("SHA-256="));
    digest == Some(STANDARD.encode(Sha256::digest(body)).as_str())
        && judge_headers(headers, secrets, now).is_some()
}

/// The signed text, and the signature: draft-cavage-http-signatures-10, section 2.3, as far as Drone uses it.
fn signed(headers: &HeaderMap, sent: &str) -> Option<(String, Vec<u8>)> {
    let part = |name: &str| {
        let mut parts = sent.split(',').filter_map(|part| part.trim().split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
    };
    let names: Vec<&str> = part("headers")?.split(' ').collect();
    if part("algorithm") != Some("hmac-sha256") || !names.contains(&"digest") {
        return None;
    }
    let line = |name: &&str| {
        let value = headers.get(HeaderName::try_from(*name).ok()?)?.to_str().ok()?;
        Some(format!("{name}: {}", value.trim()))
    };
    let lines: Option<Vec<String>> = names.iter().map(line).collect();
    Some((lines?.join("\n"), STANDARD.decode(part("signature")?).ok()?))
}

#[derive(Deserialize)]
struct Hook {
    repo: Repo,
    build: DroneBuild,
}

#[derive(Deserialize)]
struct Repo {
    slug: Option<String>,
    #[serde(alias = "owner")]
    namespace: Option<String>,
    name: String,
    link: Option<String>,
}

#[derive(Deserialize)]
struct DroneBuild {
    number: u64,
    status: String,
    error: Option<String>,
    event: Option<String>,
    link: Option<String>,
    message: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    #[serde(alias = "commit")]
    after: Option<String>,
    source: Option<String>,
    #[serde(alias = "branch")]
    target: Option<String>,
    #[serde(alias = "author")]
    author_login: Option<String>,
    author_name: Option<String>,
    author_email: Option<String>,
    sender: Option<String>,
    parent: Option<u64>,
    started: Option<i64>,
    finished: Option<i64>,
    created: Option<i64>,
    stages: Option<Vec<Stage>>,
}

#[derive(Deserialize)]
struct Stage {
    name: String,
    machine: Option<String>,
    steps: Option<Vec<DroneStep>>,
}

#[derive(Deserialize)]
struct DroneStep {
    name: String,
    status: String,
    error: Option<String>,
    exit_code: Option<i64>,
    #[serde(default)]
    errignore: Option<bool>,
    started: Option<i64>,
    stopped: Option<i64>,
}

fn parse_hook(hook: Hook) -> Result<Vec<ParsedBatch>, EventsError> {
    let Hook { repo, build: theirs } = hook;
    let results = match theirs.status.as_str() {
        // `started` is what the documented samples say, `running` what the server does.
        "running" | "started" => None,
        "blocked" | "pending" | "waiting_on_dependencies" => {
            return Ok(ParsedBatch::ignored(format!("build {}: told of when it runs", theirs.status)));
        }
        other => Some(status(other)),
    };
    let project = match (non_empty(repo.slug), non_empty(repo.namespace)) {
        (Some(slug), _) => slug,
        (None, Some(owner)) => format!("{owner}/{}", repo.name),
        (None, None) => repo.name,
    };
    let builder = builder_name("$.repo.slug", &[&project])?;
    let mut build = Build::new(builder, build_number("$.build.number", Some(theirs.number))?);
    build.url = non_empty(theirs.link.clone());
    let event = theirs.event.as_deref().filter(|event| !event.is_empty()).unwrap_or("build");
    let sender = non_empty(theirs.sender.clone());
    build.reason = sender.as_ref().map_or_else(|| event.to_owned(), |by| format!("{event} by {by}"));
    build.started = moment(theirs.started).or(moment(theirs.created));
    build.finished = results.and(moment(theirs.finished));
    let stages = theirs.stages.unwrap_or_default();
    if let [stage] = stages.as_slice()
        && let Some(machine) = non_empty(stage.machine.clone())
    {
        build.worker = machine;
    }
    build.steps = steps(&stages)?;
    if let (Some(results), Some(error)) = (results, non_empty(theirs.error)) {
        build.text = campanile_model::build_text(results, [&[error][..]]);
    }
    let name = theirs.author_name.as_deref().filter(|name| !name.is_empty());
    let who = person(name.or(theirs.author_login.as_deref()), theirs.author_email.as_deref());
    // A pull request's own branch is the source; anything else has but one.
    let source = non_empty(theirs.source).filter(|_| event == "pull_request");
    let branch = source.or_else(|| non_empty(theirs.target.clone()));
    let revision = non_empty(theirs.after);
    let repository = non_empty(repo.link).unwrap_or_default();
    let change = Change {
        comments: theirs.message.clone().unwrap_or_default(),
        revision: revision.clone(),
        branch: branch.clone(),
        when: moment(theirs.created).unwrap_or_default(),
        repository: repository.clone(),
        project: project.clone(),
        src: Some("git".to_owned()),
        who,
        ..Change::default()
    };
    let is_known = !change.who.is_empty() || !change.comments.is_empty();
    build.source_stamps = vec![SourceStamp {
        branch,
        revision,
        repository,
        project,
        changes: is_known.then_some(change).into_iter().collect(),
        ..SourceStamp::default()
    }];
    let properties = &mut build.properties;
    set(properties, SET_BY, "event", theirs.event.clone());
    set(properties, SET_BY, "ref", theirs.reference);
    set(properties, SET_BY, "target_branch", theirs.target);
    set(properties, SET_BY, "actor", sender);
    set(properties, SET_BY, "restart_of", theirs.parent.filter(|parent| *parent > 0));
    // A running build is told again with each of its steps.
    let part = if results.is_some() { "end" } else { "start" };
    let created = theirs.created.unwrap_or_default();
    let key = format!("{}/{}/{created}/{part}", build.builder, build.number);
    Ok(ParsedBatch::events(vec![build_event(build, results)], Some(key)))
}

fn steps(stages: &[Stage]) -> Result<Vec<Step>, EventsError> {
    let mut steps: Vec<Step> = Vec::new();
    for stage in stages {
        for step in stage.steps.iter().flatten() {
            let parts = [stage.name.as_str(), step.name.as_str()];
            let parts = if stages.len() == 1 { &parts[1..] } else { &parts[..] };
            let name = builder_name("$.build.stages.steps.name", parts)?;
            let name = unique_step_name(&name, steps.iter().map(|step| step.name.as_str()));
            let results = match step.status.as_str() {
                "running" | "started" | "pending" | "waiting_on_dependencies" | "blocked" => None,
                "failure" if step.errignore == Some(true) => Some(Results::Warnings),
                other => Some(status(other)),
            };
            let is_bad = matches!(results, Some(Results::Failure | Results::Exception | Results::Warnings));
            let mut text = step_text(std::slice::from_ref(&name), results);
            let code = step.exit_code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
            text.extend(non_empty(step.error.clone()).or(code).filter(|_| is_bad));
            steps.push(Step {
                text,
                text2: is_bad.then(|| name.clone()).into_iter().collect(),
                name,
                results,
                started: moment(step.started),
                finished: results.and(moment(step.stopped)),
                ..Step::default()
            });
        }
    }
    Ok(steps)
}

fn status(text: &str) -> Results {
    match text {
        "success" => Results::Success,
        "failure" => Results::Failure,
        "skipped" => Results::Skipped,
        "killed" | "declined" => Results::Cancelled,
        _ => Results::Exception,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature of Drone's own documentation.
    #[test]
    fn drones_published_signature_is_understood() {
        let mut headers = HeaderMap::new();
        let digest = "SHA-256=wyFE2yWKPBpOLHuIVBHf4oD21wY4yINZZzoyR9jB6xo=";
        headers.insert("date", "Fri, 15 Jul 2022 18:47:25 GMT".parse().unwrap());
        headers.insert("digest", digest.parse().unwrap());
        let sent = "keyId=\"hmac-key\",algorithm=\"hmac-sha256\",\
                    signature=\"ObOcdsOSyYMy+0DDlg6X1naqPYY0qe59OrHmjv6Hav0=\",headers=\"date digest\"";
        let (text, code) = signed(&headers, sent).unwrap();
        assert_eq!(text, format!("date: Fri, 15 Jul 2022 18:47:25 GMT\ndigest: {digest}"));
        let key = b"a34999ae0599f579eca8582058b46eee";
        assert!(verify_hmac(Hash::Sha256, key, text.as_bytes(), &code));
        assert!(!verify_hmac(Hash::Sha256, b"another", text.as_bytes(), &code));
        for wrong in
            ["", "headers=\"date\"", "headers=\"digest none\",algorithm=\"hmac-sha256\",signature=\"\""]
        {
            assert_eq!(signed(&headers, wrong), None, "{wrong}");
        }
    }
}
