//! The facts as a page that mail programs keep as it is: tables, styles at each element, no picture, nothing to load.
//!
//! Outlook lays out tables and knows no `max-width`: it gets a table of a fixed width of its own. Gmail drops what it does
//! not know, so that all colours stand at the elements; those of dark programs come from the one style sheet.
//!
//! Invariant: every text of [`Facts`] goes through [`escaped`] on its way into the page.

use crate::facts::{ChangeLine, Facts, StepLine};
use crate::outcome::{GREY, Outcome};
use crate::quote::{LogEnd, Quote};
use campanile_guest::escape::html as escaped;

const SANS: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO: &str = "font-family:ui-monospace,SFMono-Regular,Consolas,'Liberation Mono',Menlo,monospace";
const TABLE: &str = r#"<table role="presentation" cellpadding="0" cellspacing="0" border="0""#;
/// A table of rows, one fact each.
const LIST: &str =
    r#"<table role="presentation" width="100%" cellpadding="4" cellspacing="0" border="0" class="text""#;
const INK: &str = "#1f2328";
const LINK: &str = "#0969da";

/// Colours for mail programs that are dark: those that know style sheets take them, the others make up their own.
const SHEET: &str = "\
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
.page { background-color: #0d1117 !important; }
.card { background-color: #161b22 !important; border-color: #30363d !important; }
.text { color: #e6edf3 !important; }
.soft, .skipped, .retry, .cancelled, .unfinished { color: #9da7b3 !important; }
.code { background-color: #0d1117 !important; border-color: #30363d !important; }
.line { border-color: #30363d !important; }
.link { color: #79b8ff !important; }
.success { color: #56d364 !important; } .warnings { color: #e3b341 !important; }
.failure { color: #ff8c84 !important; } .exception { color: #d2a8ff !important; }
}";

/// The page.
pub(crate) fn html(facts: &Facts) -> String {
    let body = [
        band(facts),
        lead(facts),
        rows(facts),
        button(facts),
        facts.quotes.iter().map(quote).collect(),
        changes(facts),
        steps(facts),
        foot(facts),
    ];
    let title = escaped(&facts.headline);
    let preview = escaped(&preview(facts));
    let card = body.concat();
    format!(
        r##"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>
{SHEET}
</style>
</head>
<body class="page" style="margin:0;padding:0;background-color:#f6f8fa" bgcolor="#f6f8fa">
<div style="display:none;max-height:0;overflow:hidden">{preview}</div>
{TABLE} width="100%" class="page" bgcolor="#f6f8fa" style="background-color:#f6f8fa"><tr><td align="center" style="padding:16px 8px">
<!--[if mso]>{TABLE} width="680"><tr><td><![endif]-->
{TABLE} width="100%" class="card" bgcolor="#ffffff" style="max-width:680px;background-color:#ffffff;border:1px solid #d0d7de;word-break:break-word">
{card}</table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
"##
    )
}

/// The words that lists of mails show behind the subject.
fn preview(facts: &Facts) -> String {
    let newest = facts.changes.shown.last().map_or("", |change| &change.headline);
    [facts.lead.as_str(), newest].join(" ").trim().to_owned()
}

fn band(facts: &Facts) -> String {
    let Outcome { mark, colour, .. } = facts.outcome;
    let headline = escaped(&facts.headline);
    let circumstances = escaped(&facts.circumstances);
    format!(
        r#"<tr><td bgcolor="{colour}" style="padding:18px 24px;background-color:{colour};{SANS};color:#ffffff"><span style="font-size:22px;line-height:30px;font-weight:bold;color:#ffffff">{mark} {headline}</span><br><span style="font-size:14px;line-height:22px;color:#ffffff">{circumstances}</span></td></tr>
"#
    )
}

fn lead(facts: &Facts) -> String {
    if facts.lead.is_empty() {
        return String::new();
    }
    let lead = escaped(&facts.lead);
    format!(
        r#"<tr><td class="text" style="padding:16px 24px 0;{SANS};font-size:16px;line-height:24px;color:{INK}">{lead}</td></tr>
"#
    )
}

fn rows(facts: &Facts) -> String {
    let row = |(label, value): &(String, String)| {
        let (label, value) = (escaped(label), escaped(value));
        format!(
            r#"<tr valign="top"><td width="88" class="soft" style="color:{GREY}">{label}</td><td>{value}</td></tr>"#
        )
    };
    list("12px 20px 0", &facts.rows.iter().map(row).collect::<String>())
}

fn button(facts: &Facts) -> String {
    let Some(url) = facts.url.as_deref().map(escaped) else { return String::new() };
    let (colour, number) = (facts.outcome.colour, facts.number);
    format!(
        r#"<tr><td style="padding:16px 24px 4px">{TABLE}><tr><td bgcolor="{colour}" style="padding:10px 20px;border-radius:6px;background-color:{colour}"><a href="{url}" style="{SANS};font-size:15px;line-height:20px;font-weight:bold;color:#ffffff;text-decoration:none">Open build #{number}</a></td></tr></table></td></tr>
"#
    )
}

fn quote(quote: &Quote) -> String {
    let Outcome { verb, word, colour, .. } = quote.outcome;
    let step = escaped(&quote.step);
    let (origin, log) = quote.log.as_ref().map(|log| (origin(log), log_end(log))).unwrap_or_default();
    format!(
        r#"<tr><td style="padding:20px 24px 6px;{SANS};font-size:15px;line-height:22px"><b class="{word}" style="color:{colour}">{step} {verb}</b>{origin}</td></tr>
{log}"#
    )
}

/// The place that a log's end comes from: `the last 30 of 101 lines of stdio`.
fn origin(log: &LogEnd) -> String {
    let (extent, name) = (log.extent(), link(log.url.as_deref(), &log.name));
    format!(r#"<span class="soft" style="font-size:13px;color:{GREY}"> &middot; {extent} of {name}</span>"#)
}

fn log_end(log: &LogEnd) -> String {
    let lines = escaped(&log.lines.join("\n"));
    format!(
        r##"<tr><td style="padding:0 24px"><table role="presentation" width="100%" cellpadding="12" cellspacing="0" border="0" style="table-layout:fixed"><tr><td class="code" bgcolor="#f6f8fa" style="border-radius:6px;background-color:#f6f8fa;border:1px solid #d0d7de"><pre class="text" style="margin:0;{MONO};font-size:12px;line-height:18px;color:{INK};white-space:pre-wrap;word-wrap:break-word">{lines}</pre></td></tr></table></td></tr>
"##
    )
}

fn changes(facts: &Facts) -> String {
    let line = |change: &ChangeLine| {
        let revision = if change.revision.is_empty() { "change" } else { &change.revision };
        let revision = link(change.url.as_deref(), revision);
        let (headline, who) = (escaped(&change.headline), escaped(&change.who));
        format!(
            r#"<tr valign="top"><td width="64" style="{MONO};font-size:13px">{revision}</td><td>{headline}<span class="soft" style="color:{GREY}"> &middot; {who}</span></td></tr>"#
        )
    };
    let more = others(facts.changes.others, "older ones are not shown", 2);
    section("Changes", &(more + &facts.changes.shown.iter().map(line).collect::<String>()))
}

fn steps(facts: &Facts) -> String {
    let line = |step: &StepLine| {
        let Outcome { mark, word, colour, .. } = step.outcome;
        let name = escaped(&step.name);
        let duration = step.duration.as_deref().unwrap_or("");
        let told = if word == "success" {
            String::new()
        } else {
            format!(r#" <span class="{word}" style="color:{colour}">{word}</span>"#)
        };
        format!(
            r#"<tr valign="top"><td width="16" class="{word}" style="color:{colour}">{mark}</td><td>{name}{told}</td><td class="soft" align="right" style="color:{GREY};white-space:nowrap">{duration}</td></tr>"#
        )
    };
    let more = others(facts.steps.others, "more are not shown", 3);
    section("Steps", &(facts.steps.shown.iter().map(line).collect::<String>() + &more))
}

fn foot(facts: &Facts) -> String {
    let (title, page) = &facts.installation;
    let title = link(page.as_deref(), title);
    format!(
        r#"<tr><td style="padding:20px 24px"><table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr><td class="line soft" style="border-top:1px solid #d0d7de;padding-top:12px;{SANS};font-size:12px;line-height:18px;color:{GREY}">{title}</td></tr></table></td></tr>
"#
    )
}

/// A heading over a list; nothing without entries.
fn section(heading: &str, entries: &str) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let list = list("0 20px", entries);
    format!(
        r#"<tr><td class="soft" style="padding:20px 24px 4px;{SANS};font-size:13px;line-height:20px;color:{GREY};font-weight:bold">{heading}</td></tr>
{list}"#
    )
}

fn list(padding: &str, entries: &str) -> String {
    format!(
        r#"<tr><td style="padding:{padding}">{LIST} style="{SANS};font-size:14px;line-height:20px;color:{INK}">{entries}</table></td></tr>
"#
    )
}

/// A row that counts what a list leaves out.
fn others(count: usize, are: &str, columns: usize) -> String {
    if count == 0 {
        return String::new();
    }
    format!(r#"<tr><td colspan="{columns}" class="soft" style="color:{GREY}">{count} {are}</td></tr>"#)
}

/// A text that leads somewhere, if there is an address; which ones are fit for it is decided where they are gathered.
fn link(url: Option<&str>, text: &str) -> String {
    let text = escaped(text);
    match url.map(escaped) {
        Some(url) => format!(r#"<a class="link" href="{url}" style="color:{LINK}">{text}</a>"#),
        None => text,
    }
}
