//! `campanile.toml` as checked, typed settings, with every problem found at once and each at its `file:line`.
//!
//! `document` reads TOML into a tree that knows its lines, `reader` takes typed values out of it and notes what is
//! wrong, `settings` is the shape of the whole file. Tables of targets, dialects and pollers are handed on: only they
//! know their keys.

mod document;
mod file_scope;
mod limits;
mod problems;
mod reader;
mod regular_file;
mod secret;
mod settings;
mod signature;
mod spelling;
mod tenants;
mod units;

pub use document::Document;
use file_scope::FileScope;
pub use limits::Limits;
pub use problems::{Location, Problem, Problems, Severity};
pub use reader::{Item, Reader};
pub use regular_file::RegularFile;
pub use secret::{Secret, is_one_of, mask, random_bytes};
pub use settings::{CallbackSettings, HookSettings, MetricsAccess, ServerSettings, Settings, TABLES, User};
pub use signature::{Hash, is_hex_code, verify_hex_hmac, verify_hmac};
pub use tenants::{TenantsSettings, read_ip_ranges};
pub use units::parse_duration;
