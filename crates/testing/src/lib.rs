//! Everything that tests and benches start: the built program in a folder of its own, and real servers on loopback ports of their own.
//!
//! A dependency that is missing skips its test with the reason, and fails it where `CI` is set.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod disk;
mod engine;
pub mod forge;
pub mod gerrit;
pub mod irc;
pub mod receiver;
mod silent;
mod smtp;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub use disk::Disk;
pub use engine::{Engine, build_finished, run, write_settings};
pub use silent::Silent;
pub use smtp::{SmtpServer, read_by_python};

/// Time that anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// Says that a test can't run here. With `CI` set that is a failure.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "a dependency of the tests is missing: {reason}");
    println!("SKIPPED: {reason}");
}

/// A guest component that `cargo xtask guests` has built.
pub fn guest(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CAMPANILE_GUESTS")?).join(format!("{name}.wasm"));
    path.is_file().then_some(path)
}

pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A port that nobody has, and that no other test of this run is given: the system gives a port that was let go again.
pub fn free_port() -> u16 {
    static GIVEN: std::sync::Mutex<Vec<u16>> = std::sync::Mutex::new(Vec::new());
    loop {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut given = GIVEN.lock().unwrap();
        if !given.contains(&port) {
            given.push(port);
            return port;
        }
    }
}

/// Asks until there is an answer.
pub async fn patiently<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: did not happen within {} s", PATIENCE.as_secs());
}

/// The built program, which cargo lays beside the folder of the tests and benches that use it.
pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let tests = std::env::current_exe().unwrap();
        let built = tests.parent().and_then(Path::parent).unwrap();
        built.join(format!("campanile{}", std::env::consts::EXE_SUFFIX))
    });
    &PROGRAM
}
