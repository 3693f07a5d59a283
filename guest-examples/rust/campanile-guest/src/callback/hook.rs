//! The callback of change hooks: a request of a forge becomes changes.

use crate::bindings::hook::{HookRequest, Parsed, Rejection};
use crate::bindings::types::Change;

impl HookRequest {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}

impl Parsed {
    /// Changes whose authors are names as git has them.
    pub fn git(changes: Vec<Change>) -> Self {
        Self { changes, src: Some("git".to_owned()), note: None }
    }

    /// No changes, and why.
    pub fn nothing(note: impl Into<String>) -> Self {
        Self { changes: Vec::new(), src: None, note: Some(note.into()) }
    }
}

impl Rejection {
    /// The sender is told `status` and `message`.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

/// Exports `fn(&HookRequest, &str) -> Result<Parsed, Rejection>` as a hook dialect; the text is its options as JSON.
#[macro_export]
macro_rules! hook_dialect {
    ($parse:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::hook_parsing;
            use $crate::bindings::hook_parsing::exports::campanile::notifier::hook_dialect;

            struct Callback;

            impl hook_dialect::Guest for Callback {
                fn parse_request(
                    request: $crate::HookRequest,
                    options: String,
                ) -> Result<$crate::Parsed, $crate::Rejection> {
                    $crate::report_panics();
                    $parse(&request, &options)
                }
            }

    hook_parsing::export!(Callback with_types_in hook_parsing);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::HookRequest, &str) -> Result<$crate::Parsed, $crate::Rejection> = $parse;
    };
}
