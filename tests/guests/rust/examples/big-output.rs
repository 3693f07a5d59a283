//! A formatter with a body of 40 MiB.

use campanile_guest::{Message, MessageRequest, Status};

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    Ok(Message::plain("x".repeat(40 * 1024 * 1024)))
}

campanile_guest::message_formatter!(render);
