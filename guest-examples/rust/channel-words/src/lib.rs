//! Few words for a busy channel: only what changed, and who was in it.

use campanile_guest::{Announcement, Event, Results, Status, flat, words};

/// A line when the result changed, or when somebody asked for just this build.
pub fn announce(announcement: &Announcement, status: &dyn Status) -> Result<Vec<String>, String> {
    let build = &announcement.build;
    let Some(results) = build.results.filter(|_| announcement.event == Event::Finished) else {
        return Ok(if announcement.asked_for { announcement.usual.clone() } else { Vec::new() });
    };
    let was_good = announcement.previous.is_none_or(is_good);
    let verb = match (was_good, is_good(results)) {
        (true, true) if !announcement.asked_for => return Ok(Vec::new()),
        (true, true) => "is fine",
        (false, true) => "is fine again",
        (true, false) => "broke",
        (false, false) => "is still broken",
    };
    let mut line = format!("{} {verb}: {} in #{}", build.id.builder, words::result(results), build.id.number);
    if was_good && !is_good(results) && !build.responsible_users.is_empty() {
        line.push_str(", with changes of ");
        line.push_str(&build.responsible_users.join(", "));
    }
    if let Some(url) = flat::url(build, status) {
        line.push(' ');
        line.push_str(&url);
    }
    Ok(vec![line])
}

fn is_good(results: Results) -> bool {
    matches!(results, Results::Success | Results::Warnings | Results::Skipped)
}

campanile_guest::announce_formatter!(announce);

#[cfg(test)]
mod tests {
    use super::announce;
    use campanile_guest::testing::{FixedStatus, build};
    use campanile_guest::{Announcement, Event, Results};

    fn said(results: Option<Results>, previous: Option<Results>, asked_for: bool) -> Vec<String> {
        let event = if results.is_some() { Event::Finished } else { Event::Started };
        let mut build = build(results.unwrap_or(Results::Success));
        (build.results, build.responsible_users) = (results, vec!["ada".to_owned(), "bob".to_owned()]);
        let announcement = Announcement {
            event,
            contact: "#ci".to_owned(),
            asked_for,
            build,
            previous,
            usual: vec!["as usual".to_owned()],
        };
        announce(&announcement, &FixedStatus { url: None, ..FixedStatus::default() })
            .expect("it has no way to fail")
    }

    #[test]
    fn only_what_changed_is_told() {
        use Results::{Failure, Success, Warnings};
        assert!(said(Some(Success), Some(Warnings), false).is_empty());
        assert_eq!(
            said(Some(Failure), Some(Success), false),
            ["linux broke: failure in #7, with changes of ada, bob"]
        );
        assert_eq!(said(Some(Failure), Some(Failure), false), ["linux is still broken: failure in #7"]);
        assert_eq!(said(Some(Success), Some(Failure), false), ["linux is fine again: success in #7"]);
    }

    #[test]
    fn who_asked_for_a_build_hears_of_it() {
        assert_eq!(said(Some(Results::Success), None, true), ["linux is fine: success in #7"]);
        assert_eq!(said(None, None, true), ["as usual"]);
        assert!(said(None, None, false).is_empty());
    }
}
