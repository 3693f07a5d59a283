//! StatusPush and HttpStatusPush: events as packets of a queue that outlives the engine. `docs/spec/push.md` gives the
//! rules by number.
//!
//! `settings` reads the keys that both have, `decide` tells which events are queued, `packet` makes packets of them
//! without the empty values that `filter` takes out, `payload` is their stored form, and `send` is the target that
//! hands them over in chunks: by a callback (`callback_push`, StatusPush, whose `stored_requests` are kept) or as a form (`form_push`, HttpStatusPush as
//! the manual has it). `build_push` is the later HttpStatusPush, a target of its own with a body for each build
//! (`build_body`). `endpoint` is an address with its credentials, `signature` signs what goes there.
//!
//! Invariant: the queue is the store's: packets go out oldest first, one push at a time, and are dropped only where
//! there are too many.

mod build_body;
mod build_push;
mod callback_push;
mod decide;
mod endpoint;
mod filter;
mod form_push;
mod packet;
mod payload;
mod send;
mod settings;
mod signature;
mod stored_requests;

use std::sync::Arc;

use crate::{Parts, Target};
use campanile_config::Reader;

pub(crate) use callback_push::from_settings as status_push_from_settings;

/// Makes a target of the n-th `[[http_status_push]]` table.
pub(crate) fn http_from_settings(
    reader: &Reader<'_>,
    index: usize,
    parts: &Parts<'_>,
) -> Option<Arc<dyn Target>> {
    match reader.text("form").as_deref() {
        None | Some("packets") => form_push::from_settings(reader, index, parts),
        Some("builds") => build_push::from_settings(reader, index, parts),
        Some(other) => {
            reader.error("form", format!("`form` must be `packets` or `builds`, not `{other}`"));
            None
        }
    }
}
