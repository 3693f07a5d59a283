//! `campanile.toml` as checked, typed settings, with every problem found at once and each at its `file:line`.
//!
//! `document` reads TOML into a tree that knows its places, `reader` takes typed values out of it and notes what is
//! wrong, `settings` is the shape of the whole file. What a target, a dialect or a poller may be told is theirs to
//! read: here their tables are only handed on.

mod document;
mod limits;
mod problems;
mod reach;
mod reader;
mod secret;
mod settings;
mod signature;
mod spelling;
mod tenants;
mod units;

pub use document::Document;
pub use limits::Limits;
pub use problems::{Place, Problem, Problems, Severity};
pub use reach::Reach;
pub use reader::{Item, Reader};
pub use secret::{Secret, random};
pub use settings::{CallbackSettings, HookSettings, ServerSettings, Settings, TABLES, User};
pub use signature::{Hash, is_mac, is_signed};
pub use tenants::{TenantsSettings, ranges};
pub use units::parse_duration;
