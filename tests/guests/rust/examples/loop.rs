//! A formatter that never ends.

use campanile_guest::{Message, MessageRequest, Status};

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

campanile_guest::message_formatter!(render);
