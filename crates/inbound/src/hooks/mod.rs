//! Change hooks: HTTP requests of forges and scripts become changes (`docs/spec/change-hooks.md`).
//!
//! A request is verified, then parsed; a dialect does both, and knows of nothing else. Files are named after what
//! they hold: a dialect each (`base`, `github`...), and what dialects share (`arguments`, `commit`, `json`, `options`,
//! `outcome`, `payload`, `push`, `signature`, `whitelist`). A dialect is added by its file and one line in
//! [`DIALECTS`].
//!
//! Invariant: no I/O but reading the password file; knows nothing of the store, the engine or routes.

mod arguments;
mod auth;
mod base;
mod bitbucket;
mod bitbucket_cloud;
mod bitbucket_events;
mod bitbucket_server;
mod commit;
mod component;
mod component_call;
mod error;
mod gitea;
mod github;
mod github_flavour;
mod github_look_up;
mod github_options;
mod github_pull_request;
mod gitlab;
mod gitlab_merge_request;
mod gitlab_options;
mod gitorious;
mod googlecode;
mod json;
mod options;
mod outcome;
mod payload;
mod poll_request;
mod poller;
mod push;
mod request;
mod signature;
#[cfg(test)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod verified;
mod whitelist;

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderMap;

pub use component_call::ComponentCall;
pub use error::HookError;
pub use github_look_up::LookUp;
pub use outcome::{HookOutcome, ParsedHook};
pub use poll_request::PollRequest;
pub use request::{Method, RawHook, Verified};

use crate::HeaderProof;
use campanile_callbacks::Callback;
use campanile_config::{Reader, Settings};
use campanile_model::Timestamp;
use campanile_outbound::Outbound;

/// A change hook dialect: one HTTP request in, changes out. Pure: it does no I/O.
///
/// A request goes through `verify` and then `parse`. The order is kept by types: `parse` takes a [`Verified`], which only
/// `verify` makes, so that no parser ever reads a body of somebody who was not proven.
pub trait Dialect: Send + Sync {
    /// Its name in addresses and settings.
    fn name(&self) -> &str;

    /// The methods it takes (H-GEN-07): both, unless it is younger than the habit of sending everything in a query.
    fn methods(&self) -> &'static [Method] {
        BOTH_METHODS
    }

    /// True if it has a secret of its own to prove senders by (H-AUTH-08).
    fn has_secret(&self) -> bool {
        false
    }

    /// A warning for the check of settings, beside those about its options (H-GC-04).
    fn warning(&self) -> Option<&'static str> {
        None
    }

    /// The source whose events it passes on when they come in here: what a forge with one webhook for everything needs.
    fn builds(&self) -> Option<&'static str> {
        None
    }

    /// Pollers that it names as those that may be told to look (H-PO-09).
    fn allowed_pollers(&self) -> &[String] {
        &[]
    }

    /// Judges a request before its body is read: a proof that is missing or can be none is refused here (H-GEN-21).
    ///
    /// # Errors
    /// 403 with the text that `verify` would have.
    fn judge_headers(&self, _method: Method, _headers: &HeaderMap) -> Result<HeaderProof, HookError> {
        Ok(HeaderProof::WithBody)
    }

    /// Proves the sender by signature or token, before anything is parsed.
    ///
    /// # Errors
    /// 403 with the dialect's text (H-GEN-12).
    fn verify(&self, request: RawHook) -> Result<Verified, HookError>;

    /// Makes changes of the request.
    ///
    /// # Errors
    /// 400, with the error and its path (H-GEN-14).
    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<ParsedHook, HookError>;
}

const BOTH_METHODS: &[Method] = &[Method::Get, Method::Post];

/// Makes a dialect from its options (none: all defaults), noting what is wrong with them.
enum FromOptions {
    Alone(fn(Option<&Reader<'_>>) -> Box<dyn Dialect>),
    /// For those that ask somebody else about what they were told.
    WithOutbound(fn(Option<&Reader<'_>>, &Outbound) -> Box<dyn Dialect>),
}

use FromOptions::{Alone, WithOutbound};

/// The dialects there are.
const DIALECTS: &[(&str, FromOptions)] = &[
    ("base", Alone(base::from_options)),
    ("bitbucket", Alone(bitbucket::from_options)),
    ("bitbucketcloud", Alone(bitbucket_cloud::from_options)),
    ("bitbucketserver", Alone(bitbucket_server::from_options)),
    ("forgejo", Alone(gitea::forgejo)),
    ("gitea", Alone(gitea::gitea)),
    ("github", WithOutbound(github::from_options)),
    ("gitlab", Alone(gitlab::from_options)),
    ("gitorious", Alone(gitorious::from_options)),
    ("googlecode", Alone(googlecode::from_options)),
    ("poller", Alone(poller::from_options)),
];

/// The change hooks of one tenant, as its settings have them.
pub struct Hooks {
    auth: Option<auth::Auth>,
    dialects: BTreeMap<String, Box<dyn Dialect>>,
    max_body: u64,
}

impl Hooks {
    /// Reads `[change_hooks.dialects]`, and checks `change_hooks.auth` (H-GEN-03 to H-GEN-05, H-AUTH-02, H-AUTH-05,
    /// H-AUTH-08).
    #[must_use]
    pub fn from_settings(
        root: &Reader<'_>,
        settings: &Settings,
        callbacks: &BTreeMap<String, Callback>,
        outbound: &Outbound,
    ) -> Self {
        let table = root.table("change_hooks");
        let listed = table.as_ref().and_then(|table| table.table("dialects"));
        let dialects =
            listed.as_ref().map(|listed| read_dialects(listed, callbacks, outbound)).unwrap_or_default();
        let auth = settings.hooks.auth.as_deref();
        let auth = auth.map(|descriptions| auth::Auth::from_settings(descriptions, table.as_ref()));
        if let (Some(listed), None, false) = (&listed, &auth, settings.server.listen.ip().is_loopback()) {
            for dialect in dialects.values().filter(|dialect| !dialect.has_secret()) {
                let name = dialect.name();
                let text = format!(
                    "change hook `{name}` has no guard: anyone who can reach {} can fake a push; set \
                     `change_hooks.auth` or a `secret`",
                    settings.server.listen
                );
                listed.warning(name, text);
            }
        }
        Self { auth, dialects, max_body: settings.hooks.max_body }
    }

    /// Warns of names in `allowed` that no poller has (H-PO-09).
    pub fn warn_of_unknown_pollers(&self, root: &Reader<'_>, there: &[&str]) {
        let listed = root.table("change_hooks").and_then(|table| table.table("dialects"));
        let Some(listed) = listed else { return };
        for (name, dialect) in &self.dialects {
            for unknown in dialect.allowed_pollers().iter().filter(|name| !there.contains(&name.as_str())) {
                listed.warning(name, format!("`{name}.allowed`: there is no poller `{unknown}`"));
            }
        }
    }

    /// True if any dialect is enabled; if not, there is no such route (H-GEN-03).
    #[must_use]
    pub fn any(&self) -> bool {
        !self.dialects.is_empty()
    }

    /// True if `change_hooks.auth` lets anyone use the hooks (H-AUTH-01).
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.auth.is_none()
    }

    /// True if [`authorize`](Self::authorize) may block, on a file or on a password hash: call it where that is no
    /// harm.
    #[must_use]
    pub fn auth_is_slow(&self) -> bool {
        self.auth.as_ref().is_some_and(auth::Auth::is_slow)
    }

    /// Checks user and password, if the settings ask for one (H-AUTH-01 to H-AUTH-07).
    ///
    /// # Errors
    /// 401, to be sent with `WWW-Authenticate: Basic realm="Protected area"`.
    pub fn authorize(&self, headers: &HeaderMap) -> Result<(), HookError> {
        self.auth.as_ref().map_or(Ok(()), |auth| auth.authorize(headers))
    }

    /// True if a request may pass by a password that was verified before, without computing its hash once more. May read a
    /// file.
    #[must_use]
    pub fn remembers(&self, headers: &HeaderMap) -> bool {
        self.auth.as_ref().is_some_and(|auth| auth.remembers(headers))
    }

    /// The enabled dialect of this name.
    ///
    /// # Errors
    /// 400 with the text of H-GEN-06, whether there is a dialect of this name or not.
    pub fn dialect(&self, name: &str) -> Result<&dyn Dialect, HookError> {
        self.dialects.get(name).map(AsRef::as_ref).ok_or_else(|| {
            HookError::bad_request(format!(
                "The dialect specified, '{name}', wasn't whitelisted in change_hook"
            ))
        })
    }

    /// Largest body taken, in bytes (H-GEN-13).
    #[must_use]
    pub fn max_body(&self) -> u64 {
        self.max_body
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.dialects.keys().collect();
        f.debug_struct("Hooks").field("auth", &self.auth).field("dialects", &names).finish_non_exhaustive()
    }
}

fn read_dialects(
    listed: &Reader<'_>,
    callbacks: &BTreeMap<String, Callback>,
    outbound: &Outbound,
) -> BTreeMap<String, Box<dyn Dialect>> {
    let mut dialects = BTreeMap::new();
    for (name, item) in listed.entries() {
        if item.as_boolean() == Some(false) {
            continue;
        }
        let Some((_, make)) = DIALECTS.iter().find(|(known, _)| *known == name) else {
            let path = format!("change_hooks.dialects.{name}");
            if let Some(table) = item.table(&path).filter(|table| table.item("callback").is_some()) {
                if let Some(dialect) = component::from_options(name, &table, callbacks) {
                    dialects.insert(name.to_owned(), dialect);
                }
                table.finish();
                continue;
            }
            let known: Vec<_> = DIALECTS.iter().map(|(known, _)| format!("`{known}`")).collect();
            let known = known.join(", ");
            item.error(format!(
                "there is no change hook dialect `{name}`: known are {known}; one of your own has a `callback`"
            ));
            continue;
        };
        let options = item.table(&format!("change_hooks.dialects.{name}"));
        if options.is_none() && item.as_boolean().is_none() {
            item.error(format!("`{name}` must be true, false or a table of options"));
            continue;
        }
        let dialect = match make {
            Alone(make) => make(options.as_ref()),
            WithOutbound(make) => make(options.as_ref(), outbound),
        };
        if let Some(text) = dialect.warning() {
            item.warning(format!("change hook `{name}`: {text}"));
        }
        dialects.insert(name.to_owned(), dialect);
        if let Some(options) = options {
            options.finish();
        }
    }
    dialects
}

/// The text of a request that was taken (H-GEN-10, H-GEN-11).
#[must_use]
pub fn answer_text(changes: usize) -> String {
    match changes {
        0 => "no changes found".to_owned(),
        1 => "1 change found".to_owned(),
        many => format!("{many} changes found"),
    }
}
