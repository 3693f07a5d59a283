//! A short mail: what came of the build, who changed something, and the end of the log that tells why it failed.

use campanile_guest::{Build, Message, MessageRequest, Results, Status, Step, escape, flat, words};

/// How much of the log goes into the mail.
const LOG_LINES: u32 = 20;

/// The mail about one build.
pub fn render(request: &MessageRequest, status: &dyn Status) -> Result<Message, String> {
    let build = &request.build;
    let result = words::result(request.results);
    let mut body = format!("{} #{}: {result}\n", request.name, build.id.number);
    if let Some(url) = flat::url(build, status) {
        body += &format!("{url}\n");
    }
    body += &format!("Changes by: {}\n", build.responsible_users.join(", "));
    if let Some(step) = failed_step(build) {
        body += &log_end(build, step, status);
    }
    let subject = format!("[{result}] {} #{}", request.name, build.id.number);
    Ok(Message { subject: Some(escape::header(&subject).into_owned()), ..Message::plain(body) })
}

campanile_guest::message_formatter!(render);

fn failed_step(build: &Build) -> Option<&Step> {
    build.steps.iter().find(|step| matches!(step.results, Some(Results::Failure | Results::Exception)))
}

/// The last lines of the step's first log; empty if it has none that can be read.
fn log_end(build: &Build, step: &Step, status: &dyn Status) -> String {
    let Some(log) = step.logs.first() else { return String::new() };
    match status.log_tail(&build.id, &step.name, &log.name, LOG_LINES) {
        Ok(text) => format!("\n{} of step {} ends with:\n\n{text}\n", log.name, step.name),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::render;
    use campanile_guest::testing::{FixedStatus, request};
    use campanile_guest::{Message, Results};

    fn mail(results: Results) -> Message {
        render(&request(results), &FixedStatus::default()).expect("it has no way to fail")
    }

    #[test]
    fn a_failure_is_told_with_the_end_of_its_log() {
        let mail = mail(Results::Failure);
        assert_eq!(mail.subject.as_deref(), Some("[failure] linux #7"));
        let head = "linux #7: failure\nhttps://ci.example/builders/linux/builds/7\nChanges by: alice, bob\n\
             \nstdio of step make all ends with:\n\nline 81\n";
        assert!(mail.body.starts_with(head), "{}", mail.body);
        assert!(mail.body.ends_with("line <100>\n"), "{}", mail.body);
    }

    #[test]
    fn a_success_needs_no_log() {
        let mail = mail(Results::Success);
        assert!(mail.body.ends_with("Changes by: alice, bob\n"), "{}", mail.body);
    }
}
