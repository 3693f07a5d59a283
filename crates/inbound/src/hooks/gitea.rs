//! The dialects `gitea` and `forgejo`: they send what GitHub sends, under headers of their own (H-XGT-01 to H-XGT-04).

use bytes::Bytes;
use http::HeaderMap;

use super::arguments::Arguments;
use super::github::Github;
use super::github_flavour::{Event, Flavour};
use super::github_options::GithubOptions;
use super::request::{MediaType, Method, RawHook, header_text};
use super::signature::{self, Unsigned};
use super::{Dialect, HookError};
use campanile_config::{Hash, Reader, Secret, is_hex_code, verify_hex_hmac};

const GITEA: Flavour = Flavour { name: "gitea", title: "Gitea", ..COMMON };
const FORGEJO: Flavour = Flavour { name: "forgejo", title: "Forgejo", ..COMMON };

const COMMON: Flavour = Flavour {
    name: "",
    title: "",
    methods: &[Method::Post],
    event_headers: &["x-forgejo-event", "x-gitea-event", "x-gogs-event", "x-github-event"],
    delivery_ids: &["x-forgejo-delivery", "x-gitea-delivery", "x-gogs-delivery", "x-github-delivery"],
    judge_headers,
    check,
    events: |event| match event {
        "push" => Event::Push,
        // Commits that come to a pull request have an event of their own since Gitea 1.16.
        "pull_request" | "pull_request_sync" => Event::PullRequest,
        // A branch or a tag that is made or goes is told by a push too.
        "create" | "delete" | "repository" => Event::Silent,
        _ => Event::Unknown,
    },
    actions: &["opened", "reopened", "synchronized", "synchronize"],
    pullrequest_ref: "head",
    distinct_property: None,
    has_builds: false,
};

/// Makes the dialect `gitea` from its options.
pub(super) fn gitea(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    Box::new(Github { options: GithubOptions::read(options, &GITEA), flavour: &GITEA })
}

/// Makes the dialect `forgejo` from its options.
pub(super) fn forgejo(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    Box::new(Github { options: GithubOptions::read(options, &FORGEJO), flavour: &FORGEJO })
}

/// `X-Forgejo-Signature`, `X-Gitea-Signature` or `X-Gogs-Signature`, bare hex of HMAC-SHA256; else those of GitHub. What these forges sign
/// is the payload, also where a form carries it; a blank header, as of a webhook without a secret, counts as none.
fn check(hook: &RawHook, secrets: &[Secret], unsigned: Unsigned) -> Result<(), HookError> {
    let form = match hook.media_type() {
        MediaType::Form | MediaType::Multipart => Some(Arguments::form(hook)?),
        _ => None,
    };
    let body = form.as_ref().map(|form| form.first("payload").unwrap_or_default().to_owned());
    let signed = RawHook { body: body.map_or_else(|| hook.body.clone(), Bytes::from), ..hook.clone() };
    match own_signature(&hook.headers) {
        Some(hex) if verify_hex_hmac(Hash::Sha256, &signed.body, secrets, &hex) => Ok(()),
        Some(_) => Err(HookError::forbidden("Hash mismatch")),
        None => signature::check(&signed, secrets, unsigned),
    }
}

fn judge_headers(headers: &HeaderMap, unsigned: Unsigned) -> Result<(), HookError> {
    match own_signature(headers) {
        Some(hex) if is_hex_code(Hash::Sha256, &hex) => Ok(()),
        Some(_) => Err(HookError::forbidden("Hash mismatch")),
        None => signature::read(headers, unsigned).map(drop),
    }
}

/// The signature under a name of these forges' own; none if it is blank.
fn own_signature(headers: &HeaderMap) -> Option<String> {
    let own = ["x-forgejo-signature", "x-gitea-signature", "x-gogs-signature"]
        .iter()
        .filter_map(|name| header_text(headers, name));
    own.into_iter().find(|hex| !hex.trim().is_empty())
}
