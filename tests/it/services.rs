//! Services: one that ends by itself ends the process, one that cannot begin is tried again, and a stop waits for none.

use std::path::Path;
use std::process::Command;

use campanile_testing::receiver::{Receiver, Reply};
use campanile_testing::{Disk, Engine, guest, http, patiently, skip, write_settings};

/// Takes the listening socket of a process out of order, as an operator's tool can: it will never accept anybody again.
const BREAK_LISTENER: &str = "\
import ctypes, os, socket, sys
pid = int(sys.argv[1])
of_process = os.pidfd_open(pid)
for name in os.listdir(f'/proc/{pid}/fd'):
    if not os.readlink(f'/proc/{pid}/fd/{name}').startswith('socket:'):
        continue
    # pidfd_getfd(2)
    ours = ctypes.CDLL(None, use_errno=True).syscall(438, of_process, int(name), 0)
    if ours < 0:
        sys.exit(3)
    ours = socket.socket(fileno=ours)
    if ours.family == socket.AF_INET and ours.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        ours.shutdown(socket.SHUT_RDWR)
        sys.exit(0)
sys.exit(4)
";

#[tokio::test]
async fn m_dlv_11_a_door_that_ends_by_itself_ends_the_process() {
    let receiver = Receiver::kind().await;
    let mut engine = Engine::start(&push_to(receiver.port));
    engine.build(1, "failure").await;
    let process = engine.process().to_string();
    let broken = Command::new("python3").args(["-c", BREAK_LISTENER, &process]).status().unwrap();
    if broken.code() == Some(3) {
        return skip("sockets of another process can't be had: pidfd_getfd is not allowed here");
    }
    assert!(broken.success());
    let (code, engine) = tokio::task::spawn_blocking(move || (engine.ended(), engine)).await.unwrap();
    assert_eq!(code, Some(1), "{}", engine.log());
    let log = engine.log();
    assert!(log.contains("service ended by itself"), "{log}");
    assert!(log.contains("service=\"door\""), "{log}");
    assert!(
        log.contains("the service `door` ended by itself (the service `door` failed: its socket takes"),
        "{log}"
    );
    // It ends as at every stop: what is waiting is told, and then the end.
    assert_eq!(receiver.packets().last().unwrap()["event"], "shutdown");
}

fn push_to(port: u16) -> String {
    format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[http_status_push]]\nname = \"push\"\n\
         server_url = \"http://127.0.0.1:{port}/\"\nbuffer_delay = 0.05\n\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn m_dlv_11_deliveries_begin_once_the_store_takes_something() {
    let Some(disk) = Disk::of_megabytes(12) else { return };
    let hung =
        Receiver::start(0, |number, _| if number == 1 { Reply::Hang } else { Reply::Status(200) }).await;
    let store = format!("[store]\nurl = \"sqlite:{}/campanile.db\"\n", disk.path().display());
    let mut engine = Engine::start(&[push_to(hung.port), store].concat());
    engine.build(1, "failure").await;
    patiently("a delivery is under way", async || (!hung.got().is_empty()).then_some(())).await;
    disk.fill();
    // What the killed one had claimed can't be given back.
    engine.kill_and_restart();
    engine.logs("deliveries cannot begin yet, tried again each second").await;
    disk.make_room();
    engine.logs("deliveries begin at last").await;
    patiently("the build is told", async || {
        hung.packets().iter().any(|packet| packet["event"] == "buildFinished").then_some(())
    })
    .await;
}

/// A component of the same code with another digest, which has to be compiled anew.
fn variant(wasm: &[u8], number: u8) -> Vec<u8> {
    // A custom section named `v`.
    [wasm, &[0, 3, 1, b'v', number]].concat()
}

/// True if a process has a child: one that compiles.
fn has_child(process: u32) -> bool {
    let threads = std::fs::read_dir(Path::new("/proc").join(process.to_string()).join("task")).unwrap();
    threads.flatten().any(|thread| {
        std::fs::read_to_string(thread.path().join("children")).is_ok_and(|children| !children.is_empty())
    })
}

#[tokio::test]
async fn m_dlv_10_a_stop_interrupts_a_reload() {
    let Some(component) = guest("html-mail") else { return skip("the guest `html-mail` is not built") };
    let mut engine = Engine::start("");
    let wasm = std::fs::read(component).unwrap();
    let mut settings = String::new();
    for number in 0..100 {
        let file = format!("c{number}.wasm");
        std::fs::write(engine.folder.join(&file), variant(&wasm, number)).unwrap();
        settings += &format!("[callbacks.c{number}]\ncomponent = \"{file}\"\n");
    }
    write_settings(&engine.folder, &settings);
    engine.signal("-HUP");
    patiently("components are being compiled", async || has_child(engine.process()).then_some(())).await;
    let (code, engine) = tokio::task::spawn_blocking(move || (engine.terminate(), engine)).await.unwrap();
    assert_eq!(code, Some(0), "{}", engine.log());
    assert!(!engine.log().contains("settings read anew"), "{}", engine.log());
    let alive = http().get(format!("{}/healthz", engine.url)).send().await;
    assert!(alive.is_err());
}
