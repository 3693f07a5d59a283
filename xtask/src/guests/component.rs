//! A component in its place: whether it is up to date, and how a new one gets there.

use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

/// Folders that builds leave behind beside sources.
const NO_SOURCES: [&str; 2] = ["node_modules", "__pycache__"];

/// Path of the component of this name.
pub(super) fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.wasm"))
}

/// True when the component is newer than every input: files, or folders with all that is below.
pub(super) fn is_up_to_date(component: &Path, inputs: &[PathBuf]) -> Result<bool> {
    let Ok(built) = fs::metadata(component).and_then(|meta| meta.modified()) else { return Ok(false) };
    for input in inputs {
        let changed = newest(input).with_context(|| format!("cannot read `{}`", input.display()))?;
        if changed >= built {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts a component into its place.
pub(super) fn publish(component: &Path, bytes: &[u8]) -> Result<()> {
    publish_by(component, |part| {
        fs::write(part, bytes).with_context(|| format!("cannot write `{}`", part.display()))
    })
}

/// Puts a component into its place that `write` writes to the path that it is given.
pub(super) fn publish_by(component: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    // Renamed into place: an engine that watches the file never sees half of it.
    let part = component.with_extension("wasm.part");
    write(&part)?;
    fs::rename(&part, component).with_context(|| format!("cannot write `{}`", component.display()))
}

/// When a file, or anything below a folder, changed last. A folder itself counts: files may have gone.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let meta = fs::metadata(path)?;
    let mut newest = meta.modified()?;
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            if is_source(&path) {
                newest = newest.max(self::newest(&path)?);
            }
        }
    }
    Ok(newest)
}

/// True for a file or folder that people write.
pub(super) fn is_source(path: &Path) -> bool {
    let left_behind = NO_SOURCES.iter().any(|name| path.file_name() == Some(OsStr::new(name)));
    !left_behind && path.extension() != Some(OsStr::new("wasm"))
}

#[cfg(test)]
mod tests {
    use super::{is_up_to_date, publish};
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_component_older_than_any_input_is_built_again() {
        let dir = std::env::temp_dir().join(format!("campanile-xtask-{}", std::process::id()));
        let component = dir.join("a.wasm");
        let source = dir.join("source/deep/a.py");
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, "pass").unwrap();
        let inputs = [dir.join("source")];
        assert!(!is_up_to_date(&component, &inputs).unwrap(), "there is none yet");

        publish(&component, b"wasm").unwrap();
        let touch = |path: &Path, seconds| {
            let when = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            File::open(path).unwrap().set_modified(when).unwrap();
        };
        for path in [inputs[0].as_path(), source.parent().unwrap(), &source] {
            touch(path, 1_000);
        }
        touch(&component, 2_000);
        assert!(is_up_to_date(&component, &inputs).unwrap());
        touch(&source, 3_000);
        assert!(!is_up_to_date(&component, &inputs).unwrap());
        assert!(is_up_to_date(&component, &[dir.join("gone")]).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
