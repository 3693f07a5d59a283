//! Pure rules: the union of an event and of what was known before to one build or step; the order of names.

use std::cmp::Ordering;

use campanile_model::{Build, Change, LogSummary, SourceStamp, Step, Timestamp};

/// Completes a build with what was known of it; `build` wins.
pub(super) fn complete_build(build: &mut Build, known: Build) {
    let blank = Build::new("", 0);
    let Build { url, tags, text, reason, worker, started, properties, source_stamps, .. } = known;
    build.url = build.url.take().or(url);
    fill_list(&mut build.tags, tags);
    fill_list(&mut build.text, text);
    build.fill_stamps(&source_stamps);
    fill_list(&mut build.requests, known.requests);
    if build.reason.is_empty() {
        build.reason = reason;
    }
    if build.worker.is_empty() || build.worker == blank.worker {
        build.worker = worker;
    }
    build.started = build.started.or(started);
    build.buildset = build.buildset.or(known.buildset);
    let own = std::mem::replace(&mut build.properties, properties);
    build.properties.extend(own);
}

/// Gives changes without a time the one that they were told with before, or else that of receipt (M-CH-02).
pub(super) fn date_changes(stamps: &mut [SourceStamp], known: &[SourceStamp], now: Timestamp) {
    for change in stamps.iter_mut().flat_map(|stamp| &mut stamp.changes) {
        if !change.when.is_known() {
            let same = |other: &&Change| {
                (&other.revision, &other.who, &other.comments)
                    == (&change.revision, &change.who, &change.comments)
            };
            let told = known.iter().flat_map(|stamp| &stamp.changes).find(same);
            change.when = told.map_or(now, |told| told.when);
        }
        change.clamp_time(now);
    }
}

/// Completes a step with what was known of it; `step` wins.
pub(super) fn complete_step(step: &mut Step, known: Step) {
    fill_list(&mut step.text, known.text);
    fill_list(&mut step.text2, known.text2);
    fill_list(&mut step.logs, known.logs);
    step.results = step.results.or(known.results);
    step.started = step.started.or(known.started);
    step.finished = step.finished.or(known.finished);
    for (name, url) in known.urls {
        step.urls.entry(name).or_insert(url);
    }
    step.hidden |= known.hidden;
}

/// Fills a list that is empty.
fn fill_list<T>(list: &mut Vec<T>, known: Vec<T>) {
    if list.is_empty() {
        *list = known;
    }
}

/// Notes the size of a stored log at its step, which is added if the build has none of that name.
pub(super) fn attach_log(build: &mut Build, step: &str, name: String, lines: u64, bytes: u64) {
    let index = build.steps.iter().position(|known| known.name == step).unwrap_or_else(|| {
        build.steps.push(Step { name: step.to_owned(), ..Step::default() });
        build.steps.len() - 1
    });
    let Some(step) = build.steps.get_mut(index) else { return };
    match step.logs.iter_mut().find(|log| log.name == name) {
        Some(log) => (log.lines, log.bytes) = (lines, bytes),
        None => step.logs.push(LogSummary { name, url: None, lines, bytes }),
    }
}

/// Compares names in their order for people: runs of digits count as numbers (M-BLD-08).
///
/// The crate `natord` has another order: it takes digits behind a leading zero for a fraction (`b010` before `b2`), and
/// passes over white space, so that different names are equal.
pub(super) fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (l, r) = (run(&mut left), run(&mut right));
        let numeric = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let order = if numeric(l) && numeric(r) {
            let (l, r) = (l.trim_start_matches('0'), r.trim_start_matches('0'));
            l.len().cmp(&r.len()).then_with(|| l.cmp(r))
        } else {
            l.cmp(r)
        };
        if order.is_ne() {
            return order;
        }
    }
    // Names that differ in leading zeros only still need one fixed order, or pages of a list would not fit together.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Takes a run of digits or of anything else off the front.
fn run<'t>(text: &mut &'t str) -> &'t str {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_bld_08_names_sort_naturally() {
        let mut names = ["b10", "b2", "a", "b02", "b", "10", "9", "b2x", "b010", "b 3"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["9", "10", "a", "b", "b02", "b2", "b2x", "b010", "b10", "b 3"]);
    }
}
