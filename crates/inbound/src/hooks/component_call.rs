//! The call of a dialect's component.

use serde_json::Value;

use super::HookError;
use super::commit::{Overrides, once_each, one_line};
use campanile_callbacks::{Callback, Caller, HookRequest};
use campanile_model::{Change, Timestamp};

/// A call of a dialect's component, to be made.
pub struct ComponentCall {
    pub(super) callback: Callback,
    pub(super) options: Value,
    pub(super) request: HookRequest,
    pub(super) overrides: Overrides,
}

impl std::fmt::Debug for ComponentCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentCall").field("callback", &self.callback.name()).finish_non_exhaustive()
    }
}

impl PartialEq for ComponentCall {
    fn eq(&self, other: &Self) -> bool {
        self.callback.name() == other.callback.name() && self.request == other.request
    }
}

impl ComponentCall {
    /// Calls the component; its changes become like those of every dialect (H-WASM-04).
    ///
    /// # Errors
    /// The component's own refusal, 400 to 499; 500 if it failed (H-WASM-03).
    pub async fn run(
        self,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<(Vec<Change>, Option<String>), HookError> {
        let Self { callback, options, request, overrides } = self;
        let parsed = match callback.parse_request(caller, request, &options).await {
            Ok((Ok(parsed), _)) => parsed,
            Ok((Err(refused), _)) => {
                return Err(HookError { status: refused.status, message: one_line(&refused.message) });
            }
            Err(fault) => {
                tracing::warn!(callback = callback.name(), "hook dialect failed: {fault}");
                return Err(HookError { status: 500, message: "Error processing changes.".to_owned() });
            }
        };
        let present = |text: Option<String>| text.filter(|text| !text.is_empty());
        let finished = |change: Change| {
            let mut change = Change {
                who: one_line(&change.who),
                committer: present(change.committer.map(|name| one_line(&name))),
                files: once_each(change.files),
                revision: present(change.revision),
                branch: present(change.branch),
                category: present(change.category),
                src: parsed.src.clone(),
                ..change
            };
            overrides.apply(&mut change);
            change.clamp_time(now);
            change
        };
        Ok((parsed.changes.into_iter().map(finished).collect(), parsed.note))
    }
}
