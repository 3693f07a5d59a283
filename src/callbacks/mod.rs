//! The user's own functions: WebAssembly components, each call in a cage of its own.
//!
//! `runtime` is the engine and what guests link to, `compile` makes code of components in a process of its own, `cage`
//! is what one call may use, `callback` is a named one in use. Each interface of the contract is a small file:
//! `message_formatter`, `previous_build_getter`.
//!
//! Invariant: a callback reaches nothing but what `Status` and its log give; it has no file, clock, socket or state.

mod bindings;
mod cage;
mod callback;
mod clock;
mod compile;
mod convert;
mod message_formatter;
mod previous_build_getter;
mod runtime;
mod status;

pub use cage::Limits;
pub use callback::{Callback, CallbackFault, Report};
pub use compile::{CompileError, compile_component};
pub use message_formatter::{FormattedMessage, MessageKind, Mode, Modes};
pub use runtime::Runtime;
pub use status::{Status, StatusError};
