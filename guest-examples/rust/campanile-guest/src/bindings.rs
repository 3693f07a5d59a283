//! The contract in `wit/` as Rust types, one module per world.
//!
//! A further world is one more `world!` line below and one more macro in [`crate::callback`].
//! All worlds share the types of the first one, so a helper written for one callback serves the others.
#![allow(missing_docs, unreachable_pub, clippy::all)]

pub use message_formatting::campanile::notifier::{logging, status, types};
pub use message_formatting::exports::campanile::notifier::message_formatter as formatter;

/// World `message-formatting`: the one whose generated types the other worlds share.
pub mod message_formatting {
    wit_bindgen::generate!({
        path: "wit",
        world: "message-formatting",
        pub_export_macro: true,
        export_macro_name: "export_message_formatting",
        default_bindings_module: "campanile_guest::bindings::message_formatting",
    });
    pub use export_message_formatting as export;
}

/// Bindings of a world that imports no interface of its own.
macro_rules! world {
    ($module:ident, $world:literal, $export:ident, $export_name:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                world: $world,
                pub_export_macro: true,
                export_macro_name: $export_name,
                with: {
                    "campanile:notifier/types@0.1.0": crate::bindings::types,
                    "campanile:notifier/status@0.1.0": crate::bindings::status,
                    "campanile:notifier/logging@0.1.0": crate::bindings::logging,
                },
            });
            pub use $export as export;
        }
    };
}

world!(build_ordering, "build-ordering", export_build_ordering, "export_build_ordering");
