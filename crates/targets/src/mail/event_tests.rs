//! Mails about more than one finished build: buildsets, builds that begin, workers that are missing; and which build
//! counts as the one before.
#![allow(clippy::unwrap_used)]

use super::super::Silence;
use super::tests::{build, mail, silence, target, told_of};
use campanile_model::{Build, Buildset, Change, Event, Patch, Results, SourceStamp, Timestamp, Worker};
use serde_json::json;

const SUMMARY: &str = "build_set_summary = true\nlookup = \"example.org\"\n";

fn of_set(builder: &str, results: Results, who: &str, patch: &str) -> Build {
    let change = Change { who: who.to_owned(), ..Change::default() };
    let patch = Patch { body: patch.to_owned(), ..Patch::default() };
    let stamp = SourceStamp { changes: vec![change], patch: Some(patch), ..SourceStamp::default() };
    Build { builder: builder.to_owned(), buildset: Some(5), source_stamps: vec![stamp], ..build(3, results) }
}

fn complete(results: Option<Results>) -> Event {
    Event::BuildsetComplete { buildset: Buildset { bsid: 5, results, ..Buildset::default() } }
}

fn text(raw: Vec<u8>) -> String {
    String::from_utf8(raw).unwrap()
}

#[tokio::test]
async fn m_22_m_23_m_25_one_mail_tells_of_the_builds_that_count() {
    let target = target(SUMMARY);
    let builds = vec![
        of_set("linux", Results::Failure, "zoe", "+a"),
        of_set("mac", Results::Skipped, "nobody", "+b"),
        of_set("windows", Results::Success, "ada", "+a"),
    ];
    let mail = mail(told_of(&*target, &complete(Some(Results::Failure)), builds).await);
    let to = ["ada@example.org", "zoe@example.org", "dev@example.org"];
    assert_eq!(mail.envelope.recipients, to, "the skipped build's user is not told");
    let raw = text(mail.raw);
    assert!(raw.contains("Subject: campanile failure in Quad CI on (whole buildset)\r\n"), "{raw}");
    let at = |what: &str| raw.find(what).unwrap_or_else(|| panic!("{what}: {raw}"));
    assert!(at("a failed build on builder linux") < at("a passing build on builder windows"));
    assert!(!raw.contains("builder mac"), "{raw}");
    // M-56: equal patches go once.
    assert_eq!(raw.matches("filename=\"source patch").count(), 1, "{raw}");
}

#[tokio::test]
async fn m_22_a_build_of_a_set_waits_and_a_set_without_news_is_silent() {
    let target = target(SUMMARY);
    let one = of_set("linux", Results::Failure, "zoe", "");
    let event = Event::BuildFinished { build: Box::new(one) };
    assert_eq!(silence(told_of(&*target, &event, Vec::new()).await), Silence::BuildsetSummary);

    let quiet = vec![of_set("linux", Results::Skipped, "zoe", ""), of_set("mac", Results::Retry, "zoe", "")];
    let told = silence(told_of(&*target, &complete(None), quiet).await).to_string();
    assert!(told.contains("linux #3: no mode of the target asks for skipped"), "{told}");
    assert!(told.contains("mac #3: the build was lost"), "{told}");
    let told = silence(told_of(&*target, &complete(None), Vec::new()).await).to_string();
    assert_eq!(told, "no finished build of the buildset is known");
}

#[tokio::test]
async fn m_23_the_result_of_a_set_that_tells_none_is_that_of_its_builds() {
    let builds =
        vec![of_set("linux", Results::Success, "zoe", ""), of_set("mac", Results::Warnings, "ada", "")];
    let mail = mail(told_of(&*target(SUMMARY), &complete(None), builds).await);
    assert!(text(mail.raw).contains("Subject: campanile success in"), "M-RES-07");
}

#[tokio::test]
async fn m_26_a_build_without_a_set_is_a_summary_of_one() {
    let single = Build { buildset: None, ..of_set("linux", Results::Failure, "zoe", "") };
    let event = Event::BuildFinished { build: Box::new(single) };
    let mail = mail(told_of(&*target(SUMMARY), &event, Vec::new()).await);
    assert!(text(mail.raw).contains("Subject: campanile failure in Quad CI on linux\r\n"));
}

#[tokio::test]
async fn m_61_headers_of_a_summary_are_made_of_the_buildset() {
    let target = target(
        "build_set_summary = true\nextra_headers = { X-Who = \"%(prop:who)s\", X-Branch = \"%(src::branch)s\" }\n",
    );
    let mut buildset = Buildset { bsid: 5, ..Buildset::default() };
    buildset.properties.set("who", json!("kim"), "Scheduler");
    buildset.source_stamps = vec![SourceStamp { branch: Some("main".to_owned()), ..SourceStamp::default() }];
    let event = Event::BuildsetComplete { buildset };
    let mail = mail(told_of(&*target, &event, vec![of_set("linux", Results::Failure, "zoe", "")]).await);
    let raw = text(mail.raw);
    assert!(raw.contains("X-Who: kim\r\n") && raw.contains("X-Branch: main\r\n"), "{raw}");
}

#[tokio::test]
async fn m_x_05_the_begin_of_a_build_is_told_of_when_asked_for() {
    let quiet = target("");
    let begun = Build { results: None, finished: None, ..build(4, Results::Success) };
    let event = Event::BuildStarted { build: Box::new(begun.clone()) };
    assert!(quiet.wants(&event).is_none());
    let target = target("report_new = true\nmode = \"failing\"\nbuilders = [\"linux\"]\n");
    let mail = mail(told_of(&*target, &event, Vec::new()).await);
    let raw = text(mail.raw);
    assert!(raw.contains("Subject: campanile started in Quad CI on linux\r\n"), "{raw}");
    assert!(raw.contains("reports a started build on builder linux"), "{raw}");
    assert!(raw.contains("The build has started."), "{raw}");
    let other = Event::BuildStarted { build: Box::new(Build { builder: "mac".to_owned(), ..begun }) };
    assert_eq!(silence(told_of(&*target, &other, Vec::new()).await).code(), "builders");
}

#[tokio::test]
async fn m_x_13_a_missing_worker_is_told_to_those_who_asked() {
    let worker = Worker {
        name: "w1".to_owned(),
        admin: Some("Kim".to_owned()),
        notify: vec!["kim@example.org".to_owned(), "no address".to_owned()],
        last_message: Some(Timestamp::from_seconds(1_397_948_626)),
        ..Worker::default()
    };
    let event = Event::WorkerMissing { worker: worker.clone() };
    assert!(target("").wants(&event).is_none(), "none is watched by default");
    assert!(target("watched_workers = [\"w2\"]").wants(&event).is_none());
    for watched in ["\"all\"", "[\"w1\"]"] {
        let target = target(&format!("watched_workers = {watched}"));
        let mail = mail(told_of(&*target, &event, Vec::new()).await);
        assert_eq!(mail.envelope.recipients, ["kim@example.org"], "and not the extra recipients");
        let raw = text(mail.raw);
        assert!(raw.contains("Subject: Quad CI: worker w1 is missing\r\n"), "{raw}");
        let told = "The worker w1 of Quad CI is missing.\r\n\r\n\
             Last heard of: 2014-04-19T23:03:46Z\r\n\r\nLooked after by: Kim\r\n\r\nInstallation: http://ci.example.org/\r\n\r\n-- \r\nCampanile\r\n";
        assert!(raw.contains(told), "{raw}");
    }
    let nobody = Event::WorkerMissing { worker: Worker { notify: Vec::new(), ..worker } };
    let silent = told_of(&*target("watched_workers = \"all\""), &nobody, Vec::new()).await;
    assert_eq!(silence(silent), Silence::NoRecipients);
}

#[tokio::test]
async fn m_18_the_build_before_may_be_the_one_of_the_same_branch() {
    let on = |number, branch: &str, results| {
        let stamp = SourceStamp { branch: Some(branch.to_owned()), ..SourceStamp::default() };
        Build { source_stamps: vec![stamp], ..build(number, results) }
    };
    let earlier = vec![on(8, "topic", Results::Success), on(7, "main", Results::Failure)];
    let event = Event::BuildFinished { build: Box::new(on(9, "main", Results::Failure)) };
    let by_number = target("mode = \"problem\"\nprevious_build = \"number\"");
    mail(told_of(&*by_number, &event, earlier.clone()).await);
    let by_branch = target("mode = \"problem\"");
    let silent = silence(told_of(&*by_branch, &event, earlier.clone()).await);
    assert_eq!(silent, Silence::Mode { seen: "failure after failure".to_owned() });
    let event = Event::BuildFinished { build: Box::new(on(9, "new", Results::Failure)) };
    let silent = silence(told_of(&*by_branch, &event, earlier).await);
    assert_eq!(silent, Silence::Mode { seen: "failure with no build before".to_owned() });
}
