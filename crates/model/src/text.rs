//! Words for people: what builds, steps, stamps and changes say of themselves (M-TXT, M-ST-03, M-SS-05, M-CH-05).

use jiff::tz::TimeZone;

use super::legible::is_unfit;
use super::{Change, Results, SourceStamp, StepFlags, Timestamp, literal};

/// Most words of a build that are shown: that of its result, and of five steps.
const MAX_WORDS: usize = 6;
/// Most characters of one of them: some senders have all their words in one.
const MAX_WORD: usize = 300;
/// Most names in a list of people.
const MAX_NAMES: usize = 10;

/// A build's words: those of its result, then what its steps add, in their order (M-TXT-01, M-TXT-04).
#[must_use]
pub fn build_text<'a>(results: Results, steps: impl IntoIterator<Item = &'a [String]>) -> Vec<String> {
    stopped_build_text(results, None, steps)
}

/// Like [`build_text`], with why it was stopped in parentheses after the first part (M-TXT-04).
#[must_use]
pub fn stopped_build_text<'a>(
    results: Results,
    stop_reason: Option<&str>,
    steps: impl IntoIterator<Item = &'a [String]>,
) -> Vec<String> {
    let mut words = owned(match results {
        Results::Success => &["build", "successful"],
        Results::Warnings => &["warnings"],
        Results::Failure => &["failed"],
        Results::Skipped => &["skipped"],
        Results::Exception => &["exception"],
        Results::Retry => &["retry"],
        Results::Cancelled => &["cancelled"],
    });
    words.extend(stop_reason.filter(|reason| !reason.is_empty()).map(|reason| format!("({reason})")));
    words.extend(steps.into_iter().flatten().cloned());
    words
}

/// The words of a build whose machinery broke; its result is an exception (M-TXT-02).
#[must_use]
pub fn machinery_failed_text() -> Vec<String> {
    owned(&["build", "exception"])
}

/// The words of a build whose worker went away between steps; its result is a retry (M-TXT-02).
#[must_use]
pub fn worker_lost_text() -> Vec<String> {
    owned(&["retry", "lost", "remote"])
}

/// A later sender's single state text as a word list (M-TXT-03).
#[must_use]
pub fn state_text(state_string: &str) -> Vec<String> {
    if state_string.is_empty() { Vec::new() } else { vec![state_string.to_owned()] }
}

/// A step's words: its description and, unless it succeeded, how it ended (M-ST-03).
#[must_use]
pub fn step_text(description: &[String], results: Option<Results>) -> Vec<String> {
    let ending = match results {
        None | Some(Results::Success) => None,
        Some(Results::Warnings) => Some("warnings"),
        Some(Results::Exception) => Some("exception"),
        // A step that was not run did not fail.
        Some(Results::Skipped) => Some("skipped"),
        Some(Results::Failure | Results::Retry | Results::Cancelled) => Some("failed"),
    };
    description.iter().cloned().chain(ending.map(str::to_owned)).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

impl StepFlags {
    /// True if a step that ended like this adds its name to its build's words (M-ST-04).
    #[must_use]
    pub fn names_step(self, results: Results) -> bool {
        match results {
            Results::Success | Results::Skipped => false,
            Results::Warnings => self.flunk_on_warnings || self.warn_on_warnings,
            Results::Failure | Results::Exception | Results::Retry | Results::Cancelled => {
                self.halt_on_failure || self.flunk_on_failure || self.warn_on_failure
            }
        }
    }

    /// Words that a step of this name adds to its build's when nothing else was said (M-ST-04).
    #[must_use]
    pub fn text2(self, name: &str, results: Results) -> Vec<String> {
        if self.names_step(results) { vec![name.to_owned()] } else { Vec::new() }
    }
}

impl SourceStamp {
    /// The stamp in one line, such as `in git://x 1234abc in 'main' [patch]` (M-SS-05).
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        if !self.project.is_empty() {
            parts.push(format!("for {}", self.project));
        }
        if !self.repository.is_empty() {
            parts.push(format!("in {}", self.repository));
            if !self.codebase.is_empty() {
                parts.push(format!("({})", self.codebase));
            }
        }
        let revision = self.revision.as_deref().filter(|revision| !revision.is_empty());
        parts.push(revision.unwrap_or("latest").to_owned());
        if let Some(branch) = self.branch.as_deref().filter(|branch| !branch.is_empty()) {
            parts.push(format!("in '{branch}'"));
        }
        if self.patch.is_some() {
            parts.push("[patch]".to_owned());
        }
        parts.join(" ")
    }
}

impl Change {
    /// Time of the change, like `Sat 19 Apr 2014 23:03:46`; `?` when that is not known (M-CH-03).
    #[must_use]
    pub fn at(&self, zone: &TimeZone) -> String {
        local_text(self.when, zone).unwrap_or_else(|| "?".to_owned())
    }

    /// The change as a few lines of text (M-CH-05).
    ///
    /// That the properties begin on the last line of the comments is how it has always been, and tools read it so.
    #[must_use]
    pub fn as_text(&self, zone: &TimeZone) -> String {
        let mut text = String::from("Files:\n");
        for file in &self.files {
            text.extend([" ", file, "\n"]);
        }
        for (label, value) in [("On", &self.repository), ("For", &self.project)] {
            if !value.is_empty() {
                text.extend([label, ": ", value, "\n"]);
            }
        }
        text.extend(["At: ", &self.at(zone), "\nChanged By: ", &self.who]);
        text.extend(["\nComments: ", &self.comments, "Properties: \n"]);
        for (name, property) in self.properties.iter() {
            text.extend(["  ", name, ": ", &literal::value_text(&property.value), "\n"]);
        }
        text.push_str("\n\n");
        text
    }
}

/// Escapes control characters as Rust writes them (`\n`, `\u{1b}`), and those that turn the direction of text, so that text
/// from outside stays on its line and steers no terminal. Other characters stay; a second pass changes nothing.
#[must_use]
pub fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unfit(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A build's or step's words in one text, of bounded length: the first of many words, each cut if it is long, and the
/// number of the others (M-TXT-07).
#[must_use]
pub fn brief_text(words: &[String]) -> String {
    let word = |word: &String| match word.char_indices().nth(MAX_WORD) {
        Some((end, _)) => format!("{}…", word.get(..end).unwrap_or(word)),
        None => word.clone(),
    };
    let (shown, more) = bounded(words, MAX_WORDS);
    let text = shown.iter().map(word).collect::<Vec<_>>().join(" ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}

/// Names in one text, of bounded length: the first of many, and the number of the others (M-TXT-07).
#[must_use]
pub fn listed(names: &[String]) -> String {
    let (shown, more) = bounded(names, MAX_NAMES);
    let text = shown.join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}

/// As many as are shown, and the number of those that are not: never just one, in whose place it could stand itself.
fn bounded(all: &[String], most: usize) -> (&[String], usize) {
    let shown = all.get(..most).filter(|_| all.len() > most + 1).unwrap_or(all);
    (shown, all.len() - shown.len())
}

/// A time for people, like `Sat 19 Apr 2014 23:03:46`; none for the epoch itself, which stands for "not known".
pub(super) fn local_text(when: Timestamp, zone: &TimeZone) -> Option<String> {
    if !when.is_known() {
        return None;
    }
    let timestamp = jiff::Timestamp::from_second(when.as_seconds()).ok()?;
    Some(timestamp.to_zoned(zone.clone()).strftime("%a %d %b %Y %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Patch;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn m_txt_01_result_then_what_steps_add() {
        let (compile, nothing, test) = (words("compile"), Vec::new(), words("test"));
        let steps = [compile.as_slice(), &nothing, &test];
        assert_eq!(build_text(Results::Failure, steps).join(" "), "failed compile test");
        for (results, text) in [
            (Results::Success, "build successful"),
            (Results::Warnings, "warnings"),
            (Results::Exception, "exception"),
            (Results::Retry, "retry"),
            (Results::Cancelled, "cancelled"),
        ] {
            assert_eq!(build_text(results, []), words(text));
        }
    }

    #[test]
    fn m_txt_02_machinery_and_lost_workers() {
        assert_eq!(machinery_failed_text().join(" "), "build exception");
        assert_eq!(worker_lost_text().join(" "), "retry lost remote");
    }

    #[test]
    fn m_txt_03_one_state_text_is_one_word() {
        assert_eq!(state_text("build successful"), ["build successful"]);
        assert!(state_text("").is_empty());
    }

    #[test]
    fn m_txt_07_many_words_and_names_are_counted() {
        let steps = |count| (0..count).map(|number| format!("s{number}"));
        let text =
            |count| brief_text(&["failed".to_owned()].into_iter().chain(steps(count)).collect::<Vec<_>>());
        assert_eq!(text(300), "failed s0 s1 s2 s3 s4 and 295 more");
        assert_eq!(text(6), "failed s0 s1 s2 s3 s4 s5", "one more takes no more room than its number");
        assert_eq!(brief_text(&["x".repeat(1_000)]), format!("{}…", "x".repeat(300)));
        assert_eq!((brief_text(&[]), listed(&[])), Default::default());
        let names = |count| listed(&steps(count).collect::<Vec<_>>());
        assert_eq!((names(2), names(11).len()), ("s0, s1".to_owned(), 43));
        assert_eq!(names(1_000), "s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 990 more");
    }

    #[test]
    fn m_txt_04_skipped_and_stop_reason() {
        assert_eq!(build_text(Results::Skipped, []), ["skipped"]);
        let compile = words("compile");
        let text = stopped_build_text(Results::Cancelled, Some("stopped by alice"), [compile.as_slice()]);
        assert_eq!(text.join(" "), "cancelled (stopped by alice) compile");
    }

    #[test]
    fn m_st_03_description_and_ending() {
        let make = words("make all");
        for (results, text) in [
            (None, "make all"),
            (Some(Results::Success), "make all"),
            (Some(Results::Warnings), "make all warnings"),
            (Some(Results::Exception), "make all exception"),
            (Some(Results::Failure), "make all failed"),
            (Some(Results::Cancelled), "make all failed"),
            (Some(Results::Skipped), "make all skipped"),
        ] {
            assert_eq!(step_text(&make, results).join(" "), text);
        }
    }

    #[test]
    fn m_st_04_only_steps_that_matter_are_named() {
        let default = StepFlags::default();
        assert_eq!(default.text2("test", Results::Failure), ["test"]);
        assert!(default.text2("test", Results::Success).is_empty());
        assert!(default.text2("test", Results::Warnings).is_empty());
        assert!(!default.names_step(Results::Skipped));
        assert!(StepFlags { warn_on_warnings: true, ..default }.names_step(Results::Warnings));
        let harmless = StepFlags { flunk_on_failure: false, ..default };
        assert!(!harmless.names_step(Results::Failure));
        assert!(StepFlags { halt_on_failure: true, ..harmless }.names_step(Results::Failure));
    }

    #[test]
    fn m_ss_05_describing_a_stamp() {
        let mut stamp = SourceStamp::default();
        assert_eq!(stamp.describe(), "latest");
        stamp.codebase = "lib".to_owned();
        assert_eq!(stamp.describe(), "latest");
        stamp.project = "proj".to_owned();
        stamp.repository = "git://x".to_owned();
        stamp.revision = Some("1234".to_owned());
        stamp.branch = Some("main".to_owned());
        stamp.patch = Some(Patch::default());
        assert_eq!(stamp.describe(), "for proj in git://x (lib) 1234 in 'main' [patch]");
    }

    fn change() -> Change {
        Change {
            who: "ada".to_owned(),
            files: vec!["b".to_owned(), "a".to_owned()],
            comments: "fix".to_owned(),
            when: Timestamp::from_seconds(1_397_948_626),
            ..Change::default()
        }
    }

    #[test]
    fn m_ch_03_local_time_or_a_question_mark() {
        assert_eq!(change().at(&TimeZone::UTC), "Sat 19 Apr 2014 23:03:46");
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(change().at(&east), "Sun 20 Apr 2014 01:03:46");
        assert_eq!(Change::default().at(&TimeZone::UTC), "?");
    }

    #[test]
    fn only_control_characters_are_escaped() {
        let escaped = escape_controls("a\\b\r\nc\u{1b}[2J\u{85}\u{202e} é");
        assert_eq!(escaped, "a\\b\\r\\nc\\u{1b}[2J\\u{85}\\u{202e} é");
        assert_eq!(escape_controls(&escaped), escaped);
    }

    #[test]
    fn m_ch_05_text_form() {
        let mut change = change();
        change.repository = "git://x".to_owned();
        change.properties.set("n", serde_json::json!(["a"]), "Change");
        assert_eq!(
            change.as_text(&TimeZone::UTC),
            "Files:\n b\n a\nOn: git://x\nAt: Sat 19 Apr 2014 23:03:46\nChanged By: ada\n\
             Comments: fixProperties: \n  n: ['a']\n\n\n"
        );
    }
}
