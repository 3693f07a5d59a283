//! Mails through a program of this machine (M-X-03): a script that writes down what it is told, and Postfix' own.
#![cfg(unix)]

use serde_json::{Value, json};

use campanile_testing::{Engine, run};

fn text(delivery: &Value) -> &str {
    delivery["text"].as_str().unwrap()
}

/// A program that takes mails as sendmail does: what it was told, and as it is told to end.
fn program(folder: &std::path::Path, ends: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("sendmail");
    let folder = folder.display();
    let script = format!(
        "#!/bin/sh\nfor one in \"$@\"; do printf '%s\\n' \"$one\"; done > {folder}/argv\nenv > {folder}/env\n\
         cat > {folder}/stdin\n{ends}\n"
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn by_program(program: &std::path::Path) -> String {
    format!(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\n\
         extra_recipients = [\"`touch${{IFS}}x`|&@example.org\", \"-oQ@example.org\"]\n\
         transport = \"sendmail:{} -oi -N never\"\n",
        program.display()
    )
}

#[tokio::test]
async fn m_x_03_m_t_07_sendmail_gets_arguments_and_no_shell() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "exit 0");
    let engine = Engine::start(&by_program(&program));
    let mut event = campanile_testing::build_finished(1, "failure");
    event["build"]["reason"] = json!(".\n.\nGrüße");
    engine.event(&event).await;
    engine.delivery_in("delivered").await;
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let argv = read("argv");
    let argv: Vec<&str> = argv.lines().collect();
    assert_eq!(argv[..6], ["-oi", "-N", "never", "-f", "ci@example.org", "--"]);
    let mut recipients = argv[6..].to_vec();
    recipients.sort_unstable();
    let wanted = ["-oQ@example.org", "`touch${IFS}x`|&@example.org", "ada@example.org"];
    assert_eq!(recipients, wanted);
    assert!(!engine.folder.join("x").exists() && !folder.path().join("x").exists());
    let mail = read("stdin");
    assert!(mail.contains("To: ada@example.org\n") && !mail.contains('\r'), "{mail}");
    let environment = read("env");
    let ours = |line: &&str| !["PATH=", "PWD=", "SHLVL=", "_="].iter().any(|known| line.starts_with(known));
    assert_eq!(environment.lines().find(ours), None, "the program learns nothing of ours");
    let checked = run(&engine.folder, &["check", "--connect"]);
    assert!(String::from_utf8_lossy(&checked.stdout).contains("dev: mails go to"), "{checked:?}");
}

#[tokio::test]
async fn m_x_03_how_sendmail_ends_is_what_becomes_of_the_mail() {
    for (ends, state, code) in [
        ("echo nobody of that name >&2; exit 67", "dead", "rejected"),
        ("exit 64", "dead", "rejected"),
        ("exit 75", "waiting", "busy"),
        ("exit 71", "waiting", "local"),
        ("kill -9 $$", "waiting", "local"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), ends);
        let engine = Engine::start(&by_program(&program));
        engine.build(1, "failure").await;
        let delivery = engine.failed(code).await;
        assert_eq!(delivery["state"], state, "{ends}: {delivery}");
        assert!(text(&delivery).contains("did not take the mail ("), "{delivery}");
        assert_eq!(text(&delivery).contains("exit code 67: nobody of that name"), ends.contains("67"));
    }
    let engine = Engine::start(&by_program(std::path::Path::new("/none/sendmail")));
    engine.build(1, "failure").await;
    let delivery = engine.failed("local").await;
    assert!(text(&delivery).contains("`/none/sendmail` cannot be run: "), "{delivery}");
}

/// Postfix' own program, with a queue of the test's own; no daemon runs.
#[tokio::test]
async fn m_x_03_postfix_sendmail_queues_it_for_each_recipient() {
    use std::process::Command;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    std::fs::write(
        folder.path().join("main.cf"),
        format!(
            "compatibility_level = 3.6\nqueue_directory = {place}/queue\ndata_directory = {place}/data\n\
             myhostname = ci.example.org\nmydestination =\n"
        ),
    )
    .unwrap();
    std::fs::write(folder.path().join("master.cf"), "").unwrap();
    for name in ["queue", "data"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let made = Command::new("postfix").arg("-c").arg(folder.path()).arg("check").output();
    if !made.is_ok_and(|made| made.status.success()) {
        return campanile_testing::skip("postfix is not installed, or this is not root");
    }
    let engine = Engine::start(&format!(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\n\
         extra_recipients = [\"-oQ@example.org\"]\ntransport = \"sendmail:/usr/sbin/sendmail -C {place} -oi\"\n"
    ));
    let mut event = campanile_testing::build_finished(1, "failure");
    event["build"]["worker"] = json!(".\nGrüße\n.");
    engine.event(&event).await;
    engine.delivery_in("delivered").await;
    let queued: Vec<_> = std::fs::read_dir(folder.path().join("queue/maildrop")).unwrap().collect();
    let [Ok(queued)] = queued.as_slice() else { panic!("{queued:?}") };
    let shown = Command::new("postcat").arg("-c").arg(folder.path()).arg(queued.path()).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    for line in [
        "sender: ci@example.org\n",
        "recipient: ada@example.org\n",
        "recipient: -oQ@example.org\n",
        "Subject: campanile failure in Test CI on linux\n",
        "\nCampanile\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}
