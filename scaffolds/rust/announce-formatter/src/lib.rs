//! What a chat bot says of a build: at its end its result and where to look, in one short line.

use campanile_guest::{Announcement, Event, Status, flat, words};

/// The lines to say. What begins is told as usual; an empty list would say nothing.
pub fn announce(announcement: &Announcement, status: &dyn Status) -> Result<Vec<String>, String> {
    let build = &announcement.build;
    let Some(results) = build.results.filter(|_| announcement.event == Event::Finished) else {
        return Ok(announcement.usual.clone());
    };
    let mut line = format!("{} #{}: {}", build.id.builder, build.id.number, words::result(results));
    if let Some(url) = flat::url(build, status) {
        line += &format!(" {url}");
    }
    Ok(vec![line])
}

campanile_guest::announce_formatter!(announce);

#[cfg(test)]
mod tests {
    use super::announce;
    use campanile_guest::testing::{FixedStatus, build};
    use campanile_guest::{Announcement, Event, Results};

    fn said(event: Event) -> Vec<String> {
        let announcement = Announcement {
            event,
            contact: "#ci".to_owned(),
            asked_for: false,
            build: build(Results::Failure),
            previous: Some(Results::Success),
            usual: vec!["as usual".to_owned()],
        };
        announce(&announcement, &FixedStatus::default()).expect("it has no way to fail")
    }

    #[test]
    fn the_end_is_one_short_line() {
        assert_eq!(said(Event::Finished), ["linux #7: failure https://ci.example/builders/linux/builds/7"]);
    }

    #[test]
    fn a_start_is_told_as_usual() {
        assert_eq!(said(Event::Started), ["as usual"]);
    }
}
