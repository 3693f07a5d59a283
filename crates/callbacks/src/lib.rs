//! Callbacks: the users' own functions, as WebAssembly components, each call in a sandbox of its own.
//!
//! Reading order: `kind` (the interfaces of the contract), `inspect` (imports and exports of a component), `compile` (in
//! a process of its own), `cache` (artifacts), `runtime` (the engine, and what guests link), `version` (a component ready
//! to be called), `callback` (a named one in use), `host_state` and `call` (limits and traces of a call), `cpu_budget`
//! (what all of a tenant's use together), `fair_semaphore` (turns of tenants at what they share), `call_lane` (threads for
//! interpreters and long calls). `template_renderer`: templates of settings, in a process of their own too. Each interface of the
//! contract is a small file of its own and a line in `kind`; `smoke_test` calls any of them on a `sample` or a stored
//! build.
//!
//! Invariant: a callback reaches nothing but what `Status` and its log give; it has no file, socket or state.

mod announce_formatter;
mod bindings;
mod cache;
mod call;
mod call_lane;
mod callback;
mod caller;
mod compile;
mod convert;
mod cpu_budget;
mod email_lookup;
mod epoch_ticker;
mod error;
mod fair_semaphore;
mod gerrit;
mod hook_dialect;
mod host_state;
mod inspect;
mod kind;
mod message_formatter;
mod previous_build_getter;
mod push_callback;
mod runtime;
mod sample;
mod smoke_test;
mod status;
mod template_renderer;
mod version;
mod wasi;

pub use announce_formatter::{Announcement, ChatEvent};
pub use call::{CallRecord, Level, LogLine};
pub use callback::{CallCost, Callback};
pub use caller::Caller;
pub use compile::{CompileError, MAX_COMPONENT, compile_component, read_component};
pub use cpu_budget::CpuBudget;
pub use error::CallbackError;
pub use fair_semaphore::{FairPermit, FairSemaphore, Share};
pub use gerrit::{BuildInfo, Review};
pub use hook_dialect::{HookRequest, Parsed, Rejection};
pub use inspect::{Inspection, inspect};
pub use kind::Kind;
pub use message_formatter::{FormattedMessage, MessageKind, Mode, Modes};
pub use push_callback::{HttpRequest, Packet, PushOutcome};
pub use runtime::Runtime;
pub use sample::{Sample, SampleError};
pub use smoke_test::{Subject, Trial, smoke_test};
pub use status::{Status, StatusError};
pub use template_renderer::{TemplateRenderer, render_templates};
pub use version::Version;
