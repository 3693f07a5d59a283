//! The service manager's side: notifications, by a socket in its place; and the unit itself.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use campanile_testing::{Engine, program, skip};

/// Receives until a message has this line; gives that message.
fn until(socket: &UnixDatagram, line: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no `{line}` came: {error}"));
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if message.lines().any(|told| told == line) {
            return message;
        }
    }
}

fn patient(socket: UnixDatagram) -> UnixDatagram {
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

#[test]
fn a_service_manager_is_told_of_start_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = patient(UnixDatagram::bind(&path).unwrap());
    let mut engine = Engine::start_with_variables("", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let ready = until(&socket, "READY=1");
    assert!(ready.contains(&format!("STATUS=listening on {}/", engine.url)), "{ready}");

    let monotonic = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
    };
    let before = monotonic();
    engine.signal("-HUP");
    let reloading = until(&socket, "RELOADING=1");
    let stamp = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    // Of after the signal: systemd takes no older one for an answer to it.
    assert!((before..=monotonic()).contains(&stamp.parse::<i64>().unwrap()), "{reloading}");
    until(&socket, "READY=1");

    assert_eq!(engine.terminate(), Some(0));
    until(&socket, "STOPPING=1");
}

#[test]
fn the_watchdog_hears_of_an_engine_that_works_under_an_abstract_name() {
    let name = format!("campanile-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = patient(UnixDatagram::bind_addr(&address).unwrap());
    let hidden = format!("@{name}");
    let engine = Engine::start_with_variables("", &[("NOTIFY_SOCKET", &hidden), ("WATCHDOG_USEC", "200000")]);
    until(&socket, "READY=1");
    for _ in 0..3 {
        until(&socket, "WATCHDOG=1");
    }
    // A process that is there and does nothing is not well: what was sent before is read away first.
    engine.signal("-STOP");
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut buffer = [0; 4096];
    while socket.recv(&mut buffer).is_ok() {}
    engine.signal("-CONT");
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    until(&socket, "WATCHDOG=1");
}

#[test]
fn a_watchdog_of_another_process_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = patient(UnixDatagram::bind(&path).unwrap());
    let variables =
        [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")];
    let mut engine = Engine::start_with_variables("", &variables);
    until(&socket, "READY=1");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(engine.terminate(), Some(0));
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"STOPPING=1"), "{}", String::from_utf8_lossy(&buffer[..length]));
}

#[test]
fn the_unit_is_one_and_shuts_the_engine_in() {
    let version = Command::new("systemd-analyze").arg("--version").output();
    let Ok(version) = version else { return skip("there is no systemd-analyze: install systemd") };
    let version: u32 =
        String::from_utf8(version.stdout).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    let unit =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/systemd/campanile.service"))
            .unwrap();
    assert!(unit.contains("\nType=notify-reload\n") && unit.contains("\nWatchdogSec="));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("campanile.service");
    // As it would be installed; older systemds don't know the type yet.
    let mut here = unit
        .replace("/usr/bin/campanile", program().to_str().unwrap())
        .replace("Documentation=man:campanile(1)\n", "");
    if version < 253 {
        here = here.replace("Type=notify-reload", "Type=notify");
    }
    std::fs::write(&file, here).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
    let about = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !about.contains("campanile.service"), "{about}");
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20"])
        .arg(&file)
        .output()
        .unwrap();
    let table = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(judged.status.success(), "{table}{}", String::from_utf8_lossy(&judged.stderr));
}
