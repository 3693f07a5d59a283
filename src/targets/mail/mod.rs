//! MailNotifier: which builds lead to a mail, to whom, and what it says.

use std::sync::Arc;

use super::{Parts, Target};
use crate::config::Reader;

/// Makes a mail target from the n-th `[[mail]]` table.
pub fn from_settings(_reader: &Reader<'_>, _index: usize, _parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    None
}
