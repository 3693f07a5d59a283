//! One version of a callback's component: its digest, and those of its exports that are callbacks.

use std::path::Path;

use wasmtime::component::InstancePre;

use super::bindings;
use super::compile::CompileError;
use super::cpu_budget::CpuBudget;
use super::host_state::HostState;
use super::kind::{Kind, interfaces};
use super::runtime::{Linked, Runtime};

macro_rules! exports {
    ($($field:ident, $kind:ident, $world:ident :: $pre:ident, $name:literal, $doc:literal;)*) => {
        /// The callbacks that a component exports.
        pub(super) struct Exports {
            $(pub(super) $field: Option<bindings::$world::$pre<HostState>>,)*
        }

        impl Exports {
            fn of(linked: &InstancePre<HostState>) -> Self {
                Self { $($field: bindings::$world::$pre::new(linked.clone()).ok(),)* }
            }

            fn kinds(&self) -> Vec<Kind> {
                let mut kinds = Vec::new();
                $(if self.$field.is_some() { kinds.push(Kind::$kind); })*
                kinds
            }

            /// The type error of an interface that is there by its name; none if it fits.
            fn type_error(linked: &InstancePre<HostState>, kind: Kind) -> Option<String> {
                match kind {
                    $(Kind::$kind => bindings::$world::$pre::new(linked.clone()).err().map(|error| format!("{error:#}")),)*
                }
            }
        }
    };
}

interfaces!(exports);

/// One version of a component, linked and ready to be called.
pub struct Version {
    digest: String,
    interpreted: bool,
    pub(super) exports: Exports,
}

impl Version {
    /// Compiles a component in its tenant's turn, or takes its artifact from the cache, and links it.
    ///
    /// # Errors
    /// When it is no component, doesn't fit the contract, or costs too much to compile.
    pub async fn from_wasm(
        runtime: &Runtime,
        budget: &CpuBudget,
        wasm: Vec<u8>,
    ) -> Result<Self, CompileError> {
        let Linked { digest, interpreted, exports, instance } = runtime.load(budget, wasm).await?;
        for kind in exports {
            // It has the name; now it must have the type.
            if let Some(reason) = Exports::type_error(&instance, kind) {
                let name = kind.name();
                return Err(CompileError::Refused(format!(
                    "its `{name}` does not fit the contract: {reason}"
                )));
            }
        }
        Ok(Self { digest, interpreted, exports: Exports::of(&instance) })
    }

    /// As `from_wasm`, from a file.
    ///
    /// # Errors
    /// As `from_wasm`, and when the file can't be read or is too large.
    pub async fn from_file(runtime: &Runtime, budget: &CpuBudget, path: &Path) -> Result<Self, CompileError> {
        Self::from_wasm(runtime, budget, super::compile::read_component(path).await?).await
    }

    /// Digest of the component, sha256 in hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The kinds of callback that it can be called as.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        self.exports.kinds()
    }

    /// True for a guest that runs in the interpreters' lane.
    #[must_use]
    pub fn is_interpreted(&self) -> bool {
        self.interpreted
    }
}

impl std::fmt::Debug for Version {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Version").field("digest", &self.digest).field("kinds", &self.kinds()).finish()
    }
}
