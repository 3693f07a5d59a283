//! The table of answers, row by row at every target that goes out by HTTP: a server that gives one answer to all.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::{Outcome, Outgoing, Parts, Target};
use campanile_config::{Document, Limits, Problems, Reader, Settings};
use campanile_model::Timestamp;
use campanile_outbound::{Allowed, Outbound, SystemResolver};

/// The end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Delivered,
    Deferred,
    Refused,
}
use End::{Deferred, Delivered, Refused};

/// Rows: an answer's status and text, and the end that it makes of an attempt.
const TABLE: &[(u16, &str, End)] = &[
    (201, "{}", Delivered),
    (301, "", Refused),
    (302, "", Deferred),
    (307, "", Refused),
    (308, "", Refused),
    (400, "", Refused),
    (401, "", Refused),
    (403, "", Refused),
    (403, "You have exceeded a secondary rate limit", Deferred),
    (404, "", Refused),
    (408, "", Deferred),
    (409, "", Refused),
    (410, "", Refused),
    (413, "", Refused),
    (421, "", Deferred),
    (422, "", Refused),
    (423, "", Deferred),
    (425, "", Deferred),
    (429, "", Deferred),
    (500, "", Deferred),
    (502, "", Deferred),
    (503, "", Deferred),
    (504, "", Deferred),
];

/// Targets that make something else of an answer, each with the number that says so.
const EXCEPTIONS: &[(&str, u16, End, &str)] = &[
    // Two statuses of a commit at once.
    ("gitlab", 409, Deferred, "L-06"),
    // Nothing is lost for settings that are wrong: the queue's length is the limit.
    ("packets", 301, Deferred, "P-HTTP-14"),
    ("packets", 307, Deferred, "P-HTTP-14"),
    ("packets", 308, Deferred, "P-HTTP-14"),
    ("packets", 400, Deferred, "P-HTTP-14"),
    ("packets", 401, Deferred, "P-HTTP-14"),
    ("packets", 403, Deferred, "P-HTTP-14"),
    ("packets", 404, Deferred, "P-HTTP-14"),
    ("packets", 409, Deferred, "P-HTTP-14"),
    ("packets", 410, Deferred, "P-HTTP-14"),
    ("packets", 422, Deferred, "P-HTTP-14"),
    // Gerrit's list of changes can't be read of `{}`.
    ("gerrit", 201, Deferred, "M-DLV-03"),
];

/// Starts a server that gives this answer to every request, and says its port.
async fn server(status: u16, body: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let (mut line, mut length) = (String::new(), 0);
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    let header = std::mem::take(&mut line).to_ascii_lowercase();
                    if let Some(value) = header.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                }
                stream.read_exact(&mut vec![0; length]).await.unwrap();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} As Told\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    port
}

/// All targets that go out by HTTP and run without a component, at this port.
fn targets(port: u16) -> Vec<Arc<dyn Target>> {
    let url = format!("http://127.0.0.1:{port}/");
    let forge = |table: &str, credentials: &str| {
        format!(
            "[[{table}]]\nname = \"{table}\"\nbase_url = \"{url}\"\nallow_insecure = true\n{credentials}\n"
        )
    };
    let token = "token = \"s3cr3t-t0k3n\"";
    let login = "username = \"u\"\npassword = \"p\"";
    let source = [
        forge("github", token),
        forge("github_comment", token),
        forge("gitea", token),
        forge("gitlab", token),
        forge("bitbucket", token),
        forge("bitbucket_server", token),
        forge("bitbucket_server_comment", token),
        forge("gerrit_verify_status", login).replace("allow_insecure = true\n", ""),
        format!("[[gerrit]]\nname = \"gerrit\"\ntransport = \"rest\"\nurl = \"{url}\"\n{login}\n"),
        format!("[[forward]]\nname = \"forward\"\nkind = \"buildbot\"\nurl = \"{url}\"\n"),
        format!("[[http_status_push]]\nname = \"packets\"\nserver_url = \"{url}\"\n"),
        format!("[[http_status_push]]\nname = \"builds\"\nform = \"builds\"\nserver_url = \"{url}\"\n"),
    ]
    .concat();
    let problems = Problems::new();
    let document = Document::parse(Path::new("targets.toml"), &source, &problems);
    let reader = Reader::root(&document, &problems);
    let settings = Settings::read(&Reader::root(&document, &Problems::new()), &Limits::default());
    let outbound =
        Outbound::new(Allowed::new(vec!["127.0.0.1/32".parse().unwrap()]), Arc::new(SystemResolver));
    let callbacks = BTreeMap::new();
    let templates = campanile_callbacks::TemplateRenderer::in_process();
    let parts = Parts {
        settings: &settings,
        callbacks: &callbacks,
        outbound: &outbound,
        templates: &templates,
        problems: &problems,
    };
    let targets = crate::from_settings(&reader, &parts);
    let problems: Vec<_> = problems.into_sorted().iter().map(ToString::to_string).collect();
    assert_eq!(targets.len(), 12, "{problems:?}");
    targets.into_iter().map(|(_, target)| target).collect()
}

/// The stored form of a delivery of this target.
fn message(target: &str) -> Vec<u8> {
    let status = json!([{
        "owner": "projects/quad", "name": "bells", "sha": "1f0c2d3e", "state": "success", "context": "linux",
        "description": "d", "target_url": "https://ci.example.org/",
        "details": {"project": "7", "issue": "7", "workspace": "quad", "name": "linux"},
    }]);
    let stored = match target {
        "gerrit" => json!({"patch_sets": [["quad", "1f0c2d3e"]], "message": "m", "labels": {}}),
        "gerrit_verify_status" => json!({"changes": [["1", "2"]], "body": {}}),
        "packets" => json!({"id": 1, "event": "e", "timestamp": "t", "started": "s", "payload": {}}),
        "builds" => json!({"id": "1-1", "is_json": true, "body": "{}"}),
        "forward" => return b"author=ada".to_vec(),
        _ => status,
    };
    stored.to_string().into_bytes()
}

#[tokio::test]
async fn m_dlv_03_each_answer_at_each_target() {
    let mut faults = Vec::new();
    for (status, body, usual) in TABLE {
        for target in targets(server(*status, body).await) {
            let name = target.name().to_owned();
            let message = message(&name);
            let (age, now) = (Duration::ZERO, Timestamp::from_seconds(1_700_000_000));
            let outgoing = Outgoing { message: &message, age, failures: 0, now };
            let outcome = target.send_batch(&[outgoing]).await.remove(0);
            let end = match &outcome {
                Outcome::Delivered(_) => Delivered,
                Outcome::Deferred { .. } => Deferred,
                _ => Refused,
            };
            let exception = EXCEPTIONS.iter().find(|(other, at, ..)| *other == name && at == status);
            let wanted =
                if body.contains("rate limit") { None } else { exception.map(|(_, _, end, _)| *end) };
            if end != wanted.unwrap_or(*usual) {
                faults.push(format!("{status} {body:?} at {name}: {outcome:?} ({exception:?})"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
