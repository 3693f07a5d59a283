//! Branches of paths in a Subversion repository: the choices that `split_file` names.

use std::collections::BTreeMap;

/// Rules by which paths are split, named as the manual names its functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SplitFile {
    /// All of it is trunk: no branches (`alwaystrunk`).
    AlwaysTrunk,
    /// `trunk/…` and `branches/NAME/…` (`branches`).
    Branches,
    /// `PROJECT/trunk/…` and `PROJECT/branches/NAME/…` (`projects_branches`).
    ProjectsBranches,
}

/// Meaning of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split<'p> {
    pub(super) project: Option<&'p str>,
    /// None for trunk.
    pub(super) branch: Option<String>,
    /// The path within the branch.
    pub(super) path: &'p str,
}

impl SplitFile {
    pub(super) const NAMES: [(&str, Self); 3] = [
        ("alwaystrunk", Self::AlwaysTrunk),
        ("branches", Self::Branches),
        ("projects_branches", Self::ProjectsBranches),
    ];

    /// Meaning of a path below the followed address; none if it belongs to no branch, such as `tags/1.0/a.c`.
    pub(super) fn split(self, path: &str) -> Option<Split<'_>> {
        match self {
            Self::AlwaysTrunk => Some(Split { project: None, branch: None, path }),
            Self::Branches => split_branches(path),
            Self::ProjectsBranches => {
                let (project, path) = path.split_once('/')?;
                Some(Split { project: Some(project), ..split_branches(path)? })
            }
        }
    }
}

fn split_branches(path: &str) -> Option<Split<'_>> {
    match path.split_once('/')? {
        ("trunk", path) => Some(Split { project: None, branch: None, path }),
        ("branches", rest) => {
            let (name, path) = rest.split_once('/')?;
            Some(Split { project: None, branch: Some(format!("branches/{name}")), path })
        }
        _ => None,
    }
}

/// A path that a revision touches, below the followed address; folders end in `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) path: String,
    pub(super) deleted: bool,
}

/// Project and branch.
pub(super) type Place = (Option<String>, Option<String>);

/// The files that a revision touches, by branch. A branch that was only removed is left out: there is nothing of it to
/// build.
pub(super) fn by_branch(split: SplitFile, touched: &[Touched]) -> BTreeMap<Place, Vec<String>> {
    let mut places: BTreeMap<Place, Vec<(&str, bool)>> = BTreeMap::new();
    for touched in touched {
        if let Some(Split { project, branch, path }) = split.split(&touched.path) {
            let place = (project.map(str::to_owned), branch);
            places.entry(place).or_default().push((path, touched.deleted));
        }
    }
    places.retain(|_, files| !matches!(files.as_slice(), [("", true)]));
    // The root of a branch, touched when it is made, is no file of it.
    let paths = |files: Vec<(&str, bool)>| {
        files.into_iter().filter(|(path, _)| !path.is_empty()).map(|(path, _)| path.to_owned()).collect()
    };
    places.into_iter().map(|(place, files)| (place, paths(files))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(how: SplitFile, path: &str) -> Option<(String, String, String)> {
        let split = how.split(path)?;
        let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
        Some((text(split.project), text(split.branch.as_deref()), split.path.to_owned()))
    }

    #[test]
    fn the_manuals_three_ways() {
        let some =
            |project: &str, branch: &str, path: &str| Some((project.into(), branch.into(), path.into()));
        for (path, expected) in [
            ("trunk/sub/a.c", some("-", "-", "sub/a.c")),
            ("trunk/", some("-", "-", "")),
            ("branches/1.5.x/sub/a.c", some("-", "branches/1.5.x", "sub/a.c")),
            ("branches/1.5.x/", some("-", "branches/1.5.x", "")),
            ("branches/readme", None),
            ("tags/1.0/a.c", None),
            ("trunk", None),
        ] {
            assert_eq!(split(SplitFile::Branches, path), expected, "{path}");
        }
        assert_eq!(split(SplitFile::AlwaysTrunk, "tags/a"), some("-", "-", "tags/a"));
        assert_eq!(split(SplitFile::ProjectsBranches, "p/trunk/a"), some("p", "-", "a"));
        assert_eq!(split(SplitFile::ProjectsBranches, "p/branches/b/a"), some("p", "branches/b", "a"));
        assert_eq!(split(SplitFile::ProjectsBranches, "readme"), None);
    }

    #[test]
    fn a_branch_that_was_only_removed_is_left_out() {
        let touched = |path: &str, deleted| Touched { path: path.into(), deleted };
        let found = by_branch(
            SplitFile::Branches,
            &[
                touched("branches/old/", true),
                touched("branches/new/", false),
                touched("trunk/a", true),
                touched("trunk/b", false),
                touched("tags/x/", false),
            ],
        );
        let new = (None, Some("branches/new".to_owned()));
        assert_eq!(found, [((None, None), vec!["a".to_owned(), "b".to_owned()]), (new, vec![])].into());
    }
}
