//! The callbacks of mail targets: what a message says, which build came before, where a person is reached.

use crate::bindings::formatter::{Kind, Message, Mode};
use crate::bindings::types::{Build, Results};

/// What a message formatter is called with.
#[derive(Clone, Debug)]
pub struct MessageRequest {
    /// When mails go out, as the expanded set.
    pub mode: Mode,
    /// Name of the builder, or `(whole buildset)`.
    pub name: String,
    /// The build as it was when it finished.
    pub build: Build,
    /// Outcome that the mail is about.
    pub results: Results,
}

impl Message {
    /// A plain-text message that leaves the subject to the settings.
    pub fn plain(body: impl Into<String>) -> Self {
        Self { subject: None, body: body.into(), kind: Kind::Plain, alternative: None, headers: Vec::new() }
    }

    /// An html message with its plain-text twin; it leaves the subject to the settings.
    pub fn html(body: impl Into<String>, alternative: impl Into<String>) -> Self {
        Self {
            subject: None,
            body: body.into(),
            kind: Kind::Html,
            alternative: Some(alternative.into()),
            headers: Vec::new(),
        }
    }
}

/// Exports `fn(&MessageRequest, &dyn Status) -> Result<Message, String>` as a `messageFormatter`.
#[macro_export]
macro_rules! message_formatter {
    ($render:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::{formatter, message_formatting, types};

            struct Callback;

            impl formatter::Guest for Callback {
                fn format_message(
                    mode: formatter::Mode,
                    name: String,
                    build: types::Build,
                    results: types::Results,
                ) -> Result<formatter::Message, String> {
                    $crate::report_panics();
                    $render(&$crate::MessageRequest { mode, name, build, results }, &$crate::Engine)
                }
            }

    message_formatting::export!(Callback with_types_in message_formatting);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::MessageRequest, &dyn $crate::Status) -> Result<$crate::Message, String> =
            $render;
    };
}

/// Exports `fn(&Build, &dyn Status) -> Result<Option<BuildId>, String>` as a `previousBuildGetter`.
#[macro_export]
macro_rules! previous_build_getter {
    ($choose:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::build_ordering;
            use $crate::bindings::build_ordering::exports::campanile::notifier::previous_build_getter;

            struct Callback;

            impl previous_build_getter::Guest for Callback {
                fn get_previous_build(build: $crate::Build) -> Result<Option<$crate::BuildId>, String> {
                    $crate::report_panics();
                    $choose(&build, &$crate::Engine)
                }
            }

    build_ordering::export!(Callback with_types_in build_ordering);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::Build, &dyn $crate::Status) -> Result<Option<$crate::BuildId>, String> = $choose;
    };
}

/// Exports `fn(&str) -> Result<Option<String>, String>` as an email `lookup`.
#[macro_export]
macro_rules! email_lookup {
    ($find:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::address_lookup;
            use $crate::bindings::address_lookup::exports::campanile::notifier::email_lookup;

            struct Callback;

            impl email_lookup::Guest for Callback {
                fn get_address(user: String) -> Result<Option<String>, String> {
                    $crate::report_panics();
                    $find(&user)
                }
            }

    address_lookup::export!(Callback with_types_in address_lookup);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&str) -> Result<Option<String>, String> = $find;
    };
}
