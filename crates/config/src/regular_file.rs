//! Files that settings name: opened for what they are, and no further than they may reach.
//!
//! The file that a path leads to can change between a look and a use: a file becomes a link to another tenant's, or a pipe that nobody
//! writes to, which would hold whoever opens it for ever.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

/// A file of the settings, and the folder that the way to it must not leave; none for the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegularFile {
    path: PathBuf,
    beneath: Option<PathBuf>,
}

impl RegularFile {
    /// A file of the operator's, or of the engine itself.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), beneath: None }
    }

    /// A file beneath this folder, whatever links are on the way.
    #[must_use]
    pub(crate) fn beneath(path: PathBuf, folder: &Path) -> Self {
        Self { path, beneath: Some(folder.to_owned()) }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it, at most `max` bytes. Blocks on the disk, and on nothing else.
    ///
    /// # Errors
    /// When it is not there, no regular file, outside of its folder, or larger.
    pub fn read(&self, max: u64) -> Result<Vec<u8>> {
        let file = self.open()?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        // By what is read: it may grow meanwhile.
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(Error::new(ErrorKind::FileTooLarge, format!("it has more than {max} bytes")));
        }
        Ok(bytes)
    }

    /// Reads it as text.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when it is no UTF-8.
    pub fn read_text(&self, max: u64) -> Result<String> {
        String::from_utf8(self.read(max)?)
            .map_err(|_| Error::new(ErrorKind::InvalidData, "it is no UTF-8 text"))
    }

    /// Opens it without waiting for whoever is at the other end of a pipe.
    fn open(&self) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let Some(folder) = &self.beneath else {
            return Ok(openat(CWD, &self.path, flags, Mode::empty())?.into());
        };
        let Ok(below) = self.path.strip_prefix(folder) else {
            return Err(Error::new(ErrorKind::PermissionDenied, "it lies outside of this tenant's folder"));
        };
        let folder = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        match openat2(
            &folder,
            below,
            flags,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        ) {
            Err(rustix::io::Errno::XDEV) => {
                Err(Error::new(ErrorKind::PermissionDenied, "a link leads out of this tenant's folder"))
            }
            opened => Ok(opened?.into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_that_has_become_something_else() {
        let parent = tempfile::tempdir().unwrap();
        let own = parent.path().join("own");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(parent.path().join("other"), "secret").unwrap();
        std::fs::write(own.join("file"), "mine").unwrap();
        std::os::unix::fs::symlink("file", own.join("alias")).unwrap();
        std::os::unix::fs::symlink("../other", own.join("out")).unwrap();
        std::os::unix::fs::symlink(own.join("file"), own.join("absolute")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(own.join("pipe")).status().unwrap().success());
        let read = |name: &str| RegularFile::beneath(own.join(name), &own).read_text(4);
        assert_eq!((read("file").unwrap(), read("alias").unwrap()), ("mine".to_owned(), "mine".to_owned()));
        for (name, told) in [
            ("out", "a link leads out"),
            ("absolute", "a link leads out"),
            ("pipe", "no regular file"),
            ("../other", "a link leads out"),
        ] {
            let error = read(name).unwrap_err().to_string();
            assert!(error.contains(told), "{name}: {error}");
        }
        assert!(
            RegularFile::new(own.join("file")).read(3).unwrap_err().to_string().contains("more than 3 bytes")
        );
        assert!(RegularFile::new(own.join("pipe")).read(3).is_err());
    }
}
