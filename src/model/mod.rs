//! What the engine knows about continuous integration: builders, builds, changes, results, events.
//!
//! Pure data with serde, and pure functions over it. `docs/spec/model.md` gives the rules by number.
//!
//! Invariant: imports nothing of ours and does no I/O; what needs the time of day is handed it.

mod build;
mod builder;
mod buildset;
mod change;
mod event;
mod property;
mod results;
mod source_stamp;
mod timestamp;

pub use build::{Build, BuildId, LogSummary, Step};
pub use builder::{Builder, BuilderState, Worker};
pub use buildset::{BuildRequest, Buildset};
pub use change::Change;
pub use event::{Event, LogChannel, LogRef, StepRef};
pub use property::{Properties, Property};
pub use results::{InvalidResults, Results, StepFlags};
pub use source_stamp::{Patch, SourceStamp};
pub use timestamp::{InvalidDate, Timestamp};
