//! Subject lines: the template of the settings (M-39), and texts from outside made fit for one line (M-41).

use std::borrow::Cow;

use campanile_model::line_text;

/// The subject of a target that names none.
pub(super) const DEFAULT: &str = "campanile %(result)s in %(title)s on %(builder)s";

/// A `subject` argument that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubjectTemplate(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Result,
    Title,
    Builder,
}

/// A `subject` that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidSubject {
    /// A line break: header injection, if it went through.
    #[error("Newlines are not allowed in email subjects")]
    Newline,
    /// A key that stands for nothing.
    #[error(
        "`%({0})s` stands for nothing in a subject: use %(result)s, %(title)s, %(projectName)s or %(builder)s"
    )]
    UnknownKey(String),
    /// A `%` that begins nothing.
    #[error("a stray `%` in the subject: write `%%` for a percent sign")]
    Stray,
}

impl SubjectTemplate {
    /// Reads the argument.
    pub(super) fn parse(source: &str) -> Result<Self, InvalidSubject> {
        if source.contains(is_break) {
            return Err(InvalidSubject::Newline);
        }
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((literal, after)) = rest.split_once('%') {
            parts.push(Part::Literal(literal.to_owned()));
            if let Some(after) = after.strip_prefix('%') {
                parts.push(Part::Literal("%".to_owned()));
                rest = after;
                continue;
            }
            let (key, after) = after
                .strip_prefix('(')
                .and_then(|after| after.split_once(")s"))
                .ok_or(InvalidSubject::Stray)?;
            parts.push(match key {
                "result" => Part::Result,
                "title" | "projectName" => Part::Title,
                "builder" => Part::Builder,
                other => return Err(InvalidSubject::UnknownKey(other.to_owned())),
            });
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Renders the subject of a mail about what came to this.
    pub(super) fn render(&self, result: &str, title: &str, builder: &str) -> String {
        let text: String = self
            .0
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text,
                Part::Result => result,
                Part::Title => title,
                Part::Builder => builder,
            })
            .collect();
        one_line(&text).into_owned()
    }
}

/// The text on one line (M-41, M-TXT-05), with a log line if it had several.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(is_break) {
        tracing::warn!(?text, "mail: line breaks became spaces: a header has one line");
    }
    line_text(text)
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str) -> Result<String, InvalidSubject> {
        SubjectTemplate::parse(source).map(|subject| subject.render("failure", "Quad CI", "linux"))
    }

    #[test]
    fn m_39_the_default_and_its_keys() {
        assert_eq!(rendered(DEFAULT).as_deref(), Ok("campanile failure in Quad CI on linux"));
        assert_eq!(rendered("100%% %(projectName)s").as_deref(), Ok("100% Quad CI"));
        assert_eq!(rendered("").as_deref(), Ok(""));
    }

    #[test]
    fn m_39_what_stands_for_nothing_is_an_error() {
        assert_eq!(rendered("%(results)s"), Err(InvalidSubject::UnknownKey("results".to_owned())));
        for stray in ["50%", "%s", "%(result)", "%(result"] {
            assert_eq!(rendered(stray), Err(InvalidSubject::Stray), "{stray}");
        }
        assert_eq!(rendered("a\nb"), Err(InvalidSubject::Newline));
    }

    #[test]
    fn m_41_line_breaks_become_one_space() {
        assert_eq!(one_line("a\r\n\nb\u{2028}c\td\u{202e}"), "a b c d");
        let subject = SubjectTemplate::parse(DEFAULT).map(|s| s.render("success", "T\r\nBcc: x@y.z", "b"));
        assert_eq!(subject.as_deref(), Ok("campanile success in T Bcc: x@y.z on b"));
    }

    proptest::proptest! {
        #[test]
        fn m_41_no_text_breaks_the_line(text in "[\\x00-\\x7f\u{85}\u{2028}äx]{0,40}") {
            proptest::prop_assert!(!one_line(&text).chars().any(|c| c.is_control() || is_break(c)));
        }
    }
}
