//! The html mail: result, worker, links, reason, source, blamelist, changes, and the end of the last `stdio` log.

use campanile_guest::escape::push_html;
use campanile_guest::{
    Build, Change, Message, MessageRequest, SourceStamp, Status, change, flat, time, words,
};

/// How much of the log is shown.
const LOG_LINES: u32 = 80;

/// The html body with a plain-text twin; the subject is left to the settings.
pub fn render(request: &MessageRequest, status: &dyn Status) -> Result<Message, String> {
    let parts = Parts::gather(request, status);
    Ok(Message::html(html(&parts), plain(&parts)))
}

campanile_guest::message_formatter!(render);

/// What both bodies say, gathered once.
struct Parts<'a> {
    build: &'a Build,
    result: String,
    url: Option<String>,
    source: String,
    blamelist: String,
    log: Option<LogEnd>,
}

/// The end of one log.
struct LogEnd {
    label: String,
    url: Option<String>,
    text: Result<String, &'static str>,
}

impl<'a> Parts<'a> {
    fn gather(request: &'a MessageRequest, status: &dyn Status) -> Self {
        let build = &request.build;
        let url = flat::url(build, status);
        Self {
            build,
            result: words::result(request.results).to_uppercase(),
            source: build.source_stamps.iter().map(stamp).collect::<Vec<_>>().join(", "),
            blamelist: build.responsible_users.join(","),
            log: last_stdio(build, url.as_deref(), status),
            url,
        }
    }
}

/// `CODEBASE: [branch B] REV-or-HEAD (plus patch) (PATCH COMMENT)`, without the parts that are absent.
fn stamp(stamp: &SourceStamp) -> String {
    let mut out = String::new();
    if !stamp.codebase.is_empty() {
        out += &format!("{}: ", stamp.codebase);
    }
    if let Some(branch) = stamp.branch.as_deref().filter(|branch| !branch.is_empty()) {
        out += &format!("[branch {branch}] ");
    }
    out += stamp.revision.as_deref().filter(|revision| !revision.is_empty()).unwrap_or("HEAD");
    if let Some(patch) = &stamp.patch {
        out += " (plus patch)";
        if !patch.comment.is_empty() {
            out += &format!(" ({})", patch.comment);
        }
    }
    out
}

fn last_stdio(build: &Build, build_url: Option<&str>, status: &dyn Status) -> Option<LogEnd> {
    let logs = build.steps.iter().flat_map(|step| step.logs.iter().map(move |log| (step, log)));
    let (step, log) = logs.rev().find(|(_, log)| log.name == "stdio")?;
    Some(LogEnd {
        label: format!("{}.{}", step.name, log.name),
        url: flat::log_url(build_url, &step.name, &log.name, log.url.as_deref()),
        text: status
            .log_tail(&build.id, &step.name, &log.name, LOG_LINES)
            .map_err(|_| "(the log cannot be read)"),
    })
}

fn html(parts: &Parts<'_>) -> String {
    let log_bytes = parts.log.as_ref().and_then(|log| log.text.as_ref().ok()).map_or(0, String::len);
    let mut out = String::with_capacity(4096 + log_bytes + log_bytes / 8);
    out.push_str("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n<h4>Build status: ");
    push_html(&mut out, &parts.result);
    out.push_str("</h4>\n<table cellspacing=\"10\">\n");
    row(&mut out, "Worker for this Build:", |out| bold(out, &parts.build.worker));
    if let Some(url) = &parts.url {
        row(&mut out, "Complete logs for all build steps:", |out| link(out, url));
    }
    row(&mut out, "Build Reason:", |out| push_html(out, &parts.build.reason));
    if !parts.source.is_empty() {
        row(&mut out, "Build Source Stamp:", |out| bold(out, &parts.source));
    }
    row(&mut out, "Blamelist:", |out| push_html(out, &parts.blamelist));
    out.push_str("</table>\n");
    for stamp in parts.build.source_stamps.iter().filter(|stamp| !stamp.changes.is_empty()) {
        out.push_str("<h4>Recent Changes:</h4>\n");
        for change in &stamp.changes {
            push_change(&mut out, change);
        }
    }
    if let Some(log) = &parts.log {
        push_log(&mut out, log);
    }
    out.push_str("<br><br>\n<b>-The Buildbot</b>\n</body></html>\n");
    out
}

fn push_change(out: &mut String, change: &Change) {
    out.push_str("<table cellspacing=\"10\">\n");
    row(out, "Repository:", |out| push_html(out, &change.repository));
    row(out, "Project:", |out| push_html(out, &change.project));
    row(out, "Time:", |out| push_html(out, &time::text(change.when)));
    row(out, "Changed by:", |out| push_html(out, &change.who));
    row(out, "Comments:", |out| push_html(out, &change.comments));
    row(out, "Files:", |out| {
        for (i, file) in change::sorted_files(change).into_iter().enumerate() {
            if i > 0 {
                out.push_str("<br>");
            }
            push_html(out, file);
        }
    });
    out.push_str("</table>\n");
}

fn push_log(out: &mut String, log: &LogEnd) {
    if let Some(url) = &log.url {
        out.push_str("<i>Detailed log of last build step:</i> ");
        link(out, url);
        out.push_str("<br>\n");
    }
    out.push_str("<h4>Last 80 lines of &quot;");
    push_html(out, &log.label);
    out.push_str("&quot;</h4>\n<pre>\n");
    push_html(out, log.text.as_deref().unwrap_or_else(|why| why));
    out.push_str("\n</pre>\n");
}

fn row(out: &mut String, label: &str, value: impl FnOnce(&mut String)) {
    out.push_str("<tr><td>");
    out.push_str(label);
    out.push_str("</td><td>");
    value(out);
    out.push_str("</td></tr>\n");
}

fn bold(out: &mut String, text: &str) {
    out.push_str("<b>");
    push_html(out, text);
    out.push_str("</b>");
}

/// A link for web addresses; anything else, such as `javascript:`, is shown as text.
fn link(out: &mut String, url: &str) {
    let is_web = ["http://", "https://"]
        .iter()
        .any(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    if !is_web {
        push_html(out, url);
        return;
    }
    out.push_str("<a href=\"");
    push_html(out, url);
    out.push_str("\">");
    push_html(out, url);
    out.push_str("</a>");
}

fn plain(parts: &Parts<'_>) -> String {
    let mut out = String::with_capacity(2048);
    let mut line = |label: &str, value: &str| {
        out.push_str(label);
        out.push_str(value);
        out.push('\n');
    };
    line("Build status: ", &parts.result);
    line("Worker for this Build: ", &parts.build.worker);
    if let Some(url) = &parts.url {
        line("Complete logs for all build steps: ", url);
    }
    line("Build Reason: ", &parts.build.reason);
    if !parts.source.is_empty() {
        line("Build Source Stamp: ", &parts.source);
    }
    line("Blamelist: ", &parts.blamelist);
    for change in parts.build.source_stamps.iter().flat_map(|stamp| &stamp.changes) {
        line("\nRepository: ", &change.repository);
        line("Project: ", &change.project);
        line("Time: ", &time::text(change.when));
        line("Changed by: ", &change.who);
        line("Comments: ", &change.comments);
        line("Files: ", &change::sorted_files(change).join(" "));
    }
    if let Some(log) = &parts.log {
        line("\nLast 80 lines of ", &log.label);
        if let Some(url) = &log.url {
            line("", url);
        }
        line("\n", log.text.as_deref().unwrap_or_else(|why| why));
    }
    line("\n", "-The Buildbot");
    out
}

#[cfg(test)]
mod tests {
    use super::{link, render, stamp};
    use campanile_guest::testing::{FixedStatus, build, request};
    use campanile_guest::{Kind, Message, Results};

    fn mail() -> Message {
        render(&request(Results::Failure), &FixedStatus::default()).expect("it has no way to fail")
    }

    #[test]
    fn html_has_every_part_escaped() {
        let mail = mail();
        assert_eq!(mail.kind, Kind::Html);
        assert_eq!(mail.subject, None);
        for part in [
            "<h4>Build status: FAILURE</h4>",
            "<td><b>w1</b></td>",
            "<a href=\"https://ci.example/builders/linux/builds/7\">",
            "scheduler &#39;a&#39;",
            "<b>[branch main] abc123 (plus patch) (try &lt;this&gt;)</b>",
            "<td>alice,bob</td>",
            "<td>git://x/y</td>",
            "<td>Sat 19 Apr 2014 23:03:46</td>",
            "<td>Alice &lt;alice@example.org&gt;</td>",
            "<td>fix &lt;b&gt; &amp; c</td>",
            "<td>a.c<br>b.c</td>",
            "builds/7/steps/make%20all/logs/stdio",
            "<h4>Last 80 lines of &quot;make all.stdio&quot;</h4>",
            "<pre>\nline 21\n",
            "line &lt;100&gt;\n</pre>",
        ] {
            assert!(mail.body.contains(part), "{part} is missing from:\n{}", mail.body);
        }
        assert!(!mail.body.contains("line 20\n"));
    }

    #[test]
    fn the_plain_twin_says_the_same() {
        let text = mail().alternative.expect("an html mail has one");
        for part in
            ["Build status: FAILURE\n", "Blamelist: alice,bob\n", "Files: a.c b.c\n", "\nline <100>\n"]
        {
            assert!(text.contains(part), "{part} is missing from:\n{text}");
        }
    }

    #[test]
    fn absent_parts_leave_no_trace() {
        let mut request = request(Results::Success);
        request.build.source_stamps.clear();
        request.build.steps.clear();
        let status = FixedStatus { url: None, ..FixedStatus::default() };
        let mail = render(&request, &status).expect("it has no way to fail");
        for part in ["Source Stamp", "Recent Changes", "<a href", "Last 80 lines"] {
            assert!(!mail.body.contains(part), "{part} is in:\n{}", mail.body);
        }
    }

    #[test]
    fn a_stamp_without_revision_is_head() {
        let mut bare = build(Results::Success).source_stamps.remove(0);
        bare.codebase = "lib".to_owned();
        bare.branch = None;
        bare.revision = None;
        bare.patch = None;
        assert_eq!(stamp(&bare), "lib: HEAD");
    }

    #[test]
    fn only_web_addresses_become_links() {
        let mut out = String::new();
        link(&mut out, "javascript:alert(1)");
        assert_eq!(out, "javascript:alert(1)");
    }
}
