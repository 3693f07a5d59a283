//! Questions to a build, its steps and its stamps (M-B-01 to M-B-07, M-SS-03, M-SS-04, M-ST, M-LOG, M-PR-04).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Build, Buildset, Change, LogChannel, LogSummary, Properties, Results, SourceStamp, Step};

impl Build {
    /// Changes of all its stamps, in their order (M-B-01).
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.source_stamps.iter().flat_map(|stamp| &stamp.changes)
    }

    /// The step that runs now, if one does.
    #[must_use]
    pub fn current_step(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.started.is_some() && step.finished.is_none())
    }

    /// The number before its own; none for the first (M-B-03).
    #[must_use]
    pub fn previous_number(&self) -> Option<u64> {
        self.number.checked_sub(1)
    }

    /// Its changes' revisions, shortened, joined by commas (M-B-04).
    #[must_use]
    pub fn revisions_text(&self) -> String {
        let revisions: Vec<_> = self.changes().filter_map(|change| change.revision.as_deref()).collect();
        revisions.into_iter().map(short_revision).collect::<Vec<_>>().join(", ")
    }

    /// The revisions that were checked out, by codebase; a single one is under the blank codebase (M-B-05).
    #[must_use]
    pub fn got_revisions(&self) -> BTreeMap<String, String> {
        match self.properties.value("got_revision") {
            Some(Value::String(revision)) => BTreeMap::from([(String::new(), revision.clone())]),
            Some(Value::Object(map)) => map
                .iter()
                .filter_map(|(codebase, revision)| Some((codebase.clone(), revision.as_str()?.to_owned())))
                .collect(),
            _ => BTreeMap::new(),
        }
    }

    /// Its stamps with what was really checked out (M-SS-04).
    #[must_use]
    pub fn absolute_source_stamps(&self) -> Vec<SourceStamp> {
        let got = self.got_revisions();
        self.source_stamps.iter().map(|stamp| stamp.absolute(&got)).collect()
    }

    /// Seconds until its expected end, for display: none when it is over, never negative (M-B-06).
    #[must_use]
    pub fn displayed_eta(&self, eta: Option<f64>) -> Option<f64> {
        eta.filter(|seconds| !self.is_finished() && !seconds.is_nan()).map(|seconds| seconds.max(0.0))
    }

    /// The logs of all its steps, in step order (M-B-07).
    pub fn logs(&self) -> impl Iterator<Item = (&Step, &LogSummary)> {
        self.steps.iter().flat_map(|step| step.logs.iter().map(move |log| (step, log)))
    }

    /// Its properties with those that every build has (M-PR-04, M-PR-05); what it brings itself wins.
    #[must_use]
    pub fn all_properties(&self) -> Properties {
        let mut all = Properties::new();
        all.set("buildnumber", self.number, "Build");
        for name in ["workername", "slavename"] {
            all.set(name, self.worker.as_str(), "Worker");
        }
        all.extend(self.properties_before_start());
        all
    }

    /// The same of a build that was only asked for: it has no number and no worker yet.
    #[must_use]
    pub fn properties_before_start(&self) -> Properties {
        let mut all = Properties::new();
        all.set("buildername", self.builder.as_str(), "Builder");
        all.extend(with_sources(&self.properties, &self.source_stamps));
        all
    }
}

impl Buildset {
    /// Its properties with those of its source (M-PR-05); what it brings itself wins.
    #[must_use]
    pub fn all_properties(&self) -> Properties {
        with_sources(&self.properties, &self.source_stamps)
    }
}

/// Properties with those of the source stamp, if there is one only (M-PR-05).
fn with_sources(own: &Properties, source_stamps: &[SourceStamp]) -> Properties {
    let mut all = Properties::new();
    if let [only] = source_stamps {
        all.set("branch", only.branch.as_deref(), "Build");
        all.set("revision", only.revision.as_deref(), "Build");
        all.set("repository", only.repository.as_str(), "Build");
        all.set("codebase", only.codebase.as_str(), "Build");
        all.set("project", only.project.as_str(), "Build");
    }
    all.extend(own.clone());
    all
}

/// A revision as people read it: long hashes cut to 7 characters, numbers and names whole (I-REV-02).
#[must_use]
pub fn short_revision(revision: &str) -> &str {
    let hex = revision.bytes().all(|b| b.is_ascii_hexdigit());
    let letters = revision.bytes().any(|b| b.is_ascii_alphabetic());
    let hash = hex && revision.len() > 7 && (letters || matches!(revision.len(), 40 | 64));
    revision.get(..7).filter(|_| hash).unwrap_or(revision)
}

impl SourceStamp {
    /// Makes a stamp stand for changes: it takes branch and revision of the newest, and repository and project
    /// too where it has none of its own (M-SS-03).
    pub fn set_changes(&mut self, mut changes: Vec<Change>) {
        super::sort_changes(&mut changes);
        if let Some(newest) = changes.last() {
            self.branch.clone_from(&newest.branch);
            self.revision.clone_from(&newest.revision);
            self.fill_place(&newest.repository, &newest.project);
        }
        self.changes = changes;
    }

    /// Takes repository and project where it has none of its own.
    pub fn fill_place(&mut self, repository: &str, project: &str) {
        for (own, theirs) in [(&mut self.repository, repository), (&mut self.project, project)] {
            if own.is_empty() {
                theirs.clone_into(own);
            }
        }
    }

    /// A copy with the revision that was checked out for its codebase, where that is known (M-SS-04).
    #[must_use]
    pub fn absolute(&self, got_revisions: &BTreeMap<String, String>) -> Self {
        let mut stamp = self.clone();
        if let Some(revision) = got_revisions.get(&self.codebase) {
            stamp.revision = Some(revision.clone());
        }
        stamp
    }
}

impl Step {
    /// Its outcome and what it adds to its build's words; nothing of either before it ends (M-ST-02).
    #[must_use]
    pub fn outcome(&self) -> (Option<Results>, &[String]) {
        self.results.map_or((None, &[]), |results| (Some(results), &self.text2))
    }

    /// True for a step that was not run (M-ST-01).
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.results == Some(Results::Skipped)
    }
}

/// A step's name made unique within its build: `_1`, `_2`... on collision (M-ST-01).
#[must_use]
pub fn unique_step_name<'a>(name: &str, taken: impl IntoIterator<Item = &'a str>) -> String {
    let taken: std::collections::HashSet<&str> = taken.into_iter().collect();
    if !taken.contains(name) {
        return name.to_owned();
    }
    (1..)
        .map(|count: u64| format!("{name}_{count}"))
        .find(|candidate| !taken.contains(candidate.as_str()))
        .expect("a finite set cannot hold every number")
}

impl LogSummary {
    /// A label that tells it from all other logs of the build (M-LOG-01).
    #[must_use]
    pub fn label(&self, step: &Step) -> String {
        format!("{}.{}", step.name, self.name)
    }
}

impl LogChannel {
    /// The channel with this number in logs on the wire: 0 stdout, 1 stderr, 2 header (M-LOG-01).
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Stdout, Self::Stderr, Self::Header].get(usize::from(code)).copied()
    }

    /// True if text of this channel belongs to the log's text (M-LOG-01).
    #[must_use]
    pub fn is_text(self) -> bool {
        self != Self::Header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use serde_json::json;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn change(number: u64, revision: &str) -> Change {
        Change { number, revision: Some(revision.to_owned()), ..Change::default() }
    }

    fn stamp(codebase: &str, changes: Vec<Change>) -> SourceStamp {
        SourceStamp { codebase: codebase.to_owned(), changes, ..SourceStamp::default() }
    }

    #[test]
    fn m_b_01_changes_of_all_stamps_and_m_b_04_their_revisions() {
        let mut build = Build::new("b", 1);
        build.source_stamps = vec![
            stamp("a", vec![change(4, SHA), Change::default()]),
            stamp("b", vec![change(2, "12345678"), change(3, "release-12")]),
        ];
        assert_eq!(build.changes().map(|change| change.number).collect::<Vec<_>>(), [4, 0, 2, 3]);
        assert_eq!(build.revisions_text(), "0123456, 12345678, release-12");
    }

    #[test]
    fn i_rev_02_only_hashes_are_shortened() {
        let digits = "1".repeat(40);
        for (revision, short) in [
            (SHA, "0123456"),
            ("deadbeef", "deadbee"),
            ("deadbee", "deadbee"),
            ("12345678", "12345678"),
            (digits.as_str(), "1111111"),
            ("release-1234", "release-1234"),
            ("übermäßig", "übermäßig"),
            ("", ""),
        ] {
            assert_eq!(short_revision(revision), short);
        }
    }

    #[test]
    fn m_b_02_nothing_is_said_before_the_end() {
        let build = Build::new("b", 0);
        assert_eq!((build.worker.as_str(), build.results, build.finished), ("???", None, None));
        assert!(build.text.is_empty() && !build.is_finished());
    }

    #[test]
    fn m_b_03_the_previous_number() {
        assert_eq!(Build::new("b", 0).previous_number(), None);
        assert_eq!(Build::new("b", 5).previous_number(), Some(4));
    }

    #[test]
    fn m_b_05_got_revision_is_always_a_map() {
        let mut build = Build::new("b", 1);
        assert!(build.got_revisions().is_empty());
        build.properties.set("got_revision", "abc", "Git");
        assert_eq!(build.got_revisions(), BTreeMap::from([(String::new(), "abc".to_owned())]));
        build.properties.set("got_revision", json!({"lib": "1", "odd": 2}), "Git");
        assert_eq!(build.got_revisions(), BTreeMap::from([("lib".to_owned(), "1".to_owned())]));
    }

    #[test]
    fn m_b_06_the_eta_is_clamped_and_ends_with_the_build() {
        let mut build = Build::new("b", 1);
        assert_eq!(build.displayed_eta(Some(2.5)), Some(2.5));
        assert_eq!(build.displayed_eta(Some(-3.0)), Some(0.0));
        assert_eq!(build.displayed_eta(Some(f64::NAN)), None);
        build.finished = Some(Timestamp::from_seconds(1));
        assert_eq!(build.displayed_eta(Some(2.5)), None);
    }

    #[test]
    fn m_b_07_logs_in_step_order_and_m_log_01_their_labels() {
        let step = |name: &str| Step {
            name: name.to_owned(),
            logs: vec![LogSummary { name: "stdio".to_owned(), ..LogSummary::default() }],
            ..Step::default()
        };
        let mut build = Build::new("b", 1);
        build.steps = vec![step("make"), step("test")];
        let labels: Vec<_> = build.logs().map(|(step, log)| log.label(step)).collect();
        assert_eq!(labels, ["make.stdio", "test.stdio"]);
        assert_eq!(LogChannel::from_code(1), Some(LogChannel::Stderr));
        assert_eq!(LogChannel::from_code(3), None);
        assert!(LogChannel::Stderr.is_text() && !LogChannel::Header.is_text());
    }

    #[test]
    fn m_pr_04_standard_properties_give_way_to_the_builds_own() {
        let mut build = Build::new("b", 7);
        build.properties.set("buildername", "other", "Sender");
        let all = build.all_properties();
        assert_eq!(all.value("buildername"), Some(&json!("other")));
        assert_eq!(all.value("buildnumber"), Some(&json!(7)));
        assert_eq!(all.value("slavename"), Some(&json!("???")));
        assert_eq!(all.value("scheduler"), None);
        let asked_for = build.properties_before_start();
        assert_eq!(asked_for.value("buildername"), Some(&json!("other")));
        assert_eq!((asked_for.value("buildnumber"), asked_for.value("workername")), (None, None));
        build.properties.set("buildnumber", 9, "Sender");
        assert_eq!(build.all_properties().value("buildnumber"), Some(&json!(9)));
    }

    #[test]
    fn m_pr_05_source_properties_only_with_one_stamp() {
        let mut build = Build::new("b", 7);
        assert_eq!(build.all_properties().value("branch"), None);
        build.source_stamps = vec![stamp("", Vec::new())];
        let all = build.all_properties();
        assert_eq!(all.value("branch"), Some(&Value::Null));
        assert_eq!(all.value("project"), Some(&json!("")));
        let set = Buildset { source_stamps: build.source_stamps.clone(), ..Buildset::default() };
        assert_eq!(set.all_properties().len(), 5, "and none that only builds have");
        build.source_stamps.push(stamp("lib", Vec::new()));
        for name in ["branch", "revision", "repository", "codebase", "project"] {
            assert_eq!(build.all_properties().value(name), None);
        }
    }

    #[test]
    fn m_ss_03_a_stamp_takes_after_its_newest_change() {
        let mut newest = change(9, "new");
        newest.branch = Some("main".to_owned());
        newest.repository = "git://theirs".to_owned();
        newest.project = "theirs".to_owned();
        let mut stamp = SourceStamp { project: "own".to_owned(), ..SourceStamp::default() };
        stamp.set_changes(vec![newest, change(3, "old")]);
        assert_eq!((stamp.revision.as_deref(), stamp.branch.as_deref()), (Some("new"), Some("main")));
        assert_eq!((stamp.repository.as_str(), stamp.project.as_str()), ("git://theirs", "own"));
        assert_eq!(stamp.changes.iter().map(|change| change.number).collect::<Vec<_>>(), [3, 9]);
        stamp.set_changes(Vec::new());
        assert_eq!(stamp.revision.as_deref(), Some("new"));
    }

    #[test]
    fn m_ss_04_absolute_stamps_say_what_was_built() {
        let mut build = Build::new("b", 1);
        build.source_stamps = vec![stamp("app", Vec::new()), stamp("lib", Vec::new())];
        build.properties.set("got_revision", json!({"app": "abc"}), "Git");
        let revisions: Vec<_> = build.absolute_source_stamps().into_iter().map(|s| s.revision).collect();
        assert_eq!(revisions, [Some("abc".to_owned()), None]);
    }

    #[test]
    fn m_st_01_step_names_are_made_unique() {
        assert_eq!(unique_step_name("make", []), "make");
        assert_eq!(unique_step_name("make", ["make", "make_1"]), "make_2");
    }

    #[test]
    fn m_st_02_no_outcome_before_the_end() {
        let mut step = Step { text2: vec!["make".to_owned()], ..Step::default() };
        assert_eq!(step.outcome(), (None, [].as_slice()));
        step.results = Some(Results::Failure);
        assert_eq!(step.outcome(), (Some(Results::Failure), step.text2.as_slice()));
        assert!(!step.is_skipped());
    }
}
