//! Those who have proven nothing: their bodies, proofs that can be none, tenants that they guess, and the metrics.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::strangers::{connect, rest, status};
use campanile_testing::{Engine, http, patiently, write_settings};

/// Bodies of those who have not proven anything have one memory, however many they are, and a proof that can't be one is
/// refused before a byte of the body.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_strangers_have_one_memory() {
    let engine = Engine::start(
        "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"bells\"\n\n[events.github]\nsecret = \"bell-tower\"\n\n\
         [change_hooks.dialects]\ngithub = { secret = \"bell-tower\", strict = true }\n",
    );
    let before = engine.resident_kib();
    let mut open = Vec::new();
    for number in 0..24 {
        let path = if number % 2 == 0 { "/change_hook/github" } else { "/api/v1/events/github" };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n\
             X-Hub-Signature-256: sha256={}\r\nContent-Length: 24000000\r\n\r\n",
            "0".repeat(64)
        );
        let mut stream = connect(&engine, [127, 0, 0, 1], &head).await;
        open.push(tokio::spawn(async move {
            let part = vec![b' '; 1 << 20];
            for _ in 0..22 {
                if stream.write_all(&part).await.is_err() {
                    break;
                }
            }
            stream
        }));
    }
    let mut streams = Vec::new();
    let mut highest = 0;
    for sent in open {
        while !sent.is_finished() {
            highest = highest.max(engine.resident_kib());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        streams.push(sent.await.unwrap());
    }
    assert!(highest.saturating_sub(before) < 200 << 10, "{before} KiB before, {highest} KiB with them");
    let health = http().get(format!("{}/healthz", engine.url)).send().await.unwrap();
    assert_eq!(health.status(), 200);
}

/// Without its header no byte of a body is waited for: in each dialect and source that has one.
#[tokio::test]
async fn h_gen_21_a_missing_proof_is_refused_before_the_body() {
    let secret = "{ secret = \"bell-tower\" }";
    let strict = "{ secret = \"bell-tower\", strict = true }";
    let engine = Engine::start(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"bells\"\n\n[change_hooks.dialects]\ngithub = {{ secret = \
         \"bell-tower\", strict = true }}\n\
         gitea = {strict}\nforgejo = {strict}\ngitlab = {secret}\nbitbucketcloud = {secret}\nbitbucketserver = {secret}\n\
         googlecode = {{ secret_key = \"bell-tower\" }}\n\n\
         [events]\ngithub = {secret}\ngitlab = {secret}\ndrone = {secret}\ncloudevents = {secret}\n"
    ));
    let of_hub =
        ["X-Hub-Signature-256: sha256=00", "X-Hub-Signature: bell-tower", "X-Hub-Signature: YmVsbA=="];
    let cases: [(&str, &str, &[&str]); 11] = [
        ("/change_hook/github", "403", &of_hub),
        ("/change_hook/gitea", "403", &["X-Gitea-Signature: 00", "X-Hub-Signature-256: sha256=00"]),
        ("/change_hook/forgejo", "403", &["X-Forgejo-Signature: zz"]),
        ("/change_hook/gitlab", "403", &["X-Gitlab-Token: wrong", "X-Gitlab-Token:"]),
        ("/change_hook/bitbucketcloud", "403", &of_hub),
        ("/change_hook/bitbucketserver", "403", &of_hub),
        ("/change_hook/googlecode", "403", &["Google-Code-Project-Hosting-Hook-Hmac: 00"]),
        ("/api/v1/events/github", "401", &of_hub),
        ("/api/v1/events/gitlab", "401", &["X-Gitlab-Token: wrong"]),
        ("/api/v1/events/drone", "401", &["Digest: SHA-256=00", "Signature: keyId=\"x\""]),
        ("/api/v1/events/cloudevents", "401", &["webhook-signature: v1,AA==", "webhook-id: 1"]),
    ];
    for (path, expected, headers) in cases {
        for header in headers.iter().copied().chain(["X-Nothing: 1"]) {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: 1000000\r\n{header}\r\n\r\n"
            );
            let answer = rest(connect(&engine, [127, 0, 0, 1], &head).await).await;
            assert_eq!(status(&answer), expected, "{path} {header}: {answer}");
            assert!(!answer.contains("bell-tower") && !answer.contains("YmVsbA"), "{answer}");
        }
    }
}

/// Nobody but its own people can tell if there is a tenant.
#[tokio::test]
async fn h_auth_09_tenants_cannot_be_guessed() {
    let engine = Engine::start(
        "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"bells\"\n\n[tenants]\ndir = \"tenants.d\"\n",
    );
    let put = async |name: &str, settings: &str| {
        let request = http().put(format!("{}/api/v1/tenants/{name}", engine.url)).bearer_auth("bells");
        let body = json!({"settings": settings}).to_string();
        let put = request.header("Content-Type", "application/json").body(body).send().await.unwrap();
        assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
    };
    put("signed", "[events.github]\nsecret = \"tower\"\n[change_hooks.dialects]\ngithub = { secret = \"tower\", strict = true }\n").await;
    put("guarded", "[change_hooks]\nauth = \"memory:forge:pass\"\n[change_hooks.dialects]\nbase = true\n")
        .await;
    put("plain", "[server]\napi_token = \"plain-tower\"\n").await;
    let zeros = format!("sha256={}", "0".repeat(64));
    let ask = async |tenant: &str, path: &str, post: bool, headers: &[(&str, &str)]| {
        let url = format!("{}/t/{tenant}{path}", engine.url);
        let mut request = if post { http().post(url).body("{}") } else { http().get(url) };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let mut headers: Vec<_> =
            response.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.retain(|header| !header.starts_with("date:"));
        headers.sort();
        (response.status().as_u16(), headers, response.text().await.unwrap())
    };
    let wrong = [("Authorization", "Bearer wrong")];
    let basic = [("Authorization", "Basic Zm9yZ2U6d3Jvbmc=")];
    let signed = [("X-Hub-Signature-256", zeros.as_str()), ("Content-Type", "application/json")];
    let others = [("Authorization", "Bearer plain-tower")];
    for path in [
        "/api/v1/builds",
        "/api/v1/events/github",
        "/api/v1/events/jenkins",
        "/change_hook/github",
        "/change_hook/base",
        "/change_hook/zzz",
        "/change_hook",
    ] {
        for post in [true, false] {
            for headers in [&[][..], &wrong, &basic, &signed, &others] {
                let nobody = ask("nobody", path, post, headers).await;
                for tenant in ["signed", "guarded"] {
                    assert_eq!(ask(tenant, path, post, headers).await, nobody, "{tenant}{path} {headers:?}");
                }
                if headers != others {
                    assert_eq!(ask("plain", path, post, headers).await, nobody, "plain{path} {headers:?}");
                }
            }
        }
    }
    assert_eq!(
        ask("guarded", "/change_hook/base", false, &[("Authorization", "Basic Zm9yZ2U6cGFzcw==")]).await.0,
        202
    );
}

/// The metrics are the operator's: their labels name tenants and targets, and an address may have a key in it.
#[tokio::test]
async fn h_po_10_metrics_are_the_operators() {
    let settings = "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"bells\"\nevents_token = \"ring\"\n\n\
        [outbound]\nallow = [\"127.0.0.1\"]\n\n[[googlecode_atom_poller]]\n\
        feedurl = \"http://127.0.0.1:1/feed/SECRET-path?key=SECRET-url\"\npoll_at_launch = true\n";
    let engine = Engine::start(settings);
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = http().get(format!("{}/metrics", engine.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(ask(&[]).await.0, 200, "a program on this machine");
    for (headers, expected) in [
        (&[("X-Forwarded-For", "192.0.2.1")][..], 401),
        (&[("Host", "rebind.example")], 403),
        (&[("Sec-Fetch-Site", "cross-site")], 403),
        (&[("Authorization", "Bearer wrong")], 401),
        (&[("Authorization", "Bearer ring"), ("Via", "1.1 proxy")], 403),
        (&[("Authorization", "Bearer bells"), ("Via", "1.1 proxy")], 200),
    ] {
        assert_eq!(ask(headers).await.0, expected, "{headers:?}");
    }
    let page = patiently("the feed was asked for", async || {
        let page = ask(&[]).await.1;
        page.contains("campanile_polls_total{").then_some(page)
    })
    .await;
    assert!(page.contains("poller=\"127.0.0.1-") && !page.contains("SECRET"), "{page}");
    let log = std::fs::read_to_string(engine.folder.join("engine.log")).unwrap();
    assert!(log.contains("poll failed") && !log.contains("SECRET"), "{log}");

    // What is gone has no labels any more.
    write_settings(
        &engine.folder,
        "[server]\nlisten = \"127.0.0.1:0\"\nmetrics = \"public\"\napi_token = \"bells\"\n",
    );
    engine.signal("-HUP");
    patiently("everybody may read the metrics, and the poller is gone from them", async || {
        let (status, page) = ask(&[("X-Forwarded-For", "192.0.2.1")]).await;
        (status == 200 && !page.contains("campanile_polls_total{")).then_some(())
    })
    .await;
}
