//! Rules of the other forges' dialects that options and small payloads show.

use super::dialects::dialect;
use super::*;

fn commit(id: &str) -> Value {
    json!({"id": id, "message": format!("message of {id}"), "timestamp": "2019-05-15T15:20:30Z"})
}

fn made(name: &str, options: &str, hook: RawHook) -> Parsed {
    run(dialect(name, options).as_ref(), hook).unwrap()
}

fn refused(name: &str, options: &str, hook: RawHook) -> (u16, String) {
    let rejection = run(dialect(name, options).as_ref(), hook).unwrap_err();
    (rejection.status, rejection.message)
}

fn json_post(payload: &Value) -> RawHook {
    post("application/json", &payload.to_string())
}

fn with(mut payload: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        payload[key] = value.clone();
    }
    payload
}

mod gitlab {
    use super::*;

    fn push(more: &Value) -> RawHook {
        let push = json!({
            "ref": "refs/heads/main",
            "repository": {"url": "git@x:a/b.git", "name": "B"},
            "project": {"git_ssh_url": "ssh://x/a/b", "git_http_url": "https://x/a/b", "path_with_namespace": "a/b"},
            "commits": [commit("c1"), commit("c2")],
        });
        json_post(&with(push, more))
    }

    fn push_with(options: &str, more: &Value) -> Parsed {
        made("gitlab", options, push(more))
    }

    #[test]
    fn h_gl_01_the_body_is_json_whatever_it_is_called() {
        for hook in [get("payload={}"), post("application/json", "{"), post("application/json", "")] {
            let (status, text) = refused("gitlab", "", hook);
            assert!(status == 400 && text.starts_with("Error loading JSON:"), "{text}");
        }
        let hook = RawHook { headers: post("text/plain", "").headers, ..push(&json!({})) };
        assert_eq!(made("gitlab", "", hook).changes.len(), 2);
    }

    #[test]
    fn h_gl_02_required_fields_and_no_others() {
        assert_eq!(
            refused("gitlab", "", push(&json!({"ref": null}))),
            (400, "gitlab: ref: missing".to_owned())
        );
        let bare = json!({"repository": {}});
        assert_eq!(refused("gitlab", "", push(&bare)), (400, "gitlab: repository.url: missing".to_owned()));
        let enough = json!({"project": null, "repository": {"url": "u"}});
        assert_eq!(push_with("", &enough).changes[0].repository, "u");
    }

    #[test]
    fn h_gl_03_which_address_and_h_gl_04_which_project() {
        let repository = |options: &str| push_with(options, &json!({})).changes[0].repository.clone();
        assert_eq!(repository(""), "git@x:a/b.git");
        assert_eq!(repository("repository_url = \"ssh\""), "ssh://x/a/b");
        assert_eq!(repository("repository_url = \"http\""), "https://x/a/b");
        assert_eq!(push_with("", &json!({})).changes[0].project, "");
        assert_eq!(push_with("project_from_payload = true", &json!({})).changes[0].project, "B");
        let hook = RawHook { query: "project=q".to_owned(), ..push(&json!({})) };
        assert_eq!(made("gitlab", "project_from_payload = true", hook).changes[0].project, "q");
        let codebases = "codebase = { \"a/b\" = \"core\" }";
        assert_eq!(push_with(codebases, &json!({})).changes[0].codebase, "core");
    }

    #[test]
    fn h_gl_05_deletions_other_refs_and_commits_that_are_not_distinct() {
        let note = |more: Value| push_with("", &more).note.unwrap();
        assert_eq!(note(json!({"after": "0".repeat(40)})), "branch `main' deleted");
        assert_eq!(note(json!({"ref": "refs/notes/x"})), "`refs/notes/x' is neither a branch nor a tag");
        assert_eq!(note(json!({"commits": []})), "no commits in the push to `main'");
        let old = with(commit("old"), &json!({"distinct": false}));
        let commits = json!({"commits": [old, commit("new")]});
        assert_eq!(push_with("", &commits).changes.len(), 1);
        assert_eq!(push_with("keep_non_distinct = true", &commits).changes.len(), 2);
        let old = json!({"commits": [with(commit("old"), &json!({"distinct": false}))]});
        assert_eq!(push_with("", &old).changes.len(), 1);
        assert!(push_with("keep_non_distinct = false", &old).changes.is_empty());
    }

    /// H-GL-06 (`src`, event, no category) and H-GL-07 (odd addresses stay).
    #[test]
    fn h_gl_06_h_gl_07_what_a_commit_becomes() {
        let odd = with(commit("c"), &json!({"author": {"name": "Dev", "email": "dev@dv6700.(none)"}}));
        let change = push_with("", &json!({"commits": [odd]})).changes.remove(0);
        assert_eq!((change.src.as_deref(), change.category), (Some("git"), None));
        assert_eq!(change.properties.value("event"), Some(&json!("push")));
        assert_eq!(change.who, "Dev <dev@dv6700.(none)>");
    }

    #[test]
    fn h_gl_08_more_commits_than_were_sent() {
        let count = |count: u64| {
            push_with("", &json!({"total_commits_count": count})).changes[1]
                .properties
                .value("total_commits_count")
                .cloned()
        };
        assert_eq!((count(2), count(21)), (None, Some(json!(21))));
    }

    #[test]
    fn h_xgl_01_the_token_is_looked_at_before_the_body() {
        let secrets = "secret = [\"new\", \"bell-tower\"]";
        let wrong = (403, "Invalid secret".to_owned());
        assert_eq!(refused("gitlab", secrets, post("application/json", "{")), wrong);
        for token in ["", "bell", "bell-tower ", "NEW"] {
            assert_eq!(
                refused("gitlab", secrets, with_header(push(&json!({})), "x-gitlab-token", token)),
                wrong
            );
        }
        for token in ["new", "bell-tower"] {
            let hook = with_header(push(&json!({})), "x-gitlab-token", token);
            assert_eq!(made("gitlab", secrets, hook).changes.len(), 2);
        }
    }

    #[test]
    fn h_xgl_02_payload_then_header_then_push() {
        let event = |more: Value, header: &str| {
            made("gitlab", "", with_header(push(&more), "x-gitlab-event", header)).event
        };
        assert_eq!(event(json!({}), "").as_deref(), Some(""));
        assert_eq!(push_with("", &json!({})).event.as_deref(), Some("push"));
        assert_eq!(event(json!({}), "Push Hook").as_deref(), Some("push"));
        assert_eq!(event(json!({}), "Tag Push Hook").as_deref(), Some("tag_push"));
        assert_eq!(event(json!({"event_name": "tag_push"}), "Push Hook").as_deref(), Some("tag_push"));
        assert_eq!(event(json!({"object_kind": "push"}), "System Hook").as_deref(), Some("push"));
        let other = push_with("", &json!({"object_kind": "pipeline"}));
        assert_eq!((other.changes.len(), other.note.as_deref()), (0, Some("`pipeline' makes no changes")));
    }

    #[test]
    fn h_xgl_03_tags_with_and_without_commits() {
        let tag = json!({"object_kind": "tag_push", "ref": "refs/tags/v1", "commits": [], "after": "t1", "message": "one",
            "user_name": "Ada", "project": {"web_url": "https://x/a/b"}});
        let change = push_with("", &tag).changes.remove(0);
        assert_eq!((change.branch.as_deref(), change.category.as_deref()), (Some("v1"), Some("tag_push")));
        assert_eq!(
            (change.revision.as_deref(), change.comments.as_str(), change.who.as_str()),
            (Some("t1"), "one", "Ada")
        );
        assert_eq!(change.revlink, "https://x/a/b/-/commit/t1");
        let checkout = with(tag.clone(), &json!({"checkout_sha": "t2"}));
        assert_eq!(push_with("", &checkout).changes[0].revision.as_deref(), Some("t2"));
        assert_eq!(push_with("tags = false", &tag).note.as_deref(), Some("tag `v1' ignored"));
        let with_commits = with(tag, &json!({"commits": [commit("c")]}));
        assert_eq!(push_with("", &with_commits).changes[0].revision.as_deref(), Some("c"));
    }

    fn request(attributes: &Value) -> RawHook {
        let request = json!({"iid": 6, "title": "Swing", "state": "opened", "action": "open", "target_branch": "main",
            "target": {"git_http_url": "https://x/a/b", "name": "B"}, "last_commit": commit("c")});
        json_post(&json!({"object_kind": "merge_request", "object_attributes": with(request, attributes)}))
    }

    #[test]
    fn h_xgl_04_which_actions_make_changes() {
        for (attributes, made_changes) in [
            (json!({}), 1),
            (json!({"action": "reopen"}), 1),
            (json!({"action": "update"}), 0),
            (json!({"action": "update", "oldrev": "c0"}), 1),
            (json!({"action": "approved"}), 0),
            (json!({"action": null}), 0),
            (json!({"state": "merged"}), 0),
            (json!({"state": "closed"}), 0),
        ] {
            assert_eq!(made("gitlab", "", request(&attributes)).changes.len(), made_changes, "{attributes}");
        }
    }

    #[test]
    fn h_xgl_05_an_absent_description_is_nothing_and_h_xgl_07_messages_that_skip() {
        let change = made("gitlab", "", request(&json!({}))).changes.remove(0);
        assert_eq!(change.comments, "MR#6: Swing\n\n");
        assert_eq!((change.branch.as_deref(), change.project.as_str()), (Some("main"), "B"));
        let skips = "skips = [\"of c\"]";
        assert_eq!(
            made("gitlab", skips, request(&json!({}))).note.as_deref(),
            Some("skipped: the message matches `of c'")
        );
        assert_eq!(push_with("skips = [\"of c2\"]", &json!({})).changes.len(), 0);
        assert_eq!(
            push_with("skips = [\"of c1\"]", &json!({})).changes.len(),
            2,
            "only the last commit counts"
        );
    }
}

mod bitbucket {
    use super::*;

    fn old(commits: &Value) -> RawHook {
        json_post(&json!({"canon_url": "https://bitbucket.org/", "commits": commits,
            "repository": {"absolute_url": "marcus/project-x", "scm": "hg"}}))
    }

    fn old_commit(node: &str, branch: Option<&str>) -> Value {
        json!({"raw_node": node, "raw_author": "Marcus", "message": "m", "branch": branch,
            "timestamp": "2012-05-30 05:58:56", "utctimestamp": "2012-05-30 03:58:56+00:00"})
    }

    #[test]
    fn h_bb_03_h_bb_04_the_fields_of_old_and_branches_from_later_commits() {
        let commits = json!([old_commit("a", None), old_commit("b", Some("dev")), old_commit("c", None)]);
        let parsed = made("bitbucket", "", old(&commits));
        let branches: Vec<_> = parsed.changes.iter().map(|change| change.branch.as_deref()).collect();
        assert_eq!(branches, [Some("dev"), Some("dev"), None]);
        let change = &parsed.changes[0];
        assert_eq!(change.repository, "https://bitbucket.org/marcus/project-x/");
        assert_eq!(change.revlink, "https://bitbucket.org/marcus/project-x/commits/a");
        assert_eq!((change.when.as_seconds(), change.src.as_deref()), (1_338_350_336, Some("hg")));
    }

    #[test]
    fn h_bb_06_the_only_option_and_h_bb_01_a_form_or_nothing() {
        let commits = json!([old_commit("a", None)]);
        let parsed = made("bitbucket", "codebase = \"core\"", old(&commits));
        assert_eq!(parsed.changes[0].codebase, "core");
        let body = String::from_utf8(old(&commits).body.to_vec()).unwrap();
        let field = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &body).finish();
        assert_eq!(made("bitbucket", "", post("application/x-www-form-urlencoded", &field)).changes.len(), 1);
        assert_eq!(refused("bitbucket", "", get("")).0, 400);
    }

    fn cloud(key: &str, payload: &Value) -> RawHook {
        with_header(json_post(payload), "x-event-key", key)
    }

    #[test]
    fn h_xbc_01_media_type_and_event_key() {
        let text = "Unknown content type: text/xml".to_owned();
        assert_eq!(refused("bitbucketcloud", "", post("text/xml", "{}")), (400, text));
        let missing = (400, "Header X-Event-Key was not present".to_owned());
        assert_eq!(refused("bitbucketcloud", "", post("application/json", "{}")), missing);
        let missing = (400, "Header X-Event-Key is not present".to_owned());
        assert_eq!(refused("bitbucketserver", "", post("application/json", "{}")), missing, "H-XBS-01");
        for name in ["bitbucketcloud", "bitbucketserver"] {
            assert_eq!(dialect(name, "").methods(), &[Method::Post]);
        }
    }

    #[test]
    fn h_xbc_02_with_a_secret_every_request_is_signed() {
        let body = r#"{"zen":"campanile","ok":true}"#;
        let hook = || with_header(post("application/json", body), "x-event-key", "issue:created");
        for name in ["bitbucketcloud", "bitbucketserver"] {
            let secret = "secret = \"bell-tower\"";
            let unsigned = (403, "Request has no required signature".to_owned());
            assert_eq!(refused(name, secret, hook()), unsigned);
            let wrong = with_header(hook(), "x-hub-signature", "sha256=00");
            assert_eq!(refused(name, secret, wrong), (403, "Hash mismatch".to_owned()));
            let right = "sha256=fcc8fa4e18aa6c8084e174339da8388e543cbc7ad034ce9fdd7702ba37c88af1";
            let parsed = made(name, secret, with_header(hook(), "x-hub-signature", right));
            assert_eq!(parsed.note.as_deref(), Some("Ignored event: issue:created"), "H-XBC-06");
        }
    }

    fn pull_request(key: &str, more: &Value) -> Change {
        let repository = json!({"links": {"self": {"href": "https://api/a/b"}}});
        let pull = json!({"id": 4, "source": {"branch": {"name": "topic"}, "commit": {"hash": "c"}},
            "destination": {"branch": {"name": "main"}}});
        let payload =
            json!({"actor": {"nickname": "ada"}, "repository": repository, "pullrequest": with(pull, more)});
        made("bitbucketcloud", "bitbucket_property_whitelist = [\"bitbucket.id\"]", cloud(key, &payload))
            .changes
            .remove(0)
    }

    #[test]
    fn h_xbc_04_pull_requests_by_what_happened_and_h_xbc_05_both_spellings() {
        for (key, category, branch) in [
            ("pullrequest:created", "pull-created", "refs/pull-requests/4/merge"),
            ("pullrequest:updated", "pull-updated", "refs/pull-requests/4/merge"),
            ("pullrequest:fulfilled", "pull-fulfilled", "refs/heads/main"),
            ("pullrequest:rejected", "pull-rejected", "refs/heads/topic"),
        ] {
            let change = pull_request(key, &json!({}));
            assert_eq!(
                (change.category.as_deref(), change.branch.as_deref()),
                (Some(category), Some(branch))
            );
            assert_eq!(
                (change.comments.as_str(), change.who.as_str()),
                ("Bitbucket Cloud Pull Request #4", "ada")
            );
            assert_eq!(change.properties.value("bitbucket.id"), Some(&json!(4)));
        }
        let older = json!({"source": null, "destination": null, "link": "https://l", "title": "Swing",
            "fromRef": {"branch": {"name": "t"}, "commit": {"hash": "d"}}, "toRef": {"branch": {"name": "m"}}});
        let change = pull_request("pullrequest:rejected", &older);
        assert_eq!((change.branch.as_deref(), change.revision.as_deref()), (Some("refs/heads/t"), Some("d")));
        assert_eq!(
            (change.comments.as_str(), change.revlink.as_str()),
            ("Bitbucket Cloud Pull Request #4\nSwing", "https://l")
        );
    }

    /// H-XBS-02 (both shapes under both keys), H-XBS-03 (a suffix and not letters), H-XBS-04 (fallbacks of the native
    /// shape).
    #[test]
    fn h_xbs_02_h_xbs_03_h_xbs_04_both_shapes_of_a_push() {
        let repository =
            |link: &str| json!({"slug": "row", "project": {"key": "P"}, "links": {"self": [{"href": link}]}});
        let plugin = |link: &str| {
            json!({"repository": repository(link), "actor": {"displayName": "Ada"},
            "push": {"changes": [{"new": {"type": "tag", "name": "v1", "target": {"hash": "c"}}}]}})
        };
        let native = json!({"repository": {"slug": "row", "project": {"key": "P"}}, "changes": [
            {"ref": {"id": "refs/heads/x"}, "fromHash": "a", "toHash": "b", "type": "ADD"}]});
        for key in ["repo:push", "repo:refs_changed"] {
            let change =
                made("bitbucketserver", "", cloud(key, &plugin("https://h/p/row/browse"))).changes.remove(0);
            assert_eq!(
                (change.repository.as_str(), change.branch.as_deref()),
                ("https://h/p/row/", Some("refs/tags/v1"))
            );
            assert_eq!(change.revlink, "https://h/p/row/commits/c");
            let change = made("bitbucketserver", "", cloud(key, &native)).changes.remove(0);
            assert_eq!((change.repository.as_str(), change.revlink.as_str()), ("P/row", ""));
            assert_eq!(
                (change.revision.as_deref(), change.comments.as_str()),
                (Some("b"), "Bitbucket Server commit b")
            );
        }
        let change =
            made("bitbucketserver", "", cloud("repo:push", &plugin("https://h/p/row"))).changes.remove(0);
        assert_eq!(change.repository, "https://h/p/row/", "no letter of `browse` is trimmed (H-T-04)");
    }
}

mod googlecode {
    use super::*;

    /// The sample of H-GC-08, and its signature under `bell-tower`.
    const BODY: &str = r#"{"repository_path":"https://code.example.com/p/carillon/","project_name":"carillon","revisions":[{"added":["/a.c"],"parents":["00"],"author":"Ada \u003Cada@example.org\u003E","url":"http://carillon.example.com/hg/68e5/","timestamp":1324082130,"message":"ring","path_count":2,"removed":[],"modified":["/CMakeLists.txt"],"revision":"68e5df28"}],"revision_count":1}"#;
    const SIGNATURE: &str = "5cdace39d0357135f3951cbc98cd5ded";

    fn signed(body: &str, signature: &str) -> RawHook {
        with_header(post("text/plain", body), "google-code-project-hosting-hook-hmac", signature)
    }

    #[test]
    fn h_gc_01_h_gc_02_h_gc_06_h_gc_08_the_sample_whatever_its_media_type() {
        assert_eq!(BODY.len(), 362);
        let parsed = made("googlecode", "secret_key = \"bell-tower\"", signed(BODY, SIGNATURE));
        let [change] = &parsed.changes[..] else { panic!("{parsed:?}") };
        assert_eq!((change.branch.as_deref(), change.src.as_deref()), (Some("default"), Some("Google Code")));
        assert_eq!(change.files, ["/a.c", "/CMakeLists.txt"]);
        assert_eq!((change.who.as_str(), change.project.as_str()), ("Ada <ada@example.org>", "carillon"));
        let parsed = made("googlecode", "branch = \"trunk\"", signed(BODY, ""));
        assert_eq!(parsed.changes[0].branch.as_deref(), Some("trunk"));
    }

    #[test]
    fn h_gc_03_the_signature_is_checked_before_the_body() {
        let secret = "secret_key = \"bell-tower\"";
        let wrong = (403, "googlecode: authentication failed".to_owned());
        assert_eq!(refused("googlecode", secret, post("application/json", "{")), wrong);
        assert_eq!(refused("googlecode", secret, signed("{", SIGNATURE)), wrong);
        assert_eq!(refused("googlecode", secret, signed(BODY, "00")), wrong);
        assert_eq!(made("googlecode", secret, signed(BODY, &SIGNATURE.to_uppercase())).changes.len(), 1);
    }

    #[test]
    fn h_gc_04_without_a_key_anything_is_taken_and_check_says_so() {
        assert_eq!(made("googlecode", "", post("application/json", BODY)).changes.len(), 1);
        let (_, problems) = hooks("[change_hooks.dialects]\ngooglecode = {}\n");
        assert!(
            problems.iter().any(|problem| problem.contains("takes what nobody has signed")),
            "{problems:?}"
        );
    }
}

mod gitorious {
    use super::*;

    fn push(more: &Value) -> RawHook {
        json_post(&with(
            json!({"ref": "new_look", "after": "c", "project": {"name": "q"}, "repository": {"url": "u"}, "commits": [commit("c")]}),
            more,
        ))
    }

    #[test]
    fn h_go_01_h_go_03_h_go_04_payloads_refs_and_deletions() {
        assert_eq!(refused("gitorious", "", post("application/x-www-form-urlencoded", "x=1")).0, 400);
        for name in ["new_look", "refs/heads/new_look"] {
            let parsed = made("gitorious", "", push(&json!({"ref": name})));
            assert_eq!(parsed.changes[0].branch.as_deref(), Some("new_look"));
            assert_eq!(parsed.changes[0].files, [""; 0]);
        }
        for after in ["".to_owned(), "0".repeat(40)] {
            let parsed = made("gitorious", "", push(&json!({"after": after})));
            assert_eq!(parsed.note.as_deref(), Some("branch `new_look' deleted"));
        }
    }
}

mod gitea {
    use super::*;

    fn push() -> RawHook {
        json_post(
            &json!({"ref": "refs/heads/main", "repository": {"html_url": "u"}, "commits": [commit("c")]}),
        )
    }

    #[test]
    fn h_xgt_02_whichever_header_names_the_event() {
        for (header, event, made_changes) in [
            ("x-forgejo-event", "push", 1),
            ("x-gitea-event", "push", 1),
            ("x-gogs-event", "push", 1),
            ("x-github-event", "push", 1),
            ("x-gitea-event", "create", 0),
            ("x-gitea-event", "release", 0),
        ] {
            let parsed = made("gitea", "", with_header(push(), header, event));
            assert_eq!(parsed.changes.len(), made_changes, "{header}: {event}");
        }
        let both = with_header(with_header(push(), "x-github-event", "issues"), "x-gitea-event", "push");
        assert_eq!(made("gitea", "", both).changes.len(), 1);
        let ignored = made("gitea", "", with_header(push(), "x-gitea-event", "release"));
        assert_eq!(ignored.note.as_deref(), Some("Ignored event: release"));
    }

    #[test]
    fn h_xgt_03_bare_hex_or_what_github_sends() {
        let body = r#"{"zen":"campanile","ok":true}"#;
        let hex = "fcc8fa4e18aa6c8084e174339da8388e543cbc7ad034ce9fdd7702ba37c88af1";
        let github = format!("sha256={hex}");
        let options = "secret = \"bell-tower\"\nstrict = true";
        let hook = |header: &str, value: &str| {
            let hook = with_header(post("application/json", body), "x-gitea-event", "create");
            with_header(hook, header, value)
        };
        for (header, value) in [
            ("x-gitea-signature", hex),
            ("x-forgejo-signature", hex),
            ("x-hub-signature-256", github.as_str()),
        ] {
            assert!(made("forgejo", options, hook(header, value)).note.is_some(), "{header}");
        }
        let mismatch = (403, "Hash mismatch".to_owned());
        assert_eq!(refused("gitea", options, hook("x-gitea-signature", "00")), mismatch);
        assert_eq!(refused("gitea", options, hook("x-gitea-signature", &github)), mismatch);
        let none = (403, "Request has no required signature".to_owned());
        assert_eq!(refused("gitea", options, hook("x-other", hex)), none);
    }
}
