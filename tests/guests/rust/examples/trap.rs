//! A formatter that panics.

use campanile_guest::{Message, MessageRequest, Status};

fn render(request: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    panic!("the formatter gave up on build {}", request.build.id.number)
}

campanile_guest::message_formatter!(render);
