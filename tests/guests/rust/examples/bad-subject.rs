//! A formatter whose subject and headers try to break out of their lines.

use campanile_guest::{Message, MessageRequest, Status};

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    let headers = [
        ("X-Fine", "kept"),
        ("X-Folded", "one\r\nBcc: victim@example.org"),
        ("Bcc", "victim@example.org"),
        ("X Space", "odd name"),
        ("X-Colon:", "odd name"),
        ("X-Break\r\nTo", "victim@example.org"),
        ("", "no name"),
        ("X-Ünicode", "odd name"),
    ];
    Ok(Message {
        subject: Some("first line\r\nBcc: victim@example.org\r\n\r\nsecond body".to_owned()),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..Message::plain("a harmless body")
    })
}

campanile_guest::message_formatter!(render);
