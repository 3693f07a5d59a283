//! Neighbours: what a bad one costs the others, beside the same run without it.
//!
//! Run by `cargo xtask neighbours`. A row is a measure of one run with its neighbour, and of one without: machines differ,
//! ratios less so. Nothing is asserted; a row says if it keeps its goal.
//!
//! A new neighbour of all targets is one more entry of `far_sides::all`; another kind of trouble is a file of its own here.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod disk;
mod far_sides;
mod load;
mod sink;
mod stops;

/// A line of the table.
pub(crate) struct Row {
    /// The neighbour, and what is measured beside it.
    pub(crate) name: String,
    pub(crate) beside: f64,
    /// The same without the neighbour.
    pub(crate) alone: f64,
    pub(crate) unit: &'static str,
    pub(crate) goal: Goal,
}

/// Limit of what a neighbour may cost.
pub(crate) enum Goal {
    /// At most so many times what it is without the neighbour.
    Times(f64),
    /// At most so much, whatever it is without.
    AtMost(f64),
}

impl Row {
    pub(crate) fn print(&self) {
        let Self { name, beside, alone, unit, goal } = self;
        let ratio = beside / alone;
        let (is_kept, goal) = match goal {
            Goal::Times(times) => (ratio <= *times, format!("{times} times")),
            Goal::AtMost(most) => (beside <= most, format!("{most:.0} {unit}")),
        };
        let kept = if is_kept { "kept" } else { "MISSED" };
        println!(
            "{name:<64} | {beside:>7.0} {unit} | {alone:>7.0} {unit} | {ratio:>6.2} | {goal:>9} | {kept}"
        );
    }
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("a {build} build");
    println!(
        "{:<64} | {:>10} | {:>10} | {:>6} | {:>9} |",
        "neighbour, measure", "beside it", "alone", "ratio", "goal"
    );
    // `cargo xtask neighbours stops` measures one part only.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    runtime.block_on(async {
        if is_wanted("far-sides") {
            far_sides::measure().await;
        }
        if is_wanted("stops") {
            stops::measure().await;
        }
        if is_wanted("disk") {
            disk::measure().await;
        }
    });
}
