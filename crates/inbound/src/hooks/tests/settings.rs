//! Hooks in the settings file.

use super::*;

fn problems(settings: &str) -> Vec<String> {
    hooks(settings).1
}

#[test]
fn h_gen_03_hooks_are_off_unless_listed() {
    assert!(!hooks("").0.any() && !hooks("[change_hooks.dialects]\n").0.any());
    assert!(hooks("[change_hooks.dialects]\nbase = true\n").0.any());
}

/// `true` is enough for `github`.
#[test]
fn h_gen_04_h_gh_12_true_and_an_empty_table_and_false() {
    let (hooks, problems) = hooks("[change_hooks.dialects]\nbase = {}\ngithub = true\nnonesuch = false\n");
    assert_eq!(problems, [] as [&str; 0]);
    assert_eq!(hooks.dialect("base").map(Dialect::name), Ok("base"));
    assert_eq!(hooks.dialect("github").map(Dialect::methods), Ok(&[Method::Get, Method::Post][..]));
    assert!(!super::hooks("[change_hooks.dialects]\nbase = false\n").0.any());
}

#[test]
fn h_gen_05_unknown_names_options_and_types_are_errors() {
    let told =
        problems("[change_hooks.dialects]\nbse = true\nbase = 5\ngithub = { strictt = true, tags = 1 }\n");
    assert_eq!(told.len(), 4, "{told:?}");
    let all = told.join("\n");
    assert!(all.contains(
        "campanile.toml:2: error: there is no change hook dialect `bse`: known are `base`, `bitbucket`, "
    ));
    assert!(all.contains("campanile.toml:3: error: `base` must be true, false or a table of options"));
    assert!(all.contains("unknown key `strictt` in `change_hooks.dialects.github`: did you mean `strict`?"));
    assert!(all.contains("`tags` must be true or false"));
}

/// H-XGH-01: every option, all at once.
#[test]
fn h_xgh_01_all_options_of_github() {
    let told = problems(
        "[change_hooks.dialects.github]\nsecret = [\"a\", \"b\"]\nstrict = true\ncodebase = { \"a/b\" = \"c\" }\n\
         github_property_whitelist = [\"github.*\"]\nskips = []\npullrequest_ref = \"head\"\ntags = false\n\
         keep_non_distinct = true\nproject_from_payload = true\n",
    );
    assert!(told.iter().all(|problem| problem.contains("is safer")), "{told:?}");
}

#[test]
fn h_gen_06_the_same_text_whether_the_dialect_exists_or_not() {
    let (hooks, _) = hooks("[change_hooks.dialects]\nbase = true\n");
    for name in ["github", "nonesuch", "Base", ""] {
        let rejection = hooks.dialect(name).err().unwrap();
        let text = format!("The dialect specified, '{name}', wasn't whitelisted in change_hook");
        assert_eq!(rejection, HookError { status: 400, message: text });
    }
}

#[test]
fn h_gen_10_and_11_texts() {
    assert_eq!([0, 1, 2].map(answer_text), ["no changes found", "1 change found", "2 changes found"]);
}

#[test]
fn h_gen_13_the_limit_of_bodies() {
    assert_eq!(hooks("").0.max_body(), 25 << 20);
    assert_eq!(hooks("[change_hooks]\nmax_body = \"1 MiB\"\n").0.max_body(), 1 << 20);
}

#[test]
fn h_auth_01_and_06_a_text_or_a_list() {
    let (open, _) = hooks("");
    assert!(open.is_open() && !open.auth_is_slow() && open.authorize(&HeaderMap::new()).is_ok());
    for auth in ["\"memory:ada:pw\"", "[\"memory:ada:pw\", \"memory:bob:$2b$04$x\"]", "[]"] {
        let (closed, problems) = hooks(&format!("[change_hooks]\nauth = {auth}\n"));
        assert_eq!(problems, [] as [&str; 0]);
        assert!(!closed.is_open());
        assert_eq!(closed.authorize(&HeaderMap::new()).map_err(|rejection| rejection.status), Err(401));
        assert_eq!(closed.auth_is_slow(), auth.contains("$2b$"));
    }
}

#[test]
fn h_auth_02_other_schemes_are_errors_that_show_no_password() {
    for auth in ["sql:hunter2", "hunter2", "file:", "memory:ada", "memory:ada:hunter2:bob"] {
        let told = problems(&format!("[change_hooks]\nauth = \"{auth}\"\n"));
        assert_eq!(told.len(), 1);
        let text = told.join("");
        assert!(text.contains("error: Invalid change_hook checker description: "), "{text}");
        assert!(
            text.contains("`file:PATH`")
                && text.contains("`memory:USER:PASSWORD")
                && !text.contains("hunter2")
        );
    }
}

#[test]
fn h_auth_05_a_missing_file_is_a_warning_and_then_refuses() {
    let (closed, told) = hooks("[change_hooks]\nauth = \"file:no-such-file\"\n");
    assert!(told.len() == 1 && told.join("").contains("no-such-file` cannot be read"), "{told:?}");
    let mut headers = HeaderMap::new();
    headers.insert("authorization", http::HeaderValue::from_static("Basic YWRhOnB3"));
    assert_eq!(closed.authorize(&headers).map_err(|rejection| rejection.status), Err(401));
    assert!(closed.auth_is_slow());
}

#[test]
fn h_auth_08_a_dialect_without_a_guard_on_an_open_address_is_told() {
    let settings = |listen: &str, auth: &str| {
        problems(&format!(
            "[server]\nlisten = \"{listen}\"\n[change_hooks]\n{auth}\n[change_hooks.dialects]\nbase = true\n\
             github = {{ secret = {{ file = \"Cargo.toml\" }}, strict = true }}\n"
        ))
    };
    let told = settings("0.0.0.0:8010", "");
    assert!(
        told.len() == 1 && told.join("").contains("warning: change hook `base` has no guard"),
        "{told:?}"
    );
    assert!(told.join("").contains("fake a push"));
    assert_eq!(settings("127.0.0.1:8010", ""), [] as [&str; 0]);
    assert_eq!(settings("0.0.0.0:8010", "auth = \"memory:a:b\""), [] as [&str; 0]);
}

fn github_problems(options: &str) -> String {
    problems(&format!("[change_hooks.dialects]\ngithub = {{ {options} }}\n")).join("\n")
}

#[test]
fn h_xgh_02_strict_without_a_secret() {
    let told = github_problems("strict = true");
    assert_eq!(told, "campanile.toml:2: error: Strict mode is requested while no secret is provided");
}

#[test]
fn h_xgh_04_a_secret_that_is_not_strict_is_told() {
    let with = |strict: &str| github_problems(&format!("secret = {{ file = \"Cargo.toml\" }}{strict}"));
    assert!(with(", strict = false").contains("warning: requests without a signature pass"));
    assert_eq!((with(""), with(", strict = true")), (String::new(), String::new()));
    assert!(github_problems("secret = []").contains("error: `secret` is blank"));
    assert!(github_problems("secret = \"\"").contains("error: `secret` is blank"));
}

#[test]
fn h_xgh_10_and_12_bad_patterns() {
    assert!(github_problems("skips = [\"(\"]").contains("error: `skips` is no regular expression: "));
    let told = github_problems("github_property_whitelist = [\"[z-a]\"]");
    assert!(told.contains("error: `github_property_whitelist`: `[z-a]` is not a pattern"), "{told}");
}

#[test]
fn h_xgh_13_look_ups_that_cannot_be() {
    let told = problems(
        "[change_hooks.dialects.github]\npull_request_lookup = true\nverify = false\ngithub_api_endpoint = \"api\"\n",
    );
    let all = told.join("\n");
    assert!(all.contains("campanile.toml:3: error: `verify = false` would show the token"), "{all}");
    assert!(
        all.contains("campanile.toml:4: error: `github_api_endpoint` must be an address such as https://api"),
        "{all}"
    );
}
