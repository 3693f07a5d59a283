//! Files that the engine reads anew when they change.
//!
//! They are looked at, not subscribed to: that works on network file systems, through links that are switched (as
//! Kubernetes does with mounted settings), and when a file comes into being later.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use campanile_engine::{Engine, Stamp};

/// Time between two looks at the files. A change is taken when two looks have found the same: editors write in several
/// steps.
const EVERY: Duration = Duration::from_millis(200);

/// A file's identity at one look: inode, size, time of change; nothing for one that is not there.
type Look = Option<(u64, u64, i64, i64)>;

/// A file, or a set of them, that has changed.
pub(super) enum Change {
    /// The settings file, perhaps components too.
    Settings,
    /// Only files of components.
    Components,
    /// Settings, secrets or components of other tenants.
    Tenants,
}

/// The settings file and the components that it names, as they were when they were read.
pub(super) struct Watched {
    seen: BTreeMap<PathBuf, Look>,
    tenants: Tenants,
}

type Tenants = BTreeMap<String, Stamp>;

impl Watched {
    pub(super) async fn new(engine: &Engine) -> Self {
        // As they were read: what has come since is news.
        Self { seen: look(engine), tenants: engine.tenants_as_read().await }
    }

    /// Ends when a file has changed and stays as it is.
    pub(super) async fn change(&mut self, engine: &Arc<Engine>) -> Change {
        let (mut last, mut last_tenants) = (None, None);
        loop {
            tokio::time::sleep(EVERY).await;
            let (of_engine, tenants) = (Arc::clone(engine), tokio::task::spawn_blocking);
            let Ok(tenants) = tenants(move || of_engine.look_at_tenants()).await else { continue };
            if tenants == self.tenants {
                last_tenants = None;
            } else if last_tenants.as_ref() == Some(&tenants) {
                self.tenants = tenants;
                return Change::Tenants;
            } else {
                last_tenants = Some(tenants);
            }
            let now = look(engine);
            if now == self.seen {
                last = None;
            } else if last.as_ref() == Some(&now) {
                let settings = engine.settings_file();
                let same = self.seen.get(settings) == now.get(settings);
                self.seen = now;
                return if same { Change::Components } else { Change::Settings };
            } else {
                last = Some(now);
            }
        }
    }
}

fn look(engine: &Engine) -> BTreeMap<PathBuf, Look> {
    let files = engine.tenant().component_files().into_iter().chain([engine.settings_file().to_owned()]);
    files.map(|file| (file.clone(), look_at(&file))).collect()
}

fn look_at(file: &std::path::Path) -> Look {
    let found = std::fs::metadata(file).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
