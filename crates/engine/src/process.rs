//! What the system tells of this process, under the names that Prometheus' own clients use. Elsewhere than on Linux,
//! nothing.

use std::fs;

use super::metrics::Gauges;

pub(super) fn describe(gauges: &mut Gauges) {
    if let Some(bytes) = resident() {
        gauges.gauge("process_resident_memory_bytes", "Memory in use", bytes);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        gauges.gauge("process_open_fds", "Open files", files.count());
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        gauges.gauge("process_max_fds", "Files that may be open", most.unwrap_or(u64::MAX));
    }
}

fn resident() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
