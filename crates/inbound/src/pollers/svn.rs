//! `[[svn_poller]]`: revisions of a Subversion repository, seen through the program `svn`.
//!
//! Revisions only count up, so the number of the last one seen is all there is to know.

use async_trait::async_trait;
use roxmltree::{Document, Node};
use url::Url;

use super::program::{Program, batch_ssh};
use super::svn_paths::{SplitFile, Touched, by_branch};
use super::{ChangeSource, Labels, PollError, PollResult};
use campanile_config::{Reader, Secret};
use campanile_model::{Change, Timestamp};
use campanile_outbound::Outbound;
use campanile_store::PollState;

/// The only key of what is known: the last revision seen.
const REVISION: &str = "revision";
const SCHEMES: [&str; 5] = ["file", "http", "https", "svn", "svn+ssh"];

/// A repository, or a folder in one, to poll.
#[derive(Debug)]
struct Svn {
    svnurl: String,
    split_file: SplitFile,
    user: Option<String>,
    password: Option<Secret>,
    program: String,
    /// At most so many revisions are taken in one poll.
    histmax: u32,
    /// With `%s` for the revision; blank for none.
    revlinktmpl: String,
    labels: Labels,
}

/// Makes one of its table.
pub(super) fn from_settings(
    table: &Reader<'_>,
    _name: Option<&str>,
    _outbound: &Outbound,
) -> Option<Box<dyn ChangeSource>> {
    let svnurl = table.required_text("svnurl");
    if let Some(objection) = svnurl.as_deref().and_then(objection) {
        table.error("svnurl", objection);
    }
    let split_file = match table.text("split_file") {
        None => SplitFile::AlwaysTrunk,
        Some(name) => {
            let found = SplitFile::NAMES.iter().find(|(known, _)| *known == name);
            if found.is_none() {
                let text = "`split_file` must be `alwaystrunk`, `branches` or `projects_branches`";
                table.error("split_file", text);
            }
            found.map_or(SplitFile::AlwaysTrunk, |(_, split)| *split)
        }
    };
    let svn = Svn {
        split_file,
        user: table.text("svnuser"),
        password: table.secret("svnpasswd"),
        program: table.text("svnbin").unwrap_or_else(|| "svn".to_owned()),
        histmax: table.integer("histmax", 1..=10_000).and_then(|max| u32::try_from(max).ok()).unwrap_or(100),
        revlinktmpl: table.text("revlinktmpl").unwrap_or_default(),
        labels: Labels::read(table),
        // A slash at the end is no part of a folder's name.
        svnurl: svnurl?.trim_end_matches('/').to_owned(),
    };
    if svn.password.is_some() && svn.user.is_none() {
        table.error("svnpasswd", "`svnpasswd` needs `svnuser` beside it");
    }
    Some(Box::new(svn))
}

fn objection(svnurl: &str) -> Option<String> {
    match Url::parse(svnurl) {
        Ok(url) if url.password().is_some() => Some(
            "`svnurl` holds a password, and addresses are shown: set `svnuser` and `svnpasswd`".to_owned(),
        ),
        Ok(url) if SCHEMES.contains(&url.scheme()) && svnurl.contains("://") => None,
        _ => Some(format!("`svnurl` must be an address that begins with one of {}", SCHEMES.join(", "))),
    }
}

#[async_trait]
impl ChangeSource for Svn {
    fn address(&self) -> &str {
        &self.svnurl
    }

    async fn poll(&self, known: Option<&PollState>, now: Timestamp) -> Result<PollResult, PollError> {
        // Where Subversion keeps its own settings: empty ones, for the time of this poll.
        let home = tempfile::tempdir()
            .map_err(|error| PollError::Local(format!("cannot make a folder for `svn`: {error}")))?;
        let info = self.svn("info", home.path()).arguments(["info", "--xml"]);
        let info = read_info(&self.run(info).await?)?;
        let state = |revision: u64| PollState::from([(REVISION.to_owned(), revision.to_string())]);
        let last = known.and_then(|known| known.get(REVISION)?.parse::<u64>().ok());
        let Some(last) = last else {
            return Ok(PollResult { state: state(info.revision), ..PollResult::default() });
        };
        if info.revision <= last {
            let mut result = PollResult { state: state(last), ..PollResult::default() };
            if info.revision < last {
                result.state = state(info.revision);
                let text = format!("the repository went back from revision {last} to {}", info.revision);
                result.notes.push(text);
            }
            return Ok(result);
        }
        let log = self.svn("log", home.path()).arguments(["log", "--xml", "--verbose"]);
        let log = log.arguments([
            format!("--limit={}", self.histmax),
            format!("--revision={}:{}", last + 1, info.revision),
        ]);
        let entries = read_log(&self.run(log).await?, &info.prefix)?;
        let full = entries.len() >= self.histmax as usize;
        let reached = match entries.last() {
            Some(entry) if full => entry.revision,
            _ => info.revision,
        };
        let changes = entries.iter().flat_map(|entry| self.changes(entry, now)).collect();
        Ok(PollResult { changes, state: state(reached), more: full, notes: Vec::new() })
    }
}

impl Svn {
    fn svn(&self, task: &'static str, home: &std::path::Path) -> Program {
        let ssh = batch_ssh();
        let mut svn = Program::new(&self.program, task)
            .environment("HOME", home)
            .environment("SVN_SSH", ssh)
            .arguments(["--non-interactive", "--no-auth-cache", "--config-dir"])
            .arguments([home]);
        if let Some(user) = &self.user {
            svn = svn.arguments([format!("--username={user}")]);
        }
        if let Some(password) = &self.password {
            // Not as an argument, which everybody on the machine can see.
            svn = svn.arguments(["--password-from-stdin"]).input(password.expose()).hide(password);
        }
        svn
    }

    /// Runs it on the address. The `@` at its end keeps one in the address from being a peg revision.
    async fn run(&self, svn: Program) -> Result<String, PollError> {
        let output = svn.arguments(["--".to_owned(), format!("{}@", self.svnurl)]).run().await?;
        String::from_utf8(output).map_err(|_| PollError::Content("`svn` wrote no UTF-8".to_owned()))
    }

    /// One change for each branch that a revision touches.
    fn changes(&self, entry: &Entry, now: Timestamp) -> Vec<Change> {
        let revision = entry.revision.to_string();
        let places = by_branch(self.split_file, &entry.touched);
        let change = |((project, branch), files): ((Option<String>, Option<String>), Vec<String>)| {
            let labelled = self.labels.change();
            let mut change = Change {
                who: entry.author.clone(),
                files,
                comments: entry.message.clone(),
                revision: Some(revision.clone()),
                branch,
                when: entry.when.unwrap_or(now),
                revlink: self.revlinktmpl.replace("%s", &revision),
                repository: self.svnurl.clone(),
                project: project.unwrap_or_else(|| labelled.project.clone()),
                src: Some("svn".to_owned()),
                ..labelled
            };
            change.clamp_time(now);
            change
        };
        places.into_iter().map(change).collect()
    }
}

/// Answer of `svn info`.
#[derive(Debug, PartialEq, Eq)]
struct Info {
    /// The repository's newest revision.
    revision: u64,
    /// The path of the followed address in the repository; `/` or `/folder/`.
    prefix: String,
}

/// A revision in the answer of `svn log`.
#[derive(Debug, PartialEq)]
struct Entry {
    revision: u64,
    author: String,
    when: Option<Timestamp>,
    message: String,
    /// Below the followed address.
    touched: Vec<Touched>,
}

fn read_info(xml: &str) -> Result<Info, PollError> {
    let document = parse("info", xml)?;
    let missing = || PollError::Content("`svn info` does not say where the repository stands".to_owned());
    let entry = document.descendants().find(|node| node.has_tag_name("entry")).ok_or_else(missing)?;
    let revision = entry.attribute("revision").and_then(|text| text.parse().ok()).ok_or_else(missing)?;
    let (url, root) = (text_of(entry, "url"), text_of(entry, "root"));
    let path = url.strip_prefix(root).ok_or_else(missing)?;
    // Addresses are percent-encoded, paths in the log are not.
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    Ok(Info { revision, prefix: format!("{}/", path.trim_end_matches('/')) })
}

fn read_log(xml: &str, prefix: &str) -> Result<Vec<Entry>, PollError> {
    let document = parse("log", xml)?;
    let entries = document.descendants().filter(|node| node.has_tag_name("logentry"));
    let entry = |node: Node<'_, '_>| {
        let revision = node.attribute("revision").and_then(|text| text.parse().ok());
        let broken = || PollError::Content("`svn log` has an entry without a revision".to_owned());
        let paths = node.descendants().filter(|node| node.has_tag_name("path"));
        Ok(Entry {
            revision: revision.ok_or_else(broken)?,
            author: text_of(node, "author").trim().to_owned(),
            when: Timestamp::parse_date(text_of(node, "date").trim()).ok(),
            message: text_of(node, "msg").trim().to_owned(),
            touched: paths.filter_map(|path| touched(path, prefix)).collect(),
        })
    };
    entries.map(entry).collect()
}

/// A path below the followed address; none if it lies elsewhere.
fn touched(path: Node<'_, '_>, prefix: &str) -> Option<Touched> {
    let mut full = path.text()?.to_owned();
    if path.attribute("kind") == Some("dir") && !full.ends_with('/') {
        full.push('/');
    }
    let path_in = full.strip_prefix(prefix)?.to_owned();
    Some(Touched { path: path_in, deleted: path.attribute("action") == Some("D") })
}

fn text_of<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.descendants().find(|node| node.has_tag_name(name)).and_then(|node| node.text()).unwrap_or_default()
}

fn parse<'x>(task: &str, xml: &'x str) -> Result<Document<'x>, PollError> {
    Document::parse(xml)
        .map_err(|error| PollError::Content(format!("`svn {task}` wrote no XML that can be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_info_says() {
        let xml = "<?xml version=\"1.0\"?><info><entry kind=\"dir\" path=\"x\" revision=\"17\">\
                   <url>svn://h/r/a%20b</url><repository><root>svn://h/r</root></repository></entry></info>";
        assert_eq!(read_info(xml).unwrap(), Info { revision: 17, prefix: "/a b/".into() });
        assert_eq!(read_info(&xml.replace("/a%20b", "")).unwrap().prefix, "/");
        assert!(read_info("<info/>").is_err());
        assert!(read_info("svn: E170000").is_err());
    }

    #[test]
    fn what_log_says() {
        let xml = "<log><logentry revision=\"3\"><author>ada</author><date>2018-05-15T14:51:27.123456Z</date>\
                   <paths><path action=\"A\" kind=\"dir\">/p/trunk</path><path action=\"D\" kind=\"file\">/p/trunk/a&amp;b</path>\
                   <path action=\"M\" kind=\"file\">/q/c</path></paths><msg>ring\n</msg></logentry>\
                   <logentry revision=\"4\"><paths/></logentry></log>";
        let entries = read_log(xml, "/p/").unwrap();
        assert_eq!((entries[0].revision, entries[0].author.as_str()), (3, "ada"));
        assert_eq!(entries[0].when, Some(Timestamp::from_seconds(1_526_395_887)));
        assert_eq!(entries[0].message, "ring");
        let touched = |path: &str, deleted| Touched { path: path.into(), deleted };
        assert_eq!(entries[0].touched, [touched("trunk/", false), touched("trunk/a&b", true)]);
        assert_eq!((entries[1].author.as_str(), entries[1].when), ("", None));
        // No document of ours has entities of its own, which could be made to grow without end.
        assert!(read_log("<!DOCTYPE log [<!ENTITY a \"x\">]><log>&a;</log>", "/").is_err());
    }

    #[test]
    fn addresses_that_are_not_given_to_svn() {
        for address in ["svn://h/r", "https://ada@h/r", "file:///srv/svn", "svn+ssh://h/r/"] {
            assert_eq!(objection(address), None, "{address}");
        }
        for address in ["", "--config-option=x", "/srv/svn", "gopher://h/", "file:x", "https://ada:hush@h/"] {
            assert!(objection(address).is_some_and(|text| !text.contains("hush")), "{address}");
        }
    }
}
