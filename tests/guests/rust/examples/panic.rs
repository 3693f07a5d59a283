//! A formatter that panics with a text that tries to forge lines of the callback log. The trap must stop it, and the
//! log must show the text on one line, its control characters made harmless.

use campanile_guest::{Message, MessageRequest, Status};

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    panic!("gave up\r\nERROR forged line\n\u{1b}[31mred\u{1b}[0m\u{0}\u{202e}end")
}

campanile_guest::message_formatter!(render);
