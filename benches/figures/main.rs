//! Figures as ratios against a peer or limit of the same run: `name | ours | peer or limit | ratio`.
//!
//! Run by `cargo xtask bench`. Nothing is asserted: machines differ, ratios less so.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod callback;
mod events;
mod fleet;
mod mails;
mod rig;

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<52} | {:>14} | {:>30} | {:>7}", "name", "ours", "peer or limit", "ratio");
    runtime.block_on(async {
        rig::start().await;
        callback::measure().await;
        fleet::measure().await;
        events::measure().await;
        mails::measure().await;
    });
}
