//! Templates that were written for Buildbot: what an installed Buildbot renders is what arrives, byte for byte (M-X-18). Pages
//! too, as long as nothing in them has to be escaped: Buildbot escapes nothing.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use campanile_testing::{Engine, SmtpServer, skip};

const MODE: [&str; 7] = ["change", "failing", "passing", "problem", "warnings", "exception", "cancelled"];

/// A build of a Buildbot, in the form of our events.
fn build(number: u64, results: &str, text: &[&str], more: &[(&str, Value)]) -> Value {
    let url = format!("https://ci.example.org/#/builders/1/builds/{number}");
    let log = json!({"name": "stdio", "url": format!("{url}/steps/1/logs/stdio")});
    let mut build = json!({
        "builder": "linux", "number": number, "results": results, "text": text, "worker": "w1", "url": url,
        "properties": [["got_revision", "1f0c2d9e", "Git"], ["reason", "nightly: every bell", "Scheduler"]],
        "source_stamps": [{"branch": "main", "revision": "1f0c2d9e", "project": "bells",
                           "changes": [{"who": "zoe"}, {"who": "ada"}]}],
        "steps": [{"name": "git", "text": ["update"], "results": "success", "logs": [log, log]},
                  {"name": "compile", "results": results}],
    });
    for (name, value) in more {
        build[name] = value.clone();
    }
    build
}

/// Templates by name: null stands for Buildbot's own; the others are in the manner of its manual's.
fn templates() -> Value {
    let each =
        "{% for name in ['branch', 'workername', 'gone'] %}{{ build['properties'].get(name) }};{% endfor %}";
    json!({
        "plain": {"type": "plain", "template": null, "subject": null},
        "html": {"type": "html", "template": null, "subject": null},
        "phone": {"type": "plain", "template": "STATUS: {{ summary }}", "subject": "{{ status_detected }}"},
        "steps": {"type": "html", "subject": "{{ projects }}", "template":
            "<h4>Build status: {{ summary }}</h4>\n<p> Worker used: {{ workername }}</p>\n\
             {% for step in build['steps'] %}\n<p> {{ step['name'] }}: {{ step['results'] }}</p>\n{% endfor %}\n\
             <p><b> -- Buildbot</b></p>\n"},
        "values": {"type": "plain", "subject": "{{ buildbot_title }}", "template": format!(
            "{{{{ buildername }}}} {{{{ projects }}}} {{{{ mode }}}} {{{{ build_url }}}} {{{{ buildbot_url }}}}\n\
             {{{{ build['state_string'] }}}} {{{{ build['properties']['reason'] }}}} {{{{ is_buildset }}}}\n\
             {{{{ blamelist | join(', ') }}}} {{{{ previous_results }}}} {{{{ result_names[results] }}}}\n{each}\n\
             {{{{ sourcestamps }}}}{{{{ '%s/%d' % (buildername, build.number) }}}}\n\n")},
    })
}

#[tokio::test]
async fn m_x_18_templates_of_buildbot_render_what_buildbot_renders() {
    let Some(programs) = std::env::var_os("CAMPANILE_BUILDBOT").map(PathBuf::from) else {
        return skip("CAMPANILE_BUILDBOT is not set: run the tests by `cargo xtask test`");
    };
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let patched = json!([{"branch": null, "revision": null, "project": "", "patch": {"body": "+a\n", "author": "bob"},
                          "changes": [{"who": "bob"}]}]);
    let builds = [
        build(1, "success", &["build", "successful"], &[]),
        build(2, "failure", &["failed", "compile"], &[]),
        build(3, "failure", &[], &[("properties", json!([])), ("steps", json!([]))]),
        build(4, "warnings", &["warnings", "compile"], &[("source_stamps", patched)]),
        build(5, "success", &["build", "successful"], &[]),
        build(6, "exception", &["exception"], &[]),
        build(7, "cancelled", &["cancelled"], &[]),
    ];
    let asked = json!({"title": "Test CI", "url": "https://ci.example.org/", "mode": MODE, "builds": builds,
                       "templates": templates()});
    let rendered = by_buildbot(&programs, &asked);

    let mut settings = String::new();
    for (name, template) in rendered.as_object().unwrap() {
        // A text of JSON is one of TOML as well.
        settings.push_str(&format!(
            "[[mail]]\nname = {name:?}\nfromaddr = \"ci@example.org\"\nsend_to_interested_users = false\n\
             extra_recipients = [\"{name}@example.org\"]\nrelayhost = \"localhost\"\nsmtp_port = {}\nmode = {MODE:?}\n\
             template_type = {}\ntemplate = {}\nsubject_template = {}\nadd_patch = false\nprevious_build = \"number\"\n\n",
            smtp.port, asked["templates"][name]["type"], template["template"], template["subject"],
        ));
    }
    let engine = Engine::start(&settings);
    for (index, build) in builds.iter().enumerate() {
        engine.event(&json!({"event": "buildFinished", "build": build})).await;
        let mails = smtp.wait_for((index + 1) * 5).await;
        for (name, template) in rendered.as_object().unwrap() {
            let to = json!([format!("{name}@example.org")]);
            let mail = mails.iter().rev().find(|mail| mail["to"] == to).unwrap();
            let wanted = &template["mails"][index];
            assert_eq!(mail["subject"], wanted["subject"], "{name} of build {}", index + 1);
            // A mail ends with line ends of its own.
            let body = mail["text"].as_str().unwrap().replace("\r\n", "\n");
            let wanted = wanted["body"].as_str().unwrap();
            assert_eq!(
                body.trim_end_matches('\n'),
                wanted.trim_end_matches('\n'),
                "{name} of build {}",
                index + 1
            );
        }
    }
}

/// Has the templates rendered by the Buildbot itself.
fn by_buildbot(programs: &std::path::Path, asked: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/templates/render.py");
    let mut python = Command::new(programs.join("python"));
    let mut python = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let answer = python.wait_with_output().unwrap();
    assert!(answer.status.success());
    serde_json::from_slice(&answer.stdout).unwrap()
}
