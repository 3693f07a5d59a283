//! The stored form of a review, and the two forms in which Gerrit takes it over SSH (G-CMD).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::patch_set::PatchSet;
use super::version::Version;
use crate::{Fault, FaultCode, payload};
use campanile_callbacks::Review;
use campanile_model::body_text;

/// The most bytes of a message; longer ones are cut (G-CMD-09).
const MAX_MESSAGE: usize = 16 << 10;
const CUT: &str = "\n... (truncated)";

/// A delivery: the same review of one or more patch sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredReview {
    /// Those that have not been reviewed yet.
    pub(super) patch_sets: Vec<PatchSet>,
    pub(super) message: String,
    pub(super) labels: BTreeMap<String, i32>,
}

impl StoredReview {
    /// Puts a review into its stored form; none if there is nothing to say (G-CB-05, G-CB-06).
    ///
    /// Names are checked here and not when a command is made of them: Gerrit's SSH commands are one text, which the
    /// server takes apart, so that a project's name from an event could bring options or another command with it.
    ///
    /// # Errors
    /// When something in it is nothing that Gerrit could take (G-CMD-05, G-CMD-07).
    pub(super) fn new(review: &Review, patch_sets: Vec<PatchSet>) -> Result<Option<Self>, Fault> {
        if review.message.is_empty() && review.labels.is_empty() {
            return Ok(None);
        }
        let refused = |what: String| Fault::permanent(FaultCode::Content, what);
        for PatchSet { project, revision, .. } in &patch_sets {
            if !is_project(project) {
                return Err(refused(format!("`{}` is no name of a Gerrit project", project.escape_debug())));
            }
            if !is_revision(revision) {
                return Err(refused(format!(
                    "`{}` is no commit: 4 to 64 hex digits",
                    revision.escape_debug()
                )));
            }
        }
        let odd = review.labels.iter().find(|(label, _)| !is_label(label));
        if let Some((label, _)) = odd {
            return Err(refused(format!("`{}` is no label of Gerrit's", label.escape_debug())));
        }
        Ok(Some(Self {
            patch_sets: patch_sets.into_iter().map(with_fit_branch).collect(),
            message: truncated(&body_text(&review.message)),
            labels: review.labels.iter().cloned().collect(),
        }))
    }

    /// Writes it as a delivery's message.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        payload::to_bytes("the review", self)
    }

    /// Reads a delivery's message.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        payload::from_bytes(bytes)
    }

    /// Makes Gerrit's `ReviewInput` (G-CMD-10).
    pub(super) fn input(&self, options: &ReviewOptions) -> serde_json::Value {
        let mut input = json!({});
        let mut set = |name: &str, value: serde_json::Value| {
            if let Some(input) = input.as_object_mut() {
                input.insert(name.to_owned(), value);
            }
        };
        if !self.message.is_empty() {
            set("message", self.message.as_str().into());
        }
        if !self.labels.is_empty() {
            set("labels", json!(self.labels));
        }
        if let Some(tag) = &options.tag {
            set("tag", tag.as_str().into());
        }
        if let Some(notify) = &options.notify {
            set("notify", notify.as_str().into());
        }
        input
    }

    /// Makes the command for servers that take no JSON (G-CMD-02 to G-CMD-08), with a line for the log for each part
    /// of the review that it leaves out.
    pub(super) fn command(
        &self,
        PatchSet { project, revision, .. }: &PatchSet,
        version: Option<&Version>,
        options: &ReviewOptions,
    ) -> (String, Vec<String>) {
        let mut command = format!("gerrit review --project {project}");
        let mut left_out = Vec::new();
        // Not told which one it is: a modern one, but for what older ones do not know (G-VER-05).
        if let Some(tag) = options.tag.as_ref().filter(|_| version.is_some_and(Version::has_tags)) {
            command.push_str(&format!(" --tag {tag}"));
        }
        if !self.message.is_empty() {
            command.push_str(&format!(" --message '{}'", self.message.replace('\'', "\"")));
        }
        if let Some(notify) = &options.notify {
            command.push_str(&format!(" --notify {notify}"));
        }
        for (label, score) in &self.labels {
            match label.as_str() {
                _ if version.is_none_or(Version::has_labels) => {
                    command.push_str(&format!(" --label {label}={score}"));
                }
                "Verified" => command.push_str(&format!(" --verified {score}")),
                "Code-Review" => command.push_str(&format!(" --code-review {score}")),
                _ => left_out.push(format!(
                    "Gerrit older than 2.6 does not support custom labels. Setting {label} is ignored."
                )),
            }
        }
        command.push(' ');
        command.push_str(revision);
        (command, left_out)
    }
}

/// The parts of a review that the settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReviewOptions {
    /// Marks reviews as made by a machine (G-CMD-08).
    pub(super) tag: Option<String>,
    /// Whom Gerrit mails (G-CFG-11).
    pub(super) notify: Option<String>,
}

/// Checks a name for a command without quotes: letters, digits and these. With a dash at its beginning it would be an option.
fn is_word(name: &str, beside: &[u8]) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || beside.contains(&byte))
}

/// Checks the name of a project (G-CMD-05).
fn is_project(name: &str) -> bool {
    is_word(name, b"._/+~-")
}

/// Leaves a branch away that could be more than a word of a command, or of a search.
fn with_fit_branch(set: PatchSet) -> PatchSet {
    PatchSet { branch: set.branch.filter(|branch| is_branch(branch)), ..set }
}

/// Checks the name of a branch.
pub(super) fn is_branch(name: &str) -> bool {
    is_word(name, b"._/+@-")
}

/// Checks a commit's hash, whole or its beginning (G-CMD-05).
fn is_revision(revision: &str) -> bool {
    (4..=64).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Checks the name of a label (G-CMD-07).
fn is_label(name: &str) -> bool {
    is_word(name, b"-")
}

/// Shortens a message that is too long (G-CMD-09).
fn truncated(message: &str) -> String {
    if message.len() <= MAX_MESSAGE {
        return message.to_owned();
    }
    let mut end = MAX_MESSAGE - CUT.len();
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", message.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(message: &str, labels: &[(&str, i32)]) -> StoredReview {
        let labels = labels.iter().map(|(label, score)| ((*label).to_owned(), *score)).collect();
        let review = Review { message: message.to_owned(), labels };
        StoredReview::new(&review, vec![patch_set("tools/bells", "abcd1234")]).unwrap().unwrap()
    }

    fn patch_set(project: &str, revision: &str) -> PatchSet {
        PatchSet { project: project.to_owned(), revision: revision.to_owned(), branch: None, change: None }
    }

    #[test]
    fn what_older_versions_stored_is_read_and_odd_branches_are_left_away() {
        let old =
            br#"{"patch_sets": [["tools/bells", "abcd1234"]], "message": "m", "labels": {"Verified": 1}}"#;
        let review = StoredReview::from_bytes(old).unwrap();
        assert_eq!(review.patch_sets, [patch_set("tools/bells", "abcd1234")]);
        let branch = |name: &str| {
            let set = PatchSet {
                branch: Some(name.to_owned()),
                change: Some("7".to_owned()),
                ..patch_set("p", "abcd")
            };
            let review = Review { message: "m".to_owned(), labels: Vec::new() };
            let stored = StoredReview::new(&review, vec![set]).unwrap().unwrap();
            let read = StoredReview::from_bytes(&stored.to_bytes().unwrap()).unwrap();
            assert_eq!(read, stored);
            read.patch_sets.into_iter().next().unwrap().branch
        };
        assert_eq!(branch("stable/1.2").as_deref(), Some("stable/1.2"));
        for odd in ["", "--json", "a b", "a'b", "x;y"] {
            assert_eq!(branch(odd), None, "{odd}");
        }
    }

    fn line(review: &StoredReview, version: Option<&str>, options: &ReviewOptions) -> (String, Vec<String>) {
        let version = version.and_then(Version::parse);
        review.command(&patch_set("tools/bells", "abcd1234"), version.as_ref(), options)
    }

    fn options(notify: Option<&str>) -> ReviewOptions {
        ReviewOptions { tag: Some("autogenerated:buildbot".to_owned()), notify: notify.map(str::to_owned) }
    }

    #[test]
    fn g_cmd_02_g_cmd_03_g_cmd_04_parts_in_order_and_quotes() {
        let review = stored("it's\n`done`; $(x) \u{7}\0ü", &[("Verified", 1), ("Code-Review", -1)]);
        let (command, left_out) = line(&review, Some("2.13"), &options(Some("OWNER")));
        assert_eq!(
            command,
            "gerrit review --project tools/bells --tag autogenerated:buildbot --message 'it\"s\n`done`; $(x) ü' \
             --notify OWNER --label Code-Review=-1 --label Verified=1 abcd1234"
        );
        assert!(left_out.is_empty());
    }

    #[test]
    fn g_cmd_06_g_cmd_08_g_ver_05_older_and_unknown_servers() {
        let review = stored("m", &[("Verified", 1), ("Code-Review", 0), ("Lint", 1)]);
        let (command, left_out) = line(&review, Some("2.5"), &options(None));
        assert_eq!(
            command,
            "gerrit review --project tools/bells --message 'm' --code-review 0 --verified 1 abcd1234"
        );
        assert_eq!(
            left_out,
            ["Gerrit older than 2.6 does not support custom labels. Setting Lint is ignored."]
        );
        let (command, _) = line(&review, None, &options(None));
        assert!(command.contains("--label Lint=1") && !command.contains("--tag"), "{command}");
        let (command, _) = line(&review, Some("2.12"), &options(None));
        assert!(command.contains("--label") && !command.contains("--tag"), "{command}");
    }

    #[test]
    fn g_cb_05_g_cb_06_g_cb_07_what_is_no_review_and_what_is() {
        let made = |message: &str, labels: &[(&str, i32)]| {
            let labels = labels.iter().map(|(label, score)| ((*label).to_owned(), *score)).collect();
            StoredReview::new(&Review { message: message.to_owned(), labels }, Vec::new()).unwrap()
        };
        assert_eq!(made("", &[]), None);
        let votes_only = made("", &[("Verified", 0)]).unwrap();
        assert_eq!(votes_only.input(&ReviewOptions::default()), json!({"labels": {"Verified": 0}}));
        assert!(!line(&votes_only, None, &ReviewOptions::default()).0.contains("--message"));
        assert_eq!(
            made("words", &[]).unwrap().input(&options(Some("NONE"))),
            json!({"message": "words", "tag": "autogenerated:buildbot", "notify": "NONE"})
        );
    }

    #[test]
    fn g_cmd_05_g_cmd_07_what_gerrit_could_not_take_is_refused() {
        let refused = |project: &str, revision: &str, label: &str| {
            let review = Review { message: "m".to_owned(), labels: vec![(label.to_owned(), 1)] };
            StoredReview::new(&review, vec![patch_set(project, revision)]).is_err()
        };
        assert!(!refused("a/b-c_d.e+f~g", "abcd", "Code-Review"));
        for project in ["", "a b", "a;b", "a'b", "--help", "a\nb", "ü"] {
            assert!(refused(project, "abcd", "Verified"), "{project}");
        }
        for revision in ["abc", "abcg", "HEAD", &"a".repeat(65), "abcd efgh"] {
            assert!(refused("p", revision, "Verified"), "{revision}");
        }
        for label in ["", "Code Review", "-x", "a=1", "ü"] {
            assert!(refused("p", "abcd", label), "{label}");
        }
    }

    #[test]
    fn g_cmd_09_long_messages_are_cut() {
        let long = stored(&"ü".repeat(20_000), &[]);
        assert!(long.message.len() <= MAX_MESSAGE && long.message.ends_with("ü\n... (truncated)"));
        assert_eq!(stored("short", &[]).message, "short");
    }
}
