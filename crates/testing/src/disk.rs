//! A small file system of its own, to be filled.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::skip;

/// A small file system, gone when it is dropped.
pub struct Disk(tempfile::TempDir);

impl Disk {
    /// None where nobody may mount one, which is then said.
    pub fn of_megabytes(size: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "none"]).arg(folder.path());
        if !mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            skip("a small tmpfs can't be mounted: run as root");
            return None;
        }
        Some(Self(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.path().join("filler")).unwrap();
        for block in [64 * 1024, 4096, 512] {
            while file.write_all(&vec![b'x'; block]).is_ok() {}
        }
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
