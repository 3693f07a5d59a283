//! Settings of a bot, and its contacts, without a server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::contacts::Contacts;
use super::decide::Notify;
use super::settings::{self, IrcSettings, Rights};
use crate::Parts;
use campanile_config::{Document, Limits, Problems, Reader, Settings};
use campanile_irc::Delays;
use campanile_model::{Build, Builder, Event, Results};
use campanile_outbound::{Allowed, Outbound, SystemResolver};

const BASE: &str = "host = \"irc.example.org\"\nnick = \"bb\"\nuse_colors = false\n";

fn read(source: &str) -> (Option<IrcSettings>, Vec<String>) {
    let problems = Problems::new();
    let document = Document::parse(Path::new("irc.toml"), source, &problems);
    let reader = Reader::root(&document, &problems);
    let settings = Settings::read(&Reader::root(&document, &Problems::new()), &Limits::default());
    let outbound = Outbound::new(Allowed::default(), Arc::new(SystemResolver));
    let callbacks = BTreeMap::new();
    let templates = campanile_callbacks::TemplateRenderer::in_process();
    let parts = Parts {
        settings: &settings,
        callbacks: &callbacks,
        outbound: &outbound,
        templates: &templates,
        problems: &problems,
    };
    let settings = settings::read(&reader, 1, &parts);
    reader.finish();
    (settings, problems.into_sorted().iter().map(ToString::to_string).collect())
}

fn irc(more: &str) -> Arc<IrcSettings> {
    let (settings, problems) = read(&format!("{BASE}{more}"));
    assert!(problems.iter().all(|problem| problem.contains("warning")), "{problems:?}");
    Arc::new(settings.unwrap())
}

#[test]
fn i_cfg_18_i_cfg_19_what_is_wrong_is_told_with_its_line() {
    let told = |more: &str| read(&format!("{BASE}channels = []\npm_to_nicks = [\"ada\"]\n{more}")).1;
    for (more, wanted) in [
        ("allow_force = \"yes\"", "irc.toml:6: error: allowForce must be boolean, not \"yes\""),
        ("allowShutdown = 1", "irc.toml:6: error: allowShutdown must be boolean, not 1"),
        ("notice_on_channel = []", "irc.toml:6: error: noticeOnChannel must be boolean, not []"),
        ("notify_events = [\"finish\"]", "irc.toml:6: error: `notify_events`: there is no event `finish`"),
        ("notify_events = { nope = false }", "irc.toml:6: error: `notify_events`: there is no event `nope`"),
        ("branch_pattern = \"[\"", "irc.toml:6: error: `branch_pattern` is no regular expression"),
        ("sasl = true", "irc.toml:6: error: `sasl` needs `password`"),
        ("authz = { fly = true }", "irc.toml:6: error: `authz`: there is no command `fly`"),
        ("allow_force = true\nauthz = {}", "irc.toml:6: error: `allow_force` and `authz` rule over the same"),
        ("port = 0", "irc.toml:6: error: `port` must be from 1 to 65535"),
        ("chanels = []", "irc.toml:6: error: unknown key `chanels`: did you mean `channels`?"),
    ] {
        let problems = told(more);
        assert!(problems.len() == 1 && problems[0].starts_with(wanted), "{more}: {problems:?}");
    }
    let (_, problems) = read("nick = \"b b\"\nchannels = [\"a,b\"]\n");
    assert_eq!(problems.iter().filter(|problem| problem.contains(": error: ")).count(), 3, "{problems:?}");
    let flags = irc("channels = [\"x\"]\nnotify_events = { started = false, failure = true }\n");
    assert_eq!(flags.notify_events.iter().map(Notify::name).collect::<Vec<_>>(), ["failure"]);
}

/// Those of I-CFG-01 to I-CFG-17.
#[test]
fn defaults_and_the_older_spelling() {
    let settings =
        irc("channels = [\"ci\", { channel = \"&x\", password = \"k\" }]\ncategories = [\"fast\"]\n");
    assert_eq!((settings.client.server.port, settings.client.server.tls.is_none()), (6667, true));
    assert!(settings.notify_events.is_empty() && settings.pm_to_nicks.is_empty());
    let tagged =
        |tag: &str| Builder { name: "linux".to_owned(), tags: vec![tag.to_owned()], ..Builder::default() };
    let wants = |settings: &IrcSettings, tag| settings.build_filter.wants_builder(&tagged(tag));
    assert!(wants(&settings, "fast") && !wants(&settings, "slow"));
    assert!(
        settings.wording.show_blame_list
            && !settings.wording.use_revisions
            && !settings.client.notice_on_channel
    );
    assert!(matches!(settings.rights, Rights::Switches { allow_force: false, allow_shutdown: false }));
    assert_eq!(settings.delays, Delays::default());
    let names: Vec<&str> = settings.client.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["#ci", "&x"]);
    let both = irc("channels = []\ntags = [\"a\"]\ncategories = [\"b\"]\n");
    assert!(wants(&both, "a") && wants(&both, "b") && !wants(&both, "c"));
}

#[test]
fn i_adr_04_i_adr_05_i_adr_06_i_rc_07_contacts_come_and_go() {
    let now = Instant::now();
    let hours = |hours: u64| now + Duration::from_secs(hours * 3_600);
    let settings = irc("channels = [\"#CI\"]\npm_to_nicks = [\"Zoe\"]\nnotify_events = [\"finished\"]\n");
    let mut contacts = Contacts::default();
    contacts.reconfigure(&settings, None, now);
    for listed in ["#ci", "zoe"] {
        assert_eq!(contacts.get_mut(listed).unwrap().notify.len(), 1, "{listed}");
    }
    assert!(contacts.heard_of("ada", &settings, now).notify.is_empty(), "whoever talks is not signed up");
    assert_eq!(contacts.heard_of("#asked", &settings, now).notify.len(), 1);
    assert_eq!(contacts.joined_by_command(), ["#asked"]);
    contacts.heard_of("eve", &settings, now).notify.extend(Notify::parse("failure"));
    contacts.heard_of("bob", &settings, now).watch(Build::new("linux", 1).id());
    contacts.heard_of("zoe", &settings, hours(2));
    assert!(contacts.get_mut("ada").is_none(), "an hour of silence and nothing asked for");
    for kept in ["#ci", "zoe", "eve", "bob", "#asked"] {
        assert!(contacts.get_mut(kept).is_some(), "{kept}");
    }
    // I-EVT-07: that it began and that it ended are two things; a watch is told once.
    let mut build = Build::new("linux", 1);
    build.results = Some(Results::Success);
    let bob = contacts.get_mut("bob").unwrap();
    assert!(!bob.announces_forced(&build) && bob.announces_end(&build));
    assert!(bob.announces_end(&build), "I-RC-07: what was not stored is made once more");
    let over = Event::BuildFinished { build: Box::new(build.clone()) };
    contacts.announced(&over);
    assert!(!contacts.get_mut("bob").unwrap().announces_end(&build));
    // What was asked for after the announcement was written is not forgotten with it.
    contacts.get_mut("bob").unwrap().watch(build.id());
    contacts.announced(&over);
    assert!(contacts.get_mut("bob").unwrap().announces_end(&build));
    let other = irc("channels = [\"#other\"]\nnotify_events = [\"failure\"]\n");
    contacts.reconfigure(&other, Some(&settings), hours(2));
    assert!(contacts.get_mut("#ci").is_none() && contacts.get_mut("zoe").is_none());
    assert_eq!(contacts.get_mut("#other").unwrap().notify.len(), 1);
}

/// I-CON-04, I-ADD-03: the one password goes to NickServ, or to SASL where that is asked for; and is shown to nobody.
#[test]
fn i_con_04_i_add_03_one_password_for_the_account() {
    let auth = |more: &str| format!("{:?}", irc(&format!("channels = []\n{more}")).client.server.auth);
    assert_eq!(auth(""), "None");
    assert_eq!(auth("password = \"sesame\"\n"), "NickServ(Secret(..))");
    assert_eq!(auth("password = \"sesame\"\nsasl = true\n"), "SaslPlain(Secret(..))");
}

/// I-CFG-21: a new connection for what the server has to know anew, and for nothing else.
#[test]
fn i_cfg_21_what_needs_another_connection() {
    let with = |more: &str| irc(&format!("channels = [\"ci\"]\n{more}"));
    let before = with("");
    for more in
        ["notice_on_channel = true\n", "flood_burst = 9\n", "product = \"bell\"\n", "tags = [\"a\"]\n"]
    {
        assert!(with(more).same_connection(&before), "{more}");
    }
    let other = irc("channels = [\"#other\"]\n");
    assert!(other.same_connection(&before));
    for more in [
        "port = 6668\n",
        "use_ssl = true\n",
        "password = \"sesame\"\n",
        "server_password = \"tower\"\n",
        "authz = { force = \"ada\" }\n",
    ] {
        assert!(!with(more).same_connection(&before), "{more}");
    }
    let (nickserv, sasl) = (with("password = \"x\"\n"), with("password = \"x\"\nsasl = true\n"));
    assert!(!nickserv.same_connection(&sasl) && !nickserv.same_connection(&with("password = \"y\"\n")));
}
