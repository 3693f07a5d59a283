//! A formatter that says no.

use campanile_guest::{Message, MessageRequest, Status};

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    Err("no thanks".to_owned())
}

campanile_guest::message_formatter!(render);
