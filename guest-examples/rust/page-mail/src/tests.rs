//! The mail as a whole: what it says of a failed build, and what hostile and huge builds come to.

use crate::render;
use campanile_guest::testing::{FixedStatus, change, request};
use campanile_guest::{Kind, Message, MessageRequest, Results};

/// More than one character that html would take for its own.
const HOSTILE: &str = "<script>alert('1')</script>\"&\r\nBcc: eve@example.org";

fn mail(request: &MessageRequest) -> Message {
    render(request, &FixedStatus::default()).expect("it has no way to fail")
}

/// A build that takes every list to its end, every text of it this one.
fn huge(text: &str) -> MessageRequest {
    let mut request = request(Results::Failure);
    let build = &mut request.build;
    build.id.builder = text.to_owned();
    build.text = vec![text.to_owned(); 50];
    for field in [&mut build.reason, &mut build.worker] {
        text.clone_into(field);
    }
    build.responsible_users = vec![text.to_owned(); 100];
    build.steps = vec![build.steps[1].clone(); 500];
    for step in &mut build.steps {
        text.clone_into(&mut step.name);
        text.clone_into(&mut step.logs[0].name);
    }
    build.source_stamps = vec![build.source_stamps[0].clone(); 10];
    for stamp in &mut build.source_stamps {
        for field in [&mut stamp.codebase, &mut stamp.project] {
            text.clone_into(field);
        }
        stamp.branch = Some(text.to_owned());
        stamp.revision = Some(text.to_owned());
        let mut change = change();
        for field in [&mut change.who, &mut change.comments] {
            text.clone_into(field);
        }
        change.revision = Some(text.to_owned());
        change.revlink = Some(format!("https://git.example/{text}"));
        stamp.changes = vec![change; 10];
    }
    request
}

#[test]
fn a_failed_build_at_a_glance() {
    let mail = mail(&request(Results::Failure));
    assert_eq!(mail.kind, Kind::Html);
    assert_eq!(mail.subject.as_deref(), Some("linux #7 on main: failed (make all)"));
    for part in [
        "✗ linux #7 failed</span>",
        "quad · on main · after 1m 40s</span>",
        ">Failed make.</td>",
        "main at abc123, with a patch",
        "alice, bob",
        "Sat 19 Apr 2014 23:06:40 UTC",
        "<a href=\"https://ci.example/builders/linux/builds/7\"",
        ">Open build #7</a>",
        ">make all failed</b>",
        "the last 30 of 100 lines of <a",
        "line 71\n",
        "line &lt;100&gt;</pre>",
        "fix &lt;b&gt; &amp; c<span",
        ">git</td>",
    ] {
        assert!(mail.body.contains(part), "{part} is missing from:\n{}", mail.body);
    }
    assert!(!mail.body.contains("line 70\n") && !mail.body.contains("src="), "{}", mail.body);
}

#[test]
fn the_plain_twin_says_the_same() {
    let text = mail(&request(Results::Failure)).alternative.expect("a page has one");
    for part in [
        "✗ linux #7 failed\nquad · on main · after 1m 40s\nFailed make.\n\nhttps://ci.example/builders/linux/builds/7\n",
        "\nReason: scheduler 'a' second line\n",
        "\nmake all failed, the last 30 of 100 lines of its log stdio:\n\
         https://ci.example/builders/linux/builds/7/steps/make%20all/logs/stdio\n\n    line 71\n",
        "\n    line <100>\n\nChanges:\n    abc123 Alice: fix <b> & c\n",
        "\nSteps:\n    ✓ git succeeded after 1m 40s\n    ✗ make all failed after 1m 40s\n",
    ] {
        assert!(text.contains(part), "{part} is missing from:\n{text}");
    }
}

#[test]
fn a_build_that_is_well_is_told_in_short() {
    let mail = mail(&request(Results::Success));
    assert_eq!(mail.subject.as_deref(), Some("linux #7 on main: succeeded"));
    assert!(!mail.body.contains("<pre") && mail.body.contains("✓ linux #7 succeeded"), "{}", mail.body);
}

#[test]
fn absent_parts_leave_no_trace() {
    let mut request = request(Results::Exception);
    let build = &mut request.build;
    build.source_stamps.clear();
    build.steps.clear();
    build.text.clear();
    build.responsible_users.clear();
    build.reason.clear();
    build.worker = "???".to_owned();
    build.finished = None;
    let nowhere = FixedStatus { url: None, ..FixedStatus::default() };
    let mail = render(&request, &nowhere).expect("it has no way to fail");
    assert_eq!(mail.subject.as_deref(), Some("linux #7: was stopped by an exception"));
    for part in ["Source", "Changed", "Worker", "Reason", "Finished", "Changes", "Steps", "<a ", "after"] {
        assert!(!mail.body.contains(part), "{part} is in:\n{}", mail.body);
    }
    assert_eq!(
        mail.alternative.as_deref(),
        Some("✗ linux #7 was stopped by an exception\nQuad CI\n\n-- \nQuad CI\n")
    );
}

#[test]
fn hostile_texts_stay_texts() {
    let mail = mail(&huge(HOSTILE));
    assert!(!mail.body.contains("<script"), "{}", mail.body);
    assert!(
        mail.body.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp; Bcc: eve"),
        "{}",
        mail.body
    );
    assert!(!mail.body.contains("href=\"https://git.example/<"), "an address with a space is none");
    let subject = mail.subject.expect("it has one of its own");
    assert!(!subject.contains(['\r', '\n']), "{subject}");
}

#[test]
fn a_long_build_is_a_short_mail() {
    let mut request = huge("compile");
    for step in request.build.steps.iter_mut().skip(1) {
        step.results = Some(Results::Success);
    }
    let mail = mail(&request);
    assert!(mail.body.len() < 30_000, "{} bytes", mail.body.len());
    assert_eq!(mail.subject.as_deref(), Some("compile #7 on compile: failed (compile)"));
    assert!(mail.body.contains(">90 older ones are not shown<"), "{}", mail.body);
    assert!(mail.body.contains(">499 more are not shown<"), "{}", mail.body);
}

#[test]
fn no_build_reaches_the_size_where_mails_are_cut_off() {
    for text in ["\"".repeat(10_000), "\u{1f514}".repeat(10_000), "' ".repeat(10_000)] {
        let mail = mail(&huge(&text));
        let twin = mail.alternative.expect("a page has one");
        assert!(mail.body.len() < 90_000 && twin.len() < 60_000, "{}, {} bytes", mail.body.len(), twin.len());
    }
}
