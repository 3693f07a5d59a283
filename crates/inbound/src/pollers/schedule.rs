//! Schedules of polls: every so often, spread a little, and perhaps at launch.

use std::time::Duration;

use campanile_config::Reader;

/// The times at which a poller polls by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From poll to poll; none: only when told to (H-PO-07).
    pub interval: Option<Duration>,
    /// It polls once at start, before the first interval has passed.
    pub at_launch: bool,
    /// At least this is added to each time, without moving the times after it.
    pub delay_min: Duration,
    /// At most this is.
    pub delay_max: Duration,
}

/// Shortest interval of a tenant's poller.
const SHORTEST: Duration = Duration::from_secs(10);

impl Schedule {
    /// Reads `poll_interval` (or `pollinterval`), `poll_at_launch`, `poll_random_delay_min` and
    /// `poll_random_delay_max`. Times are texts such as `"10m"`, or seconds as in the manual.
    pub(super) fn read(table: &Reader<'_>, usual: Duration) -> Self {
        let interval = match (time(table, "poll_interval"), time(table, "pollinterval")) {
            (Some(interval), None) | (None, Some(interval)) => interval,
            (None, None) => usual,
            (Some(interval), Some(_)) => {
                table.error("pollinterval", "`pollinterval` is `poll_interval` again: keep one of them");
                interval
            }
        };
        if table.is_tenants() && !interval.is_zero() && interval < SHORTEST {
            let key = if table.item("pollinterval").is_some() { "pollinterval" } else { "poll_interval" };
            table.error(
                key,
                format!("`{key}` must be {} s at least in a tenant's settings", SHORTEST.as_secs()),
            );
        }
        let delay_min = time(table, "poll_random_delay_min").unwrap_or_default();
        // A little spread keeps many pollers of one forge from asking all at once.
        let delay_max = time(table, "poll_random_delay_max").unwrap_or(delay_min.max(interval / 20));
        if delay_min > delay_max || (delay_max >= interval && !interval.is_zero()) {
            let text = "`poll_random_delay_min` must not be over `poll_random_delay_max`, and that must be under \
                        `poll_interval`";
            table.error("poll_random_delay_max", text);
        }
        Self {
            interval: (!interval.is_zero()).then_some(interval),
            at_launch: table.boolean("poll_at_launch") == Some(true),
            delay_min,
            delay_max,
        }
    }

    /// Delay to add to the next time. `random` lies in 0..1.
    #[must_use]
    pub fn delay(&self, random: f64) -> Duration {
        self.delay_min + self.delay_max.saturating_sub(self.delay_min).mul_f64(random.clamp(0.0, 1.0))
    }
}

fn time(table: &Reader<'_>, key: &str) -> Option<Duration> {
    match table.item(key)?.as_text() {
        Some(_) => table.duration(key),
        None => {
            let seconds = table.integer(key, 0..=31_536_000)?;
            Some(Duration::from_secs(seconds.unsigned_abs()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_config::{Document, Problems};

    fn read(source: &str) -> (Schedule, Vec<String>) {
        let problems = Problems::new();
        let document = Document::parse(std::path::Path::new("campanile.toml"), source, &problems);
        let table = Reader::root(&document, &problems);
        let schedule = Schedule::read(&table, Duration::from_secs(600));
        table.finish();
        (schedule, problems.into_sorted().into_iter().map(|problem| problem.text).collect())
    }

    #[test]
    fn h_po_07_intervals_as_texts_and_as_the_manuals_seconds() {
        assert_eq!(read("").0.interval, Some(Duration::from_secs(600)));
        assert_eq!(read("pollInterval = 60").0.interval, Some(Duration::from_secs(60)));
        assert_eq!(read("pollinterval = \"2h\"").0.interval, Some(Duration::from_secs(7200)));
        let (never, problems) = read("poll_interval = 0\npollAtLaunch = true");
        assert_eq!((never.interval, never.at_launch, problems), (None, true, Vec::new()));
    }

    #[test]
    fn what_contradicts_itself_is_told() {
        assert_eq!(read("poll_interval = 60\npollinterval = 60").1.len(), 1);
        assert_eq!(read("poll_interval = 60\npoll_random_delay_max = 60").1.len(), 1);
        assert_eq!(read("poll_random_delay_min = 9\npoll_random_delay_max = 5").1.len(), 1);
        assert_eq!(read("poll_interval = -1").1.len(), 1);
        assert_eq!(read("poll_interval = true").1.len(), 1);
    }

    #[test]
    fn delays_lie_between_their_ends() {
        let (schedule, _) = read("poll_interval = 60\npoll_random_delay_min = 2\npoll_random_delay_max = 4");
        assert_eq!(schedule.delay(0.0), Duration::from_secs(2));
        assert_eq!(schedule.delay(0.5), Duration::from_secs(3));
        assert_eq!(read("poll_interval = 100").0.delay(1.0), Duration::from_secs(5));
    }
}
