//! `guest-examples/html-mail-cases.json`: what html mails of every language must say, byte for byte.
//!
//! This formatter is the one that the others are held to. After a change that is meant, `BLESS=1 cargo test` writes
//! the new texts into the file.

use campanile_guest::{
    Build, BuildId, Change, Kind, LogError, LogSummary, MessageRequest, Mode, Patch, Results, SourceStamp,
    Status, Step,
};
use serde_json::{Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../html-mail-cases.json");

#[test]
fn every_case_is_told_as_written() {
    let text = std::fs::read_to_string(FILE).expect("the cases are there");
    let mut cases: Vec<Value> = serde_json::from_str(&text).expect("the cases are JSON");
    assert!(cases.len() > 5, "only {} cases were found", cases.len());
    let bless = std::env::var_os("BLESS").is_some();
    for case in &mut cases {
        let results = results(&case["results"]).expect("a case has results");
        let request = MessageRequest {
            mode: Mode::FAILING,
            name: "linux".to_owned(),
            build: build(&case["build"]),
            results,
        };
        let status = Told { url: own(&case["url_for"]), log: own(&case["log"]) };
        let mail = html_mail::render(&request, &status).expect("it has no way to fail");
        assert_eq!((mail.subject, mail.kind, mail.headers), (None, Kind::Html, Vec::new()));
        let said = json!({"body": mail.body, "alternative": mail.alternative});
        if bless {
            case["expected"] = said;
        } else {
            assert_eq!(case["expected"], said, "{}", case["name"]);
        }
    }
    if bless {
        let text = serde_json::to_string_pretty(&cases).expect("values are JSON");
        std::fs::write(FILE, text + "\n").expect("the cases can be written");
    }
}

/// An engine that knows one address and one log.
struct Told {
    url: Option<String>,
    log: Option<String>,
}

impl Status for Told {
    fn title(&self) -> String {
        "Quad CI".to_owned()
    }

    fn url(&self) -> Option<String> {
        None
    }

    fn url_for(&self, _: &BuildId) -> Option<String> {
        self.url.clone()
    }

    fn get_build(&self, _: &BuildId) -> Option<Build> {
        None
    }

    fn previous_build(&self, _: &BuildId) -> Option<Build> {
        None
    }

    fn recent_builds(&self, _: &BuildId, _: u32) -> Vec<Build> {
        Vec::new()
    }

    fn log_tail(&self, _: &BuildId, _: &str, _: &str, lines: u32) -> Result<String, LogError> {
        assert_eq!(lines, 80);
        self.log.clone().ok_or(LogError::NotFound)
    }

    fn log_read(&self, _: &BuildId, _: &str, _: &str, _: u64, _: u32) -> Result<Vec<u8>, LogError> {
        Err(LogError::NotFound)
    }
}

fn build(value: &Value) -> Build {
    Build {
        id: BuildId { builder: "linux".to_owned(), number: 7 },
        url: own(&value["url"]),
        tags: Vec::new(),
        results: None,
        text: Vec::new(),
        reason: text(&value["reason"]),
        worker: text(&value["worker"]),
        started: 0.0,
        finished: None,
        responsible_users: texts(&value["responsible_users"]),
        interested_users: Vec::new(),
        properties: Vec::new(),
        source_stamps: each(&value["source_stamps"], stamp),
        steps: each(&value["steps"], step),
        buildset: None,
    }
}

fn stamp(value: &Value) -> SourceStamp {
    SourceStamp {
        codebase: text(&value["codebase"]),
        repository: String::new(),
        project: String::new(),
        branch: own(&value["branch"]),
        revision: own(&value["revision"]),
        patch: value["patch"].is_object().then(|| Patch {
            level: 1,
            subdir: String::new(),
            author: String::new(),
            comment: text(&value["patch"]["comment"]),
            body: String::new(),
        }),
        changes: each(&value["changes"], change),
    }
}

fn change(value: &Value) -> Change {
    Change {
        who: text(&value["who"]),
        committer: None,
        revision: None,
        branch: None,
        // JSON has no word for what is not a number.
        when: value["when"].as_f64().unwrap_or(f64::NAN),
        files: texts(&value["files"]),
        comments: text(&value["comments"]),
        revlink: None,
        repository: text(&value["repository"]),
        project: text(&value["project"]),
        codebase: String::new(),
        category: None,
        properties: Vec::new(),
    }
}

fn step(value: &Value) -> Step {
    let log =
        |log: &Value| LogSummary { name: text(&log["name"]), url: own(&log["url"]), lines: 0, bytes: 0 };
    Step {
        name: text(&value["name"]),
        text: Vec::new(),
        results: None,
        started: None,
        finished: None,
        logs: each(&value["logs"], log),
    }
}

fn results(word: &Value) -> Option<Results> {
    Some(match word.as_str()? {
        "success" => Results::Success,
        "warnings" => Results::Warnings,
        "failure" => Results::Failure,
        "skipped" => Results::Skipped,
        "exception" => Results::Exception,
        "retry" => Results::Retry,
        "cancelled" => Results::Cancelled,
        _ => return None,
    })
}

fn each<T>(value: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().expect("a list").iter().map(read).collect()
}

fn texts(value: &Value) -> Vec<String> {
    each(value, text)
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn own(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
