//! A change hook dialect of one's own (H-WASM).

use serde::Serialize;
use serde_json::Value;

use super::bindings::hook_parsing::exports::campanile::notifier::hook_dialect as wit;
use super::call::shortened;
use super::callback::{CallCost, Callback, sandboxed_call};
use super::caller::Caller;
use super::convert;
use super::error::{CallbackError, MAX_TEXT};
use super::kind::Kind;
use campanile_model::Change;

/// A request to a hook, as a dialect sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookRequest {
    /// Such as `POST`.
    pub method: String,
    /// Arguments of the address.
    pub query: Vec<(String, String)>,
    /// Names in lower case, and values. What proves the sender is left out.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

/// Changes that a dialect read out of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parsed {
    /// In the order in which they were made.
    pub changes: Vec<Change>,
    /// Kind of user names that the authors are: `git`, `hg`, `svn`...
    pub src: Option<String>,
    /// For the log: why there are no changes.
    pub note: Option<String>,
}

/// A dialect's own refusal of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{status}: {message}")]
pub struct Rejection {
    /// HTTP status, 400 to 499.
    pub status: u16,
    /// For whoever sent it.
    pub message: String,
}

impl Callback {
    /// Has a request read. The inner error is the dialect's refusal.
    ///
    /// # Errors
    /// When the component has no dialect, traps, or meets a limit.
    pub async fn parse_request(
        &self,
        caller: &Caller,
        request: HookRequest,
        options: &Value,
    ) -> Result<(Result<Parsed, Rejection>, CallCost), CallbackError> {
        let HookRequest { method, query, headers, body } = request;
        let (request, options) = (wit::HookRequest { method, query, headers, body }, options.to_string());
        let (answer, cost) =
            sandboxed_call!(self, caller, hook_dialect, Kind::HookDialect, |store, instance| {
                let exports = instance.campanile_notifier_hook_dialect();
                exports.call_parse_request(&mut store, &request, &options)
            });
        let answer = match answer {
            Ok(parsed) => {
                let parsed = parsed_from(parsed)?;
                // In the form in which changes are kept.
                self.within_output(serde_json::to_string(&parsed).map_or(usize::MAX, |text| text.len()))?;
                Ok(parsed)
            }
            // Success and redirection are not a guest's to promise.
            Err(wit::Rejection { status, message }) => {
                let message = shortened(message, MAX_TEXT);
                Err(Rejection { status: if (400..500).contains(&status) { status } else { 400 }, message })
            }
        };
        Ok((answer, cost))
    }
}

fn parsed_from(parsed: wit::Parsed) -> Result<Parsed, CallbackError> {
    let changes: Result<_, String> = parsed.changes.into_iter().map(convert::change_from).collect();
    let changes = changes.map_err(CallbackError::answered)?;
    Ok(Parsed { changes, src: parsed.src, note: parsed.note })
}
