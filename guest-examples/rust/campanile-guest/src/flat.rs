//! The flat view of a build: the attributes of the older custom-message interface, ready to be put into a text.

use crate::{Build, BuildId, Change, MessageRequest, Patch, Property, Results, SourceStamp, Status, words};

/// A value of the build's source: none without source stamps, plain with one, by codebase with several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<T> {
    /// The build has no source stamp.
    Blank,
    /// The build has one source stamp.
    One(T),
    /// The build has several; each with its codebase, in the build's order.
    ByCodebase(Vec<(String, T)>),
}

/// One log of the build.
#[derive(Clone, Debug)]
pub struct FlatLog {
    /// `STEP.LOG`.
    pub label: String,
    /// Address of the log's page, if the build has one.
    pub url: Option<String>,
    /// The last lines of the log, as many as were asked for; none if the log cannot be read.
    pub lines: Vec<String>,
    /// Result of the step; absent while it runs.
    pub result: Option<Results>,
}

/// Everything that the older interface offered, under its names.
#[derive(Clone, Debug)]
pub struct Flat<'a> {
    /// `builderName`.
    pub builder_name: &'a str,
    /// `title` of the installation.
    pub title: String,
    /// `mode`, as words.
    pub mode: Vec<&'static str>,
    /// `result`, as a word.
    pub result: &'static str,
    /// `buildURL`.
    pub build_url: Option<String>,
    /// `buildbotURL`.
    pub buildbot_url: Option<String>,
    /// `buildText`.
    pub build_text: &'a [String],
    /// `buildProperties`.
    pub build_properties: &'a [Property],
    /// `slavename`.
    pub slavename: &'a str,
    /// `reason`, its line breaks removed.
    pub reason: String,
    /// `responsibleUsers`.
    pub responsible_users: &'a [String],
    /// `branch`.
    pub branch: Source<Option<&'a str>>,
    /// `revision`.
    pub revision: Source<Option<&'a str>>,
    /// `patch`: level, body and directory.
    pub patch: Source<Option<&'a Patch>>,
    /// `patch_info`: author and comment.
    pub patch_info: Source<Option<(&'a str, &'a str)>>,
    /// `changes`.
    pub changes: Source<&'a [Change]>,
    /// `logs`, step by step.
    pub logs: Vec<FlatLog>,
}

impl<'a> Flat<'a> {
    /// Flattens a request; of each log the last `log_lines` lines are fetched, with 0 none.
    pub fn new(request: &'a MessageRequest, status: &dyn Status, log_lines: u32) -> Self {
        let build = &request.build;
        let stamps = &build.source_stamps;
        let build_url = url(build, status);
        Self {
            builder_name: &request.name,
            title: status.title(),
            mode: words::modes(request.mode),
            result: words::result(request.results),
            buildbot_url: status.url(),
            build_text: &build.text,
            build_properties: &build.properties,
            slavename: &build.worker,
            reason: build.reason.replace(['\r', '\n'], ""),
            responsible_users: &build.responsible_users,
            branch: source(stamps, |stamp| stamp.branch.as_deref()),
            revision: source(stamps, |stamp| stamp.revision.as_deref()),
            patch: source(stamps, |stamp| stamp.patch.as_ref()),
            patch_info: source(stamps, |stamp| {
                stamp.patch.as_ref().map(|patch| (&*patch.author, &*patch.comment))
            }),
            changes: source(stamps, |stamp| &*stamp.changes),
            logs: logs(build, build_url.as_deref(), status, log_lines),
            build_url,
        }
    }
}

/// Address of the build's page: the feed's own, else the engine's.
pub fn url(build: &Build, status: &dyn Status) -> Option<String> {
    build.url.clone().or_else(|| status.url_for(&build.id))
}

/// The branch of each codebase, in order of codebase.
pub fn branches(build: &Build) -> Vec<(&str, Option<&str>)> {
    let mut all: Vec<_> =
        build.source_stamps.iter().map(|stamp| (&*stamp.codebase, stamp.branch.as_deref())).collect();
    all.sort_unstable();
    all
}

/// Address of a log's page: the feed's own, else one below the build's.
pub fn log_url(build_url: Option<&str>, step: &str, log: &str, own: Option<&str>) -> Option<String> {
    match own {
        Some(url) => Some(url.to_owned()),
        None => build_url.map(|base| {
            let mut url = base.trim_end_matches('/').to_owned();
            url.push_str("/steps/");
            push_segment(&mut url, step);
            url.push_str("/logs/");
            push_segment(&mut url, log);
            url
        }),
    }
}

fn logs(build: &Build, build_url: Option<&str>, status: &dyn Status, lines: u32) -> Vec<FlatLog> {
    let mut all = Vec::new();
    for step in &build.steps {
        for log in &step.logs {
            all.push(FlatLog {
                label: format!("{}.{}", step.name, log.name),
                url: log_url(build_url, &step.name, &log.name, log.url.as_deref()),
                lines: tail(&build.id, &step.name, &log.name, status, lines),
                result: step.results,
            });
        }
    }
    all
}

fn tail(build: &BuildId, step: &str, log: &str, status: &dyn Status, lines: u32) -> Vec<String> {
    if lines == 0 {
        return Vec::new();
    }
    let text = status.log_tail(build, step, log, lines).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn source<'a, T>(stamps: &'a [SourceStamp], value: impl Fn(&'a SourceStamp) -> T) -> Source<T> {
    match stamps {
        [] => Source::Blank,
        [only] => Source::One(value(only)),
        many => Source::ByCodebase(many.iter().map(|s| (s.codebase.clone(), value(s))).collect()),
    }
}

/// Appends one path segment, percent-encoded.
fn push_segment(url: &mut String, segment: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push(char::from(HEX[usize::from(byte >> 4)]));
            url.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Flat, Source};
    use crate::{Results, testing};

    #[test]
    fn m_49_one_stamp_is_plain() {
        let request = testing::request(Results::Failure);
        let flat = Flat::new(&request, &testing::FixedStatus::default(), 2);
        assert_eq!(flat.title, "Quad CI");
        assert_eq!(flat.result, "failure");
        assert_eq!(flat.mode, ["failing", "passing"]);
        assert_eq!(flat.reason, "scheduler 'a'second line");
        assert_eq!(flat.branch, Source::One(Some("main")));
        assert_eq!(flat.patch_info, Source::One(Some(("bob", "try <this>"))));
        assert_eq!(flat.build_url.as_deref(), Some("https://ci.example/builders/linux/builds/7"));
        let log = &flat.logs[1];
        assert_eq!(log.label, "make all.stdio");
        assert_eq!(
            log.url.as_deref(),
            Some("https://ci.example/builders/linux/builds/7/steps/make%20all/logs/stdio")
        );
        assert_eq!(log.lines, ["line 99", "line <100>"]);
        assert_eq!(log.result, Some(Results::Failure));
    }

    #[test]
    fn several_stamps_are_by_codebase_and_none_is_blank() {
        let mut request = testing::request(Results::Success);
        let mut second = request.build.source_stamps[0].clone();
        second.codebase = "lib".to_owned();
        second.branch = None;
        request.build.source_stamps.push(second);
        let flat = Flat::new(&request, &testing::FixedStatus::default(), 0);
        assert_eq!(
            flat.branch,
            Source::ByCodebase(vec![(String::new(), Some("main")), ("lib".to_owned(), None)])
        );
        assert!(flat.logs.iter().all(|log| log.lines.is_empty()));

        request.build.source_stamps.clear();
        let flat = Flat::new(&request, &testing::FixedStatus::default(), 0);
        assert_eq!(flat.revision, Source::Blank);
    }
}
