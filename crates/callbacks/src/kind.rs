//! The kinds of callback: every interface of the contract that a component can export for the engine to call.

/// Hands all interfaces to another macro. Each is listed once: its field, its kind, its bindings, its name in the
/// contract, its documentation.
macro_rules! interfaces {
    ($expand:ident) => {
        $expand! {
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
    };
}
pub(super) use interfaces;

macro_rules! kinds {
    ($($field:ident, $kind:ident, $world:ident :: $pre:ident, $name:literal, $doc:literal;)*) => {
        /// A kind of callback.
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
    };
}

interfaces!(kinds);

impl Kind {
    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}
