//! The engine's knowledge of continuous integration: builders, builds, changes, results, events.
//!
//! Pure data with serde, and pure functions over it. `docs/spec/model.md` gives the rules by number.
//!
//! Invariant: imports nothing of ours and does no I/O; what needs the time of day is handed it.

mod build;
mod builder;
mod buildset;
mod change;
pub mod clock;
mod dict;
mod event;
pub mod interpolate;
pub mod jinja;
mod legible;
mod lenient_json;
mod literal;
mod order;
mod packet;
mod people;
mod property;
mod queries;
mod results;
mod sameness;
mod schema;
mod source_stamp;
mod spelling;
mod terminal;
mod text;
mod timestamp;
mod trace;
mod url_pattern;
mod urls;

pub use build::{Build, BuildId, LogSummary, Step};
pub use builder::{Builder, BuilderState, Worker};
pub use buildset::{BuildRequest, Buildset};
pub use change::Change;
pub use clock::now;
pub use dict::{BuilderActivity, Dicts, worker_info};
pub use event::{Event, LogChannel, LogRef, StepRef};
pub use legible::{body_text, line_text, web_link};
pub use lenient_json::{lenient_json, read_json};
pub(crate) use literal::{is_true, push_value_text};
pub use order::{
    build_number_at, last_finished, natural_order, previous_conclusive, sort_changes, tags_match,
};
pub use packet::{EXTRA_EVENTS, PACKET_SCHEMA, PacketContext, packet_name};
pub use people::{Owners, gather_owners, non_empty, one_line, owners};
pub use property::{Properties, Property};
pub use queries::{short_revision, unique_step_name};
pub use results::{ParseResultsError, Results, StepFlags};
pub use sameness::{
    SHORTEST_HASH, WHOLE_HASH, is_same_branch, is_same_codebase, is_same_commit, is_same_repository,
    is_same_revision,
};
pub use source_stamp::{Patch, SourceStamp};
pub use spelling::nearest;
pub use terminal::plain_output;
pub use text::{
    brief_text, build_text, escape_controls, listed, machinery_failed_text, state_text, step_text,
    stopped_build_text, worker_lost_text,
};
pub use timestamp::{ParseDateError, Timestamp};
pub use trace::TraceContext;
pub use url_pattern::{UrlPattern, UrlPatternError};
pub use urls::{Links, Master, Named, NamedStep, UrlStyle};
