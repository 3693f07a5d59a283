//! The dialect `poller`: makes no changes but has pollers look now (H-PO-01 to H-PO-05, H-PO-09).

use super::arguments::Arguments;
use super::poll_request::PollRequest;
use super::{Dialect, HookError, HookOutcome, ParsedHook, RawHook, Verified};
use campanile_config::Reader;
use campanile_model::Timestamp;

const NAME: &str = "poller";

struct Poller {
    allowed: Option<Vec<String>>,
}

/// Makes the dialect of its options.
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    let allowed = options.and_then(|options| {
        // A list that can't be read must not open everything (H-T-09).
        options.item("allowed").map(|item| item.texts("allowed").unwrap_or_default())
    });
    Box::new(Poller { allowed })
}

impl Dialect for Poller {
    fn name(&self) -> &str {
        NAME
    }

    fn allowed_pollers(&self) -> &[String] {
        self.allowed.as_deref().unwrap_or_default()
    }

    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, _now: Timestamp) -> Result<ParsedHook, HookError> {
        let wanted: Vec<String> = Arguments::read(hook.request())?.all(NAME).map(str::to_owned).collect();
        let poll =
            PollRequest { wanted: (!wanted.is_empty()).then_some(wanted), allowed: self.allowed.clone() };
        Ok(HookOutcome::Poll(poll).into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hooks::testing::{get, post, run};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn chosen(allowed: Option<&[&str]>, hook: RawHook) -> Result<Vec<String>, String> {
        let dialect = Poller { allowed: allowed.map(names) };
        let parsed = run(&dialect, hook).unwrap();
        assert_eq!((parsed.changes.len(), parsed.note), (0, None));
        let there = names(&["a", "b", "c", ""]);
        parsed
            .poll
            .unwrap()
            .choose(&there)
            .map_err(|refused| format!("{} {}", refused.status, refused.message))
    }

    #[test]
    fn h_po_01_names_come_from_query_form_and_multipart_and_none_means_all() {
        assert_eq!(chosen(None, get("")), Ok(names(&["a", "b", "c", ""])));
        assert_eq!(chosen(None, get("poller=b&poller=a")), Ok(names(&["a", "b"])));
        let form = post("application/x-www-form-urlencoded", "poller=c&poller=c");
        assert_eq!(chosen(None, form), Ok(names(&["c"])));
        let body = "--B\r\nContent-Disposition: form-data; name=\"poller\"\r\n\r\nb\r\n--B--\r\n";
        assert_eq!(chosen(None, post("multipart/form-data; boundary=B", body)), Ok(names(&["b"])));
    }

    #[test]
    fn h_po_02_names_are_exact_and_blank_is_a_name() {
        assert_eq!(chosen(None, get("poller=")), Ok(names(&[""])));
        assert_eq!(chosen(None, get("poller=A")), Err("400 Could not find pollers: A".to_owned()));
    }

    #[test]
    fn h_po_03_only_allowed_ones() {
        assert_eq!(chosen(Some(&["b", "gone"]), get("")), Ok(names(&["b"])));
        assert_eq!(chosen(Some(&[]), get("")), Ok(names(&[])));
        assert_eq!(chosen(Some(&[]), get("poller=a")), Err("400 Could not find pollers: a".to_owned()));
    }

    #[test]
    fn h_po_04_one_wrong_name_refuses_all_and_each_is_told_once_in_order() {
        let refused = chosen(Some(&["b"]), get("poller=x&poller=b&poller=a&poller=x"));
        assert_eq!(refused, Err("400 Could not find pollers: x,a".to_owned()));
    }
}
