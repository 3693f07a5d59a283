//! The facts as plain text, for those who read no html, and for the search of their mail program.

use crate::facts::Facts;

/// The plain-text twin of the page.
pub(crate) fn text(facts: &Facts) -> String {
    let mut lines = vec![format!("{} {}", facts.outcome.mark, facts.headline), facts.circumstances.clone()];
    lines.extend(Some(facts.lead.clone()).filter(|lead| !lead.is_empty()));
    lines.extend(facts.url.iter().flat_map(|url| [String::new(), url.clone()]));
    let rows = facts.rows.iter().map(|(label, value)| format!("{label}: {value}"));
    lines.extend(Some(String::new()).filter(|_| !facts.rows.is_empty()).into_iter().chain(rows));
    for quote in &facts.quotes {
        lines.push(String::new());
        let Some(log) = &quote.log else {
            lines.push(format!("{} {}.", quote.step, quote.outcome.verb));
            continue;
        };
        lines.push(format!(
            "{} {}, {} of its log {}:",
            quote.step,
            quote.outcome.verb,
            log.extent(),
            log.name
        ));
        lines.extend(log.url.clone());
        lines.push(String::new());
        lines.extend(log.lines.iter().map(|line| format!("    {line}")));
    }
    if !facts.changes.shown.is_empty() {
        lines.extend([String::new(), "Changes:".to_owned()]);
        lines.extend(more(facts.changes.others, "older ones"));
        for change in &facts.changes.shown {
            let revision = Some(&change.revision).filter(|revision| !revision.is_empty());
            let revision = revision.map_or_else(String::new, |revision| format!("{revision} "));
            lines.push(format!("    {revision}{}: {}", change.who, change.headline));
        }
    }
    if !facts.steps.shown.is_empty() || facts.steps.others > 0 {
        lines.extend([String::new(), "Steps:".to_owned()]);
        for step in &facts.steps.shown {
            let after = step.duration.as_ref().map_or_else(String::new, |length| format!(" after {length}"));
            lines.push(format!("    {} {} {}{after}", step.outcome.mark, step.name, step.outcome.verb));
        }
        lines.extend(more(facts.steps.others, "more"));
    }
    let (title, page) = &facts.installation;
    lines.extend([String::new(), "-- ".to_owned(), title.clone()]);
    lines.extend(page.clone());
    lines.join("\n") + "\n"
}

fn more(count: usize, of_which: &str) -> Option<String> {
    (count > 0).then(|| format!("    ({count} {of_which})"))
}
