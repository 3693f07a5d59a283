//! Texts and addresses from outside, as people may be shown them (M-TXT-05, M-TXT-06, M-URL-07).
//!
//! A name must stay on its line: one with a line break would forge the line below it. Nothing may turn the direction of
//! the text around it, steer a terminal, or lead a reader to anything but a web page.

use std::borrow::Cow;

use super::{Build, Change, Patch, SourceStamp, Step};

/// Longest address that is linked, in bytes: some browsers take no longer ones.
const MAX_LINK: usize = 2_048;

/// Makes a name one line: each run of line breaks becomes a space, a tab too; other control characters go, and those that
/// turn the direction of text.
#[must_use]
pub fn line_text(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unfit) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    let mut in_break = false;
    for character in text.chars() {
        let breaks = is_line_break(character);
        if breaks || character == '\t' {
            if !(breaks && in_break) {
                line.push(' ');
            }
        } else if !is_unfit(character) {
            line.push(character);
        }
        in_break = breaks;
    }
    Cow::Owned(line)
}

/// Makes a text of several lines fit: they end with line feeds, tabs stay; other control characters go, and those that
/// turn the direction of text.
#[must_use]
pub fn body_text(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_unfit(c) && !matches!(c, '\n' | '\t')) {
        return Cow::Borrowed(text);
    }
    let mut body = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\r' if rest.peek() == Some(&'\n') => {}
            character if is_line_break(character) => body.push('\n'),
            character if character == '\t' || !is_unfit(character) => body.push(character),
            _ => {}
        }
    }
    Cow::Owned(body)
}

/// The address, if it may be linked: http or https with a host, as browsers read it, without a user or password, white
/// space, or anything that hides what it is.
#[must_use]
pub fn web_link(address: &str) -> Option<&str> {
    let is_odd = |c: char| is_unfit(c) || c.is_whitespace() || matches!(c, '\\' | '<' | '>' | '"');
    if address.len() > MAX_LINK || address.contains(is_odd) {
        return None;
    }
    // The parser takes `https:host` too, as browsers do; in a plain text nobody would know that for a link.
    let (scheme, _) = address.split_once("://")?;
    let is_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    let url = url::Url::parse(address).ok().filter(|_| is_web)?;
    let is_bare = url.username().is_empty() && url.password().is_none();
    (is_bare && url.has_host()).then_some(address)
}

/// Characters that neither a name nor a line of a text may have.
pub(super) fn is_unfit(character: char) -> bool {
    character.is_control() || is_line_break(character) || turns_direction(character)
}

fn is_line_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Marks, embeddings, overrides and isolates of Unicode's bidirectional text, the deprecated ones behind them, and what is
/// invisible at the beginning of a text or around a remark.
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
        || matches!(character, '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

impl Build {
    /// The address that it came with, if it may be linked.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        self.url.as_deref().and_then(web_link)
    }

    /// The build as people may be shown it: its names are lines, its texts are fit, addresses that may not be linked are
    /// gone. Properties stay as they are. The names may be other than those by which the store knows it.
    #[must_use]
    pub fn legible(&self) -> Self {
        let mut build = self.clone();
        build.url = self.link().map(str::to_owned);
        for name in [&mut build.builder, &mut build.worker, &mut build.reason] {
            clean(name);
        }
        build.text.iter_mut().chain(&mut build.tags).for_each(clean);
        build.source_stamps.iter_mut().for_each(SourceStamp::make_legible);
        build.steps.iter_mut().for_each(Step::make_legible);
        build
    }
}

impl Step {
    fn make_legible(&mut self) {
        clean(&mut self.name);
        self.text.iter_mut().for_each(clean);
        self.urls = std::mem::take(&mut self.urls)
            .into_iter()
            .filter(|(_, url)| web_link(url).is_some())
            .map(|(name, url)| (line_text(&name).into_owned(), url))
            .collect();
        for log in &mut self.logs {
            clean(&mut log.name);
            log.url = log.link().map(str::to_owned);
        }
    }
}

impl super::LogSummary {
    /// The address that it came with, if it may be linked.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        self.url.as_deref().and_then(web_link)
    }
}

impl SourceStamp {
    fn make_legible(&mut self) {
        for name in [&mut self.codebase, &mut self.repository, &mut self.project] {
            clean(name);
        }
        self.branch.iter_mut().chain(&mut self.revision).for_each(clean);
        if let Some(Patch { author, comment, subdir, .. }) = &mut self.patch {
            clean(author);
            clean_text(comment);
            subdir.iter_mut().for_each(clean);
        }
        self.changes.iter_mut().for_each(Change::make_legible);
    }
}

impl Change {
    fn make_legible(&mut self) {
        for name in [&mut self.who, &mut self.repository, &mut self.project, &mut self.codebase] {
            clean(name);
        }
        for name in [&mut self.committer, &mut self.revision, &mut self.branch, &mut self.category] {
            name.iter_mut().for_each(clean);
        }
        self.files.iter_mut().for_each(clean);
        clean_text(&mut self.comments);
        if web_link(&self.revlink).is_none() {
            self.revlink.clear();
        }
    }
}

fn clean(name: &mut String) {
    if let Cow::Owned(line) = line_text(name) {
        *name = line;
    }
}

fn clean_text(text: &mut String) {
    if let Cow::Owned(fit) = body_text(text) {
        *text = fit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogSummary;

    #[test]
    fn m_txt_05_a_name_is_one_line_and_turns_nothing() {
        for (name, line) in [
            ("linux", "linux"),
            ("linux\r\n\nResponsible: eve", "linux Responsible: eve"),
            ("a\u{2028}b\tc\u{b}d\u{85}e", "a b c d e"),
            ("\u{1b}[31mred\0\u{7}", "[31mred"),
            ("abc\u{202e}gpj.exe\u{2066}\u{2069}\u{200f}\u{61c}", "abcgpj.exe"),
            // Letters that are written from right to left do no harm, and joiners make emoji.
            ("שלום 👩\u{200d}💻", "שלום 👩\u{200d}💻"),
        ] {
            assert_eq!(line_text(name), line, "{name:?}");
        }
    }

    #[test]
    fn m_txt_06_a_text_keeps_its_lines() {
        assert_eq!(body_text("one\r\ntwo\rthree\u{2029}four\n\tfive"), "one\ntwo\nthree\nfour\n\tfive");
        assert_eq!(body_text("a\u{202e}b\u{1b}]8;;x\u{7}"), "ab]8;;x");
        assert!(matches!(body_text("plain\n\ttext"), Cow::Borrowed(_)));
    }

    #[test]
    fn m_url_07_only_pages_of_the_web_are_linked() {
        for fit in [
            "https://ci.example.org/job/7",
            "HTTP://ci/7?a=b#c",
            "http://[::1]:8010/#/builders/1",
            "https://ci.example.org/ü/%20",
        ] {
            assert_eq!(web_link(fit), Some(fit));
        }
        let long = format!("https://ci.example.org/{}", "a".repeat(MAX_LINK));
        for unfit in [
            "",
            "javascript:alert(1)",
            "JaVaScRiPt://ci/%0aalert(1)",
            " javascript:alert(1)",
            "data:text/html,<script>",
            "vbscript:x",
            "ftp://ci.example.org/",
            "mailto:a@b.org",
            "/job/7",
            "//evil.example/",
            "job/7",
            "https:ci.example.org",
            "https:/ci.example.org",
            "https:\\\\ci.example.org",
            "https://",
            "https://a@b.org/",
            "https://ci.example.org:secret@evil.example/",
            "https://ci.example.org/a b",
            "https://ci.example.org/\r\nX: y",
            "https://ci.example.org/\u{202e}7",
            "https://ci.example.org/\"><script>",
            long.as_str(),
        ] {
            assert_eq!(web_link(unfit), None, "{unfit:?}");
        }
    }

    #[test]
    fn m_txt_05_m_txt_06_m_url_07_every_part_of_a_build() {
        const HOSTILE: &str = "x\r\nResponsible: \u{202e}eve\u{1b}[2J";
        let hostile = || HOSTILE.to_owned();
        let script = || "javascript:alert(1)".to_owned();
        let change = Change {
            who: hostile(),
            committer: Some(hostile()),
            files: vec![hostile()],
            comments: hostile(),
            revision: Some(hostile()),
            branch: Some(hostile()),
            category: Some(hostile()),
            revlink: script(),
            repository: hostile(),
            project: hostile(),
            codebase: hostile(),
            ..Change::default()
        };
        let patch =
            Patch { author: hostile(), comment: hostile(), subdir: Some(hostile()), ..Patch::default() };
        let stamp = SourceStamp {
            codebase: hostile(),
            branch: Some(hostile()),
            revision: Some(hostile()),
            repository: hostile(),
            project: hostile(),
            patch: Some(patch),
            changes: vec![change],
            ..SourceStamp::default()
        };
        let step = Step {
            name: hostile(),
            text: vec![hostile()],
            urls: [(hostile(), script()), (hostile() + "2", "https://x.org/".to_owned())]
                .into_iter()
                .collect(),
            logs: vec![LogSummary { name: hostile(), url: Some(script()), ..LogSummary::default() }],
            ..Step::default()
        };
        let build = Build {
            url: Some(script()),
            tags: vec![hostile()],
            text: vec![hostile()],
            reason: hostile(),
            worker: hostile(),
            source_stamps: vec![stamp],
            steps: vec![step],
            ..Build::new(HOSTILE, 7)
        };
        let mut shown = build.legible();
        let comments = std::mem::take(&mut shown.source_stamps[0].changes[0].comments);
        let patch_comment = std::mem::take(&mut shown.source_stamps[0].patch.as_mut().unwrap().comment);
        assert_eq!([comments, patch_comment], ["x\nResponsible: eve[2J"; 2]);
        assert_eq!(shown.builder, "x Responsible: eve[2J");
        let json = serde_json::to_string(&shown).unwrap();
        for gone in ["javascript", "\\n", "\\r", "\\u001b", "\u{202e}"] {
            assert!(!json.contains(gone), "{gone}: {json}");
        }
        assert!(json.contains("https://x.org/"), "{json}");
    }

    proptest::proptest! {
        #[test]
        fn m_txt_05_any_name_is_one_fit_line(name in "[\\x00-\\x7f\u{85}\u{2028}\u{202e}\u{200f}äx]{0,40}") {
            let line = line_text(&name);
            proptest::prop_assert!(!line.contains(is_unfit));
            proptest::prop_assert_eq!(line_text(&line), line.clone());
            let body = body_text(&name);
            proptest::prop_assert!(body.lines().all(|line| line_text(line) == line.replace('\t', " ")));
        }
    }
}
