//! A formatter that tries every way out of its headers. The mail target must check subject, names and values, and
//! recipients must never come from here.

use campanile_guest::{Kind, Message, MessageRequest, Status};

const VICTIM: &str = "victim@example.org";

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    let mut headers = vec![("X-Kept".to_owned(), "fine".to_owned())];
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    for name in
        ["Bcc", "bCC", "Cc", "To", "Resent-Bcc", "Resent-To", "From", "Sender", "Return-Path", "Subject"]
    {
        add(name, VICTIM);
    }
    for name in ["Content-Type", "content-transfer-encoding", "MIME-Version"] {
        add(name, "text/html; boundary=x");
    }
    for line_break in ["\r\n", "\n", "\r", "\n\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\0"] {
        add("X-Value", &format!("one{line_break}Bcc: {VICTIM}{line_break}"));
        add(&format!("X-Name{line_break}Bcc"), VICTIM);
    }
    for name in ["", " ", ":", "Bcc:", "Bcc ", " Bcc", "Bcc\t", "X-\u{412}cc", "Bcc: victim@example.org\r\nX"]
    {
        add(name, VICTIM);
    }
    add("X-Long", &"long ".repeat(4000));
    add("X-Encoded", "=?utf-8?q?one=0D=0ABcc:_victim@example.org?=");
    Ok(Message {
        subject: Some(format!("first\r\nBcc: {VICTIM}\r\n\r\nsecond\rthird\nfourth\u{2028}fifth\0")),
        body: format!("a body\r\n.\r\nMAIL FROM:<{VICTIM}>\r\n--x\r\nContent-Type: text/html\r\n"),
        kind: Kind::Html,
        alternative: Some(format!("another\n.\nRCPT TO:<{VICTIM}>\n")),
        headers,
    })
}

campanile_guest::message_formatter!(render);
