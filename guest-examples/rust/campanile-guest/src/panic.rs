//! A panic ends the call with a bare trap; its text reaches the tenant only if it is logged first.

/// Sends the text of a panic to the tenant's callback log. The export macros call it.
pub fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|info| {
        use crate::bindings::logging::{Level, log};
        log(Level::Error, &info.to_string());
    }));
}
