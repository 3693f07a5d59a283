//! A formatter that claims a body of 1 GiB, far beyond its own memory. The check of what a result points to must stop
//! it, and nothing of that size may be set aside for it.

use campanile_guest::{Message, MessageRequest, Status};
use std::ptr::NonNull;

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    // SAFETY: none, and that is the point. Nobody reads or frees the text on this side: the glue hands out address and
    // length, and the call is over.
    let body = unsafe { String::from_raw_parts(NonNull::<u8>::dangling().as_ptr(), 1 << 30, 1 << 30) };
    Ok(Message::plain(body))
}

campanile_guest::message_formatter!(render);
