//! A formatter that puts all that it is told, and all that it can ask for, into the body, a line each.

use campanile_guest::{Message, MessageRequest, Mode, Status};
use std::fmt::Write as _;

fn render(request: &MessageRequest, status: &dyn Status) -> Result<Message, String> {
    let modes = [
        (Mode::CHANGE, "change"),
        (Mode::FAILING, "failing"),
        (Mode::PASSING, "passing"),
        (Mode::PROBLEM, "problem"),
        (Mode::WARNINGS, "warnings"),
        (Mode::EXCEPTION, "exception"),
        (Mode::CANCELLED, "cancelled"),
    ];
    let modes: Vec<&str> =
        modes.into_iter().filter(|(mode, _)| request.mode.contains(*mode)).map(|(_, name)| name).collect();
    let mut told = String::from("told\n");
    let mut line = |what: &str, text: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(told, "{what}: {text}");
    };
    let build = &request.build;
    line("mode", &modes.join(" "));
    line("name", &request.name);
    line("results", &format!("{:?}", request.results).replace("Results::", ""));
    line("title", &status.title());
    line("url", &status.url().unwrap_or_default());
    line("url of the build", &status.url_for(&build.id).unwrap_or_default());
    line("text", &build.text.join(" "));
    for property in &build.properties {
        line("property", &format!("{} {} {}", property.name, property.value, property.source));
    }
    line("worker", &build.worker);
    line("reason", &build.reason);
    line("responsible", &build.responsible_users.join(" "));
    for stamp in &build.source_stamps {
        let (branch, revision) = (stamp.branch.as_deref(), stamp.revision.as_deref());
        let known = [branch.unwrap_or("?"), revision.unwrap_or("?"), &stamp.project];
        line("stamp", &known.join(" "));
        if let Some(patch) = &stamp.patch {
            let words = [&*patch.body, &*patch.subdir, &*patch.author, &*patch.comment];
            line("patch", &format!("{} {}", patch.level, words.join(" ")));
        }
        for change in &stamp.changes {
            line("change", &format!("{} {} {}", change.who, change.comments, change.files.join(" ")));
        }
    }
    for step in &build.steps {
        let results = step.results.map(|results| format!("{results:?}").replace("Results::", ""));
        line("step", &format!("{} {}", step.name, results.unwrap_or_default()));
        for log in &step.logs {
            let tail = status.log_tail(&build.id, &step.name, &log.name, 5);
            line("log", &format!("{} {} {}", step.name, log.name, tail.unwrap_or_default().trim_end()));
        }
    }
    if let Some(previous) = status.previous_build(&build.id) {
        line("previous", &previous.id.number.to_string());
    }
    Ok(Message { subject: Some("told everything".to_owned()), ..Message::plain(told) })
}

campanile_guest::message_formatter!(render);
