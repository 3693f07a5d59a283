//! The callback of chat bots: what is said of a build.

/// Exports `fn(&Announcement, &dyn Status) -> Result<Vec<String>, String>` as an announce formatter: the lines to say.
#[macro_export]
macro_rules! announce_formatter {
    ($announce:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::chat_announcing;
            use $crate::bindings::chat_announcing::exports::campanile::notifier::announce_formatter;

            struct Callback;

            impl announce_formatter::Guest for Callback {
                fn announce(announcement: $crate::Announcement) -> Result<Vec<String>, String> {
                    $crate::report_panics();
                    $announce(&announcement, &$crate::Engine)
                }
            }

    chat_announcing::export!(Callback with_types_in chat_announcing);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::Announcement, &dyn $crate::Status) -> Result<Vec<String>, String> = $announce;
    };
}
