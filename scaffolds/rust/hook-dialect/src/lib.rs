//! A change hook for a forge of one's own: each commit of a JSON push becomes a change.

use campanile_guest::{Change, HookRequest, Parsed, Rejection};
use serde_json::Value;

/// Changes of a push; any other event is noted and makes none.
pub fn parse(request: &HookRequest, options: &str) -> Result<Parsed, Rejection> {
    let event = request.header("x-event").unwrap_or("push");
    if event != "push" {
        return Ok(Parsed::nothing(format!("no changes in the event {event}")));
    }
    let body = json(&request.body, "the body")?;
    let options = json(options.as_bytes(), "the options")?;
    let push = Push {
        repository: text(&body["repository"], "repository")?,
        branch: text(&body["branch"], "branch")?,
        project: options["project"].as_str().unwrap_or_default(),
    };
    let commits = body["commits"].as_array().ok_or_else(|| bad("`commits` is not a list"))?;
    Ok(Parsed::git(commits.iter().map(|commit| push.change(commit)).collect::<Result<_, _>>()?))
}

campanile_guest::hook_dialect!(parse);

/// What all commits of a push have in common.
struct Push<'a> {
    repository: &'a str,
    branch: &'a str,
    project: &'a str,
}

impl Push<'_> {
    fn change(&self, commit: &Value) -> Result<Change, Rejection> {
        let files = commit["files"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Change {
            who: text(&commit["author"], "author")?.to_owned(),
            committer: None,
            revision: Some(text(&commit["id"], "id")?.to_owned()),
            branch: Some(self.branch.to_owned()),
            when: commit["time"].as_f64().ok_or_else(|| bad("`time` is not a number"))?,
            files: files.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            comments: text(&commit["message"], "message")?.to_owned(),
            revlink: None,
            repository: self.repository.to_owned(),
            project: self.project.to_owned(),
            codebase: String::new(),
            category: None,
            properties: Vec::new(),
        })
    }
}

fn json(bytes: &[u8], what: &str) -> Result<Value, Rejection> {
    serde_json::from_slice(bytes).map_err(|error| bad(&format!("{what}: {error}")))
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, Rejection> {
    value.as_str().ok_or_else(|| bad(&format!("`{name}` is not a text")))
}

fn bad(why: &str) -> Rejection {
    Rejection::new(400, why)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use campanile_guest::testing::hook_post;

    const PUSH: &str = r#"{"repository": "https://git.example.org/bells", "branch": "main", "commits": [
        {"id": "1f0c2d", "author": "Ada <ada@example.org>", "time": 1774000000, "message": "ring",
         "files": ["tower.c"]}]}"#;

    #[test]
    fn a_commit_becomes_a_change() {
        let parsed = parse(&hook_post(PUSH), r#"{"project": "bells"}"#).expect("the push is a good one");
        assert_eq!(parsed.changes.len(), 1);
        let change = &parsed.changes[0];
        assert_eq!(change.who, "Ada <ada@example.org>");
        assert_eq!((change.revision.as_deref(), change.branch.as_deref()), (Some("1f0c2d"), Some("main")));
        assert_eq!((&*change.project, &*change.files), ("bells", &["tower.c".to_owned()][..]));
    }

    #[test]
    fn other_events_make_no_change() {
        let mut request = hook_post("");
        request.headers.push(("X-Event".to_owned(), "issue".to_owned()));
        assert!(parse(&request, "{}").expect("it is only noted").changes.is_empty());
    }

    #[test]
    fn what_is_no_push_is_refused() {
        for body in ["", "{}", r#"{"repository": "r", "branch": "b", "commits": [{}]}"#] {
            assert_eq!(parse(&hook_post(body), "{}").expect_err(body).status, 400);
        }
    }
}
