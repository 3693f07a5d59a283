//! The callback of push targets: queued events become requests, which the engine sends and retries.

/// Exports `fn(&[Packet]) -> Result<Pushed, String>` as a `serverPushCb`.
#[macro_export]
macro_rules! push_callback {
    ($push:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::status_pushing;
            use $crate::bindings::status_pushing::exports::campanile::notifier::push_callback;

            struct Callback;

            impl push_callback::Guest for Callback {
                fn push_packets(packets: Vec<$crate::Packet>) -> Result<$crate::Pushed, String> {
                    $crate::report_panics();
                    $push(&packets)
                }
            }

    status_pushing::export!(Callback with_types_in status_pushing);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&[$crate::Packet]) -> Result<$crate::Pushed, String> = $push;
    };
}
