//! Mails by templates: what they are told, and what becomes of mistakes in them (M-X-08 to M-X-11).
#![allow(clippy::unwrap_used)]

use super::built_in_text::TextInputs;
use super::diagnosis::Diagnosis;
use super::logs::LogChoice;
use super::template::default_page;
use super::template_context;
use super::tests::{BASE, build, context, mail, read, target, told_of};
use crate::Prepared;
use campanile_callbacks::{Sample, Status, TemplateRenderer};
use campanile_model::jinja::Task;
use campanile_model::{Build, Change, Event, LogSummary, Results, SourceStamp, Step};

/// A build with something of everything, and markup in what comes from outside.
fn full() -> Build {
    let change =
        Change { who: "zoe <z>".to_owned(), comments: "first\nsecond".to_owned(), ..Change::default() };
    let stamp = SourceStamp {
        project: "quad".to_owned(),
        branch: Some("main".to_owned()),
        changes: vec![change],
        ..SourceStamp::default()
    };
    let step = Step { name: "compile & link".to_owned(), results: Some(Results::Failure), ..Step::default() };
    let mut build = Build { source_stamps: vec![stamp], steps: vec![step], ..build(7, Results::Failure) };
    build.text = vec!["failed".to_owned(), "compile".to_owned()];
    build.properties.set("parallel", 8, "Scheduler");
    build
}

async fn mailed(more: &str) -> String {
    let event = Event::BuildFinished { build: Box::new(full()) };
    let prepared: Prepared = told_of(&*target(more), &event, Vec::new()).await;
    String::from_utf8(mail(prepared).raw).unwrap().replace("\r\n", "\n")
}

#[tokio::test]
async fn m_x_08_a_template_writes_body_and_subject() {
    let raw = mailed(
        "subject_template = '{{ result }} of {{ buildername }} ({{ build.properties.parallel[0] }})'\n\
         template = '''\n{{ status_detected }}; {{ result_names[results] }}; {{ projects }}; {{ blamelist | join }}\n\
         {%- for step in build.steps %}\n{{ step.name }}: {{ result_names[step.results] }}{% endfor %}\n\
         {{ build.properties.gone[0] }}{{ buildbot_title }} {{ mode | join('+') }} {{ build.state_string }}\n'''\n",
    )
    .await;
    assert!(raw.contains("\nSubject: failure of linux (8)\n"), "{raw}");
    let body = raw.split_once("\n\n").unwrap().1;
    let wanted = "failed build; failure; quad; zoe <z>\ncompile & link: failure\nQuad CI failing+passing+warnings failed compile\n";
    assert_eq!(body.trim_end(), wanted.trim_end());
}

#[tokio::test]
async fn m_x_08_a_start_that_nobody_told_is_none() {
    let template = "template = 'from {{ build.started_at }} took {{ duration or \"?\" }}.'\n";
    let raw = mailed(template).await;
    assert!(raw.contains("from None took ?."), "{raw}");
    assert!(!mailed("template_type = 'html'").await.contains("after "), "the page leaves it out");
}

/// Templates of Buildbot's link each log, wherever its page is.
#[tokio::test]
async fn m_x_18_a_log_without_a_page_is_at_its_builds() {
    let mut build = full();
    build.steps[0].logs.push(LogSummary { name: "stdio".to_owned(), ..LogSummary::default() });
    let event = Event::BuildFinished { build: Box::new(build) };
    let template = "template = '<{{ build.steps[0].logs[0].url }}>'\n";
    let raw = mail(told_of(&*target(template), &event, Vec::new()).await).raw;
    let raw = String::from_utf8(raw).unwrap();
    assert!(raw.contains("<http://ci.example.org/builders/linux/builds/7>"), "{raw}");
}

#[tokio::test]
async fn m_x_08_a_page_is_escaped_and_has_the_text_beside_it() {
    for more in ["template_type = 'html'", "template_type = 'html'\ntemplate = '<b>{{ blamelist[0] }}</b>'"] {
        let raw = mailed(more).await;
        assert!(raw.contains("multipart/alternative"), "{raw}");
        assert!(raw.contains("Campanile reports a failed build on builder linux"), "the text: {raw}");
        assert!(raw.contains("zoe &lt;z&gt;"), "{raw}");
    }
}

/// The page of our own says what the text says, in a form that mail programs keep.
#[tokio::test]
async fn m_x_10_the_page_of_our_own() {
    let page = page_of(&full(), &*context(Vec::new()).caller.status).await;
    for part in [
        ">quad</span>",
        "✗ linux #7 failed</span>",
        "Failed compile.",
        "<b>main</b> at ",
        ">HEAD</span>",
        ">first<span",
        "&middot; zoe</span>",
        "compile &amp; link failed</b>",
        "Open build #7</a>",
        "href=\"http://ci.example.org/builders/linux/builds/7\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<img") && !page.contains("url("), "nothing is fetched: {page}");
    for results in Results::ALL {
        let build = Build { results: Some(results), ..full() };
        if results != Results::Retry {
            assert!(
                page_of(&build, &*context(Vec::new()).caller.status).await.contains("linux #7 "),
                "{results}"
            );
        }
    }
}

#[tokio::test]
async fn m_x_10_the_page_quotes_the_log_and_the_times() {
    let sample = Sample::bundled();
    let page = page_of(&sample.build, &sample).await;
    for part in [
        "linux gcc #42 failed</span>",
        "after 2m 3s</span>",
        "Broken since this build: #41 worked.",
        ">compile all failed</b>",
        "the last 30 of 101 lines of <a",
        "error: &#39;clapper&#39; undeclared (first use in this function); did you mean &lt;clap&gt;?",
        ">9f8e7d6</a>",
        "Ring the größte Glocke &lt;loud&gt;<span",
        ">2m</td>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

/// Without logs a page is small whatever the build brings: mail programs hide what comes after 100 KB.
#[tokio::test]
async fn m_x_10_a_page_of_a_large_build_is_small() {
    let mut large = full();
    let step =
        |number| Step { name: format!("step {number}"), results: Some(Results::Failure), ..Step::default() };
    large.steps = (0..500).map(step).collect();
    let change = Change { comments: "word ".repeat(500), who: "a".repeat(200), ..Change::default() };
    large.source_stamps[0].changes = vec![change; 500];
    let page = page_of(&large, &*context(Vec::new()).caller.status).await;
    assert!(page.contains("470 more steps are not shown.") && page.contains("480 older ones"), "{page}");
    assert!(page.len() < 30_000, "{}", page.len());
}

/// The page about a build.
async fn page_of(build: &Build, status: &dyn Status) -> String {
    let results = build.results.unwrap();
    let diagnosis = Diagnosis::read(build, results, status).await.unwrap();
    let build_url = status.url_for(&build.id());
    let inputs = TextInputs {
        modes: super::mode::default_modes(),
        results,
        previous: None,
        compared: None,
        title: status.title(),
        build_url: build_url.as_deref(),
        url: status.url(),
        diagnosis: &diagnosis,
    };
    let values = template_context::for_build(build, inputs, &LogChoice::None, status).await.unwrap();
    let outcome = TemplateRenderer::in_process().run(default_page().job(values, Task::Render)).await;
    outcome.text.unwrap()
}

#[test]
fn m_x_10_the_page_of_our_own_has_no_mistakes() {
    let outcome = TemplateRenderer::in_process().run_blocking(default_page().check_job());
    assert!(outcome.is_usable && outcome.faults.is_empty(), "{outcome:?}");
}

#[tokio::test]
async fn m_x_08_a_template_that_fails_is_replaced_by_the_built_in_text() {
    // Fails with this build only, so there is but a warning when it is read.
    let more = "template = '{% if number == 7 %}{{ 1 // (number - 7) }}{% endif %}'\n";
    let raw = mailed(more).await.replace("=\n", "");
    assert!(raw.contains("\n\nThe template failed: line 1 of the template: "), "{raw}");
    assert!(raw.contains("This is the built-in text.\n\nCampanile reports a failed build"), "{raw}");
    let target = target(&format!("{more}on_callback_error = 'retry'\n"));
    let event = Event::BuildFinished { build: Box::new(full()) };
    let context = context(Vec::new());
    let fault = target.prepare(&event, &context).await.unwrap_err();
    assert!(fault.text.starts_with("mail target `mail-1`: the template failed: line 1"), "{fault}");
}

#[test]
fn m_x_08_mistakes_are_told_where_they_stand() {
    for (more, wanted) in [
        (
            "template = '{{ buildernam }}'",
            "4: error: line 1 of the template: `buildernam` stands for nothing: did you mean `buildername`?",
        ),
        ("template = '{% for %}'", "4: error: line 1 of the template: unexpected"),
        ("template = 3", "4: error: `template` must be a template, or `{ file = \"PATH\" }`"),
        ("template = { file = '/nowhere/x' }", "4: error: cannot read the template `/nowhere/x`: "),
        ("subject_template = '{{ x }}'", "4: error: line 1 of the template: `x` stands for nothing"),
        ("template_type = 'rich'", "4: error: `template_type` must be `plain` or `html`, not `rich`"),
        (
            "template = 'x'\nsubject = 'a'\nsubject_template = 'b'",
            "6: error: `subject` and `subject_template` exclude",
        ),
        ("template = 'x'\nmessage_formatter = 'f'", "4: error: `message_formatter` and templates exclude"),
        ("template = '{{ 1 // 0 }}'", "4: warning: tried on a sample build, line 1 of the template: "),
        // M-X-11
        ("want_steps = true\ntemplate = 'x'", "4: warning: `want_steps` changes nothing"),
        ("want_logs_content = true", "4: warning: `want_logs_content` is for templates"),
        (
            "want_logs_content = 'stdio'\ntemplate = 'x'",
            "4: error: `want_logs_content` must be true, false or a list",
        ),
    ] {
        let (_, problems) = read(&format!("{BASE}{more}\n"));
        let wanted = format!("campanile.toml:{wanted}");
        assert!(problems.iter().any(|problem| problem.starts_with(&wanted)), "{more}: {problems:?}");
    }
}
