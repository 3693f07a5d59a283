//! The run of failures, and the end of logs (M-73, M-74).
#![allow(clippy::unwrap_used)]

use super::super::tests::{build, context};
use super::{Diagnosis, FailureRun};
use campanile_callbacks::Sample;
use campanile_model::{Build, Change, LogSummary, Results, SourceStamp, Step};

use Results::{Cancelled, Exception, Failure, Success, Warnings};

fn on(branch: &str, who: &str, mut build: Build) -> Build {
    let change = Change { who: who.to_owned(), ..Change::default() };
    let branch = Some(branch.to_owned());
    build.source_stamps = vec![SourceStamp { branch, changes: vec![change], ..SourceStamp::default() }];
    build
}

async fn run(now: Build, earlier: Vec<Build>) -> Option<(FailureRun, String)> {
    let status = context(earlier).caller.status;
    let results = now.results.unwrap();
    let run = Diagnosis::read(&now, results, &*status).await.unwrap().run?;
    let sentence = run.sentence(now.number);
    Some((run, sentence))
}

#[tokio::test]
async fn m_74_a_run_of_failures_is_followed_back() {
    let main = |number, results, who: &str| on("main", who, build(number, results));
    let sentence = async |now, earlier| run(now, earlier).await.map(|(_, sentence)| sentence);
    let earlier = vec![
        main(4, Success, "bob"),
        main(5, Failure, "Ada <ada@x.org>"),
        main(6, Cancelled, "bob"),
        on("topic", "eve", build(7, Success)),
        main(8, Exception, "bob"),
    ];
    let (found, text) = run(main(9, Failure, "bob"), earlier.clone()).await.unwrap();
    assert_eq!(text, "Broken since #5 by Ada, for 3 builds so far.");
    assert_eq!((found.worked_last, found.builds, found.is_over), (Some(4), 3, false));
    assert_eq!(found.url.as_deref(), Some("http://ci.example.org/builders/linux/builds/5"));
    let mended = sentence(main(9, Warnings, "bob"), earlier.clone()).await;
    assert_eq!(mended.as_deref(), Some("Mended: broken since #5 by Ada, for 2 builds."));
    assert_eq!(sentence(main(9, Cancelled, "bob"), earlier).await, None);

    let first = sentence(main(5, Failure, "ada"), vec![main(4, Success, "bob")]).await;
    assert_eq!(first.as_deref(), Some("Broken since this build: #4 worked."));
    let mended = sentence(main(6, Success, "bob"), vec![main(5, Failure, ""), main(4, Success, "")]).await;
    assert_eq!(mended.as_deref(), Some("Mended: broken since #5, for 1 build."));
    let cut_off = sentence(main(6, Failure, "bob"), vec![main(5, Failure, "ada")]).await;
    assert_eq!(cut_off.as_deref(), Some("Broken since #5 or before, for 2 builds so far."));
    for quiet in [main(1, Failure, "ada"), main(1, Success, "ada")] {
        assert_eq!(sentence(quiet, Vec::new()).await, None);
    }
}

#[tokio::test]
async fn m_73_the_end_of_the_log_of_the_step_that_failed() {
    let sample = Sample::bundled();
    let diagnosis = Diagnosis::read(&sample.build, Failure, &sample).await.unwrap();
    let [quote] = diagnosis.quotes.as_slice() else { panic!("{diagnosis:?}") };
    assert_eq!((quote.step.as_str(), quote.verb()), ("compile all", "failed"));
    let log = quote.log.as_ref().unwrap();
    assert_eq!((log.name.as_str(), log.extent().as_str()), ("stdio", "The last 30 of 101 lines"));
    assert_eq!(log.lines.len(), 30);
    assert!(log.lines.last().unwrap().starts_with("make: *** [bell_100.o] Error 1"), "{log:?}");
    assert!(log.url.as_deref().unwrap().ends_with("/steps/compile%20all/logs/stdio"), "{log:?}");
    assert_eq!(diagnosis.run.unwrap().sentence(42), "Broken since this build: #41 worked.");
    assert_eq!(Diagnosis::read(&sample.build, Success, &sample).await.unwrap().quotes, []);
}

#[tokio::test]
async fn m_73_blank_ends_are_not_counted_and_what_is_cut_is_marked() {
    use super::log_quote::end_of;
    let end = |tail: &str, lines| end_of(tail, lines).map(|(lines, total)| (lines.join("|"), total));
    assert_eq!(end("a\nb\nc\nd\n\n \n\n", 7), Some(("a|b|c|d".to_owned(), 4)));
    assert_eq!(end(&format!("a\n{}", "\n".repeat(500)), 501), Some(("a".to_owned(), 1)));
    assert_eq!(end("\n \n", 2), None);
    let many: String = (1..=101).map(|line| format!("line {line}\n")).collect();
    let (lines, total) = end_of(&many, 101).unwrap();
    assert_eq!((lines.len(), total, lines[0].as_str()), (30, 101, "line 72"));
    let (lines, _) = end_of(&"x".repeat(500), 1).unwrap();
    assert_eq!(lines, [format!("{}…", "x".repeat(400))]);
    // Of a log that is not read from its beginning, the first line may lack its own.
    let (lines, total) = end_of(&format!("{}\nb\n\n", "x".repeat(64 * 1024 - 4)), 900).unwrap();
    assert_eq!((lines[0].as_str(), total), (format!("…{}…", "x".repeat(400)).as_str(), 899));
}

#[tokio::test]
async fn m_73_steps_and_logs_that_say_most() {
    let step = |name: &str, results, logs: &[&str]| Step {
        name: name.to_owned(),
        results,
        logs: logs
            .iter()
            .map(|log| LogSummary { name: (*log).to_owned(), ..LogSummary::default() })
            .collect(),
        ..Step::default()
    };
    let quoted = async |results, steps: Vec<Step>| {
        let mut sample = Sample::bundled();
        for (step, log) in [("compile all", "stdio"), ("compile all", "warnings (2)"), ("git", "stdio")] {
            assert!(sample.build.logs().any(|(known, name)| known.name == step && name.name == log));
        }
        sample.build.steps = steps;
        let diagnosis = Diagnosis::read(&sample.build, results, &sample).await.unwrap();
        let quotes = diagnosis.quotes.into_iter();
        let text = quotes.map(|quote| {
            let log = quote.log.as_ref().map_or("nothing", |log| log.name.as_str());
            format!("{} {}: {log}", quote.step, quote.verb())
        });
        text.collect::<Vec<_>>().join("; ")
    };
    let logs = &["warnings (2)", "stdio"];
    // One that was reported by hand has a log and no outcome.
    let by_hand = vec![step("git", Some(Success), logs), step("compile all", None, logs)];
    assert_eq!(quoted(Failure, by_hand).await, "compile all did not finish: stdio");
    let warned = vec![step("compile all", Some(Warnings), logs), step("git", None, logs)];
    assert_eq!(quoted(Warnings, warned).await, "compile all had warnings: warnings (2)");
    let many = (0..9).map(|number| step(&format!("s{number}"), Some(Failure), &[])).collect();
    assert_eq!(quoted(Failure, many).await, "s0 failed: nothing; s1 failed: nothing; s2 failed: nothing");
    let unknown = vec![
        step("git", Some(Exception), &["gone"]),
        Step { hidden: true, ..step("h", Some(Failure), logs) },
    ];
    assert_eq!(quoted(Exception, unknown).await, "git was stopped by an exception: nothing");
}
