//! One version of a callback's component: its digest, and those of its exports that are callbacks.

use std::path::Path;

use wasmtime::component::InstancePre;

use super::bindings;
use super::compile::CompileError;
use super::host_state::HostState;
use super::runtime::{Linked, Runtime};

/// Names every interface that can be a callback, once: its field, its kind, its bindings, its name in the contract.
macro_rules! interfaces {
    ($($field:ident, $kind:ident, $world:ident :: $pre:ident, $name:literal, $doc:literal;)*) => {
        /// What a callback can be.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $doc] $kind,)*
        }

        impl Kind {
            /// All of the contract.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Name of the interface.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }

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

            /// Why an interface that is there by its name does not fit.
            fn misfit(linked: &InstancePre<HostState>, kind: Kind) -> Option<String> {
                match kind {
                    $(Kind::$kind => bindings::$world::$pre::new(linked.clone()).err().map(|error| format!("{error:#}")),)*
                }
            }
        }
    };
}

interfaces! {
    message_formatter, MessageFormatter, message_formatting::MessageFormattingPre, "message-formatter",
        "MailNotifier's messageFormatter.";
    previous_build_getter, PreviousBuildGetter, build_ordering::BuildOrderingPre, "previous-build-getter",
        "MailNotifier's previousBuildGetter.";
    email_lookup, EmailLookup, address_lookup::AddressLookupPre, "email-lookup", "MailNotifier's lookup.";
    review_callback, ReviewCallback, gerrit_review::GerritReviewPre, "review-callback", "GerritStatusPush's reviewCB.";
    start_callback, StartCallback, gerrit_start::GerritStartPre, "start-callback", "GerritStatusPush's startCB.";
    summary_callback, SummaryCallback, gerrit_summary::GerritSummaryPre, "summary-callback",
        "GerritStatusPush's summaryCB.";
    push_callback, PushCallback, status_pushing::StatusPushingPre, "push-callback", "StatusPush's serverPushCb.";
    announce_formatter, AnnounceFormatter, chat_announcing::ChatAnnouncingPre, "announce-formatter",
        "The IRC bot's announceFormatter.";
    hook_dialect, HookDialect, hook_parsing::HookParsingPre, "hook-dialect", "A change hook dialect of one's own.";
}

impl Kind {
    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// One version of a component, linked and ready to be called.
pub struct Version {
    digest: String,
    interpreted: bool,
    pub(super) exports: Exports,
}

impl Version {
    /// Compiles a component, or takes its finished code from the cache, and links it.
    ///
    /// # Errors
    /// When it is no component, doesn't fit the contract, or costs too much to compile.
    pub async fn of(runtime: &Runtime, wasm: Vec<u8>) -> Result<Self, CompileError> {
        let Linked { digest, interpreted, exports, instance } = runtime.load(wasm).await?;
        for kind in exports {
            // It has the name; now it must have the type.
            if let Some(reason) = Exports::misfit(&instance, kind) {
                let name = kind.name();
                return Err(CompileError::Refused(format!(
                    "its `{name}` does not fit the contract: {reason}"
                )));
            }
        }
        Ok(Self { digest, interpreted, exports: Exports::of(&instance) })
    }

    /// As `of`, from a file.
    ///
    /// # Errors
    /// As `of`, and when the file can't be read or is too large.
    pub async fn from_file(runtime: &Runtime, path: &Path) -> Result<Self, CompileError> {
        Self::of(runtime, super::compile::read_component(path).await?).await
    }

    /// Digest of the component, sha256 in hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What it can be called as.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        self.exports.kinds()
    }

    /// Whether it runs in the lane for script languages.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.interpreted
    }
}

impl std::fmt::Debug for Version {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Version").field("digest", &self.digest).field("kinds", &self.kinds()).finish()
    }
}
