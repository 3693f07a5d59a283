//! Imports and exports of a component, read from its bytes before anything is compiled.

use wasmparser::{Encoding, Parser, Payload};

use super::compile::CompileError;
use super::kind::Kind;

/// The package whose interfaces are callbacks.
const PACKAGE: &str = "campanile:notifier/";
/// From this size on, a component counts as an interpreter with a program inside.
const INTERPRETER_BYTES: usize = 1 << 20;

/// The outside of a component: its imports and exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Names that it wants to be given.
    pub imports: Vec<String>,
    /// Names that it offers.
    pub exports: Vec<String>,
    /// Its size in bytes.
    pub size: usize,
}

/// Reads a component's imports and exports.
///
/// # Errors
/// When it is no component.
pub fn inspect(wasm: &[u8]) -> Result<Inspection, CompileError> {
    let mut found = Inspection { size: wasm.len(), ..Inspection::default() };
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| refused(format!("it is no valid component: {error}")))?;
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(refused(
                    "it is a core module, not a component: wrap it with `wasm-tools component new`",
                ));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import =
                        import.map_err(|error| refused(format!("its imports cannot be read: {error}")))?;
                    found.imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export =
                        export.map_err(|error| refused(format!("its exports cannot be read: {error}")))?;
                    found.exports.push(export.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

impl Inspection {
    /// Callbacks of the contract among its exports.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        self.exports
            .iter()
            .filter_map(|name| Kind::from_name(interface(name.strip_prefix(PACKAGE)?)))
            .collect()
    }

    /// True if its language runtime imports WASI, which it gets closed.
    #[must_use]
    pub fn wants_wasi(&self) -> bool {
        self.imports.iter().any(|name| name.starts_with("wasi:"))
    }

    /// True if it belongs into the interpreters' lane.
    #[must_use]
    pub fn is_interpreted(&self) -> bool {
        self.size > INTERPRETER_BYTES || self.wants_wasi()
    }

    /// Everything that keeps it from being a callback, in sentences.
    #[must_use]
    pub fn validation_errors(&self) -> Vec<String> {
        let mut validation_errors = Vec::new();
        for import in &self.imports {
            if !allowed(import) {
                validation_errors.push(format!(
                    "it imports `{import}`, which callbacks don't get: they may import `{PACKAGE}status`, `logging`, \
                     and what their language needs of a closed WASI 0.2"
                ));
            }
        }
        if self.kinds().is_empty() {
            let offers = match self.exports.as_slice() {
                [] => "it exports nothing".to_owned(),
                names => format!("it exports {}", names.join(", ")),
            };
            validation_errors
                .push(format!("{offers}, but no callback of {PACKAGE}…@0.1, such as `message-formatter`"));
        }
        validation_errors
    }
}

fn allowed(import: &str) -> bool {
    const OURS: [&str; 4] = ["types", "status", "logging", "reviews"];
    // Of these, nothing reaches outside: no folder, address or variable is ever handed in.
    const WASI: [&str; 6] =
        ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
    match import.strip_prefix(PACKAGE) {
        Some(name) => OURS.contains(&interface(name)),
        None => WASI.iter().any(|package| import.starts_with(package)),
    }
}

/// An interface's name without its version.
fn interface(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

fn refused(reason: impl Into<String>) -> CompileError {
    CompileError::Refused(reason.into())
}

#[cfg(test)]
mod tests {
    use super::{Inspection, inspect};
    use crate::Kind;

    fn with(imports: &[&str], exports: &[&str]) -> Inspection {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Inspection { imports: owned(imports), exports: owned(exports), size: 100 }
    }

    #[test]
    fn kinds_are_told_by_name_whatever_the_version() {
        let found = with(&[], &["campanile:notifier/message-formatter@0.1.1", "other:thing/x", "run"]);
        assert_eq!(found.kinds(), [Kind::MessageFormatter]);
        assert!(found.validation_errors().is_empty());
    }

    #[test]
    fn what_callbacks_do_not_get_is_named() {
        let exports = ["campanile:notifier/push-callback@0.1.1"];
        let found = with(&["campanile:notifier/secrets@0.1.1", "wasi:http/outgoing-handler@0.2.0"], &exports);
        let validation_errors = found.validation_errors();
        assert_eq!(validation_errors.len(), 2, "{validation_errors:?}");
        assert!(validation_errors[0].contains("`campanile:notifier/secrets@0.1.1`"), "{validation_errors:?}");
        assert!(validation_errors[1].contains("`wasi:http/outgoing-handler@0.2.0`"), "{validation_errors:?}");
        assert!(with(&["wasi:io/poll@0.2.9"], &exports).validation_errors().is_empty());
    }

    #[test]
    fn no_callback_is_told_with_what_there_is() {
        let validation_errors = with(&[], &["foo:bar/baz"]).validation_errors();
        assert!(
            validation_errors[0].contains("it exports foo:bar/baz, but no callback"),
            "{validation_errors:?}"
        );
    }

    #[test]
    fn other_files_are_no_components() {
        let core = inspect(b"\0asm\x01\0\0\0").unwrap_err().to_string();
        assert!(core.contains("core module"), "{core}");
        for bytes in [&b"MZ not wasm"[..], b"", b"\0asm"] {
            assert!(inspect(bytes).is_err());
        }
    }
}
