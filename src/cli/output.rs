//! Lines for standard output, where the reader may go away at any time (`| head`).

/// Prints a line of data; fails, rather than panics, when nobody reads any more.
macro_rules! out {
    ($($line:tt)*) => { ::std::io::Write::write_fmt(&mut ::std::io::stdout(), format_args!("{}\n", format_args!($($line)*)))? };
}
pub(super) use out;

/// True when a failure only says that nobody reads our output any more.
pub(super) fn reader_left(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A line without what steers a terminal or turns the direction of text (M-TXT-05).
pub(super) fn printable(line: &str) -> String {
    campanile_model::line_text(line).into_owned()
}
