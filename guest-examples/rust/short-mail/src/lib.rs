//! The one-line mail for phones: `STATUS: Failure`.

use campanile_guest::{Message, MessageRequest, Status, words};

/// The result in title case, as plain text.
pub fn render(request: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    Ok(Message::plain(format!("STATUS: {}", words::title_case(request.results))))
}

campanile_guest::message_formatter!(render);

#[cfg(test)]
mod tests {
    use campanile_guest::testing::{FixedStatus, request};
    use campanile_guest::{Kind, Results};

    #[test]
    fn one_line_in_title_case() {
        let mail = super::render(&request(Results::Failure), &FixedStatus::default())
            .expect("it has no way to fail");
        assert_eq!(mail.body, "STATUS: Failure");
        assert_eq!(mail.kind, Kind::Plain);
        assert_eq!(mail.subject, None);
    }
}
