//! StatusPush and HttpStatusPush: events as packets of a queue that outlives the engine. `docs/spec/push.md` gives the
//! rules by number.
//!
//! `settings` reads what both have in common, `packets` is the target with its queue, `packet` writes them, `filter`
//! leaves out what is empty, `far_side` is
//! where requests go and `signature` what signs them; `by_callback` is StatusPush, `by_form` HttpStatusPush as the manual
//! has it, `by_build` and `build_body` the later one with a body for each build.
//!
//! Invariant: the queue is the store's: packets go out oldest first, one push at a time, and are dropped only where
//! there are too many.

mod build_body;
mod by_build;
mod by_callback;
mod by_form;
mod far_side;
mod filter;
mod packet;
mod packets;
mod settings;
mod signature;

use std::sync::Arc;

use super::{Parts, Target};
use campanile_config::Reader;

pub use by_callback::from_settings as status_push_from_settings;

/// Makes a target from the n-th `[[http_status_push]]` table.
pub fn http_from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    match reader.text("form").as_deref() {
        None | Some("packets") => by_form::from_settings(reader, index, parts),
        Some("builds") => by_build::from_settings(reader, index, parts),
        Some(other) => {
            reader.error("form", format!("`form` must be `packets` or `builds`, not `{other}`"));
            None
        }
    }
}
