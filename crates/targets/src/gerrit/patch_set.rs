//! Patch sets that a build was about (G-FIND).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Fault, FaultCode};
use campanile_model::{Build, Properties, SourceStamp};

/// A patch set that can be reviewed. One commit may be a patch set of several changes, on several branches: change and
/// branch say which is meant (G-FIND-10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, from = "StoredPatchSet")]
pub(super) struct PatchSet {
    pub(super) project: String,
    /// A commit's hash, whole or its beginning.
    pub(super) revision: String,
    /// The branch that the change is for, if it is known.
    pub(super) branch: Option<String>,
    /// The change's number, if it is known.
    pub(super) change: Option<String>,
}

/// A stored patch set; messages of older versions have only project and revision.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredPatchSet {
    Pair(String, String),
    Whole { project: String, revision: String, branch: Option<String>, change: Option<String> },
}

impl From<StoredPatchSet> for PatchSet {
    fn from(stored: StoredPatchSet) -> Self {
        match stored {
            StoredPatchSet::Pair(project, revision) => Self { project, revision, branch: None, change: None },
            StoredPatchSet::Whole { project, revision, branch, change } => {
                Self { project, revision, branch, change }
            }
        }
    }
}

impl PatchSet {
    /// Gerrit's search for the change: by number where it is known, else by branch.
    pub(super) fn query(&self) -> String {
        let Self { project, revision, branch, change } = self;
        let mut query = format!("project:{project} commit:{revision}");
        match (change, branch) {
            (Some(number), _) => query.push_str(&format!(" change:{number}")),
            (None, Some(branch)) => query.push_str(&format!(" branch:{branch}")),
            (None, None) => {}
        }
        query
    }

    /// The change among those that were found: there must be one, and no other that may be meant as well.
    ///
    /// # Errors
    /// With the fault of a review that has no address.
    pub(super) fn only_one<T>(&self, found: Vec<T>, server: &str) -> Result<T, Fault> {
        let many = found.len();
        let mut found = found.into_iter();
        let Self { project, revision, change, .. } = self;
        let text = match (found.next(), many) {
            (Some(only), 1) => return Ok(only),
            (Some(_), _) => format!(
                "{server} has {many} changes of `{project}` with the commit {revision}: tell of the build's property \
                 `event.change.number` or `event.change.branch`, so that it is known which was built"
            ),
            (None, _) => {
                let number = change.as_ref().map(|number| format!(" {number}")).unwrap_or_default();
                format!("{server} has no change{number} of `{project}` with the commit {revision}")
            }
        };
        Err(Fault::permanent(FaultCode::Rejected, text))
    }

    /// A commit of a project; the change is known by its number, if at all, where that is one.
    fn new(project: impl Into<String>, revision: impl Into<String>, change: Option<&str>) -> Self {
        let is_number = |text: &&str| {
            !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let change = change.filter(is_number).map(str::to_owned);
        Self { project: project.into(), revision: revision.into(), branch: None, change }
    }
}

/// The reason of there being nothing to review, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unaddressed(pub(super) String);

/// Finds the patch sets that a build was about, each once; or says why there is none.
pub(super) fn patch_sets(build: &Build) -> Result<Vec<PatchSet>, Unaddressed> {
    let properties = build.all_properties();
    match downloads(&properties) {
        Some(downloaded) => downloaded,
        None => checkouts(build, &properties),
    }
}

/// Names the change whose deliveries stay in order: known when a build begins, and the same for all its patch sets.
pub(super) fn change_of(properties: &Properties, stamps: &[SourceStamp]) -> Option<String> {
    text_of(properties, "event.change.number")
        .or_else(|| text_of(properties, "event.change.id"))
        .or_else(|| number_in_refs(properties, stamps).map(str::to_owned))
}

/// Finds the number of the change in the branch of a stamp, else in that of Gerrit's checkout step.
fn number_in_refs<'a>(properties: &'a Properties, stamps: &'a [SourceStamp]) -> Option<&'a str> {
    let mut branches = stamps.iter().filter_map(|stamp| stamp.branch.as_deref());
    let by_step = || change_in_ref(properties.value("gerrit_branch")?.as_str()?);
    branches.find_map(change_in_ref).or_else(by_step)
}

/// Reads `1234` of `refs/changes/34/1234/5` (G-FIND-04).
fn change_in_ref(branch: &str) -> Option<&str> {
    let mut parts = branch.strip_prefix("refs/changes/")?.split('/');
    let (_, change, patch_set) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(change) && is_number(patch_set) && parts.next().is_none()).then_some(change)
}

/// Finds the patch sets that `repo` downloaded (G-FIND-01 to G-FIND-03); none if it was not `repo`.
fn downloads(properties: &Properties) -> Option<Result<Vec<PatchSet>, Unaddressed>> {
    let asked = properties.value("repo_downloads")?.as_array()?;
    let got = properties.value("repo_downloaded")?.as_str()?;
    let words: Vec<&str> = got.split_whitespace().collect();
    if asked.is_empty() || words.len() != asked.len() * 2 {
        return Some(Err(Unaddressed(format!(
            "`repo_downloaded` has {} words for {} downloads: two each are wanted",
            words.len(),
            asked.len()
        ))));
    }
    let found = asked.iter().zip(words.chunks_exact(2)).map(|(asked, pair)| {
        let entry = asked.as_str().unwrap_or_default();
        let mismatch = || Unaddressed(format!("`repo_downloads` has `{entry}`, which was not downloaded"));
        let (project, wanted) = entry.split_once(' ').ok_or_else(mismatch)?;
        match (wanted.split_once('/'), pair) {
            (Some((change, _)), [patch_set, revision]) if wanted == *patch_set => {
                Ok(PatchSet::new(project, *revision, Some(change)))
            }
            _ => Err(mismatch()),
        }
    });
    Some(found.collect())
}

/// Finds the patch sets that git checked out (G-FIND-04 to G-FIND-08).
fn checkouts(build: &Build, properties: &Properties) -> Result<Vec<PatchSet>, Unaddressed> {
    let by_ref: Vec<&SourceStamp> = build
        .source_stamps
        .iter()
        .filter(|stamp| stamp.branch.as_deref().and_then(change_in_ref).is_some())
        .collect();
    if by_ref.len() > 1 {
        return of_each(&by_ref, build);
    }
    let is_gerrit = properties.value("event.change.id").is_some_and(|id| !id.is_null())
        || properties.value("gerrit_branch").is_some_and(|branch| !branch.is_null())
        || !by_ref.is_empty();
    if !is_gerrit {
        return Err(Unaddressed(
            "it is about no change in Gerrit: it has no property `event.change.id` or `gerrit_branch`, and \
             none of its branches is `refs/changes/...`"
                .to_owned(),
        ));
    }
    let of_ref = by_ref.first();
    let project = text_of(properties, "event.change.project")
        .or_else(|| text_of(properties, "project"))
        .or_else(|| of_ref.map(|stamp| stamp.project.clone()).filter(|project| !project.is_empty()));
    let revision = text_of(properties, "event.patchSet.revision")
        .or_else(|| of_codebase(properties, "got_revision"))
        .or_else(|| of_codebase(properties, "revision"))
        .or_else(|| of_ref.and_then(|stamp| stamp.revision.clone()));
    let change = text_of(properties, "event.change.number");
    let change = change.as_deref().or_else(|| number_in_refs(properties, &build.source_stamps));
    match (project, revision) {
        (Some(project), Some(revision)) => {
            let branch = text_of(properties, "event.change.branch");
            Ok(vec![PatchSet { branch, ..PatchSet::new(project, revision, change) }])
        }
        (None, _) => Err(Unaddressed("its project is not known: set `event.change.project`".to_owned())),
        (_, None) => Err(Unaddressed("its revision is not known: set `got_revision`".to_owned())),
    }
}

/// Finds several patch sets of one build (G-FIND-08).
fn of_each(stamps: &[&SourceStamp], build: &Build) -> Result<Vec<PatchSet>, Unaddressed> {
    let got = build.got_revisions();
    let mut found = Vec::new();
    for stamp in stamps {
        let revision = got.get(&stamp.codebase).cloned().or_else(|| stamp.revision.clone());
        let (Some(revision), false) = (revision, stamp.project.is_empty()) else { continue };
        let change = stamp.branch.as_deref().and_then(change_in_ref);
        let patch_set = PatchSet::new(stamp.project.as_str(), revision, change);
        if !found.contains(&patch_set) {
            found.push(patch_set);
        }
    }
    if found.is_empty() {
        return Err(Unaddressed("none of its patch sets has both a project and a revision".to_owned()));
    }
    Ok(found)
}

/// Gives a property that is a text or a number, if it says anything.
fn text_of(properties: &Properties, name: &str) -> Option<String> {
    match properties.value(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Gives a property that is a text, or of a map the entry of the `codebase` (G-FIND-06).
fn of_codebase(properties: &Properties, name: &str) -> Option<String> {
    match properties.value(name)? {
        Value::Object(map) => {
            let codebase = properties.value("codebase")?.as_str()?;
            map.get(codebase)?.as_str().filter(|revision| !revision.is_empty()).map(str::to_owned)
        }
        Value::String(revision) if !revision.is_empty() => Some(revision.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(properties: &[(&str, Value)]) -> Build {
        let mut build = Build::new("linux", 1);
        for (name, value) in properties {
            build.properties.set(*name, value.clone(), "Change");
        }
        build
    }

    fn found(build: &Build) -> Result<Vec<(String, String)>, String> {
        let pairs = |sets: Vec<PatchSet>| sets.into_iter().map(|set| (set.project, set.revision)).collect();
        patch_sets(build).map(pairs).map_err(|why| why.0)
    }

    fn pair(project: &str, revision: &str) -> (String, String) {
        (project.to_owned(), revision.to_owned())
    }

    #[test]
    fn g_find_01_g_find_02_g_find_03_repo_downloads() {
        let asked = json!(["tools/a 12/3", "b 7/1"]);
        let build =
            made(&[("repo_downloads", asked.clone()), ("repo_downloaded", json!(" 12/3 aaaa 7/1 bbbb "))]);
        assert_eq!(found(&build), Ok(vec![pair("tools/a", "aaaa"), pair("b", "bbbb")]));
        for downloaded in ["12/3 aaaa", "12/3 aaaa 8/1 bbbb", "12/3 aaaa 7/2 bbbb", "", "12 aaaa 7/1 bbbb"] {
            let git =
                [("event.change.id", json!("I1")), ("project", json!("p")), ("got_revision", json!("cc"))];
            let repo = [("repo_downloads", asked.clone()), ("repo_downloaded", json!(downloaded))];
            assert!(found(&made(&[&git[..], &repo[..]].concat())).is_err(), "{downloaded}: git is not tried");
        }
        assert!(found(&made(&[("repo_downloads", json!([])), ("repo_downloaded", json!(""))])).is_err());
    }

    #[test]
    fn g_find_04_what_makes_a_gerrit_build() {
        let facts = [("project", json!("p")), ("got_revision", json!("abcd"))];
        assert!(found(&made(&facts)).unwrap_err().contains("about no change in Gerrit"));
        for property in [("event.change.id", json!("I1")), ("gerrit_branch", json!("refs/changes/34/1234/5"))]
        {
            assert_eq!(found(&made(&[&facts[..], &[property]].concat())), Ok(vec![pair("p", "abcd")]));
        }
        let mut build = made(&facts[1..]);
        let branch = Some("refs/changes/34/1234/5".to_owned());
        build.source_stamps = vec![SourceStamp { branch, project: "q".into(), ..SourceStamp::default() }];
        assert_eq!(found(&build), Ok(vec![pair("q", "abcd")]));
        build.source_stamps[0].branch = Some("refs/changes/34/1234/meta".to_owned());
        assert!(found(&build).is_err());
    }

    #[test]
    fn g_find_05_g_find_06_g_find_07_project_and_revision() {
        let mut facts = vec![
            ("event.change.id", json!("I1")),
            ("event.change.project", json!("p")),
            ("project", json!("other")),
            ("event.patchSet.revision", json!("aaaa")),
            ("got_revision", json!("bbbb")),
        ];
        assert_eq!(found(&made(&facts)), Ok(vec![pair("p", "aaaa")]));
        facts.remove(3);
        assert_eq!(found(&made(&facts)), Ok(vec![pair("p", "bbbb")]));
        facts.remove(1);
        assert_eq!(found(&made(&facts)), Ok(vec![pair("other", "bbbb")]));
        facts[2] = ("got_revision", json!({"a": "aaaa", "b": "bbbb"}));
        assert!(found(&made(&facts)).unwrap_err().contains("revision is not known"), "no codebase");
        facts.push(("codebase", json!("b")));
        assert_eq!(found(&made(&facts)), Ok(vec![pair("other", "bbbb")]));
        facts.remove(1);
        assert!(found(&made(&facts)).unwrap_err().contains("project is not known"));
    }

    #[test]
    fn g_find_08_several_patch_sets() {
        let stamp = |codebase: &str, project: &str, branch: &str| SourceStamp {
            codebase: codebase.into(),
            project: project.into(),
            branch: Some(branch.to_owned()),
            revision: Some("1111".to_owned()),
            ..SourceStamp::default()
        };
        let mut build = made(&[("got_revision", json!({"a": "aaaa"}))]);
        build.source_stamps = vec![
            stamp("a", "p", "refs/changes/01/1/1"),
            stamp("b", "q", "refs/changes/02/2/1"),
            stamp("c", "q", "refs/changes/02/2/1"),
            stamp("d", "q", "main"),
        ];
        assert_eq!(found(&build), Ok(vec![pair("p", "aaaa"), pair("q", "1111")]));
    }

    /// As the stream source flattens an event, and as Gerrit's checkout step names the branch.
    #[test]
    fn g_find_09_what_a_source_tells_leads_to_the_patch_set() {
        let facts = [
            ("event.type", json!("patchset-created")),
            ("event.change.id", json!("I1f0c")),
            ("event.change.number", json!(1234)),
            ("event.change.project", json!("tools/bells")),
            ("event.change.branch", json!("main")),
            ("event.change.subject", json!("Ring")),
            ("event.change.owner.email", json!("ada@example.org")),
            ("event.patchSet.number", json!(5)),
            ("event.patchSet.revision", json!("abcd")),
            ("event.patchSet.ref", json!("refs/changes/34/1234/5")),
            ("event.approvals", json!([{"type": "Verified", "value": "1"}])),
        ];
        let build = made(&facts);
        assert_eq!(found(&build), Ok(vec![pair("tools/bells", "abcd")]));
        assert_eq!(change_of(&build.properties, &build.source_stamps).as_deref(), Some("1234"));
        let step = [
            ("gerrit_branch", json!("refs/changes/04/4/2")),
            ("project", json!("bells")),
            ("got_revision", json!("beef")),
        ];
        let build = made(&step);
        assert_eq!(found(&build), Ok(vec![pair("bells", "beef")]));
        assert_eq!(change_of(&build.properties, &build.source_stamps).as_deref(), Some("4"));
    }

    #[test]
    fn g_find_10_which_change_a_build_was_for() {
        let of = |properties: &[(&str, Value)]| {
            let set = patch_sets(&made(properties)).unwrap().remove(0);
            (set.branch, set.change)
        };
        let facts = [("project", json!("p")), ("got_revision", json!("abcd"))];
        let event = [
            ("event.change.id", json!("I1")),
            ("event.change.number", json!(1234)),
            ("event.change.branch", json!("stable/1")),
        ];
        let (branch, number) = (Some("stable/1".to_owned()), Some("1234".to_owned()));
        assert_eq!(of(&[&facts[..], &event[..]].concat()), (branch, number.clone()));
        let step = [("gerrit_branch", json!("refs/changes/34/1234/5"))];
        assert_eq!(of(&[&facts[..], &step[..]].concat()), (None, number));
        assert_eq!(of(&[&facts[..], &event[..1]].concat()), (None, None));
        let odd = [("event.change.id", json!("I1")), ("event.change.number", json!("7 OR 8"))];
        assert_eq!(of(&[&facts[..], &odd[..]].concat()), (None, None));
        let repo = [("repo_downloads", json!(["p 12/3"])), ("repo_downloaded", json!("12/3 aaaa"))];
        assert_eq!(of(&repo), (None, Some("12".to_owned())));
    }

    #[test]
    fn g_run_01_one_change_stays_in_order() {
        let of = |build: &Build| change_of(&build.properties, &build.source_stamps);
        assert_eq!(of(&made(&[("event.change.number", json!(1234))])).as_deref(), Some("1234"));
        assert_eq!(of(&made(&[("gerrit_branch", json!("refs/changes/34/1234/5"))])).as_deref(), Some("1234"));
        assert_eq!(of(&made(&[("event.change.id", json!("I1f"))])).as_deref(), Some("I1f"));
        assert_eq!(of(&made(&[("branch", json!("main"))])), None);
    }
}
