//! Many components and hostile ones: other languages, swaps, what a thousand cost, and who suffers from neighbours.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use campanile_callbacks::{Callback, Caller, Mode, Modes, Runtime, Status, Version};
use campanile_config::CallbackSettings;
use campanile_model::Results;

use super::callback::{Facts, percentile, sample};
use super::rig::{row, start_engine_in};

const CALLS: usize = 300;

pub(crate) async fn measure(is_wanted: &impl Fn(&str) -> bool) {
    if !["guests", "neighbours", "fleet"].iter().any(|part| is_wanted(part)) {
        return;
    }
    let Some(guests) = std::env::var_os("CAMPANILE_GUESTS").map(PathBuf::from) else {
        println!(
            "SKIPPED: languages, swaps and lanes: CAMPANILE_GUESTS is not set (run by `cargo xtask bench`)"
        );
        return;
    };
    let cache = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(campanile_testing::program().into(), cache.path()).unwrap();
    if is_wanted("guests") {
        languages(&runtime, &guests).await;
        swaps(&runtime, &guests).await;
    }
    if is_wanted("neighbours") {
        neighbours(&runtime, &guests).await;
    }
    if is_wanted("fleet") {
        fleet(&guests).await;
    }
}

async fn load(runtime: &Runtime, guests: &Path, name: &str) -> Option<Callback> {
    let component = guests.join(format!("{name}.wasm"));
    if !component.is_file() {
        println!("SKIPPED: {name}: not built");
        return None;
    }
    let settings =
        CallbackSettings { component: None, deadline: Duration::from_secs(1), memory: None, concurrency: 16 };
    Some(Callback::load(runtime, name, &settings, &component).await.unwrap())
}

/// Durations of so many calls, one after the other; failed ones count too.
async fn times(callback: &Callback, calls: usize) -> Vec<Duration> {
    let facts: Arc<dyn Status> = Arc::new(Facts::with_log());
    let caller = Caller { status: facts, delivery: None };
    let (build, modes) = (sample(), Modes::default().with(Mode::Failing));
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        let _ = callback.format_message(&caller, modes, "linux", &build, Results::Failure).await;
        times.push(began.elapsed());
    }
    times
}

async fn languages(runtime: &Runtime, guests: &Path) {
    let Some(rust) = load(runtime, guests, "html-mail").await else { return };
    times(&rust, 100).await;
    let mut ours = times(&rust, CALLS).await;
    for name in ["c-html-mail", "go-html-mail", "javascript-html-mail", "python-html-mail"] {
        let Some(callback) = load(runtime, guests, name).await else { continue };
        times(&callback, 20).await;
        let mut theirs = times(&callback, CALLS).await;
        for part in [50, 99] {
            let label = format!("{name} call, p{part} (less is better)");
            row(&label, percentile(&mut theirs, part), "Rust guest", percentile(&mut ours, part), " us");
        }
    }
}

/// A component of the same code with another digest.
fn variant(wasm: &[u8], number: u32) -> Vec<u8> {
    let mut variant = wasm.to_vec();
    // A custom section named `v`.
    variant.extend([0, 6, 1, b'v']);
    variant.extend(number.to_le_bytes());
    variant
}

async fn variant_of(callback: &Callback, runtime: &Runtime, wasm: &[u8], number: u32) -> Version {
    Version::from_wasm(runtime, callback.budget(), variant(wasm, number)).await.unwrap()
}

async fn swaps(runtime: &Runtime, guests: &Path) {
    let wasm = std::fs::read(guests.join("html-mail.wasm")).unwrap();
    let Some(callback) = load(runtime, guests, "html-mail").await else { return };
    let (mut fresh, mut cached) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let began = Instant::now();
        callback.swap(Arc::new(variant_of(&callback, runtime, &wasm, number).await));
        times(&callback, 1).await;
        fresh.push(began.elapsed());
    }
    for number in 0..20 {
        let began = Instant::now();
        callback.swap(Arc::new(variant_of(&callback, runtime, &wasm, number).await));
        times(&callback, 1).await;
        cached.push(began.elapsed());
    }
    let mut calls = times(&callback, CALLS).await;
    let call = percentile(&mut calls, 50);
    row(
        "swap to a fresh .wasm and a call, p50 (less is better)",
        percentile(&mut fresh, 50),
        "a call",
        call,
        " us",
    );
    row("swap to a compiled one and a call, p50", percentile(&mut cached, 50), "a call", call, " us");
}

/// A light callback alone, beside interpreters, beside endless loops.
async fn neighbours(runtime: &Runtime, guests: &Path) {
    let Some(light) = load(runtime, guests, "html-mail").await else { return };
    times(&light, 100).await;
    let mut alone = times(&light, 2_000).await;
    for (label, neighbour) in [("Python calls", "python-html-mail"), ("endless loops", "loop")] {
        let Some(interpreted) = load(runtime, guests, neighbour).await else { continue };
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let interpreted = interpreted.clone();
                tokio::spawn(async move {
                    loop {
                        times(&interpreted, 1).await;
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let light = light.clone();
        // On a worker, as in the engine.
        let mut beside = tokio::spawn(async move { times(&light, 2_000).await }).await.unwrap();
        busy.iter().for_each(tokio::task::JoinHandle::abort);
        for part in [50, 99] {
            let label = format!("Rust call beside 4 tasks of {label}, p{part}");
            row(&label, percentile(&mut beside, part), "alone", percentile(&mut alone, part), " us");
        }
        tokio::time::sleep(Duration::from_millis(1_200)).await;
    }
}

/// Engines with many components: start from the cache, and resident memory.
async fn fleet(guests: &Path) {
    let wasm = std::fs::read(guests.join("html-mail.wasm")).unwrap();
    let folder = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
    let mut settings = String::new();
    let bare = start_engine_in(folder.path(), "");
    let (bare, bare_anonymous) = (bare.resident_kib(), bare.anonymous_kib());
    for (from, to) in [(0, 100), (100, 1_000)] {
        for number in from..to {
            let name = format!("c{number}.wasm");
            std::fs::write(folder.path().join(&name), variant(&wasm, number)).unwrap();
            settings += &format!("[callbacks.c{number}]\ncomponent = \"{name}\"\n");
        }
        // Compiles what is new.
        drop(start_engine_in(folder.path(), &settings));
        let began = Instant::now();
        let engine = start_engine_in(folder.path(), &settings);
        println!("start with {to} compiled components: {} ms", began.elapsed().as_millis());
        let more = engine.resident_kib().saturating_sub(bare);
        let own = engine.anonymous_kib().saturating_sub(bare_anonymous);
        println!(
            "resident memory for {to} components: {more} KiB, {} KiB each; without pages of the mapped code: {own} KiB, \
             {} KiB each",
            more / u64::from(to),
            own / u64::from(to)
        );
    }
}
