//! A made-up build and a made-up engine, for native tests of callbacks.

use crate::{
    Build, BuildId, BuildInfo, Change, HookRequest, LogError, LogSummary, MessageRequest, Mode, Packet,
    Patch, Property, Results, SourceStamp, Status, Step, words,
};

/// An engine that answers from its fields; its logs are `line 1` to `line <100>`.
#[derive(Clone, Debug)]
pub struct FixedStatus {
    /// Answer to `title`.
    pub title: String,
    /// Answer to `url`, and the base of the answers to `url-for`.
    pub url: Option<String>,
    /// Builds that can be asked for, in any order.
    pub builds: Vec<Build>,
}

impl Default for FixedStatus {
    fn default() -> Self {
        Self { title: "Quad CI".to_owned(), url: Some("https://ci.example/".to_owned()), builds: Vec::new() }
    }
}

impl Status for FixedStatus {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn url(&self) -> Option<String> {
        self.url.clone()
    }

    fn url_for(&self, build: &BuildId) -> Option<String> {
        self.url.as_ref().map(|url| format!("{url}builders/{}/builds/{}", build.builder, build.number))
    }

    fn get_build(&self, id: &BuildId) -> Option<Build> {
        self.builds.iter().find(|b| b.id.builder == id.builder && b.id.number == id.number).cloned()
    }

    fn previous_build(&self, id: &BuildId) -> Option<Build> {
        self.recent_builds(id, 1).pop()
    }

    fn recent_builds(&self, before: &BuildId, limit: u32) -> Vec<Build> {
        let mut earlier: Vec<Build> = self
            .builds
            .iter()
            .filter(|b| b.id.builder == before.builder && b.id.number < before.number)
            .cloned()
            .collect();
        earlier.sort_by_key(|b| std::cmp::Reverse(b.id.number));
        earlier.truncate(limit.min(100) as usize);
        earlier
    }

    fn log_tail(&self, _: &BuildId, _: &str, _: &str, lines: u32) -> Result<String, LogError> {
        let all: Vec<String> =
            (1..=100).map(|n| if n == 100 { "line <100>".to_owned() } else { format!("line {n}") }).collect();
        Ok(all[all.len().saturating_sub(lines as usize)..].join("\n"))
    }

    fn log_read(&self, _: &BuildId, _: &str, _: &str, _: u64, _: u32) -> Result<Vec<u8>, LogError> {
        Err(LogError::NotFound)
    }
}

/// A change of two files with properties and html in its comments.
pub fn change() -> Change {
    Change {
        who: "Alice <alice@example.org>".to_owned(),
        committer: None,
        revision: Some("abc123".to_owned()),
        branch: Some("main".to_owned()),
        when: 1_397_948_626.0,
        files: vec!["b.c".to_owned(), "a.c".to_owned()],
        comments: "fix <b> & c".to_owned(),
        revlink: None,
        repository: "git://x/y".to_owned(),
        project: "quad".to_owned(),
        codebase: String::new(),
        category: None,
        properties: vec![property("tries", "3"), property("why", "\"a \\\"b\\\"\"")],
    }
}

/// Build 7 of `linux` on branch `main`, patched, with one change and two steps.
pub fn build(results: Results) -> Build {
    Build {
        id: BuildId { builder: "linux".to_owned(), number: 7 },
        url: None,
        tags: Vec::new(),
        results: Some(results),
        text: vec!["failed".to_owned(), "make".to_owned()],
        reason: "scheduler 'a'\nsecond line".to_owned(),
        worker: "w1".to_owned(),
        started: 1_397_948_700.0,
        finished: Some(1_397_948_800.0),
        responsible_users: vec!["alice".to_owned(), "bob".to_owned()],
        interested_users: Vec::new(),
        properties: Vec::new(),
        source_stamps: vec![SourceStamp {
            codebase: String::new(),
            repository: "git://x/y".to_owned(),
            project: "quad".to_owned(),
            branch: Some("main".to_owned()),
            revision: Some("abc123".to_owned()),
            patch: Some(Patch {
                level: 1,
                subdir: String::new(),
                author: "bob".to_owned(),
                comment: "try <this>".to_owned(),
                body: "--- a\n+++ b\n".to_owned(),
            }),
            changes: vec![change()],
        }],
        steps: vec![step("git", Results::Success), step("make all", results)],
        buildset: None,
    }
}

/// A formatter's request about [`build`], with modes `failing` and `passing`.
pub fn request(results: Results) -> MessageRequest {
    MessageRequest {
        mode: Mode::FAILING | Mode::PASSING,
        name: "linux".to_owned(),
        build: build(results),
        results,
    }
}

/// [`build`] as one of `builder`, as a summary sees it.
pub fn build_info(builder: &str, results: Results) -> BuildInfo {
    let mut build = build(results);
    build.id.builder = builder.to_owned();
    BuildInfo {
        name: builder.to_owned(),
        results,
        results_text: words::result(results).to_owned(),
        text: build.text.join(" "),
        url: Some(format!("https://ci.example/builders/{builder}/builds/7")),
        build,
    }
}

/// A queued event whose payload is `{"n":ID}`.
pub fn packet(id: u64) -> Packet {
    Packet {
        id,
        event: "buildFinished".to_owned(),
        timestamp: "Sat Apr 19 23:03:46 2014".to_owned(),
        payload: format!("{{\"n\":{id}}}"),
    }
}

/// A POST of a JSON body.
pub fn hook_post(body: &str) -> HookRequest {
    HookRequest {
        method: "POST".to_owned(),
        query: Vec::new(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

/// A property set by a change; `value` is JSON.
pub fn property(name: &str, value: &str) -> Property {
    Property { name: name.to_owned(), value: value.to_owned(), source: "Change".to_owned() }
}

fn step(name: &str, results: Results) -> Step {
    Step {
        name: name.to_owned(),
        text: Vec::new(),
        results: Some(results),
        started: Some(1_397_948_700.0),
        finished: Some(1_397_948_800.0),
        logs: vec![LogSummary { name: "stdio".to_owned(), url: None, lines: 100, bytes: 800 }],
    }
}
