//! Lengths of time as a mail writes them: `2m 5s` (M-76).

use std::time::Duration;

use jiff::SignedDuration;
use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};

use campanile_model::{Build, Step};

/// The time that a build took; none if its start or its end is not known.
pub(super) fn of_build(build: &Build) -> Option<String> {
    text(build.duration()?)
}

/// The time that a step took; none if its start or its end is not known.
pub(super) fn of_step(step: &Step) -> Option<String> {
    text(step.finished?.since(step.started?))
}

fn text(duration: Duration) -> Option<String> {
    let printer = SpanPrinter::new().designator(Designator::Compact).spacing(Spacing::BetweenUnits);
    Some(printer.duration_to_string(&SignedDuration::from_secs(i64::try_from(duration.as_secs()).ok()?)))
}

#[cfg(test)]
mod tests {
    use campanile_model::Timestamp;

    use super::*;

    #[test]
    fn m_76_durations_of_builds_and_steps() {
        let at = Timestamp::from_seconds;
        for (seconds, text) in [(0, "0s"), (59, "59s"), (125, "2m 5s"), (3_600, "1h"), (90_061, "25h 1m 1s")]
        {
            let step = Step { started: Some(at(10)), finished: Some(at(10 + seconds)), ..Step::default() };
            assert_eq!(of_step(&step).as_deref(), Some(text));
        }
        let mut build = Build::new("linux", 1);
        build.finished = Some(at(100));
        assert_eq!(of_build(&build), None, "a start that nobody told");
        build.started = Some(at(98));
        assert_eq!(of_build(&build).as_deref(), Some("2s"));
        assert_eq!(of_step(&Step { finished: Some(at(1)), ..Step::default() }), None);
    }
}
