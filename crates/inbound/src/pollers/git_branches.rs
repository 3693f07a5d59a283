//! The branches that a Git poller follows, and names that branches can have.

use campanile_config::Reader;

/// A choice of branches to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Branches {
    /// The one that the repository calls its own.
    Default,
    /// These.
    Named(Vec<String>),
    /// All that there are.
    All,
}

impl Branches {
    /// Reads `branch` or `branches`, noting what is wrong.
    pub(super) fn read(table: &Reader<'_>) -> Self {
        let branch = table.text("branch");
        let key = if branch.is_some() { "branch" } else { "branches" };
        let branches = match table.item("branches") {
            None => None,
            Some(item) => match item.as_boolean() {
                Some(true) => Some(Branches::All),
                Some(false) => {
                    table.error("branches", "`branches` must be true, for all, or a list of names");
                    None
                }
                None => item.texts("branches").map(Branches::Named),
            },
        };
        let branches = match (branch, branches) {
            (Some(_), Some(both)) => {
                table.error("branch", "`branch` and `branches` exclude each other: keep one of them");
                both
            }
            (Some(one), None) => Branches::Named(vec![one]),
            (None, Some(branches)) => branches,
            (None, None) => Branches::Default,
        };
        if let Branches::Named(names) = &branches {
            for name in names.iter().filter(|name| !is_branch(name)) {
                table.error(key, format!("`{name}` can't be the name of a branch"));
            }
            if names.is_empty() {
                table.error("branches", "`branches` is empty: name some, or write true for all");
            }
        }
        branches
    }

    /// True for a branch that is followed wherever it exists.
    pub(super) fn includes(&self, branch: &str) -> bool {
        match self {
            Branches::Default | Branches::All => true,
            Branches::Named(names) => names.iter().any(|name| name == branch),
        }
    }
}

/// True for a name that Git lets a branch have: git-check-ref-format, as far as it matters here.
pub(super) fn is_branch(name: &str) -> bool {
    let odd = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(odd)
        && name.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_branch_can_have() {
        for name in ["main", "feature/x", "ü", "a.b", "release-1.0"] {
            assert!(is_branch(name), "{name}");
        }
        for name in
            ["", "-x", "--upload-pack=x", "a..b", "a b", "a:b", "*", "~x", "a/", "/a", ".a", "a.lock", "a\nb"]
        {
            assert!(!is_branch(name), "{name}");
        }
    }
}
