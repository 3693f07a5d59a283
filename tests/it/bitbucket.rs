//! Statuses and comments at servers that answer as Bitbucket's do, Cloud and Server (K).

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use campanile_testing::Engine;
use campanile_testing::forge::{Asked, ForgeServer, PAGE, build, created, misfits, settled, stamp};

#[tokio::test]
async fn k_02_k_03_k_04_bitbucket_cloud() {
    let server = ForgeServer::start(|before, asked| {
        if asked.path == "/oauth" {
            let given = json!({"access_token": format!("given-{before}"), "expires_in": 7200, "token_type": "bearer"});
            return given.to_string().into_response();
        }
        if before == 3 { StatusCode::UNAUTHORIZED.into_response() } else { created() }
    })
    .await;
    let oauth = format!(
        "oauth_key = \"bells\"\noauth_secret = \"bell-tower\"\noauth_url = \"http://127.0.0.1:{}/oauth\"\n",
        server.port
    );
    let settings = server.settings("bitbucket", &oauth).replace("\"\nallow", "/2.0/repositories\"\nallow");
    let engine = Engine::start(&settings);
    let stamps = json!([
        stamp("", "git@bitbucket.org:quad/bells.git", Some("1f0c2d3e")),
        stamp("deep", "https://bitbucket.org/a/b/c.git", Some("1f0c2d3e")),
    ]);
    engine.event(&build(1, None, &stamps)).await;
    settled(&engine, 1).await;
    engine.event(&build(1, Some("warnings"), &stamps)).await;
    settled(&engine, 2).await;
    engine.event(&build(2, Some("success"), &stamps)).await;
    settled(&engine, 3).await;
    let asked = server.asked();
    let basic = format!("Basic {}", STANDARD.encode("bells:bell-tower"));
    let seen: Vec<(&str, &str)> =
        asked.iter().map(|asked| (asked.header("authorization"), asked.state())).collect();
    assert_eq!(
        seen,
        [
            (basic.as_str(), ""),
            ("Bearer given-0", "INPROGRESS"),
            ("Bearer given-0", "FAILED"),
            ("Bearer given-0", "SUCCESSFUL"),
            (basic.as_str(), ""),
            ("Bearer given-4", "SUCCESSFUL"),
        ]
    );
    assert_eq!(asked[0].body, "grant_type=client_credentials");
    assert_eq!(asked[1].path, "/2.0/repositories/quad/bells/commit/1f0c2d3e/statuses/build");
    // The SHA-1 of `linux gcc`.
    assert_eq!(asked[1].body["key"], "147dd50d01d91d0dc0606f9d1bfa502a24f82547");
    assert_eq!(asked[1].body["name"], "linux gcc");
    assert_eq!(asked[1].body["url"], format!("{PAGE}1"));
    assert!(engine.log().contains("Skipped status update: `a/b/c` is no repository."));
    let statuses: Vec<Asked> = asked.into_iter().filter(|asked| asked.path != "/oauth").collect();
    if let Some(wrong) = misfits("bitbucket_cloud", "/2.0", &statuses) {
        assert_eq!(wrong, [] as [&str; 0]);
    }
    let log = engine.log();
    assert!(!log.contains("bell-tower") && !log.contains("given-"), "{log}");
}

/// K-05, K-06.
#[tokio::test]
async fn k_05_k_06_bitbucket_server() {
    let server = ForgeServer::start(|_, _| StatusCode::NO_CONTENT.into_response()).await;
    let older = server.settings("bitbucket_server", "username = \"ada\"\npassword = \"bell-tower\"\n");
    let core = "token = \"bell-tower\"\ncore_api = true\n";
    let core = server.settings("bitbucket_server", core).replace("statuses", "builds");
    let engine = Engine::start(&format!("{older}\n{}", core.split_once("\n\n").unwrap().1));
    let stamps = json!([stamp("", "https://bb.example.org/scm/QUAD/bells.git", Some("1f0c2d3e"))]);
    let mut event = build(3, Some("success"), &stamps);
    event["build"]["properties"] = json!({"tests_failed": 1, "tests_successful": "41"});
    engine.event(&event).await;
    settled(&engine, 2).await;
    let mut asked = server.asked();
    asked.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(asked[0].path, "/rest/api/1.0/projects/QUAD/repos/bells/commits/1f0c2d3e/builds");
    assert_eq!(asked[0].header("authorization"), "Bearer bell-tower");
    let page = format!("{PAGE}3");
    let core = json!({"state": "SUCCESSFUL", "key": "linux gcc", "url": page, "description": "Build done.",
        "ref": "refs/heads/main", "parent": "linux gcc", "buildNumber": "3", "name": "linux gcc #3",
        "duration": 61_000, "testResults": {"failed": 1, "skipped": 0, "successful": 41}});
    assert_eq!(asked[0].body, core);
    assert_eq!(asked[1].path, "/rest/build-status/1.0/commits/1f0c2d3e");
    let basic = format!("Basic {}", STANDARD.encode("ada:bell-tower"));
    assert_eq!(asked[1].header("authorization"), basic);
    let older = json!({"state": "SUCCESSFUL", "key": "linux gcc", "url": page, "description": "Build done."});
    assert_eq!(asked[1].body, older);
    server.fits("bitbucket_server", "");
}

/// K-07.
#[tokio::test]
async fn k_07_comments_on_pull_requests_of_bitbucket_server() {
    let server = ForgeServer::start(|_, _| created()).await;
    let more = "token = \"bell-tower\"\nend_description = \"%(kw:builderName)s: %(kw:duration)s\"\n";
    let engine = Engine::start(&server.settings("bitbucket_server_comment", more));
    let page = "https://bb.example.org/projects/QUAD/repos/bells/pull-requests/7";
    let mut event = build(
        1,
        Some("success"),
        &json!([{"revision": "1f0c", "changes": [
        {"properties": {"pullrequesturl": page}}, {"properties": {"pullrequesturl": "https://bb.example.org/odd"}}]}]),
    );
    event["build"]["properties"] = json!({"pullrequesturl": page});
    engine.event(&event).await;
    assert_eq!(settled(&engine, 1).await[0]["text"], "Comment sent for projects/QUAD/bells#7.");
    engine.event(&build(2, Some("success"), &json!([{"revision": "1f0c"}]))).await;
    assert_eq!(settled(&engine, 2).await[0]["code"], "unaddressed");
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/rest/api/1.0/projects/QUAD/repos/bells/pull-requests/7/comments");
    assert_eq!(asked[0].body, json!({"text": "linux gcc: 1 minutes, 1 seconds"}));
    server.fits("bitbucket_server", "");
}
