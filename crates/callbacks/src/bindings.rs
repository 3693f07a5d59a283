//! Rust types for the contract in `wit/`, made by wasmtime from the released text itself.
#![allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::all)]

/// Interfaces that guests import, and the records that all interfaces share.
pub(super) mod host {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1.1",
        inline: "
            package campanile:host;
            world host {
                import campanile:notifier/status@0.1.1;
                import campanile:notifier/logging@0.1.1;
                import campanile:notifier/reviews@0.1.1;
            }
        ",
        imports: { default: async | trappable },
    });
}

/// One world of the contract, with those of the shared interfaces that it refers to.
macro_rules! world {
    ($module:ident, $world:literal, $($key:literal => $interface:ident),*) => {
        pub(super) mod $module {
            wasmtime::component::bindgen!({
                path: "../../wit/0.1.1",
                world: $world,
                imports: { default: async | trappable },
                exports: { default: async },
                with: { $($key: crate::bindings::host::campanile::notifier::$interface,)* },
            });
        }
    };
}

world!(
    message_formatting,
    "campanile:notifier/message-formatting",
    "campanile:notifier/types@0.1.1" => types,
    "campanile:notifier/status@0.1.1" => status,
    "campanile:notifier/logging@0.1.1" => logging
);
world!(
    build_ordering,
    "campanile:notifier/build-ordering",
    "campanile:notifier/types@0.1.1" => types,
    "campanile:notifier/status@0.1.1" => status,
    "campanile:notifier/logging@0.1.1" => logging
);
world!(
    address_lookup,
    "campanile:notifier/address-lookup",
    "campanile:notifier/logging@0.1.1" => logging
);
world!(
    gerrit_review,
    "campanile:notifier/gerrit-review",
    "campanile:notifier/types@0.1.1" => types,
    "campanile:notifier/status@0.1.1" => status,
    "campanile:notifier/logging@0.1.1" => logging,
    "campanile:notifier/reviews@0.1.1" => reviews
);
world!(
    gerrit_start,
    "campanile:notifier/gerrit-start",
    "campanile:notifier/types@0.1.1" => types,
    "campanile:notifier/status@0.1.1" => status,
    "campanile:notifier/logging@0.1.1" => logging
);
world!(
    gerrit_summary,
    "campanile:notifier/gerrit-summary",
    "campanile:notifier/types@0.1.1" => types,
    "campanile:notifier/status@0.1.1" => status,
    "campanile:notifier/logging@0.1.1" => logging,
    "campanile:notifier/reviews@0.1.1" => reviews
);
world!(
    status_pushing,
    "campanile:notifier/status-pushing",
    "campanile:notifier/types@0.1.1" => types,
    "campanile:notifier/logging@0.1.1" => logging
);
world!(
    chat_announcing,
    "campanile:notifier/chat-announcing",
    "campanile:notifier/types@0.1.1" => types,
    "campanile:notifier/status@0.1.1" => status,
    "campanile:notifier/logging@0.1.1" => logging
);
world!(
    hook_parsing,
    "campanile:notifier/hook-parsing",
    "campanile:notifier/types@0.1.1" => types,
    "campanile:notifier/logging@0.1.1" => logging
);
