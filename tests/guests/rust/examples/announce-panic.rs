//! An announce formatter that panics in private, and asks for the impossible in a channel.

use campanile_guest::{Announcement, Status};

fn announce(announcement: &Announcement, _: &dyn Status) -> Result<Vec<String>, String> {
    assert!(announcement.contact.starts_with('#'), "nobody shall know of {}", announcement.build.id.number);
    Ok(vec![format!("\u{2}one\u{2}\r\nQUIT :two\n\u{1}ACTION three\u{1}\n{}", "x".repeat(1_000))])
}

campanile_guest::announce_formatter!(announce);
