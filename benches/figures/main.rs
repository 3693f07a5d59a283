//! Figures as ratios against a peer or limit of the same run: `name | ours | peer or limit | ratio`.
//!
//! Run by `cargo xtask bench`. Nothing is asserted: machines differ, ratios less so.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod callback;
mod events;
mod fleet;
mod gerrit;
mod hooks;
mod mails;
mod push;
mod rig;
mod statuses;

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<52} | {:>14} | {:>30} | {:>7}", "name", "ours", "peer or limit", "ratio");
    // `cargo xtask bench callback` measures one part only.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    runtime.block_on(async {
        if is_wanted("start") {
            rig::start().await;
        }
        if is_wanted("callback") {
            callback::measure().await;
        }
        fleet::measure(&is_wanted).await;
        if is_wanted("events") {
            events::measure().await;
        }
        if is_wanted("hooks") {
            hooks::measure().await;
        }
        if is_wanted("gerrit") {
            gerrit::measure().await;
        }
        if is_wanted("push") {
            push::measure().await;
        }
        if is_wanted("statuses") {
            statuses::measure().await;
        }
        if is_wanted("mails") {
            mails::measure().await;
        }
    });
}
