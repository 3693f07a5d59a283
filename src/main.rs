//! The `campanile` program: see `campanile --help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    campanile::cli::main()
}
