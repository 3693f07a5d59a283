//! The part of the machine that settings may name files of: all of it, or one folder.

use std::path::{Component, Path, PathBuf};

/// The part of the machine that settings may name files of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileScope {
    /// All of it: they are the operator's own.
    Machine,
    /// Files of this folder only: they are a tenant's. No environment, no program, no socket.
    Folder(PathBuf),
}

impl FileScope {
    /// A path as settings name it, `folder` being where relative ones start.
    ///
    /// # Errors
    /// When it leads out of what may be named, by its text or by a link on its way.
    pub(super) fn file(&self, folder: &Path, path: &str) -> Result<PathBuf, String> {
        let named = folder.join(path);
        let Self::Folder(own) = self else { return Ok(named) };
        let outside = || format!("`{path}` lies outside of this tenant's folder, `{}`", own.display());
        let plain = |component: Component<'_>| matches!(component, Component::Normal(_) | Component::CurDir);
        if path.contains('\0') || !Path::new(path).components().all(plain) {
            return Err(outside());
        }
        let Ok(own) = own.canonicalize() else {
            // Without a folder there is nothing in it that could lead out.
            return Ok(named);
        };
        // What is there is judged by where it really is; what is not there yet, by the part of its way that is.
        let there = named.ancestors().find(|part| part.symlink_metadata().is_ok());
        let real = there.and_then(|part| part.canonicalize().ok());
        real.filter(|real| real.starts_with(&own)).map(|_| named).ok_or_else(outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_names_nothing_outside_of_its_folder() {
        let parent = tempfile::tempdir().unwrap();
        let own = parent.path().join("own");
        std::fs::create_dir_all(own.join("below")).unwrap();
        std::fs::write(parent.path().join("other"), "secret").unwrap();
        std::fs::write(own.join("inside"), "").unwrap();
        std::os::unix::fs::symlink(parent.path().join("other"), own.join("link")).unwrap();
        std::os::unix::fs::symlink(parent.path(), own.join("up")).unwrap();
        std::os::unix::fs::symlink(own.join("inside"), own.join("alias")).unwrap();
        std::os::unix::fs::symlink(parent.path().join("not-there"), own.join("dangling")).unwrap();
        let file_scope = FileScope::Folder(own.clone());
        for path in ["inside", "./inside", "below/new", "new", "alias"] {
            assert_eq!(file_scope.file(&own, path), Ok(own.join(path)), "{path}");
        }
        let absolute = parent.path().join("other").display().to_string();
        let mine = own.join("inside").display().to_string();
        for path in [
            "../other",
            "below/../../other",
            "link",
            "up/other",
            "up/new",
            "/etc/passwd",
            &absolute,
            &mine,
            "a\0b",
        ] {
            assert!(file_scope.file(&own, path).is_err(), "{path}");
        }
        assert!(file_scope.file(&own, "dangling").is_err());
        assert_eq!(FileScope::Machine.file(&own, "../other"), Ok(own.join("../other")));
    }

    #[test]
    fn a_folder_that_is_not_there_holds_nothing_but_may_come() {
        let parent = tempfile::tempdir().unwrap();
        let own = parent.path().join("own");
        let file_scope = FileScope::Folder(own.clone());
        assert_eq!(file_scope.file(&own, "secrets/token"), Ok(own.join("secrets/token")));
        assert!(file_scope.file(&own, "../other").is_err());
    }
}
