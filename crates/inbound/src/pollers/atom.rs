//! `[[googlecode_atom_poller]]`: commits in an Atom feed, as Google Code had them and most forges have them.
//!
//! The state are the ids of entries, and the feed's tag, so that a feed that did not change costs one small answer.

use async_trait::async_trait;
use http::StatusCode;
use http::header::{ETAG, IF_NONE_MATCH};
use roxmltree::{Document, Node};
use url::Url;

use super::html;
use super::{ChangeSource, Labels, PollError, PollResult};
use campanile_config::{Reader, Secret};
use campanile_model::{Change, Timestamp};
use campanile_outbound::{Client, Outbound, Request, Tls};
use campanile_store::PollState;

const NAMESPACE: &str = "http://www.w3.org/2005/Atom";
/// Keys of what is known.
const ENTRIES: &str = "entries";
const TAG: &str = "etag";
/// So many ids stay known; feeds have some dozens.
const MAX_KNOWN: usize = 1_000;
const MAX_FEED: usize = 8 << 20;

/// A feed to poll.
struct Atom {
    feedurl: String,
    url: Url,
    client: Client,
    user: String,
    password: Option<Secret>,
    repository: String,
    branch: Option<String>,
    labels: Labels,
}

/// Makes one of its table.
pub(super) fn from_settings(
    table: &Reader<'_>,
    _name: Option<&str>,
    outbound: &Outbound,
) -> Option<Box<dyn ChangeSource>> {
    let feedurl = table.required_text("feedurl");
    let url = feedurl.as_deref().and_then(|feedurl| match Url::parse(feedurl) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.password().is_none() => Some(url),
        _ => {
            let text = "`feedurl` must be an http or https address without a password in it: set `user` and \
                        `password`";
            table.error("feedurl", text);
            None
        }
    });
    let client = outbound.client(&Tls::read(table));
    if let Err(error) = &client {
        table.error("tls_cert", error.to_string());
    }
    let (user, password) = (table.text("user").unwrap_or_default(), table.secret("password"));
    let (repository, branch) = (table.text("repository"), table.text("branch"));
    let labels = Labels::read(table);
    let feedurl = feedurl?;
    Some(Box::new(Atom {
        url: url?,
        client: client.ok()?,
        user,
        password,
        repository: repository.unwrap_or_else(|| feedurl.clone()),
        branch: branch.filter(|branch| !branch.is_empty()),
        labels,
        feedurl,
    }))
}

#[async_trait]
impl ChangeSource for Atom {
    fn address(&self) -> &str {
        &self.feedurl
    }

    async fn poll(&self, known: Option<&PollState>, now: Timestamp) -> Result<PollResult, PollError> {
        let mut request = Request::get(self.url.clone()).max_response(MAX_FEED);
        if let Some(password) = &self.password {
            request = request.basic_auth(&self.user, password);
        }
        if let Some(tag) = known.and_then(|known| known.get(TAG)) {
            request = request.header(IF_NONE_MATCH, tag)?;
        }
        let response = self.client.send(request).await?;
        let origin = &response.origin;
        if let (StatusCode::NOT_MODIFIED, Some(known)) = (response.status, known) {
            return Ok(PollResult { state: known.clone(), ..PollResult::default() });
        }
        if !response.status.is_success() {
            let (status, said) = (response.status, response.excerpt());
            return Err(PollError::Content(
                format!("{origin} answered {status} {said}").trim_end().to_owned(),
            ));
        }
        if response.truncated {
            let text = format!("the feed of {origin} is longer than {} MiB", MAX_FEED >> 20);
            return Err(PollError::Content(text));
        }
        let entries = read(&String::from_utf8_lossy(&response.body))
            .map_err(|reason| PollError::Content(format!("{origin} sent no Atom feed: {reason}")))?;
        Ok(self.compare(known, entries, response.header(&ETAG), now))
    }
}

impl Atom {
    fn compare(
        &self,
        known: Option<&PollState>,
        entries: Vec<Entry>,
        tag: Option<&str>,
        now: Timestamp,
    ) -> PollResult {
        let list = known.and_then(|known| known.get(ENTRIES));
        let mut ids: Vec<String> = list.and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
        let mut new: Vec<Entry> = Vec::new();
        // Feeds begin with the newest.
        for entry in entries.into_iter().rev() {
            if !ids.contains(&entry.id) {
                ids.push(entry.id.clone());
                new.push(entry);
            }
        }
        ids.drain(..ids.len().saturating_sub(MAX_KNOWN));
        let list = serde_json::to_string(&ids).expect("texts are JSON");
        let mut state = PollState::from([(ENTRIES.to_owned(), list)]);
        if let Some(tag) = tag {
            state.insert(TAG.to_owned(), tag.to_owned());
        }
        new.sort_by_key(|entry| entry.when);
        let changes = if known.is_some() {
            new.into_iter().map(|entry| self.change(entry, now)).collect()
        } else {
            Vec::new()
        };
        PollResult { changes, state, ..PollResult::default() }
    }

    fn change(&self, entry: Entry, now: Timestamp) -> Change {
        let mut change = Change {
            who: entry.author,
            files: entry.files,
            comments: entry.comments,
            revision: Some(entry.revision),
            branch: self.branch.clone(),
            when: entry.when.unwrap_or(now),
            revlink: entry.link,
            repository: self.repository.clone(),
            ..self.labels.change()
        };
        change.clamp_time(now);
        change
    }
}

/// An entry that tells of a commit.
#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    id: String,
    /// The part of the id after its last slash or colon.
    revision: String,
    author: String,
    when: Option<Timestamp>,
    comments: String,
    files: Vec<String>,
    link: String,
}

fn read(xml: &str) -> Result<Vec<Entry>, String> {
    let document = Document::parse(xml).map_err(|error| error.to_string())?;
    let feed = document.root_element();
    if !feed.has_tag_name((NAMESPACE, "feed")) {
        return Err(format!("it begins with `{}`", feed.tag_name().name()));
    }
    let entries = feed.children().filter(|node| node.has_tag_name((NAMESPACE, "entry")));
    Ok(entries.map(read_entry).filter(|entry| !entry.id.is_empty()).collect())
}

fn read_entry(node: Node<'_, '_>) -> Entry {
    let id = text(child(node, "id"));
    let author = child(node, "author");
    let (name, mail) = match author {
        Some(author) => (text(child(author, "name")), text(child(author, "email"))),
        None => Default::default(),
    };
    let date = child(node, "updated").or_else(|| child(node, "published"));
    let links = node.children().filter(|node| node.has_tag_name((NAMESPACE, "link")));
    let link = links.into_iter().find(|link| matches!(link.attribute("rel"), None | Some("alternate")));
    let (files, message) = files_and_message(&body(node));
    Entry {
        revision: id.rsplit(['/', ':']).next().unwrap_or_default().to_owned(),
        id,
        author: match (name.as_str(), mail.as_str()) {
            (name, "") => name.to_owned(),
            ("", mail) => mail.to_owned(),
            (name, mail) => format!("{name} <{mail}>"),
        },
        when: Timestamp::parse_date(&text(date)).ok(),
        comments: comments(&text(child(node, "title")), &message),
        files,
        link: link.and_then(|link| link.attribute("href")).unwrap_or_default().to_owned(),
    }
}

fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|node| node.has_tag_name((NAMESPACE, name)))
}

/// All text in a node, trimmed; what comes from outside as a name stays on one line.
fn text(node: Option<Node<'_, '_>>) -> String {
    let texts = node.into_iter().flat_map(|node| node.descendants()).filter(Node::is_text);
    let whole: String = texts.filter_map(|node| node.text()).collect();
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of content or summary.
fn body(entry: Node<'_, '_>) -> String {
    let Some(node) = child(entry, "content").or_else(|| child(entry, "summary")) else {
        return String::new();
    };
    let texts = node.descendants().filter(Node::is_text).filter_map(|node| node.text());
    let whole: String = texts.collect();
    match node.attribute("type") {
        Some("html" | "text/html") => html::text(&whole),
        _ => whole.trim().to_owned(),
    }
}

/// Google Code put a list of files before the message.
fn files_and_message(body: &str) -> (Vec<String>, String) {
    let Some(rest) = body.strip_prefix("Changed Paths:") else { return (Vec::new(), body.to_owned()) };
    let (list, message) = rest.trim_start_matches('\n').split_once("\n\n").unwrap_or((rest, ""));
    let file = |line: &str| {
        let line = line.trim();
        let action = ["Add", "Delete", "Modify"].iter().find_map(|action| line.strip_prefix(action));
        let path = action.unwrap_or(line).trim();
        (!path.is_empty()).then(|| path.to_owned())
    };
    (list.lines().filter_map(file).collect(), message.trim().to_owned())
}

/// The whole message: some feeds have it in the body, some only what follows the title.
fn comments(title: &str, body: &str) -> String {
    let stem = title.trim_end_matches(['.', '…']);
    let first = body.split_whitespace().collect::<Vec<_>>().join(" ");
    if body.is_empty() {
        title.to_owned()
    } else if first.starts_with(stem) {
        body.to_owned()
    } else {
        format!("{title}\n\n{body}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_forges() {
        let feed = r#"<?xml version="1.0" encoding="UTF-8"?>
            <feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/" xml:lang="en-US">
              <id>tag:github.com,2008:/x/bells/commits/main</id><title>Recent Commits</title>
              <entry>
                <id>tag:github.com,2008:Grit::Commit/6fd3a1</id>
                <link type="text/html" rel="alternate" href="https://github.com/x/bells/commit/6fd3a1"/>
                <title>
                    Ring &amp; swing
                </title>
                <updated>2018-05-15T14:51:27Z</updated>
                <media:thumbnail height="30" width="30" url="https://x"/>
                <author><name>ada</name><uri>https://github.com/ada</uri></author>
                <content type="html">
                  &lt;pre style=&#39;white-space:pre-wrap&#39;&gt;Ring &amp;amp; swing

the &amp;lt;big&amp;gt; bells&lt;/pre&gt;
                </content>
              </entry>
              <entry><id>https://git.example.org/c/?id=beef</id><title>Only a title</title>
                <author><name>Bob</name><email>bob@example.org</email></author>
                <published>2018-05-15T14:51:28Z</published></entry>
              <entry><title>no id</title></entry>
            </feed>"#;
        let entries = read(feed).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(
            entries[0],
            Entry {
                id: "tag:github.com,2008:Grit::Commit/6fd3a1".into(),
                revision: "6fd3a1".into(),
                author: "ada".into(),
                when: Some(Timestamp::from_seconds(1_526_395_887)),
                comments: "Ring & swing\n\nthe <big> bells".into(),
                files: Vec::new(),
                link: "https://github.com/x/bells/commit/6fd3a1".into(),
            }
        );
        assert_eq!(
            (entries[1].author.as_str(), entries[1].comments.as_str()),
            ("Bob <bob@example.org>", "Only a title")
        );
    }

    #[test]
    fn google_codes_list_of_files() {
        let body = html::text(
            "Changed Paths:<br/>\n &nbsp;&nbsp;&nbsp;&nbsp;Modify&nbsp;&nbsp;&nbsp;&nbsp;/trunk/a.c<br/>\n \
             &nbsp;&nbsp;&nbsp;&nbsp;Add&nbsp;&nbsp;&nbsp;&nbsp;/trunk/b.c<br/>\n <br/>Ring\nthe bells",
        );
        let (files, message) = files_and_message(&body);
        assert_eq!(
            (files, message.as_str()),
            (vec!["/trunk/a.c".into(), "/trunk/b.c".into()], "Ring\nthe bells")
        );
    }

    #[test]
    fn what_is_no_feed() {
        assert!(read("<html><body>Sign in</body></html>").is_err());
        assert!(read("{}").is_err());
        let bomb = "<!DOCTYPE f [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><feed xmlns=\"http://www.w3.org/2005/Atom\">&b;</feed>";
        assert!(read(bomb).is_err());
        let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn titles_that_are_cut_are_not_told_twice() {
        assert_eq!(comments("Ring the…", "Ring the\nbells"), "Ring the\nbells");
        assert_eq!(comments("Ring", "the bells"), "Ring\n\nthe bells");
    }
}
