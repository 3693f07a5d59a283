//! Version b of a formatter: subject, header and the whole body say so, for tests of a swap under load. No mail may
//! mix two versions.

use campanile_guest::{Message, MessageRequest, Status};

fn render(_: &MessageRequest, _: &dyn Status) -> Result<Message, String> {
    Ok(test_guests::version('b'))
}

campanile_guest::message_formatter!(render);
