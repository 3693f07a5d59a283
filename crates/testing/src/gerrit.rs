//! A real Gerrit for the tests, with a project, a label and changes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{free_port, http, patiently, skip};

/// A Gerrit on ports of its own, with the project `tools/bells` and the label `Verified`. Ended when dropped.
pub struct Gerrit {
    pub http: u16,
    pub ssh: u16,
    pub folder: tempfile::TempDir,
    classes: String,
    child: Option<Child>,
}

/// A change with one patch set.
pub struct Change {
    pub id: String,
    pub number: u64,
    pub revision: String,
}

impl Gerrit {
    /// None unless `CAMPANILE_GERRIT` names the folder of its jars, which is then said.
    pub async fn start() -> Option<Self> {
        let Some(jars) = std::env::var_os("CAMPANILE_GERRIT").map(PathBuf::from) else {
            skip("CAMPANILE_GERRIT is not set: run the tests by `cargo xtask test`");
            return None;
        };
        let mut jars: Vec<PathBuf> =
            std::fs::read_dir(&jars).unwrap().map(|entry| entry.unwrap().path()).collect();
        // The order of classes that several jars have.
        jars.sort();
        let classes: Vec<String> = jars.iter().map(|jar| jar.display().to_string()).collect();
        let folder = tempfile::tempdir().unwrap();
        // Each takes all processors for half a minute: several that begin together wait longer than anybody is patient.
        static BEGINNING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _turn = BEGINNING.lock().await;
        let mut gerrit =
            Self { http: free_port(), ssh: free_port(), folder, classes: classes.join(":"), child: None };
        gerrit.set_up();
        gerrit.begin().await;
        gerrit.furnish().await;
        Some(gerrit)
    }

    /// Has it end as at a restart of its machine; killed, it would lose what its index has not written yet.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let told = Command::new("kill").arg(child.id().to_string()).status();
            assert!(told.unwrap().success());
            child.wait().unwrap();
        }
    }

    /// Starts it (again), and waits until it answers.
    pub async fn begin(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("daemon.log")).unwrap();
        let mut daemon = self.java("Daemon");
        daemon.arg("--headless").stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(daemon.spawn().unwrap());
        patiently("Gerrit answers", async || {
            let url = format!("http://127.0.0.1:{}/config/server/version", self.http);
            http().get(url).send().await.ok().filter(|answer| answer.status() == 200).map(drop)
        })
        .await;
    }

    /// Asks its REST door as the administrator; the answer must be a good one.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let url = format!("http://127.0.0.1:{}/a/{path}", self.http);
        let mut request = http().request(method, &url).basic_auth("admin", Some("secret"));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(text.trim_start_matches(")]}'")).unwrap_or_default()
    }

    pub async fn change(&self, subject: &str) -> Change {
        let wanted = json!({"project": "tools/bells", "branch": "master", "subject": subject});
        let made = self.ask(Method::POST, "changes/", Some(wanted)).await;
        let id = made["id"].as_str().unwrap().to_owned();
        let revision = self.current(&id).await;
        Change { id, number: made["_number"].as_u64().unwrap(), revision }
    }

    /// Adds a patch set, and gives its commit.
    pub async fn amend(&self, change: &Change, subject: &str) -> String {
        let message = self.ask(Method::GET, &format!("changes/{}/message", change.id), None).await;
        let message = message["full_message"].as_str().unwrap();
        let (_, footer) = message.split_once('\n').unwrap();
        let wanted = json!({"message": format!("{subject}\n{footer}")});
        self.ask(Method::PUT, &format!("changes/{}/message", change.id), Some(wanted)).await;
        self.current(&change.id).await
    }

    /// Pushes the commit of a change to be reviewed for another branch too: another change with the same commit.
    pub async fn same_commit_for(&self, branch: &str, change: &Change) -> Change {
        let path = format!("projects/tools%2Fbells/branches/{branch}");
        self.ask(Method::PUT, &path, Some(json!({"revision": "master"}))).await;
        let clone = self.folder.path().join(format!("clone-{branch}"));
        let url = format!("http://admin:secret@127.0.0.1:{}/a/tools/bells", self.http);
        let git = |arguments: &[&str]| {
            let done = Command::new("git").args(arguments).output().unwrap();
            assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8_lossy(&done.stdout).trim().to_owned()
        };
        let folder = clone.to_str().unwrap();
        git(&["init", "-q", folder]);
        let reference = format!("refs/changes/{:02}/{}/1", change.number % 100, change.number);
        git(&["-C", folder, "fetch", "-q", &url, &reference]);
        let base = git(&["-C", folder, "rev-parse", "FETCH_HEAD^"]);
        git(&["-C", folder, "push", "-q", &url, &format!("FETCH_HEAD:refs/for/{branch}%base={base}")]);
        let found = self.ask(Method::GET, &format!("changes/?q=branch:{branch}"), None).await;
        let (id, number) =
            (found[0]["id"].as_str().unwrap().to_owned(), found[0]["_number"].as_u64().unwrap());
        Change { revision: self.current(&id).await, id, number }
    }

    async fn current(&self, id: &str) -> String {
        let found = self.ask(Method::GET, &format!("changes/{id}?o=CURRENT_REVISION"), None).await;
        found["current_revision"].as_str().unwrap().to_owned()
    }

    /// Messages on a change, oldest first, without Gerrit's own words.
    pub async fn messages(&self, change: &Change) -> Vec<String> {
        let detail = self.ask(Method::GET, &format!("changes/{}/messages", change.id), None).await;
        let texts = detail.as_array().unwrap().iter().map(|message| message["message"].as_str().unwrap());
        texts.filter(|text| text.starts_with("Patch Set ")).map(str::to_owned).collect()
    }

    /// The administrator's vote with a label; 0 if there is none.
    pub async fn vote(&self, change: &Change, label: &str) -> i64 {
        let detail = self.ask(Method::GET, &format!("changes/{}/detail", change.id), None).await;
        let votes = detail["labels"][label]["all"].as_array().cloned().unwrap_or_default();
        votes.iter().find_map(|vote| vote["value"].as_i64()).unwrap_or(0)
    }

    /// Makes a key of its own kind, lets it in, and gives its file.
    pub async fn key(&self, kind: &str, passphrase: &str) -> PathBuf {
        let file = self.folder.path().join(format!("id_{kind}_{}", passphrase.len()));
        if file.exists() {
            return file;
        }
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"])
            .arg(&file)
            .status();
        assert!(made.unwrap().success());
        let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        let url = format!("http://127.0.0.1:{}/a/accounts/self/sshkeys", self.http);
        let request = http().post(url).basic_auth("admin", Some("secret"));
        let answer = request.header("content-type", "text/plain").body(public).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        file
    }

    /// A `known_hosts` with all that the server shows.
    pub fn known_hosts(&self) -> PathBuf {
        let file = self.folder.path().join("known_hosts");
        let shown =
            Command::new("ssh-keyscan").args(["-p", &self.ssh.to_string(), "127.0.0.1"]).output().unwrap();
        assert!(!shown.stdout.is_empty());
        std::fs::write(&file, shown.stdout).unwrap();
        file
    }

    /// Lines of its SSH server's log.
    pub fn ssh_log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.site().join("logs/sshd_log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    fn java(&self, program: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx512m", "-cp", &self.classes])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("gerrit/Launch.java"))
            .args([program, "-d"])
            .arg(self.site())
            .stdin(Stdio::null());
        java
    }

    fn site(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    fn set_up(&self) {
        let done = self.java("Init").args(["--batch", "--dev", "--no-auto-start"]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // Only now: where there are settings already, it makes no administrator. Of two values, the last one counts.
        let file = self.site().join("etc/gerrit.config");
        let (http, ssh) = (self.http, self.ssh);
        let usual =
            std::fs::read_to_string(&file).unwrap().replace("listenAddress", "#").replace("listenUrl", "#");
        let own = format!(
            "[gerrit]\n\tcanonicalWebUrl = http://127.0.0.1:{http}/\n[httpd]\n\tlistenUrl = http://127.0.0.1:{http}/\n\
             [sshd]\n\tlistenAddress = 127.0.0.1:{ssh}\n[sendemail]\n\tenable = false\n[change]\n\tstrictLabels = true\n"
        );
        std::fs::write(file, usual + &own).unwrap();
    }

    async fn furnish(&self) {
        self.ask(Method::PUT, "projects/tools%2Fbells", Some(json!({"create_empty_commit": true}))).await;
        let label = json!({"commit_message": "a label for the CI",
            "values": {"-1": "Fails", " 0": "No score", "+1": "Verified"}});
        self.ask(Method::PUT, "projects/All-Projects/labels/Verified", Some(label)).await;
        let groups = self.ask(Method::GET, "groups/Administrators", None).await;
        let rule = json!({groups["id"].as_str().unwrap(): {"action": "ALLOW", "min": -1, "max": 1}});
        let permission = json!({"label-Verified": {"label": "Verified", "rules": rule}});
        let access = json!({"add": {"refs/heads/*": {"permissions": permission}}});
        self.ask(Method::POST, "projects/All-Projects/access", Some(access)).await;
    }
}

impl Drop for Gerrit {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("daemon.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            println!("{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}
