//! Words of builds and numbers for people.

use campanile_model::{Results, Step, build_text};

/// The words of a build: those of its result, and the steps by which it came to that.
pub(super) fn text(results: Results, steps: &[Step]) -> Vec<String> {
    let bad = [Results::Failure, Results::Warnings, Results::Exception].contains(&results);
    let guilty = steps.iter().filter(|step| bad && step.results == Some(results));
    let names: Vec<[String; 1]> = guilty.map(|step| [step.name.clone()]).collect();
    build_text(results, names.iter().map(<[String; 1]>::as_slice))
}

/// Writes a number with a comma before every three digits.
pub(super) fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::with_capacity(plain.len() * 4 / 3);
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(digits(number), text);
        }
    }
}
