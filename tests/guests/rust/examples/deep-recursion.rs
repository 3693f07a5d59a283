//! A formatter that calls itself ever deeper. The limit of the WebAssembly stack must stop it.

use campanile_guest::{Message, MessageRequest, Status};

fn render(request: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    let never = request.build.id.number.wrapping_sub(1);
    Ok(Message::plain(format!("came back with {}", deeper(request.build.id.number, never))))
}

/// Needs no memory, only stack: neither a loop nor a tail call can stand for it.
#[inline(never)]
fn deeper(depth: u64, end: u64) -> u64 {
    if depth == end { 1 } else { deeper(depth.wrapping_add(1), end).rotate_left(7) ^ depth }
}

campanile_guest::message_formatter!(render);
