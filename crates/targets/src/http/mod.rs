//! The parts that targets share which send by HTTP: credentials, paths, and the outcome that a reply stands for.
//!
//! Invariant: knows no forge, no Gerrit and no table's own keys but those of `credentials`. It sends nothing itself:
//! that is `campanile_outbound`'s.

mod credentials;
mod outcome;
mod path;
mod rate_limit;
#[cfg(test)]
mod table_tests;

pub(crate) use credentials::{CachedToken, Credentials};
pub(crate) use outcome::{deferred, fault_of, outcome, require_success, transport_fault};
pub(crate) use path::below;
pub(crate) use rate_limit::RateLimitWarning;

use campanile_config::Secret;
use campanile_outbound::Request;

/// Media type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// Media type of JSON.
pub(crate) const JSON: &str = "application/json";

/// Adds a user and a password to a request, if there are any.
pub(crate) fn with_basic_auth(request: Request, login: Option<&(String, Secret)>) -> Request {
    match login {
        Some((user, password)) => request.basic_auth(user, password),
        None => request,
    }
}
