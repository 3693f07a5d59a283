//! The dialect `googlecode`: pushes of a forge that is no more, and of scripts that still speak its language (H-GC-01
//! to H-GC-08).

use http::HeaderMap;
use serde_json::Value;

use super::commit::{Codebases, files, one_line};
use super::json::Json;
use super::outcome::HookOutcome;
use super::request::{Method, RawHook, Verified, header_text};
use super::{Dialect, HookError, ParsedHook};
use crate::HeaderProof;
use campanile_config::{Hash, Reader, Secret, is_hex_code, verify_hex_hmac};
use campanile_model::{Change, Timestamp, read_json};

const NAME: &str = "googlecode";
const SIGNATURE: &str = "google-code-project-hosting-hook-hmac";

struct Googlecode {
    secrets: Vec<Secret>,
    branch: String,
    codebases: Codebases,
}

/// Makes the dialect from its options: `secret_key`, `branch`, `codebase`.
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    let secrets = options.map(|table| table.secrets("secret_key")).unwrap_or_default();
    let branch = options.and_then(|table| table.text("branch"));
    Box::new(Googlecode {
        secrets,
        branch: branch.unwrap_or_else(|| "default".to_owned()),
        codebases: options.map(Codebases::read).unwrap_or_default(),
    })
}

impl Dialect for Googlecode {
    fn name(&self) -> &'static str {
        NAME
    }

    fn has_secret(&self) -> bool {
        !self.secrets.is_empty()
    }

    fn warning(&self) -> Option<&'static str> {
        (!self.has_secret()).then_some("without `secret_key` it takes what nobody has signed")
    }

    fn judge_headers(&self, _method: Method, headers: &HeaderMap) -> Result<HeaderProof, HookError> {
        let hex = header_text(headers, SIGNATURE).unwrap_or_default();
        if self.has_secret() && !is_hex_code(Hash::Md5, &hex) {
            return Err(HookError::forbidden("googlecode: authentication failed"));
        }
        Ok(HeaderProof::WithBody)
    }

    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        let hex = request.header(SIGNATURE).unwrap_or_default();
        if self.has_secret() && !verify_hex_hmac(Hash::Md5, &request.body, &self.secrets, &hex) {
            return Err(HookError::forbidden("googlecode: authentication failed"));
        }
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<ParsedHook, HookError> {
        let value: Value = read_json(&hook.request().body)
            .map_err(|error| HookError::bad_request(format!("{NAME}: payload: not JSON: {error}")))?;
        let push = Json::top(NAME, &value)?;
        let repository = push.at("repository_path")?.required()?.text()?.unwrap_or_default();
        let template = Change {
            codebase: self.codebases.of(&[repository]),
            repository: repository.to_owned(),
            project: push.at("project_name")?.required()?.text()?.unwrap_or_default().to_owned(),
            // Not the name of a version control system, so no user record is made (H-GC-07).
            src: Some("Google Code".to_owned()),
            ..Change::default()
        };
        let revisions = push.listed("revisions")?;
        let changes: Result<Vec<Change>, HookError> =
            revisions.iter().map(|revision| self.change(revision, &template, now)).collect();
        let outcome = match changes? {
            none if none.is_empty() => HookOutcome::Ignored("no revisions in the push".to_owned()),
            changes => HookOutcome::Changes(changes),
        };
        Ok(outcome.parsed(hook.request(), None, &[], now))
    }
}

impl Googlecode {
    fn change(&self, revision: &Json<'_>, template: &Change, now: Timestamp) -> Result<Change, HookError> {
        let revision = revision.required()?;
        Ok(Change {
            who: one_line(revision.at("author")?.required()?.text()?.unwrap_or_default()),
            comments: revision.at("message")?.required()?.text()?.unwrap_or_default().to_owned(),
            revision: revision.at("revision")?.required()?.word()?,
            when: revision.at("timestamp")?.date()?.unwrap_or(now),
            branch: Some(revision.at("branch")?.text()?.unwrap_or(&self.branch).to_owned()),
            revlink: revision.at("url")?.text()?.unwrap_or_default().to_owned(),
            files: files(&revision)?,
            ..template.clone()
        })
    }
}
