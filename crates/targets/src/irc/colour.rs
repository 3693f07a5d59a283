//! mIRC colours (I-COL-01 to I-COL-03).

use campanile_irc::COLOUR;
use campanile_model::Results;

/// Number of a result's colour (I-COL-02).
fn number(results: Option<Results>) -> u8 {
    match results {
        Some(Results::Success) => 3,
        Some(Results::Warnings) => 8,
        Some(Results::Failure) | None => 4,
        Some(Results::Exception) => 6,
        Some(Results::Retry) => 11,
        Some(Results::Cancelled) => 13,
        Some(Results::Skipped) => 12,
    }
}

/// Puts a text in a result's colour, or leaves it as it is.
pub(super) fn coloured(text: &str, results: Option<Results>, colours: bool) -> String {
    // Two digits always: a text that starts with a digit would be taken for part of the number.
    if colours { format!("{COLOUR}{:02}{text}{COLOUR}", number(results)) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_col_01_i_col_02_two_digits_and_a_colour_for_every_result() {
        let numbers: Vec<u8> = Results::ALL.into_iter().map(|results| number(Some(results))).collect();
        assert_eq!(numbers, [3, 8, 4, 12, 6, 11, 13]);
        assert_eq!(number(None), 4);
        assert_eq!(coloured("3 failed", Some(Results::Failure), true), "\x03043 failed\x03");
        assert_eq!(coloured("3 failed", Some(Results::Failure), false), "3 failed");
    }
}
