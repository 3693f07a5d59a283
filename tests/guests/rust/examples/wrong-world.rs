//! A component of a contract that is not the engine's: it exports a formatter of another package. Loading must refuse
//! it and say what is missing.

// A native linker takes no exports of such names.
#[cfg(target_arch = "wasm32")]
#[allow(missing_docs)]
mod elsewhere {
    wit_bindgen::generate!({
        inline: "
            package elsewhere:notifier@0.1.0;
            interface message-formatter { format-message: func(name: string) -> result<string, string>; }
            world message-formatting { export message-formatter; }
        ",
    });

    struct Callback;

    impl exports::elsewhere::notifier::message_formatter::Guest for Callback {
        fn format_message(name: String) -> Result<String, String> {
            Ok(name)
        }
    }

    export!(Callback);
}
