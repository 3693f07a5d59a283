//! A formatter that writes 8 MiB of log lines. What one call may log must be cut off; the message itself is fine.

use campanile_guest::bindings::logging::{Level, log};
use campanile_guest::{Message, MessageRequest, Status};

const LINES: usize = 8 * 1024;

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    for number in 0..LINES {
        log(Level::Warn, &format!("flood {number:>6} {}", "x".repeat(1024 - 13)));
    }
    Ok(Message::plain(format!("wrote {LINES} log lines of 1 KiB")))
}

campanile_guest::message_formatter!(render);
