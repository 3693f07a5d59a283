//! A formatter that asks the engine without end. The deadline must stop it, host calls or not.

use campanile_guest::{Message, MessageRequest, Status};

fn render(request: &MessageRequest, status: &dyn Status) -> Result<Message, String> {
    loop {
        std::hint::black_box(status.title());
        std::hint::black_box(status.get_build(&request.build.id));
        for step in &request.build.steps {
            for log in &step.logs {
                let tail = status.log_tail(&request.build.id, &step.name, &log.name, u32::MAX);
                std::hint::black_box(tail).ok();
            }
        }
    }
}

campanile_guest::message_formatter!(render);
