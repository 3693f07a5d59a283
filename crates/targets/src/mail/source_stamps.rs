//! Source stamps and changes as templates have them (M-X-08).

use serde::Serialize;

use super::built_in_text::{headline, source};
use super::diagnosis::short_name;
use campanile_model::jinja::ListWithText;
use campanile_model::{Build, Change, Patch, SourceStamp, short_revision};

/// A source stamp as templates have it.
#[derive(Clone, Serialize)]
pub(super) struct SourceStampValues<'a> {
    codebase: &'a str,
    project: &'a str,
    repository: &'a str,
    branch: Option<&'a str>,
    revision: Option<&'a str>,
    patch: Option<PatchValues<'a>>,
    changes: Vec<ChangeValues<'a>>,
}

#[derive(Clone, Serialize)]
struct PatchValues<'a> {
    author: &'a str,
    comment: &'a str,
    level: u32,
    subdir: Option<&'a str>,
    body: &'a str,
}

/// A change as templates have it.
#[derive(Clone, Serialize)]
pub(super) struct ChangeValues<'a> {
    who: &'a str,
    /// The name that Buildbot has for `who`.
    author: &'a str,
    /// `who` without an address.
    name: String,
    comments: &'a str,
    headline: String,
    files: &'a [String],
    branch: Option<&'a str>,
    revision: Option<&'a str>,
    short_revision: Option<&'a str>,
    revlink: &'a str,
    category: Option<&'a str>,
    when: f64,
}

impl<'a> ChangeValues<'a> {
    pub(super) fn of(change: &'a Change) -> Self {
        Self {
            who: &change.who,
            author: &change.who,
            name: short_name(&change.who),
            comments: &change.comments,
            headline: headline(change),
            files: &change.files,
            branch: change.branch.as_deref(),
            revision: change.revision.as_deref(),
            short_revision: change.revision.as_deref().map(short_revision),
            revlink: &change.revlink,
            category: change.category.as_deref(),
            when: change.when.as_seconds_f64(),
        }
    }
}

/// The source stamps of a build: a list, which reads as Buildbot's text about them.
pub(super) fn of(build: &Build) -> ListWithText<Vec<SourceStampValues<'_>>> {
    let stamps = build.source_stamps.iter();
    ListWithText {
        items: stamps.clone().map(values).collect(),
        text: stamps.map(|stamp| format!("Build Source Stamp{}\n", source(stamp))).collect(),
    }
}

fn values(stamp: &SourceStamp) -> SourceStampValues<'_> {
    SourceStampValues {
        codebase: &stamp.codebase,
        project: &stamp.project,
        repository: &stamp.repository,
        branch: stamp.branch.as_deref(),
        revision: stamp.revision.as_deref(),
        patch: stamp.patch.as_ref().map(patch_values),
        changes: stamp.changes.iter().map(ChangeValues::of).collect(),
    }
}

fn patch_values(patch: &Patch) -> PatchValues<'_> {
    PatchValues {
        author: &patch.author,
        comment: &patch.comment,
        level: patch.level,
        subdir: patch.subdir.as_deref(),
        body: &patch.body,
    }
}
