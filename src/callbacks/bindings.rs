//! Rust types for the contract in `wit/`, made by wasmtime from the released text itself.
#![allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::all)]

/// What guests import, and the records that all interfaces share.
pub(super) mod host {
    wasmtime::component::bindgen!({
        path: "wit/0.1.0",
        inline: "
            package campanile:host;
            world host {
                import campanile:notifier/status@0.1.0;
                import campanile:notifier/logging@0.1.0;
            }
        ",
        imports: { default: async | trappable },
    });
}

/// `message-formatter`.
pub(super) mod message_formatting {
    wasmtime::component::bindgen!({
        path: "wit/0.1.0",
        world: "campanile:notifier/message-formatting",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "campanile:notifier/types@0.1.0": super::host::campanile::notifier::types,
            "campanile:notifier/status@0.1.0": super::host::campanile::notifier::status,
            "campanile:notifier/logging@0.1.0": super::host::campanile::notifier::logging,
        },
    });
}

/// `previous-build-getter`.
pub(super) mod build_ordering {
    wasmtime::component::bindgen!({
        path: "wit/0.1.0",
        world: "campanile:notifier/build-ordering",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "campanile:notifier/types@0.1.0": super::host::campanile::notifier::types,
            "campanile:notifier/status@0.1.0": super::host::campanile::notifier::status,
            "campanile:notifier/logging@0.1.0": super::host::campanile::notifier::logging,
        },
    });
}
