//! Settings of targets for forges.

use super::bitbucket_cloud::BitbucketCloud;
use super::bitbucket_server::BitbucketServer;
use super::forge::Forge;
use super::gitea::Gitea;
use super::github::Github;
use super::github_comment::GithubComment;
use super::gitlab::Gitlab;
use super::settings::{self, Addressing, Repository, Shared};
use crate::testing::{assert_only_warnings, assert_problem, read_table};
use campanile_model::Results;
use campanile_model::interpolate::Text;

fn read<F: Forge>(source: &str) -> (Option<(Shared, F)>, Vec<String>) {
    read_table(source, |reader, parts| {
        let (settings, forge) = (settings::read::<F>(reader, 1, parts), F::read(reader));
        settings.zip(forge)
    })
}

fn good<F: Forge>(source: &str) -> Shared {
    let (settings, problems) = read::<F>(source);
    assert_only_warnings(source, &problems);
    settings.unwrap().0
}

fn github(more: &str) -> Shared {
    good::<Github>(&format!("token = \"t\"\n{more}"))
}

fn bad<F: Forge>(source: &str, problem: &str) {
    let (_, problems) = read::<F>(source);
    assert_problem(source, &problems, problem);
}

fn source(text: &Text) -> String {
    match text {
        Text::Plain(text) => text.clone(),
        Text::Template(template) => template.source().to_owned(),
    }
}

#[test]
fn gs_cfg_01_gs_cfg_12_defaults_and_what_empty_values_mean() {
    for more in
        ["", "sha = \"\"\ncontext = \"\"\nstartDescription = \"\"\nendDescription = \"\"\nbaseURL = \"\"\n"]
    {
        let settings = github(more);
        assert_eq!(source(&settings.context), "buildbot/%(prop:buildername)s");
        assert_eq!(settings.start_description.as_ref().map(source).as_deref(), Some("Build started."));
        assert_eq!(source(&settings.end_description), "Build done.");
        assert_eq!(settings.base_url.as_str(), "https://api.github.com/");
        let Addressing::Templates { repository, sha: None } = &settings.addressing else { panic!("{more}") };
        let (Repository::Both(both) | Repository::OfStamp(both)) = &**repository else { panic!("{more}") };
        assert_eq!(source(both), "%(src::project)s");
        assert_eq!(settings.name, "github-1");
        assert!(settings.requests.is_none());
    }
    let own = github("sha = { interpolate = \"%(prop:a)s\" }\n").addressing;
    assert!(matches!(own, Addressing::Templates { sha: Some(Text::Template(_)), .. }));
    assert!(matches!(github("context = \"100%\"\n").context, Text::Plain(text) if text == "100%"));
}

#[test]
fn gs_cfg_13_gs_cfg_15_what_is_refused() {
    for (more, problem) in [
        (
            "repoOwner = \"a\"\nrepoName = \"b\"\nrepo = \"a/b\"\n",
            "Specify repoOwner and repoName or repo, but not both",
        ),
        ("repo_owner = \"a\"\n", "Specify both or none of repoOwner and repoName"),
        ("repo_name = \"a\"\n", "Specify both or none of repoOwner and repoName"),
        ("base_url = \"http://github.example.org/api/v3\"\n", "a token must not go out in the clear"),
        ("base_url = \"github\"\n", "`github` is no address"),
        ("sha = \"%(prop:a\"\n", "`sha`: "),
        ("each_source_stamp = true\nsha = \"a\"\n", "leave `sha` out"),
        ("state_mapping = \"old\"\n", "`state_mapping` must be `modern`, `2014` or a table, not `old`"),
        ("state_mapping = { nope = \"error\" }\n", "`nope` is no result of a build"),
        ("state_mapping = { success = \"fine\" }\n", "a state is `pending`, `success`, `failure` or `error`"),
        ("app_id = 7\n", "keep one of them: `token`, or `app_id` with `private_key`"),
    ] {
        bad::<Github>(&format!("token = \"t\"\n{more}"), problem);
    }
    let enterprise = github("base_url = \"https://github.example.org/api/v3\"\n");
    assert_eq!(enterprise.base_url.as_str(), "https://github.example.org/api/v3/");
    let open = github("base_url = \"http://127.0.0.1:8/\"\nallowInsecure = true\n");
    assert_eq!(open.base_url.as_str(), "http://127.0.0.1:8/");
    let mapped = github("state_mapping = { warnings = \"failure\" }\n").mapping;
    assert_eq!(mapped.state(Some(Results::Warnings)), "failure");
    assert_eq!(github("state_mapping = \"2014\"\n").mapping.state(Some(Results::Warnings)), "error");
}

#[test]
fn gs_cfg_01_credentials_of_apps() {
    bad::<Github>("", "`token` is missing");
    bad::<Github>("app_id = 7\n", "`installation_id` is missing");
    bad::<Github>("app_id = 7\n", "`private_key` is missing");
    bad::<Github>(
        "app_id = 7\ninstallation_id = 8\nprivate_key = \"k\"\n",
        "`private_key` holds no PEM text",
    );
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let not_rsa = format!("app_id = \"Iv1.a\"\ninstallation_id = 8\nprivate_key = '''\n{key}'''\n");
    bad::<Github>(&not_rsa, "`private_key` is no RSA key");
    let (_, problems) = read::<Github>(&not_rsa);
    assert!(!problems.concat().contains("BEGIN"), "{problems:?}");
}

/// L-01, L-05, K-01, K-05, T-01, T-03, GS-ADD-01, GS-ADD-07: keys of the other tables.
#[test]
fn l_01_k_01_t_01_tables_of_the_other_forges() {
    let gitlab = good::<Gitlab>("token = \"t\"\n");
    assert!(matches!(gitlab.addressing, Addressing::EachStamp) && gitlab.requests.is_some());
    assert_eq!(gitlab.base_url.as_str(), "https://gitlab.com/");
    assert_eq!(gitlab.requests.map(|texts| source(&texts.pending)).as_deref(), Some("Build pending."));
    assert!(good::<Gitlab>("token = \"t\"\nrequests = false\n").requests.is_none());
    let by_template = good::<Gitlab>("token = \"t\"\nrepo = \"quad/bells\"\n");
    assert!(matches!(by_template.addressing, Addressing::Templates { .. }));
    bad::<Gitlab>("", "`token` is missing: one with the scope `api`");
    bad::<Gitlab>("token = \"t\"\nstate_mapping = { success = \"fine\" }\n", "`canceled` or `skipped`");

    let cloud = good::<BitbucketCloud>("oauth_key = \"k\"\noauth_secret = \"s\"\n");
    assert_eq!(cloud.base_url.as_str(), "https://api.bitbucket.org/2.0/repositories/");
    good::<BitbucketCloud>("username = \"ada\"\npassword = \"p\"\n");
    good::<BitbucketCloud>("token = \"t\"\nstate_mapping = { warnings = \"SUCCESSFUL\" }\n");
    bad::<BitbucketCloud>("", "credentials are missing");
    bad::<BitbucketCloud>(
        "oauth_key = \"k\"\noauth_secret = \"s\"\nusername = \"ada\"\npassword = \"p\"\n",
        "Either App Passwords or OAuth can be specified, not both",
    );
    bad::<BitbucketCloud>("oauth_key = \"k\"\n", "`oauth_secret` is missing");
    bad::<BitbucketCloud>("username = \"ada\"\n", "`username` needs `password` beside it");
    bad::<BitbucketCloud>("token = \"t\"\nusername = \"ada\"\n", "keep one of them");

    bad::<BitbucketServer>("token = \"t\"\n", "`base_url` is missing");
    bad::<BitbucketServer>("base_url = \"https://bb/\"\n", "credentials are missing");
    bad::<BitbucketServer>(
        "base_url = \"https://bb/\"\ntoken = \"t\"\nref = \"x\"\n",
        "`ref` is for `core_api",
    );
    good::<BitbucketServer>(
        "base_url = \"https://bb/\"\ntoken = \"t\"\ncoreApi = true\nref = \"refs/tags/1\"\n",
    );

    bad::<Gitea>("token = \"t\"\n", "`base_url` is missing: where Gitea is, such as");
    bad::<Gitea>("base_url = \"https://gitea\"\n", "`token` is missing");
    let gitea = good::<Gitea>("base_url = \"https://gitea/\"\ntoken = \"t\"\nrequests = true\n");
    assert!(gitea.requests.is_some());

    let comment = good::<GithubComment>("token = \"t\"\n");
    assert!(comment.start_description.is_none() && comment.requests.is_none());
    assert!(
        good::<GithubComment>("token = \"t\"\nstart_description = \"Ring\"\n").start_description.is_some()
    );
    bad::<GithubComment>("token = \"t\"\nstate_mapping = \"2014\"\n", "unknown key `state_mapping`");
}
