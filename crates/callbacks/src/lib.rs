//! The user's own functions: WebAssembly components, each call in a cage of its own.
//!
//! `inspect` looks at a component, `compile` makes code of it in a process of its own, `cache` keeps that, `runtime` is
//! the engine and what guests link to, `version` a component ready to be called, `callback` a named one in use, `cage`
//! and `call` what one call may use and leaves behind, `meter` what all of a tenant's use together, `lane` where interpreters run. Each interface of the contract is
//! a small file of its own and a line in `version`; `trial` runs any of them on a `sample` or a stored build.
//!
//! Invariant: a callback reaches nothing but what `Status` and its log give; it has no file, socket or state.

mod announce_formatter;
mod bindings;
mod cache;
mod call;
mod call_lane;
mod callback;
mod clock;
mod compile;
mod convert;
mod cpu_budget;
mod email_lookup;
mod gerrit;
mod hook_dialect;
mod host_state;
mod inspect;
mod message_formatter;
mod previous_build_getter;
mod push_callback;
mod runtime;
mod sample;
mod smoke_test;
mod status;
mod version;
mod wasi;

pub use announce_formatter::{Announcement, ChatEvent};
pub use call::{CallRecord, Caller, Level, Limits, LogLine};
pub use callback::{Callback, CallbackError, Report};
pub use compile::{CompileError, MAX_COMPONENT, compile_component};
pub use cpu_budget::CpuBudget;
pub use gerrit::{BuildInfo, Review};
pub use hook_dialect::{HookRequest, Parsed, Rejection};
pub use inspect::{Inspection, inspect};
pub use message_formatter::{FormattedMessage, MessageKind, Mode, Modes};
pub use push_callback::{HttpRequest, Packet, Pushed};
pub use runtime::Runtime;
pub use sample::{Sample, SampleError};
pub use smoke_test::{Subject, Trial, smoke_test};
pub use status::{Status, StatusError};
pub use version::{Kind, Version};
