//! A pattern for the addresses of builds' pages at any CI: `https://ci.example.org/{builder}/{number}` (M-URL-05).

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Builder,
    Number,
}

/// An address with placeholders for a build's builder and number behind a fixed host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPattern {
    /// Scheme and host, with a final slash.
    origin: String,
    parts: Vec<Part>,
}

/// A pattern that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlPatternError {
    /// Neither http nor https, or without a host of its own.
    #[error("it must begin with `http://` or `https://` and a host, then a `/`, all without placeholders")]
    Origin,
    /// A brace that belongs to no placeholder that there is.
    #[error("`{0}` is no placeholder: there are `{{builder}}` and `{{number}}`")]
    Placeholder(String),
    /// All builds would have one page.
    #[error("it lacks `{{number}}`: all builds would have the same page")]
    Number,
    /// Segments that browsers take out, and others with them.
    #[error("it has a segment `.` or `..`: write the address as a browser shows it")]
    Dots,
    /// White space or control characters.
    #[error("it has white space or control characters: write `%20` for a space")]
    Space,
}

impl UrlPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, UrlPatternError> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(UrlPatternError::Space);
        }
        let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let (host, _) = rest.and_then(|rest| rest.split_once('/')).ok_or(UrlPatternError::Origin)?;
        // A builder's name must not choose the host that people are sent to.
        if host.is_empty() || host.contains(['{', '}', '?', '#', '@', '\\']) {
            return Err(UrlPatternError::Origin);
        }
        let scheme = if text.starts_with("https") { "https" } else { "http" };
        let origin = format!("{scheme}://{host}/");
        let parts = parts(text)?;
        if !parts.contains(&Part::Number) {
            return Err(UrlPatternError::Number);
        }
        let pattern = Self { origin, parts };
        pattern.fill("builder", 1).ok_or(UrlPatternError::Dots)?;
        Ok(pattern)
    }

    /// Scheme and host, with a final slash.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The page of a build; `builder` is its builder's name, encoded. None if that would lead elsewhere: browsers take a
    /// segment `..` for the folder above, however it is written.
    pub(crate) fn fill(&self, builder: &str, number: u64) -> Option<String> {
        let number = number.to_string();
        let filled = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Builder => builder,
            Part::Number => &number,
        });
        Some(filled.collect()).filter(|url: &String| !climbs(url))
    }
}

/// True if a segment of the address's path is one of dots.
fn climbs(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.split('/')
        .any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

fn parts(text: &str) -> Result<Vec<Part>, UrlPatternError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let end = from.find('}').map_or(from.len(), |end| end + 1);
        let (placeholder, after) = from.split_at(end);
        parts.push(match placeholder {
            "{builder}" => Part::Builder,
            "{number}" => Part::Number,
            other => return Err(UrlPatternError::Placeholder(other.to_owned())),
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_url_05_patterns_that_lead_nowhere() {
        use UrlPatternError::{Dots, Number, Origin, Placeholder, Space};
        for (text, error) in [
            ("pages", Origin),
            ("ftp://ci.example.org/{number}", Origin),
            ("https://{builder}.example.org/{number}", Origin),
            ("https://ci.example.org{number}/", Origin),
            ("https://ci.example.org", Origin),
            ("https:///{number}", Origin),
            ("https://ci.example.org@{builder}/{number}", Origin),
            ("https://ci.example.org/{builder}", Number),
            ("https://ci.example.org/{build}/{number}", Placeholder("{build}".to_owned())),
            ("https://ci.example.org/{number", Placeholder("{number".to_owned())),
            ("https://ci.example.org/number}", Placeholder("}".to_owned())),
            ("https://ci.example.org/{{number}}", Placeholder("{{number}".to_owned())),
            ("https://ci.example.org/a/../{number}", Dots),
            ("https://ci.example.org/a/%2E/{number}", Dots),
            ("https://ci.example.org/{number}/my page", Space),
            ("https://ci.example.org/{number}\r\nX: y", Space),
        ] {
            assert_eq!(UrlPattern::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn m_url_08_a_builder_of_dots_climbs_nowhere() {
        let fill = |pattern: &str, builder| UrlPattern::parse(pattern).unwrap().fill(builder, 7);
        for builder in [".", "..", "%2e%2E", ".%2e"] {
            assert_eq!(fill("https://ci/job/{builder}/{number}/", builder), None, "{builder}");
        }
        assert_eq!(fill("https://ci/.{builder}/{number}/", "."), None);
        assert_eq!(fill("https://ci/b{builder}/{number}/", "..").as_deref(), Some("https://ci/b../7/"));
        assert_eq!(fill("https://ci/{number}?b={builder}", "..").as_deref(), Some("https://ci/7?b=.."));
        assert_eq!(fill("https://ci/{builder}/{number}", "...").as_deref(), Some("https://ci/.../7"));
    }

    proptest::proptest! {
        #[test]
        fn m_url_05_any_text_is_read_or_refused(text in ".{0,60}|https://h/[{}a-z/]{0,9}[{]number[}].{0,9}") {
            if let Ok(pattern) = UrlPattern::parse(&text) {
                let url = pattern.fill("b", 7).unwrap();
                proptest::prop_assert!(url.starts_with(pattern.origin()) && !url.contains(['{', '}']), "{}", url);
            }
        }
    }
}
