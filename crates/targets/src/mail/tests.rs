//! A mail target from its settings to a stored mail, and to a relay where one is at hand.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::payload::StoredMail;
use super::{Context, Outcome, Outgoing, Parts, Prepared, Silence, Target};
use campanile_callbacks::{CallRecord, Caller, Status, StatusError};
use campanile_config::{Document, Limits, Problems, Reader, Settings};
use campanile_model::{
    Build, BuildId, Builder, Buildset, Event, LogRef, Patch, Results, SourceStamp, Timestamp,
};
use campanile_outbound::{Allowed, Outbound, SystemResolver};

pub(super) const BASE: &str =
    "[[mail]]\nfromaddr = \"CI <ci@example.org>\"\nextra_recipients = [\"dev@example.org\"]\n";

/// A target, and every problem of its settings.
pub(super) fn read(source: &str) -> (Option<Arc<dyn Target>>, Vec<String>) {
    let problems = Problems::new();
    let document = Document::parse(Path::new("campanile.toml"), source, &problems);
    let root = Reader::root(&document, &problems);
    let settings = Settings::read(&root, &Limits::default());
    let callbacks = BTreeMap::new();
    let outbound = Outbound::new(Allowed::default(), Arc::new(SystemResolver));
    let templates = campanile_callbacks::TemplateRenderer::in_process();
    let parts = Parts {
        settings: &settings,
        callbacks: &callbacks,
        outbound: &outbound,
        templates: &templates,
        problems: &problems,
    };
    let target = crate::from_settings(&root, &parts).pop().map(|(_, target)| target);
    (target, problems.into_sorted().iter().map(ToString::to_string).collect())
}

pub(super) fn target(more: &str) -> Arc<dyn Target> {
    let (target, problems) = read(&format!("{BASE}{more}"));
    assert!(problems.is_empty(), "{problems:?}");
    target.unwrap()
}

struct KnownBuilds(Mutex<Vec<Build>>);

#[async_trait]
impl Status for KnownBuilds {
    fn title(&self) -> &str {
        "Quad CI"
    }

    fn url(&self) -> Option<&str> {
        Some("http://ci.example.org/")
    }

    fn url_for(&self, id: &BuildId) -> Option<String> {
        Some(format!("http://ci.example.org/builders/{}/builds/{}", id.builder, id.number))
    }

    fn log_url_for(&self, _: &LogRef) -> Option<String> {
        None
    }

    async fn build(&self, id: &BuildId) -> Result<Option<Build>, StatusError> {
        Ok(self.0.lock().unwrap().iter().find(|build| build.id() == *id).cloned())
    }

    async fn earlier_builds(&self, before: &BuildId, limit: u32) -> Result<Vec<Build>, StatusError> {
        let mut earlier = self.0.lock().unwrap().clone();
        earlier.retain(|build| build.builder == before.builder && build.number < before.number);
        earlier.sort_by_key(|build| std::cmp::Reverse(build.number));
        earlier.truncate(usize::try_from(limit).unwrap());
        Ok(earlier)
    }

    async fn builders(&self) -> Result<Vec<Builder>, StatusError> {
        Ok(Vec::new())
    }

    async fn running_builds(&self, _: &str) -> Result<Vec<Build>, StatusError> {
        Ok(Vec::new())
    }

    async fn builds_of_buildset(&self, bsid: u64) -> Result<Vec<Build>, StatusError> {
        let known = self.0.lock().unwrap();
        Ok(known.iter().filter(|build| build.buildset == Some(bsid)).cloned().collect())
    }

    async fn buildset(&self, _: u64) -> Result<Option<Buildset>, StatusError> {
        Ok(None)
    }

    async fn log_tail(&self, _: &LogRef, _: u32, _: usize) -> Result<Option<String>, StatusError> {
        Ok(None)
    }

    async fn log_read(&self, _: &LogRef, _: u64, _: usize) -> Result<Option<Vec<u8>>, StatusError> {
        Ok(None)
    }

    fn record(&self, _: CallRecord) {}
}

pub(super) fn build(number: u64, results: Results) -> Build {
    let mut build = Build::new("linux", number);
    build.results = Some(results);
    build.finished = Some(Timestamp::from_seconds(1_397_948_626));
    build
}

async fn prepared(target: &dyn Target, build: Build, earlier: Vec<Build>) -> Prepared {
    told_of(target, &Event::BuildFinished { build: Box::new(build) }, earlier).await
}

/// Prepares an event that the target wants, when these builds are known.
pub(super) async fn told_of(target: &dyn Target, event: &Event, known: Vec<Build>) -> Prepared {
    assert!(target.wants(event).is_some());
    target.prepare(event, &context(known)).await.unwrap()
}

pub(super) fn context(known: Vec<Build>) -> Context {
    let status = Arc::new(KnownBuilds(Mutex::new(known)));
    Context {
        caller: Caller { status, delivery: None },
        now: Timestamp::from_seconds(1_397_948_626),
        position: None,
        created: Timestamp::default(),
    }
}

pub(super) fn mail(prepared: Prepared) -> StoredMail {
    match prepared {
        Prepared::Message { message: bytes, .. } => StoredMail::from_bytes(&bytes).unwrap(),
        Prepared::Silent(silence) => panic!("silent: {silence}"),
    }
}

pub(super) fn silence(prepared: Prepared) -> Silence {
    match prepared {
        Prepared::Silent(silence) => silence,
        Prepared::Message { .. } => panic!("a mail"),
    }
}

#[test]
fn m_01_every_problem_is_told_at_its_line() {
    let (_, problems) =
        read("[[mail]]\nmodus = \"all\"\nsubject = \"a\\nb\"\nextraRecipients = [\"foo@invalid\"]\n");
    let all = problems.join("\n");
    for text in [
        "`fromaddr` is missing",
        "did you mean `mode`?",
        "campanile.toml:3: error: Newlines are not allowed in email subjects",
        "extra recipient 'foo@invalid' is not a valid email",
    ] {
        assert!(all.contains(text) || all.contains(&text.replace(": error", "")), "{text}: {all}");
    }
}

#[test]
fn m_01_m_34_every_address_is_judged_where_it_stands() {
    let (_, problems) = read(
        "[[users]]\nidentifier = \"a\"\nemail = \"a@invalid\"\n\n[[users]]\nidentifier = \"b\"\nemail = \"B <b@x.org>\"\n\n\
         [[mail]]\nname = \"one\"\nfromaddr = \"ci@x.org\\r\\nBcc: e@x.org\"\n\n[[mail]]\nname = \"two\"\n\
         fromaddr = \"a@b@c\"\nextra_recipients = [\n  \"ok@x.org\",\n  \"Böse<e@x.org>\",\n]\n",
    );
    let errors: Vec<&String> = problems.iter().filter(|problem| problem.contains(": error: ")).collect();
    assert_eq!(errors.len(), 4, "{problems:?}");
    for (error, start) in errors.iter().zip([
        "campanile.toml:3: error: `email`: `a@invalid` is not a mail address like",
        "campanile.toml:11: error: `ci@x.org\r\nBcc: e@x.org` is not a mail address",
        "campanile.toml:15: error: `a@b@c` is not a mail address",
        "campanile.toml:18: error: extra recipient 'Böse<e@x.org>' is not a valid email",
    ]) {
        assert!(error.starts_with(start), "{error}");
    }
}

#[test]
fn m_60_m_61_headers_are_judged_where_they_stand() {
    let (target, problems) = read(&format!(
        "{BASE}[mail.extra_headers]\n\"X Y\" = \"1\"\nTo = \"x@x.org\"\nX-A = \"%(prop:a\"\nX-B = 3\n\
         \"X-%(prop:b)s\" = \"%(src::branch)s\"\n\"Grün\" = \"1\"\nX-C = \"100%\"\n"
    ));
    let told: Vec<&str> = problems.iter().map(String::as_str).collect();
    let wanted = [
        "campanile.toml:5: error: `X Y` is no name for a header",
        "campanile.toml:6: warning: `To` is left out: every mail has it already",
        "campanile.toml:7: error: extra header: ",
        "campanile.toml:8: error: ",
        "campanile.toml:10: error: `Grün` is no name for a header",
    ];
    assert_eq!(told.len(), wanted.len(), "{told:?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.starts_with(wanted), "{told}");
    }
    assert!(target.is_some());
}

#[test]
fn m_70_use_tls_without_credentials_is_noted() {
    let (target, problems) = read(&format!("{BASE}use_tls = true\n"));
    assert!(target.is_some());
    let note = "campanile.toml:4: warning: `use_tls` without `smtp_user`: fine for relays that only want TLS";
    assert_eq!(problems, [note]);
}

#[tokio::test]
async fn m_72_m_dlv_01_mails_of_a_builder_go_out_in_order_and_others_beside_them() {
    let keys = |more: &str| {
        let target = target(more);
        move |builder: &str, number| {
            let mut build = build(number, Results::Failure);
            builder.clone_into(&mut build.builder);
            target.wants(&Event::BuildFinished { build: Box::new(build) }).unwrap().ordering_key.unwrap()
        }
    };
    for more in ["", "order_by = \"builder\""] {
        let key = keys(more);
        assert_eq!(key("linux", 1), key("linux", 2), "{more}");
        assert_ne!(key("linux", 1), key("mac", 1), "{more}");
    }
    let key = keys("order_by = \"none\"");
    assert_eq!(key("linux", 1), key("linux", 1));
    assert!(key("linux", 1) != key("linux", 2) && key("linux", 1) != key("mac", 1));
}

#[test]
fn m_02_m_12_settings_errors_have_the_words_of_the_manual() {
    for (more, text) in [
        ("builders = []\ntags = []", "Please specify only builders or tags to include - not both."),
        (
            "mode = [\"all\"]",
            "mode 'all' is not valid in an iterator and must be passed in as a separate string",
        ),
        ("order_by = \"branch\"", "`order_by` must be \"builder\" or \"none\", not `branch`"),
        ("mode = \"some\"", "mode some is not a valid mode"),
        ("mode = [\"failing\", \"x\"]", "mode x is not a valid mode"),
        ("custom_mesg = 1", "customMesg is deprecated; use messageFormatter instead"),
        ("extra_headers = \"x\"", "extraHeaders must be a dictionary"),
        ("addLogs = \"stdio\"", "write [\"stdio\"]"),
        ("add_logs = \"stdio\"", "must be true, false or a list: write [\"stdio\"]"),
        ("add_logs = 3", "must be true, false or a list of texts"),
        ("build_set_summary = 1", "must be true or false"),
        ("previous_build = \"mine\"", "`previous_build` must be `number` or `branch`, not `mine`"),
        ("watched_workers = \"w1\"", "must be \"all\" or a list of workers' names"),
        ("lookup = { callback = \"x\" }", "there is no callback `x`"),
        ("lookup = \"a@b\"", "must be a domain"),
        ("message_formatter = \"none\"", "there is no callback `none`"),
        ("smtp_user = \"u\"", "needs `smtp_password` too"),
        ("use_tls = true\nuse_smtps = true", "exclude each other"),
        ("smtp_port = 0", "must be from 1 to 65535"),
        ("relayhost = \" \"", "must be the name or address"),
        ("transport = \"pigeon\"", "must be \"smtp\", \"sendmail:/PROGRAM\" or \"file:FOLDER\""),
        ("transport = \"sendmail:sendmail\"", "must name the program with its whole path"),
        ("transport = \"sendmail:/usr/sbin/sendmail -t\"", "`-t` must not be in `transport`"),
        ("transport = \"smtp:x\"", "must be \"smtp\", "),
        ("thread_by = \"day\"", "`thread_by` must be `builder`, `branch` or `change`, not `day`"),
        ("max_message_bytes = \"much\"", "a size such as 1048576"),
        ("use_tls = true\nrelayhost = \"a_b c\"", "must be the name or address"),
        ("use_tls = true\nrelayhost = \"..\"", "`..` is neither a host name nor an address"),
        ("use_tls = true\ntls_ca = \"none.pem\"", "cannot use `./none.pem` as certificates"),
        ("on_callback_error = \"x\"", "must be `default`, `retry` or `dead`"),
        ("extra_headers = { X = \"%(prop:a\" }", "never closed"),
        ("send_to_interested_users = 1", "must be true or false"),
    ] {
        let (_, problems) = read(&format!("{BASE}{more}\n"));
        assert!(problems.iter().any(|problem| problem.contains(text)), "{more}: {problems:?}");
    }
    let (_, problems) = read("[[mail]]\nfromaddr = \"a@b\"\nextra_recipients = \"a@b.c\"\n");
    assert!(problems.iter().any(|problem| problem.contains("extraRecipients must be a list or tuple")));
}

#[test]
fn m_04_a_target_that_reaches_nobody_is_warned_of() {
    let (target, problems) = read("[[mail]]\nfromaddr = \"a@localhost\"\n");
    assert!(target.is_some());
    assert!(problems.iter().any(|problem| problem.contains("can reach nobody")), "{problems:?}");
}

#[tokio::test]
async fn m_11_words_that_stand_for_several() {
    for (mode, results, mailed) in [
        ("\"all\"", Results::Exception, true),
        ("\"warnings\"", Results::Failure, true),
        ("[\"warnings\"]", Results::Failure, false),
        ("\"passing\"", Results::Failure, false),
    ] {
        let prepared = prepared(&*target(&format!("mode = {mode}")), build(2, results), Vec::new()).await;
        assert_eq!(matches!(prepared, Prepared::Message { .. }), mailed, "{mode} {results}");
    }
}

#[tokio::test]
async fn m_21_silences_say_why() {
    let target = target("mode = \"change\"\nbuilders = [\"linux\"]");
    let again = prepared(&*target, build(2, Results::Success), vec![build(1, Results::Success)]).await;
    assert_eq!(silence(again), Silence::Mode { seen: "success after success".to_owned() });
    assert_eq!(silence(prepared(&*target, build(2, Results::Retry), Vec::new()).await), Silence::Retry);
    let mut other = build(2, Results::Failure);
    other.builder = "mac".to_owned();
    assert_eq!(silence(prepared(&*target, other, Vec::new()).await).code(), "builders");
    let (nobody, _) = read("[[mail]]\nfromaddr = \"a@localhost\"\n");
    let silent = prepared(&*nobody.unwrap(), build(2, Results::Failure), Vec::new()).await;
    assert_eq!(silence(silent), Silence::NoRecipients);
}

/// M-RES-08: what has no outcome is neither a success nor a failure.
#[tokio::test]
async fn m_res_08_a_build_without_an_outcome_is_silent() {
    let still = Build { results: None, ..build(2, Results::Success) };
    let silent = prepared(&*target("mode = \"all\""), still, vec![build(1, Results::Failure)]).await;
    assert_eq!(silence(silent), Silence::Mode { seen: "a build without a result".to_owned() });
}

/// M-05, M-09: by default only the end of a build is news, and the filter goes before the mode.
#[tokio::test]
async fn m_05_only_finished_builds_are_looked_at_and_m_09_filters_go_first() {
    let target = target("mode = \"all\"\nbuilders = [\"mac\"]");
    let started = Event::BuildStarted { build: Box::new(Build::new("mac", 1)) };
    let step = campanile_model::Step::default();
    let finished = Event::StepFinished { build: Build::new("mac", 1).id(), step };
    for event in [started, finished] {
        assert!(target.wants(&event).is_none(), "{event:?}");
        assert!(!target.unwanted(&event).is_empty());
    }
    assert_eq!(silence(prepared(&*target, build(2, Results::Failure), Vec::new()).await).code(), "builders");
}

/// M-42: whatever the body, two line ends follow it (and that of the transport).
/// M-X-17: patches go along unless it is said otherwise.
#[tokio::test]
async fn m_42_two_newlines_follow_and_m_x_17_patches_go_along() {
    let raw =
        String::from_utf8(mail(prepared(&*target(""), build(2, Results::Failure), Vec::new()).await).raw)
            .unwrap();
    assert!(raw.ends_with("Campanile\r\n\r\n\r\n\r\n"), "{raw:?}");
    let mut patched = build(2, Results::Failure);
    let patch = Patch { body: "+a\n".to_owned(), ..Patch::default() };
    patched.source_stamps = vec![SourceStamp { patch: Some(patch), ..SourceStamp::default() }];
    for (more, there) in [("", true), ("add_patch = false", false)] {
        let raw = mail(prepared(&*target(more), patched.clone(), Vec::new()).await).raw;
        assert_eq!(String::from_utf8(raw).unwrap().contains("filename=\"source patch 0\""), there, "{more}");
    }
}

#[tokio::test]
async fn m_59_a_whole_mail() {
    let target = target(
        "mode = \"problem\"\nextra_headers = { X-Builder = \"b\", List-Id = \"<%(src::project)s.x>\" }",
    );
    let mut failed = build(2, Results::Failure);
    failed.builder = "li\r\nBcc: evil@example.org".to_owned();
    let patch = Patch { body: "+a\n".to_owned(), ..Patch::default() };
    failed.source_stamps =
        vec![SourceStamp { project: "quad".to_owned(), patch: Some(patch), ..SourceStamp::default() }];
    let before = Build { builder: failed.builder.clone(), ..build(1, Results::Success) };
    let mail = mail(prepared(&*target, failed, vec![before]).await);
    assert_eq!(mail.envelope.sender, "ci@example.org");
    assert_eq!(mail.envelope.recipients, ["dev@example.org"]);
    assert_eq!(mail.envelope.rendered, "20140419T230346.000000Z");
    let raw = String::from_utf8(mail.raw).unwrap();
    for line in [
        "Subject: campanile failure in Quad CI on li Bcc: evil@example.org\r\n",
        "From: CI <ci@example.org>\r\nTo: dev@example.org\r\n",
        "X-Builder: b\r\n",
        "List-Id: <quad.x>\r\n",
        "Campanile reports a new failure on builder li",
        "filename=\"source patch 0\"",
    ] {
        assert!(raw.contains(line), "{line}: {raw}");
    }
    assert!(raw.contains(&format!("Message-ID: {}\r\n", mail.envelope.message_id)));
    let (head, _) = raw.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("\nBcc"));
}

fn outgoing(message: &[u8]) -> Outgoing<'_> {
    Outgoing { message, age: Duration::ZERO, failures: 0, now: Timestamp::default() }
}

#[tokio::test]
async fn m_x_03_mails_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let target = target(&format!("transport = \"file:{}\"", folder.path().display()));
    let Prepared::Message { message: bytes, .. } =
        prepared(&*target, build(2, Results::Failure), Vec::new()).await
    else {
        panic!("silent")
    };
    for _ in 0..2 {
        assert!(matches!(target.send(outgoing(&bytes)).await, Outcome::Delivered(_)));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(target.probe().await.is_ok());
    assert!(matches!(target.send(outgoing(b"rubbish")).await, Outcome::Refused(_)));
}
