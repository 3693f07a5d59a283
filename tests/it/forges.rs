//! Statuses and comments at servers that answer as the forges' APIs do; what they are asked is held against what the
//! forges have published (GS-ADD, L, K, T).

use std::process::Command;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use campanile_testing::forge::{Asked, ForgeServer, PAGE, build, created, misfits, settled, stamp};
use campanile_testing::{Engine, patiently, run, skip, write_settings};

fn two_and_a_half() -> Value {
    json!([
        stamp("a", "https://forge.example.org/quad/bells.git", Some("aaaa1111")),
        stamp("b", "git@forge.example.org:quad/ropes.git", Some("bbbb2222")),
        stamp("c", "ssh://git@forge.example.org:7999/quad/clocks.git", None),
        stamp("d", "/srv/git/tower", Some("dddd4444")),
    ])
}

fn request(name: &str) -> Value {
    json!({"event": name, "request": {"brid": 9, "bsid": 5, "builder": "linux gcc", "submitted_at": 1_700_000_000}})
}

/// Every source stamp is told of, requests too, and what lacks something hinders nobody.
#[tokio::test]
async fn gs_add_01_gs_add_02_gs_add_04_every_stamp_and_requests() {
    let server = ForgeServer::start(|_, _| created()).await;
    let more = "token = \"bell-tower\"\neach_source_stamp = true\nrequests = true\n";
    let settings = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nurl = \"https://ci.example.org/\"\nurl_style = \"chapter\"\n\n{}",
        server.settings("github", more)
    );
    let engine = Engine::start(&settings);
    engine
        .event(&json!({"event": "buildsetSubmitted", "buildset": {"bsid": 5, "source_stamps": two_and_a_half()}}))
        .await;
    engine.event(&request("requestSubmitted")).await;
    settled(&engine, 1).await;
    engine.event(&request("requestCancelled")).await;
    settled(&engine, 2).await;
    engine.event(&build(1, Some("success"), &two_and_a_half())).await;
    let deliveries = settled(&engine, 3).await;
    assert_eq!(
        deliveries[0]["text"],
        "Status \"success\" sent for quad/bells at aaaa1111. Status \"success\" sent for quad/ropes at bbbb2222."
    );
    let told: Vec<(String, Value)> =
        server.asked().into_iter().map(|asked| (asked.path, asked.body)).collect();
    let page = "https://ci.example.org/#buildrequests/9";
    let chapter = "https://ci.example.org/#builders/linux%20gcc/builds/1";
    let mut expected = Vec::new();
    for (state, description, page) in [
        ("pending", "Build pending.", page),
        ("error", "Build cancelled.", page),
        ("success", "Build done.", chapter),
    ] {
        for (name, sha) in [("bells", "aaaa1111"), ("ropes", "bbbb2222")] {
            let body = json!({"state": state, "description": description, "target_url": page,
                "context": "buildbot/linux gcc"});
            expected.push((format!("/repos/quad/{name}/statuses/{sha}"), body));
        }
    }
    assert_eq!(told, expected);
    let log = engine.log();
    assert!(
        log.contains("Skipped status update for codebase c, context 'buildbot/linux gcc', issue None."),
        "{log}"
    );
    assert!(log.contains("Skipped status update because required repo information is missing."), "{log}");
    server.fits("github", "");

    // Of an unknown buildset, and of stamps that all lack something, there is nothing to tell.
    let mut other = request("requestSubmitted");
    other["request"]["bsid"] = 6.into();
    engine.event(&other).await;
    assert_eq!(settled(&engine, 4).await[0]["text"], "buildset 6 of the request is not known");
    engine.event(&build(2, Some("success"), &json!([stamp("d", "/srv/git/tower", Some("dddd"))]))).await;
    let deliveries = settled(&engine, 5).await;
    assert_eq!((&deliveries[0]["state"], &deliveries[0]["code"]), (&json!("silent"), &json!("unaddressed")));
}

/// GS-ADD-06: what is refused hinders no other, and what was taken is not sent again when the rest has to wait.
#[tokio::test]
async fn gs_add_06_part_of_it_refused_or_put_off() {
    let server = ForgeServer::start(|before, asked| match (before, &asked.path) {
        (1, _) => (StatusCode::SERVICE_UNAVAILABLE, "later").into_response(),
        (3, _) => (StatusCode::UNPROCESSABLE_ENTITY, "{\"message\":\"No commit found\"}").into_response(),
        _ => created(),
    })
    .await;
    let more = "token = \"bell-tower\"\neach_source_stamp = true\nhosts = [\"forge.example.org\"]\n";
    let engine = Engine::start(&server.settings("github", more));
    let mut stamps = two_and_a_half();
    stamps[2] = stamp("c", "https://elsewhere.example.org/quad/clocks", Some("cccc3333"));
    engine.event(&build(1, Some("success"), &stamps)).await;
    settled(&engine, 1).await;
    engine.event(&build(2, Some("failure"), &stamps)).await;
    let deliveries = settled(&engine, 2).await;
    let asked: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| format!("{} {}", asked.path.rsplit('/').next().unwrap(), asked.state()))
        .collect();
    assert_eq!(
        asked,
        ["aaaa1111 success", "bbbb2222 success", "bbbb2222 success", "aaaa1111 failure", "bbbb2222 failure"]
    );
    assert_eq!(deliveries[0]["code"], "partly");
    let text = deliveries[0]["text"].as_str().unwrap();
    assert!(text.contains("Fail to send status \"failure\" for quad/bells at aaaa1111."), "{text}");
    assert!(text.contains("No commit found"), "{text}");
    // GS-T-8.
    assert!(engine.log().contains("the repository of codebase 'c' is not at one of the `hosts`"));
}

/// For the merge of a pull request its head is marked, and the request commented on.
#[tokio::test]
async fn gs_add_05_gs_add_07_gs_add_08_pull_requests() {
    let server = ForgeServer::start(|_, _| created()).await;
    let more = "token = \"bell-tower\"\nstart_description = \"\"\n";
    let comments = server.settings("github_comment", "token = \"bell-tower\"\n");
    let settings = server.settings("github", more);
    let both =
        format!("{settings}\n{}", comments.split_once("\n\n").unwrap().1.replace("statuses", "comments"));
    let engine = Engine::start(&both);
    let stamps = json!([{"project": "quad/bells", "revision": "mergemerge", "branch": "refs/pull/12/merge"}]);
    let mut event = build(1, Some("success"), &stamps);
    event["build"]["properties"] = json!({"head_sha": "1f0c2d3e"});
    engine.event(&event).await;
    settled(&engine, 2).await;
    // No pull request: a status of the build's revision, and no comment.
    let stamps = json!([{"project": "quad/ropes", "revision": "cafe", "branch": "main"}]);
    engine.event(&build(2, Some("success"), &stamps)).await;
    let deliveries = settled(&engine, 4).await;
    let silent = deliveries.iter().find(|delivery| delivery["state"] == "silent").unwrap();
    assert_eq!(silent["text"], "Skipped status update for repo ropes sha cafe as issue is not specified");
    let mut paths: Vec<(String, Value)> =
        server.asked().into_iter().map(|asked| (asked.path, asked.body)).collect();
    paths.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(paths[0], ("/repos/quad/bells/issues/12/comments".to_owned(), json!({"body": "Build done."})));
    assert_eq!(paths[1].0, "/repos/quad/bells/statuses/1f0c2d3e");
    assert_eq!(paths[2].0, "/repos/quad/ropes/statuses/cafe", "GS-CFG-17");
    assert_eq!(paths.len(), 3);
    server.fits("github", "");
}

/// GS-ADD-09: an app's tokens are asked for with a signed proof, kept, and had anew when one is not taken.
#[tokio::test]
async fn gs_add_09_an_app_gets_its_tokens() {
    let server = ForgeServer::start(|before, asked| {
        if asked.path.ends_with("/access_tokens") {
            let token = format!("ghs_{before}");
            return (
                StatusCode::CREATED,
                json!({"token": token, "expires_at": "2999-01-01T00:00:00Z"}).to_string(),
            )
                .into_response();
        }
        // The first token is good for two statuses.
        match (asked.header("authorization"), before) {
            ("token ghs_0", 0..=2) => created(),
            ("token ghs_0", _) => {
                (StatusCode::UNAUTHORIZED, "{\"message\":\"Bad credentials\"}").into_response()
            }
            _ => created(),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let (key, public) = (folder.path().join("key.pem"), folder.path().join("public.pem"));
    let openssl = |arguments: &[&str]| {
        Command::new("openssl")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .is_ok_and(|done| done.status.success())
    };
    if !openssl(&["genrsa", "-traditional", "-out", "key.pem", "2048"])
        || !openssl(&["rsa", "-in", "key.pem", "-pubout", "-out", "public.pem"])
    {
        return skip("`openssl` is missing");
    }
    let more = format!("app_id = 7\ninstallation_id = 8\nprivate_key = {{ file = {key:?} }}\n");
    let engine = Engine::start(&server.settings("github", &more));
    let stamps = json!([{"project": "quad/bells", "revision": "1f0c2d3e"}]);
    for number in 1..=3 {
        engine.event(&build(number, Some("success"), &stamps)).await;
        let deliveries = settled(&engine, usize::try_from(number).unwrap()).await;
        assert_eq!(deliveries[0]["state"], "delivered", "{deliveries:?}");
    }
    let asked = server.asked();
    let seen: Vec<&str> = asked.iter().map(|asked| asked.header("authorization")).collect();
    assert_eq!(seen[1..4], ["token ghs_0"; 3]);
    assert_eq!(seen[5..], ["token ghs_4"]);
    for place in [0, 4] {
        assert_eq!(asked[place].path, "/app/installations/8/access_tokens");
    }
    let proof = seen[0].strip_prefix("Bearer ").unwrap();
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    let read =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let (header, claims) = signed.split_once('.').unwrap();
    assert_eq!(read(header), json!({"alg": "RS256", "typ": "JWT"}));
    let claims = read(claims);
    assert_eq!(claims["iss"], "7");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    std::fs::write(folder.path().join("signed"), signed).unwrap();
    std::fs::write(folder.path().join("signature"), URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let public = public.to_str().unwrap();
    assert!(openssl(&["dgst", "-sha256", "-verify", public, "-signature", "signature", "signed"]));
    let log = engine.log();
    assert!(!log.contains("ghs_") && !log.contains(signature), "{log}");
    server.fits("github", "");
}

#[tokio::test]
async fn l_01_l_02_l_03_l_05_gitlab() {
    let server = ForgeServer::start(|before, asked| match asked.path.as_str() {
        "/api/v4/projects/quad%2Ftower%2Fbells" => {
            (StatusCode::OK, "{\"id\":42,\"name\":\"Bells\"}").into_response()
        }
        path if path.starts_with("/api/v4/projects/gone%2F") => {
            (StatusCode::NOT_FOUND, "{\"message\":\"404 Project Not Found\"}").into_response()
        }
        _ if before == 1 => (StatusCode::CONFLICT, "{\"message\":\"in progress\"}").into_response(),
        _ => created(),
    })
    .await;
    let engine = Engine::start(&server.settings("gitlab", "token = \"bell-tower\"\n"));
    let stamps = json!([stamp("", "git@gitlab.example.org:quad/tower/bells.git", Some("1f0c2d3e"))]);
    engine
        .event(&json!({"event": "buildsetSubmitted", "buildset": {"bsid": 5, "source_stamps": stamps}}))
        .await;
    engine.event(&request("requestSubmitted")).await;
    settled(&engine, 1).await;
    engine.event(&build(1, None, &stamps)).await;
    settled(&engine, 2).await;
    let mut finished = build(1, Some("cancelled"), &stamps);
    finished["build"]["properties"] = json!({"source_project_id": 77, "source_branch": "topic"});
    engine.event(&finished).await;
    settled(&engine, 3).await;
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.header("private-token") == "bell-tower"));
    let told: Vec<(&str, &str)> = asked.iter().map(|asked| (asked.path.as_str(), asked.state())).collect();
    let own = "/api/v4/projects/42/statuses/1f0c2d3e";
    assert_eq!(
        told,
        [
            ("/api/v4/projects/quad%2Ftower%2Fbells", ""),
            (own, "pending"),
            (own, "pending"),
            (own, "running"),
            ("/api/v4/projects/77/statuses/1f0c2d3e", "canceled"),
        ]
    );
    let body = |state: &str, description: &str, git_ref: &str| {
        json!({"state": state, "description": description, "name": "buildbot/linux gcc", "ref": git_ref,
            "target_url": format!("{PAGE}1")})
    };
    assert_eq!(asked[3].body, body("running", "Build started.", "main"));
    assert_eq!(asked[4].body, body("canceled", "Build done.", "topic"));
    assert_eq!(asked[1].body["description"], "Build pending.");
    server.fits("gitlab", "");

    let gone = json!([stamp("", "https://gitlab.example.org/gone/bells.git", Some("1f0c"))]);
    engine.event(&build(2, Some("success"), &gone)).await;
    let text = settled(&engine, 4).await[0]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Could not send status \"success\" for gone/bells at 1f0c:"), "{text}");
    assert!(text.contains("the project `gone/bells` is not found"), "{text}");
    assert!(!engine.log().contains("bell-tower"));
}

#[tokio::test]
async fn t_01_t_02_gitea() {
    let server = ForgeServer::start(|_, _| created()).await;
    let engine = Engine::start(&server.settings("gitea", "token = \"bell-tower\"\n"));
    let stamps = json!([{"project": "quad/bells", "repository": "https://gitea.example.org/x/y.git",
        "revision": "1f0c2d3e"}]);
    engine.event(&build(1, None, &stamps)).await;
    settled(&engine, 1).await;
    engine.event(&build(1, Some("warnings"), &stamps)).await;
    settled(&engine, 2).await;
    let asked = server.asked();
    let told: Vec<&str> = asked.iter().map(Asked::state).collect();
    assert_eq!(told, ["pending", "warning"]);
    assert_eq!(asked[1].path, "/api/v1/repos/quad/bells/statuses/1f0c2d3e");
    assert_eq!(asked[1].header("authorization"), "token bell-tower");
    let body = json!({"state": "warning", "context": "buildbot/linux gcc", "description": "Build done.",
        "target_url": format!("{PAGE}1")});
    assert_eq!(asked[1].body, body);
    server.fits("gitea", "/api/v1");
}

/// `check --connect` proves address and credentials by a request that the forges describe.
#[tokio::test]
async fn l_01_k_01_t_03_credentials_are_proven() {
    for (table, description, prefix, more) in [
        ("github", "github", "", "token = \"t\"\n"),
        ("gitlab", "gitlab", "", "token = \"t\"\n"),
        ("gitea", "gitea", "/api/v1", "token = \"t\"\n"),
        ("bitbucket_server", "bitbucket_server", "", "token = \"t\"\n"),
        ("bitbucket", "bitbucket_cloud", "/2.0", "token = \"t\"\n"),
    ] {
        let server = ForgeServer::start(|before, _| match before {
            0 => "[]".into_response(),
            _ => StatusCode::UNAUTHORIZED.into_response(),
        })
        .await;
        let mut settings = server.settings(table, more);
        if table == "bitbucket" {
            settings = settings.replace("\"\nallow", "/2.0/repositories\"\nallow");
        }
        let folder = tempfile::tempdir().unwrap();
        write_settings(folder.path(), &settings);
        let check = || async {
            let folder = folder.path().to_owned();
            tokio::task::spawn_blocking(move || run(&folder, &["check", "--connect"])).await.unwrap()
        };
        let good = check().await;
        assert!(good.status.success(), "{table}: {}", String::from_utf8_lossy(&good.stderr));
        assert!(!check().await.status.success(), "{table}");
        server.fits(description, prefix);
    }
}

/// The check of requests can fail: it would be worth nothing otherwise.
#[tokio::test]
async fn requests_that_do_not_fit_are_found() {
    let asked = |method: &str, path: &str, body: Value| Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        query: None,
        headers: axum::http::HeaderMap::new(),
        body,
    };
    for (description, prefix, path, good) in [
        ("github", "", "/repos/o/n/statuses/abcd", json!({"state": "success"})),
        ("gitea", "/api/v1", "/api/v1/repos/o/n/statuses/abcd", json!({"state": "warning"})),
        ("gitlab", "", "/api/v4/projects/1/statuses/abcd", json!({"state": "canceled"})),
        (
            "bitbucket_cloud",
            "/2.0",
            "/2.0/repositories/o/n/commit/abcd/statuses/build",
            json!({"state": "FAILED", "key": "k", "url": "https://ci/"}),
        ),
        (
            "bitbucket_server",
            "",
            "/rest/build-status/1.0/commits/abcd",
            json!({"state": "FAILED", "key": "k", "url": "https://ci/"}),
        ),
    ] {
        let mut state = good.clone();
        state["state"] = "fine".into();
        let mut unknown = good.clone();
        unknown["colour"] = "red".into();
        let mut wrong_type = good.clone();
        wrong_type["description"] = json!({"text": "d"});
        let requests = [
            asked("POST", path, good.clone()),
            asked("POST", path, state),
            asked("POST", path, unknown),
            asked("POST", path, wrong_type),
            asked("PUT", path, good.clone()),
            asked("POST", &format!("{path}/more"), good),
        ];
        let Some(wrong) = misfits(description, prefix, &requests) else { return };
        let found = wrong.join("\n");
        assert!(wrong.len() >= 5 && found.contains("'fine' is not one of"), "{found}");
        for text in ["`colour` is not described", "is not of type", "has no PUT", "no such path is described"]
        {
            assert!(found.contains(text), "{description}, {text}: {found}");
        }
    }
}

/// GS-API-09, GS-SKIP-03.
#[tokio::test]
async fn gs_api_09_gs_skip_03_warnings_and_templates_that_fail() {
    let server = ForgeServer::start(|_, _| {
        (StatusCode::CREATED, [("x-ratelimit-remaining", "99")], "{}").into_response()
    })
    .await;
    let more = "token = \"bell-tower\"\nend_description = { interpolate = \"%s\", args = [{ property = \"x\" }] }\n\
                context = \"%(secret:none)s\"\n";
    let broken = server.settings("github", more).replace("statuses", "broken");
    let settings = server.settings("github", "token = \"bell-tower\"\n");
    let engine = Engine::start(&format!("{settings}\n{}", broken.split_once("\n\n").unwrap().1));
    let stamps = json!([{"project": "quad/bells", "revision": "1f0c2d3e"}]);
    for number in 1..=2 {
        engine.event(&build(number, Some("success"), &stamps)).await;
    }
    settled(&engine, 4).await;
    let log = engine.logs("takes only 99 more requests").await;
    assert_eq!(log.matches("takes only 99 more requests").count(), 1, "{log}");
    let dead = patiently("one is given up", async || {
        engine.deliveries().await.into_iter().find(|delivery| delivery["state"] == "dead")
    })
    .await;
    let text = dead["text"].as_str().unwrap();
    assert!(text.starts_with("While sending finish status to GitHub for linux gcc. "), "{text}");
}
