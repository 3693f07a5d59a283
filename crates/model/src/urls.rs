//! Addresses of pages at the CI server (M-URL-01 to M-URL-08).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::UrlPattern;

/// Everything is encoded but what RFC 3986 calls unreserved, so `/` in a name stays part of the name (M-URL-02).
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Generation of server that the pages belong to (M-URL-03), or the pattern of another CI's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum UrlStyle {
    /// Buildbot 0.8: `builders/{name}`.
    #[default]
    Default,
    /// The first single-page version: `#builders/{name}`.
    Chapter,
    /// Buildbot 1 and later: `#/builders/{id}`.
    Modern,
    /// Any other CI: builds have pages, all else has none (M-URL-05).
    Pattern(UrlPattern),
}

/// Facts that the CI server tells of itself (M-URL-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    /// Its name for people.
    pub title: String,
    /// Address that the title links to.
    pub title_url: String,
    /// Address of its own pages, with a final slash.
    pub buildbot_url: String,
}

impl Default for Master {
    fn default() -> Self {
        Self {
            title: "Buildbot".to_owned(),
            title_url: "http://buildbot.net".to_owned(),
            buildbot_url: "http://localhost:8080/".to_owned(),
        }
    }
}

/// A builder or worker as addresses name it: by name, or by the id that its server gave it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its id; the modern style has no address without it.
    pub id: Option<u64>,
}

impl<'a> Named<'a> {
    /// Known by name only.
    #[must_use]
    pub fn by_name(name: &'a str) -> Self {
        Self { name, id: None }
    }

    /// Known by name and id.
    #[must_use]
    pub fn with_id(name: &'a str, id: u64) -> Self {
        Self { name, id: Some(id) }
    }
}

/// A step of a build as addresses name it.
#[derive(Clone, Copy, Debug)]
pub struct NamedStep<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its place in the build, from 0; the modern style has no address without it.
    pub number: Option<usize>,
}

/// Makes addresses; all are absent when no base is known.
#[derive(Clone, Debug, Default)]
pub struct Links {
    base: Option<String>,
    style: UrlStyle,
}

impl Links {
    /// Addresses under a base, to which a slash is added if it has none at its end (M-URL-02). A pattern has its own.
    #[must_use]
    pub fn new(base: Option<&str>, style: UrlStyle) -> Self {
        let base = match &style {
            UrlStyle::Pattern(pattern) => Some(pattern.origin()),
            _ => base,
        };
        let base = base.map(str::trim).filter(|base| !base.is_empty());
        Self { base: base.map(|base| format!("{}/", base.strip_suffix('/').unwrap_or(base))), style }
    }

    /// True if readers elsewhere could not follow the addresses, for a warning at start (M-TRAP-4).
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        let Some(base) = self.base.as_deref() else { return false };
        let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
        let host = authority.split(['/', '?', '#']).next().unwrap_or_default();
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| {
            host.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    }

    /// The front page.
    #[must_use]
    pub fn master(&self) -> Option<String> {
        self.base.clone()
    }

    /// A builder's page.
    #[must_use]
    pub fn builder(&self, builder: Named<'_>) -> Option<String> {
        self.thing("builders", builder)
    }

    /// A build's page.
    #[must_use]
    pub fn build(&self, builder: Named<'_>, number: u64) -> Option<String> {
        if let UrlStyle::Pattern(pattern) = &self.style {
            return pattern.fill(&utf8_percent_encode(builder.name, NAME).to_string(), number);
        }
        Some(format!("{}/builds/{number}", self.builder(builder)?))
    }

    /// A step's page.
    #[must_use]
    pub fn step(&self, builder: Named<'_>, number: u64, step: NamedStep<'_>) -> Option<String> {
        let build = self.build(builder, number)?;
        match self.style {
            UrlStyle::Default | UrlStyle::Chapter => Some(format!("{build}/steps/{}", encoded(step.name)?)),
            UrlStyle::Modern => Some(format!("{build}/steps/{}", step.number?)),
            UrlStyle::Pattern(_) => None,
        }
    }

    /// A log's page. Modern pages go by a slug, which for a plain name is the name itself.
    #[must_use]
    pub fn log(&self, builder: Named<'_>, number: u64, step: NamedStep<'_>, log: &str) -> Option<String> {
        let plain = || log.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        match self.style {
            UrlStyle::Default => {}
            UrlStyle::Chapter | UrlStyle::Pattern(_) => return None,
            UrlStyle::Modern if log.is_empty() || !plain() => return None,
            UrlStyle::Modern => {}
        }
        Some(format!("{}/logs/{}", self.step(builder, number, step)?, encoded(log)?))
    }

    /// A log's page as message formatters make it from a build's page (M-URL-03).
    #[must_use]
    pub fn log_under_build(&self, build_url: &str, step: &str, log: &str) -> Option<String> {
        match self.style {
            UrlStyle::Default | UrlStyle::Chapter => {
                Some(format!("{build_url}/steps/{}/logs/{}", encoded(step)?, encoded(log)?))
            }
            UrlStyle::Modern | UrlStyle::Pattern(_) => None,
        }
    }

    /// A worker's page.
    #[must_use]
    pub fn worker(&self, worker: Named<'_>) -> Option<String> {
        match self.style {
            UrlStyle::Default | UrlStyle::Chapter => self.thing("buildslaves", worker),
            UrlStyle::Modern => self.thing("workers", worker),
            UrlStyle::Pattern(_) => None,
        }
    }

    /// A change's page.
    #[must_use]
    pub fn change(&self, number: u64) -> Option<String> {
        let base = self.base.as_deref().filter(|_| !matches!(self.style, UrlStyle::Pattern(_)))?;
        Some(format!("{base}{}changes/{number}", self.mark()))
    }

    /// A build request's page; the default style has none.
    #[must_use]
    pub fn request(&self, id: u64) -> Option<String> {
        let base = self.base.as_deref()?;
        match self.style {
            UrlStyle::Default | UrlStyle::Pattern(_) => None,
            UrlStyle::Chapter | UrlStyle::Modern => Some(format!("{base}{}buildrequests/{id}", self.mark())),
        }
    }

    /// A log's text as a file to keep; only the modern style has it.
    #[must_use]
    pub fn raw_log(&self, log_id: u64) -> Option<String> {
        let base = self.base.as_deref()?;
        (self.style == UrlStyle::Modern).then(|| format!("{base}api/v2/logs/{log_id}/raw"))
    }

    /// A log's text to look at in the browser; only the modern style has it.
    #[must_use]
    pub fn raw_log_inline(&self, log_id: u64) -> Option<String> {
        self.raw_log(log_id).map(|url| url + "_inline")
    }

    fn mark(&self) -> &'static str {
        match self.style {
            UrlStyle::Default | UrlStyle::Pattern(_) => "",
            UrlStyle::Chapter => "#",
            UrlStyle::Modern => "#/",
        }
    }

    fn thing(&self, kind: &str, named: Named<'_>) -> Option<String> {
        let (base, mark) = (self.base.as_deref()?, self.mark());
        match self.style {
            UrlStyle::Default | UrlStyle::Chapter => {
                Some(format!("{base}{mark}{kind}/{}", encoded(named.name)?))
            }
            UrlStyle::Modern => Some(format!("{base}{mark}{kind}/{}", named.id?)),
            UrlStyle::Pattern(_) => None,
        }
    }
}

/// A name as a segment of a path. None of one of dots: browsers take it for the folder itself or the one above, encoded too,
/// and the address would lead elsewhere (M-URL-08).
fn encoded(name: &str) -> Option<String> {
    (!matches!(name, "." | "..")).then(|| utf8_percent_encode(name, NAME).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: NamedStep<'_> = NamedStep { name: "make all", number: Some(2) };

    fn links(style: UrlStyle) -> Links {
        Links::new(Some("http://ci"), style)
    }

    #[test]
    fn m_url_01_defaults() {
        assert_eq!(Master::default().title, "Buildbot");
        assert_eq!(Master::default().title_url, "http://buildbot.net");
        assert_eq!(Master::default().buildbot_url, "http://localhost:8080/");
    }

    #[test]
    fn m_url_02_default_style() {
        let links = links(UrlStyle::Default);
        let b = Named::by_name("b");
        assert_eq!(links.master().as_deref(), Some("http://ci/"));
        assert_eq!(links.builder(b).as_deref(), Some("http://ci/builders/b"));
        assert_eq!(links.build(b, 3).as_deref(), Some("http://ci/builders/b/builds/3"));
        assert_eq!(links.step(b, 3, STEP).as_deref(), Some("http://ci/builders/b/builds/3/steps/make%20all"));
        assert_eq!(
            links.log(b, 3, STEP, "stdio").as_deref(),
            Some("http://ci/builders/b/builds/3/steps/make%20all/logs/stdio")
        );
        assert_eq!(links.worker(Named::by_name("w")).as_deref(), Some("http://ci/buildslaves/w"));
        assert_eq!(links.change(7).as_deref(), Some("http://ci/changes/7"));
        assert_eq!((links.request(1), links.raw_log(1)), (None, None));
    }

    #[test]
    fn m_url_02_chapter_style() {
        let links = links(UrlStyle::Chapter);
        let b = Named::by_name("b");
        assert_eq!(links.build(b, 3).as_deref(), Some("http://ci/#builders/b/builds/3"));
        assert_eq!(links.log(b, 3, STEP, "stdio"), None);
        assert_eq!(links.worker(Named::by_name("w")).as_deref(), Some("http://ci/#buildslaves/w"));
        assert_eq!(links.change(7).as_deref(), Some("http://ci/#changes/7"));
        assert_eq!(links.request(1).as_deref(), Some("http://ci/#buildrequests/1"));
        assert_eq!(links.raw_log(1), None);
    }

    #[test]
    fn m_url_02_modern_style_needs_ids() {
        let links = links(UrlStyle::Modern);
        let b = Named::with_id("b", 6);
        assert_eq!(links.step(b, 3, STEP).as_deref(), Some("http://ci/#/builders/6/builds/3/steps/2"));
        assert_eq!(
            links.log(b, 3, STEP, "stdio").as_deref(),
            Some("http://ci/#/builders/6/builds/3/steps/2/logs/stdio")
        );
        assert_eq!(links.log(b, 3, STEP, "test log"), None);
        assert_eq!(links.step(b, 3, NamedStep { name: "s", number: None }), None);
        assert_eq!(links.builder(Named::by_name("b")), None);
        assert_eq!(links.worker(Named::with_id("w", 9)).as_deref(), Some("http://ci/#/workers/9"));
        assert_eq!(links.change(7).as_deref(), Some("http://ci/#/changes/7"));
        assert_eq!(links.request(1).as_deref(), Some("http://ci/#/buildrequests/1"));
        assert_eq!(links.raw_log(4).as_deref(), Some("http://ci/api/v2/logs/4/raw"));
        assert_eq!(links.raw_log_inline(4).as_deref(), Some("http://ci/api/v2/logs/4/raw_inline"));
    }

    #[test]
    fn m_url_05_a_pattern_has_pages_of_builds_only() {
        let pattern =
            UrlPattern::parse("https://ci.example.org/job/{builder}/{number}/?b={builder}").unwrap();
        // The engine's own address is no place for pages of the CI.
        let links = Links::new(Some("http://engine.example.org"), UrlStyle::Pattern(pattern));
        let named = Named::by_name("a/b ü?#%&");
        let name = "a%2Fb%20%C3%BC%3F%23%25%26";
        let page = format!("https://ci.example.org/job/{name}/7/?b={name}");
        assert_eq!(links.build(named, 7), Some(page.clone()));
        assert_eq!(links.master().as_deref(), Some("https://ci.example.org/"));
        let none = [
            links.builder(named),
            links.step(named, 7, STEP),
            links.log(named, 7, STEP, "stdio"),
            links.log_under_build(&page, "make", "stdio"),
            links.worker(named),
            links.change(7),
            links.request(1),
            links.raw_log(1),
        ];
        assert!(none.iter().all(Option::is_none), "{none:?}");
    }

    #[test]
    fn m_url_02_no_base_no_address() {
        for links in [Links::default(), Links::new(Some(" "), UrlStyle::Modern)] {
            assert_eq!(links.master(), None);
            assert_eq!(links.build(Named::with_id("b", 1), 1), None);
            assert_eq!(links.change(1), None);
        }
    }

    #[test]
    fn m_trap_5_names_are_fully_encoded() {
        let links = links(UrlStyle::Default);
        for (name, path) in
            [("a/b", "a%2Fb"), ("ü", "%C3%BC"), ("a b", "a%20b"), ("50%", "50%25"), ("a-b_c.d~", "a-b_c.d~")]
        {
            assert_eq!(links.builder(Named::by_name(name)), Some(format!("http://ci/builders/{path}")));
        }
    }

    #[test]
    fn m_url_08_names_of_dots_have_no_pages() {
        let links = links(UrlStyle::Default);
        for name in [".", ".."] {
            let dots = NamedStep { name, number: None };
            assert_eq!(links.build(Named::by_name(name), 3), None);
            assert_eq!(links.step(Named::by_name("b"), 3, dots), None);
            assert_eq!(links.log(Named::by_name("b"), 3, STEP, name), None);
            assert_eq!(links.worker(Named::by_name(name)), None);
            assert_eq!(links.log_under_build("http://x/1", name, "stdio"), None);
        }
        let climbs = links.builder(Named::by_name("../../x?y#z"));
        assert_eq!(climbs.as_deref(), Some("http://ci/builders/..%2F..%2Fx%3Fy%23z"));
    }

    #[test]
    fn m_url_03_formatters_append_to_a_build_page() {
        for style in [UrlStyle::Default, UrlStyle::Chapter] {
            let url = links(style).log_under_build("http://x/1", "a/b", "stdio");
            assert_eq!(url.as_deref(), Some("http://x/1/steps/a%2Fb/logs/stdio"));
        }
        assert_eq!(links(UrlStyle::Modern).log_under_build("http://x/1", "a", "stdio"), None);
    }

    #[test]
    fn m_trap_4_localhost_is_told_apart() {
        for (base, local) in [
            ("http://localhost:8080/", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:80", true),
            ("http://localhost.example.org", false),
            ("https://ci.example.org/localhost", false),
        ] {
            assert_eq!(Links::new(Some(base), UrlStyle::Default).is_localhost(), local, "{base}");
        }
    }
}
