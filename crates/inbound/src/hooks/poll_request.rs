//! Requests for polls.

use super::HookError;

/// A request for polls: the pollers that somebody wants to look, and those that may be told to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollRequest {
    /// Their names; none: all that may be told to.
    pub(super) wanted: Option<Vec<String>>,
    /// The option `allowed`; none: all (H-PO-03).
    pub(super) allowed: Option<Vec<String>>,
}

impl PollRequest {
    /// Chooses of the pollers there are.
    ///
    /// # Errors
    /// 400 with those that aren't there or not allowed, which can't be told apart (H-PO-04).
    pub fn choose(&self, there: &[String]) -> Result<Vec<String>, HookError> {
        let allowed = |name: &&String| self.allowed.as_ref().is_none_or(|allowed| allowed.contains(name));
        let offered: Vec<String> = there.iter().filter(allowed).cloned().collect();
        let Some(wanted) = &self.wanted else { return Ok(offered) };
        let mut missing: Vec<&str> = Vec::new();
        for name in wanted.iter().filter(|name| !offered.contains(name)) {
            if !missing.contains(&name.as_str()) {
                missing.push(name);
            }
        }
        if missing.is_empty() {
            return Ok(offered.into_iter().filter(|name| wanted.contains(name)).collect());
        }
        Err(HookError::bad_request(format!("Could not find pollers: {}", missing.join(","))))
    }
}
