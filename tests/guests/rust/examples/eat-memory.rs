//! A formatter that takes memory, touches it and never stops.

use campanile_guest::{Message, MessageRequest, Status};

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    let mut eaten = Vec::new();
    loop {
        eaten.push(std::hint::black_box(vec![1_u8; 1024 * 1024]));
    }
}

campanile_guest::message_formatter!(render);
