//! The chores of the workspace: `cargo xtask guests|test|demo|bench`.
#![forbid(unsafe_code)]

fn main() {}
