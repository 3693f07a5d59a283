//! The private folder of artifacts (compiled components): bounded, and trusted only as far as checksums go.
//!
//! Entries are `COMPONENT-SETTINGS.cwasm` with a `.sum` beside each; both parts of the name are digests, so that code
//! of another version of the engine is never taken. Other files in the folder are left alone.
//!
//! The engine maps an artifact into its memory and runs it unchecked: a file that a crash cut off, or a bad disk changed,
//! would be undefined behaviour. So each is read and summed before it is used. Against other users, the folder's mode is
//! the guard; the sums are none.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Bytes of all artifacts together; those used longest ago go first.
const MAX_BYTES: u64 = 4 << 30;

/// The folder.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    settings: String,
}

impl Cache {
    /// Opens the folder, and makes it for nobody but its user. `settings` names everything that code depends on.
    pub(super) fn open(folder: PathBuf, settings: String) -> std::io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        Ok(Self { folder, settings })
    }

    /// The artifact of a component, if it is there and whole.
    pub(super) fn find(&self, digest: &str) -> Option<PathBuf> {
        let code = self.path(digest);
        let sum = std::fs::read_to_string(code.with_extension("sum")).ok()?;
        let bytes = std::fs::read(&code).ok()?;
        if sum != hex::encode(Sha256::digest(&bytes)) {
            tracing::warn!(artifact = %code.display(), "artifact is damaged: it is compiled anew");
            return None;
        }
        // The time of use is the file's own, for `prune`; no event is dated by it.
        let now = campanile_model::clock::system_time();
        let used = std::fs::File::options().append(true).open(&code);
        let _ = used.and_then(|file| file.set_modified(now));
        Some(code)
    }

    /// A file to write code into, in the folder itself.
    pub(super) fn new_entry(&self) -> std::io::Result<tempfile::NamedTempFile> {
        tempfile::NamedTempFile::new_in(&self.folder)
    }

    /// Makes a written file the artifact of a component.
    ///
    /// The checksum is renamed into place first, the artifact after it: a crash between the two leaves a sum without
    /// code, or with code that it doesn't match, and either is compiled anew.
    pub(super) fn keep(&self, digest: &str, written: tempfile::NamedTempFile) -> std::io::Result<PathBuf> {
        let code = self.path(digest);
        let bytes = std::fs::read(written.path())?;
        let mut sum = self.new_entry()?;
        sum.write_all(hex::encode(Sha256::digest(&bytes)).as_bytes())?;
        sum.persist(code.with_extension("sum")).map_err(|error| error.error)?;
        written.persist(&code).map_err(|error| error.error)?;
        self.prune(MAX_BYTES)?;
        Ok(code)
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.cwasm", self.settings))
    }

    fn prune(&self, limit: u64) -> std::io::Result<()> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if is_entry(&path)
                && let Ok(found) = std::fs::metadata(&path)
            {
                entries.push((found.modified()?, found.len(), path));
            }
        }
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        entries.sort();
        for (_, bytes, path) in entries {
            if total <= limit {
                break;
            }
            // Code in use stays mapped; its file may go.
            std::fs::remove_file(&path)?;
            let _ = std::fs::remove_file(path.with_extension("sum"));
            total -= bytes;
        }
        Ok(())
    }
}

fn is_entry(path: &Path) -> bool {
    let named = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| {
        stem.len() > 65 && stem.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    });
    named && path.extension().is_some_and(|extension| extension == "cwasm")
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use std::io::Write as _;

    fn digest(letter: &str) -> String {
        letter.repeat(64)
    }

    fn keep(cache: &Cache, letter: &str, bytes: &[u8]) -> std::path::PathBuf {
        let mut file = cache.new_entry().unwrap();
        file.write_all(bytes).unwrap();
        cache.keep(&digest(letter), file).unwrap()
    }

    #[test]
    fn code_is_found_by_component_and_settings() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache"), "0a".to_owned()).unwrap();
        assert_eq!(cache.find(&digest("a")), None);
        let code = keep(&cache, "a", b"code");
        assert_eq!(cache.find(&digest("a")), Some(code));
        let newer = Cache::open(folder.path().join("cache"), "0b".to_owned()).unwrap();
        assert_eq!(newer.find(&digest("a")), None);
    }

    #[test]
    fn damaged_code_and_code_without_a_sum_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned(), "0a".to_owned()).unwrap();
        let code = keep(&cache, "a", b"code");
        std::fs::write(&code, b"c0de").unwrap();
        assert_eq!(cache.find(&digest("a")), None);
        let code = keep(&cache, "b", b"code");
        std::fs::remove_file(code.with_extension("sum")).unwrap();
        assert_eq!(cache.find(&digest("b")), None);
    }

    #[test]
    fn the_longest_unused_goes_first_and_strangers_stay() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned(), "0a".to_owned()).unwrap();
        let stranger = folder.path().join("notes.cwasm");
        std::fs::write(&stranger, [0; 1000]).unwrap();
        for letter in ["a", "b", "c"] {
            keep(&cache, letter, &[7; 100]);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(cache.find(&digest("a")).is_some());
        cache.prune(200).unwrap();
        assert!(cache.find(&digest("a")).is_some());
        assert_eq!(cache.find(&digest("b")), None);
        assert!(cache.find(&digest("c")).is_some());
        assert!(stranger.exists());
    }
}
