//! The built-in text in all its forms (M-50 to M-54, M-73 to M-76).
#![allow(clippy::unwrap_used)]

use super::built_in_text::*;
use super::diagnosis::{Diagnosis, FailureRun, LogEnd, LogQuote};
use campanile_callbacks::Mode;
use campanile_model::{Build, Change, Patch, Results, SourceStamp, Timestamp, Worker};

static NO_DIAGNOSIS: Diagnosis = Diagnosis { run: None, quotes: Vec::new() };

fn inputs(results: Results, previous: Option<Results>) -> TextInputs<'static> {
    TextInputs {
        modes: [Mode::Change, Mode::Failing].into_iter().collect(),
        results,
        previous,
        compared: previous,
        title: "Quad CI",
        build_url: Some("http://ci.example.org/builders/linux/builds/7"),
        url: Some("http://ci.example.org/my ci/"),
        diagnosis: &NO_DIAGNOSIS,
    }
}

fn build() -> Build {
    let mut build = Build::new("linux", 7);
    build.worker = "w1".to_owned();
    build.reason = "scheduler".to_owned();
    build.text = vec!["failed".to_owned(), "compile".to_owned()];
    let change = Change { who: "zoe".to_owned(), ..Change::default() };
    build.source_stamps = vec![
        SourceStamp { project: "quad".to_owned(), changes: vec![change], ..SourceStamp::default() },
        SourceStamp {
            project: "lib".to_owned(),
            codebase: "base1".to_owned(),
            branch: Some("branch2".to_owned()),
            revision: Some("rev2".to_owned()),
            patch: Some(Patch { author: "ada".to_owned(), ..Patch::default() }),
            ..SourceStamp::default()
        },
    ];
    build
}

/// With projects, and source stamps of every form.
#[test]
fn m_50_m_53_everything_known() {
    insta::assert_snapshot!(finished(&build(), inputs(Results::Failure, Some(Results::Success))), @r"
    Campanile reports a new failure on builder linux while building quad, lib. Full details:
        http://ci.example.org/builders/linux/builds/7

    Installation: http://ci.example.org/my%20ci/

    Worker: w1

    Reason: scheduler
    Source: HEAD
    Source 'base1': [branch branch2] rev2 (plus patch)
    Responsible: ada, zoe

    Changes:
        zoe: (no text)

    The build failed: failed compile

    -- 
    Campanile
    ");
}

#[test]
fn m_73_m_74_m_75_the_cause_is_quoted() {
    let mut build = build();
    let changes = [
        ("9f8e7d6c5b4a39281706f5e4d3c2b1a098765432", "Ada <ada@x.org>", "\n Ring <it>\n\nmore"),
        ("", "", ""),
    ]
    .map(|(revision, who, comments)| Change {
        revision: Some(revision.to_owned()),
        who: who.to_owned(),
        comments: comments.to_owned(),
        ..Change::default()
    });
    build.source_stamps.truncate(1);
    build.source_stamps[0].changes = changes.to_vec();
    build.finished = Some(Timestamp::from_seconds(185));
    build.started = Some(Timestamp::from_seconds(60));
    let run = FailureRun {
        first: 5,
        url: None,
        by: vec!["Zoe".to_owned()],
        builds: 3,
        worked_last: Some(4),
        is_over: false,
    };
    let lines = vec!["cc -c bell.c".to_owned(), "  error: <x>".to_owned()];
    let log = LogEnd { name: "stdio".to_owned(), url: Some("http://ci/log".to_owned()), lines, total: 90 };
    let quotes = [("compile", Some(Results::Failure), Some(log)), ("tests", None, None)]
        .map(|(step, results, log)| LogQuote { step: step.to_owned(), results, log });
    let diagnosis = Diagnosis { run: Some(run), quotes: quotes.to_vec() };
    let inputs = TextInputs { diagnosis: &diagnosis, ..inputs(Results::Failure, None) };
    insta::assert_snapshot!(finished(&build, inputs), @r"
    Campanile reports a failed build on builder linux while building quad. Full details:
        http://ci.example.org/builders/linux/builds/7

    Installation: http://ci.example.org/my%20ci/

    Worker: w1

    Reason: scheduler
    Source: HEAD
    Duration: 2m 5s
    Responsible: Ada <ada@x.org>

    Changes:
        9f8e7d6 Ada: Ring <it>
        (no text)

    The build failed: failed compile
    Broken since #5 by Zoe, for 3 builds so far.

    compile failed. The last 2 of 90 lines of its log stdio, http://ci/log:

        cc -c bell.c
          error: <x>

    tests did not finish.

    -- 
    Campanile
    ");
}

#[test]
fn m_75_the_newest_twenty_changes() {
    let mut build = Build::new("linux", 1);
    let change = |number| Change { comments: format!("change {number}"), ..Change::default() };
    let changes = (1..=23).map(change).collect();
    build.source_stamps = vec![SourceStamp { changes, ..SourceStamp::default() }];
    let text = finished(&build, inputs(Results::Success, None));
    assert!(text.contains("Changes:\n    (3 older ones)\n    change 4\n"), "{text}");
    assert!(text.contains("    change 23\n\nThe build succeeded."), "{text}");
}

#[test]
fn m_51_no_addresses_known() {
    let inputs = TextInputs { build_url: None, url: None, ..inputs(Results::Success, None) };
    insta::assert_snapshot!(finished(&Build::new("linux", 1), inputs), @r"
    Campanile reports a passing build on builder linux while building Quad CI.
    Responsible: nobody known

    The build succeeded.

    -- 
    Campanile
    ");
}

#[test]
fn m_52_what_counts_as_news() {
    let told = |modes: &[Mode], results, previous| {
        let modes = modes.iter().copied().collect();
        news(TextInputs { modes, ..inputs(results, previous) })
    };
    use Results::{Exception, Failure, Success, Warnings};
    for (modes, results, previous, wanted) in [
        (&[Mode::Change][..], Failure, Some(Success), "a new failure"),
        (&[Mode::Problem], Failure, Some(Exception), "a new failure"),
        (&[Mode::Failing], Failure, Some(Success), "a failed build"),
        (&[Mode::Change], Failure, None, "a failed build"),
        (&[Mode::Problem], Failure, Some(Failure), "a failed build"),
        (&[Mode::Warnings], Warnings, Some(Success), "a build with warnings"),
        (&[Mode::Change], Success, Some(Failure), "a restored build"),
        (&[Mode::Change], Success, None, "a passing build"),
        (&[Mode::Passing], Success, Some(Failure), "a passing build"),
        (&[Mode::Exception], Exception, None, "a build stopped by an exception"),
        (&[Mode::Cancelled], Results::Cancelled, None, "a cancelled build"),
        (&[Mode::Change], Results::Skipped, Some(Success), "a skipped build"),
    ] {
        assert_eq!(told(modes, results, previous), wanted);
    }
}

#[test]
fn m_x_09_the_news_in_the_words_of_templates() {
    let told = |results, previous| status_detected(inputs(results, previous));
    assert_eq!(told(Results::Failure, Some(Results::Success)), "new failure");
    assert_eq!(told(Results::Failure, None), "failed build");
    assert_eq!(told(Results::Success, Some(Results::Failure)), "restored build");
    assert_eq!(told(Results::Success, None), "passing build");
    assert_eq!(told(Results::Warnings, None), "problem in the build");
    assert_eq!(told(Results::Exception, None), "build exception");
    assert_eq!(told(Results::Cancelled, None), "cancelled build");
}

#[test]
fn m_54_the_end_in_a_sentence() {
    let mut build = build();
    assert_eq!(summary(&build, Results::Warnings), "The build had warnings: failed compile");
    build.text = vec!["cancelled".to_owned(), "(stopped by ada)".to_owned()];
    assert_eq!(summary(&build, Results::Cancelled), "The build was cancelled: cancelled (stopped by ada)");
    build.text.clear();
    assert_eq!(summary(&build, Results::Failure), "The build failed.");
    assert_eq!(summary(&build, Results::Exception), "The build ended with an exception.");
    assert_eq!(summary(&build, Results::Retry), "The build will be tried again.");
    build.text =
        ["failed".to_owned()].into_iter().chain((0..300).map(|number| format!("s{number}"))).collect();
    assert_eq!(
        summary(&build, Results::Failure),
        "The build failed: failed s0 s1 s2 s3 s4 and 295 more",
        "M-TXT-07"
    );
}

#[test]
fn m_txt_05_no_name_forges_a_line() {
    let hostile = || "x\n\nResponsible: \u{202e}eve".to_owned();
    let mut build = build();
    (build.builder, build.worker, build.reason) = (hostile(), hostile(), hostile());
    build.text = vec![hostile()];
    let stamp = &mut build.source_stamps[1];
    (stamp.codebase, stamp.project, stamp.branch, stamp.revision) =
        (hostile(), hostile(), Some(hostile()), Some(hostile()));
    stamp.changes = vec![Change { who: hostile(), comments: hostile(), ..Change::default() }];
    let texts = [
        finished(&build, inputs(Results::Failure, None)),
        started(&build, "Quad CI", None, None),
        missing_worker(
            &Worker { name: hostile(), host: Some(hostile()), admin: Some(hostile()), ..Worker::default() },
            "Quad CI",
            None,
        ),
    ];
    for text in texts {
        assert!(text.lines().filter(|line| line.starts_with("Responsible:")).count() <= 1, "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
    }
}

#[test]
fn m_77_of_several_texts_the_last_one_is_signed() {
    let text = finished(&build(), inputs(Results::Failure, None));
    let joined = join(vec![&text, "of a formatter", &text]);
    assert_eq!((joined.matches("-- \nCampanile").count(), joined.ends_with(SIGNATURE)), (1, true));
    assert_eq!(joined.matches(&format!("\n\n{}\n\n", "=".repeat(72))).count(), 1, "{joined}");
}
