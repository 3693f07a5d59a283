//! Write callbacks for the campanile notifier engine in Rust.
//!
//! A callback is a plain function that one macro turns into a component:
//!
//! ```
//! use campanile_guest::{Kind, Message, MessageRequest, Status};
//!
//! fn render(request: &MessageRequest, _status: &dyn Status) -> Result<Message, String> {
//!     Ok(Message::plain(format!("{} is done", request.name)))
//! }
//!
//! campanile_guest::message_formatter!(render);
//! ```
//!
//! # Layout
//!
//! - [`bindings`]: what the contract in `wit/` says, as Rust types, one module per world.
//! - [`callback`]: the macros, one per callback, and what each hands to its function.
//! - [`Status`]: questions to the engine; a trait, so that rendering can be tested without one.
//! - [`escape`], [`words`], [`time`], [`json`], [`mod@change`], [`flat`]: the parts of a message.
//! - [`testing`]: a made-up build and a made-up engine, for native tests.
//!
//! Invariant: nothing here needs WASI. Everything but the export glue and the allocator also runs natively.

#[cfg(target_arch = "wasm32")]
mod allocator;
pub mod bindings;
pub mod callback;
pub mod change;
pub mod escape;
pub mod flat;
pub mod json;
mod panic;
mod status;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod time;
pub mod words;

pub use bindings::chat::{Announcement, Event};
pub use bindings::formatter::{Kind, Message, Mode};
pub use bindings::gerrit::{BuildInfo, Label, Review};
pub use bindings::hook::{HookRequest, Parsed, Rejection};
pub use bindings::push::{HttpRequest, Packet, Pushed};
pub use bindings::types::{
    Build, BuildId, Change, LogSummary, Patch, Property, Results, SourceStamp, Step, Timestamp,
};
pub use callback::{MessageRequest, ReviewRequest, StartRequest, SummaryRequest};
pub use panic::report_panics;
pub use status::{Engine, LogError, Status};
