//! The contract in `wit/` as Rust types, one module per world.
//!
//! A further world is one more `world!` line below and one more macro in [`crate::callback`].
//! All worlds share the types of the first one, so a helper written for one callback serves the others; only what
//! an interface defines for itself is generated with its world.
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

/// Bindings of a world; after `shares` the interfaces of the contract whose types are generated elsewhere.
macro_rules! world {
    ($module:ident, $world:literal, $export:ident, $export_name:literal,
     shares $($interface:literal from $shared:path),*) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                world: $world,
                pub_export_macro: true,
                export_macro_name: $export_name,
                with: { $($interface: $shared),* },
            });
            pub use $export as export;
        }
    };
}

world!(build_ordering, "build-ordering", export_build_ordering, "export_build_ordering",
    shares "campanile:notifier/types@0.1.1" from crate::bindings::types,
    "campanile:notifier/status@0.1.1" from crate::bindings::status,
    "campanile:notifier/logging@0.1.1" from crate::bindings::logging);
world!(address_lookup, "address-lookup", export_address_lookup, "export_address_lookup",
    shares "campanile:notifier/logging@0.1.1" from crate::bindings::logging);
world!(gerrit_review, "gerrit-review", export_gerrit_review, "export_gerrit_review",
    shares "campanile:notifier/types@0.1.1" from crate::bindings::types,
    "campanile:notifier/status@0.1.1" from crate::bindings::status,
    "campanile:notifier/logging@0.1.1" from crate::bindings::logging);
world!(gerrit_start, "gerrit-start", export_gerrit_start, "export_gerrit_start",
    shares "campanile:notifier/types@0.1.1" from crate::bindings::types,
    "campanile:notifier/status@0.1.1" from crate::bindings::status,
    "campanile:notifier/logging@0.1.1" from crate::bindings::logging);
world!(gerrit_summary, "gerrit-summary", export_gerrit_summary, "export_gerrit_summary",
    shares "campanile:notifier/types@0.1.1" from crate::bindings::types,
    "campanile:notifier/reviews@0.1.1" from crate::bindings::gerrit_review::campanile::notifier::reviews,
    "campanile:notifier/status@0.1.1" from crate::bindings::status,
    "campanile:notifier/logging@0.1.1" from crate::bindings::logging);
world!(status_pushing, "status-pushing", export_status_pushing, "export_status_pushing",
    shares "campanile:notifier/types@0.1.1" from crate::bindings::types,
    "campanile:notifier/logging@0.1.1" from crate::bindings::logging);
world!(chat_announcing, "chat-announcing", export_chat_announcing, "export_chat_announcing",
    shares "campanile:notifier/types@0.1.1" from crate::bindings::types,
    "campanile:notifier/status@0.1.1" from crate::bindings::status,
    "campanile:notifier/logging@0.1.1" from crate::bindings::logging);
world!(hook_parsing, "hook-parsing", export_hook_parsing, "export_hook_parsing",
    shares "campanile:notifier/types@0.1.1" from crate::bindings::types,
    "campanile:notifier/logging@0.1.1" from crate::bindings::logging);

/// What Gerrit reviews are made of.
pub mod gerrit {
    pub use super::gerrit_review::campanile::notifier::reviews::{Label, Review};
    pub use super::gerrit_summary::exports::campanile::notifier::summary_callback::BuildInfo;
}

/// What queued events and the requests made of them are.
pub mod push {
    pub use super::status_pushing::exports::campanile::notifier::push_callback::{
        HttpRequest, Packet, Pushed,
    };
}

/// What a chat bot is about to say.
pub mod chat {
    pub use super::chat_announcing::exports::campanile::notifier::announce_formatter::{Announcement, Event};
}

/// What a hook dialect is handed and answers.
pub mod hook {
    pub use super::hook_parsing::exports::campanile::notifier::hook_dialect::{
        HookRequest, Parsed, Rejection,
    };
}
