//! What a bot says to a server and makes of what it hears, without a server; and what its settings come to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::contacts::Contacts;
use super::events::Notify;
use super::settings::{self, IrcSettings, Rights};
use super::talk::{Happening, Saying, Talk};
use super::wire;
use crate::Parts;
use campanile_config::{Document, Limits, Problems, Reader, Settings};
use campanile_model::{Build, Results};
use campanile_outbound::{Allowed, Outbound, SystemResolver};

const BASE: &str = "host = \"irc.example.org\"\nnick = \"bb\"\nuse_colors = false\n";

fn read(source: &str) -> (Option<IrcSettings>, Vec<String>) {
    let problems = Problems::new();
    let document = Document::parse(Path::new("irc.toml"), source, &problems);
    let reader = Reader::root(&document, &problems);
    let settings = Settings::read(&Reader::root(&document, &Problems::new()), &Limits::default());
    let outbound = Outbound::new(Allowed::default(), Arc::new(SystemResolver));
    let callbacks = BTreeMap::new();
    let parts =
        Parts { settings: &settings, callbacks: &callbacks, outbound: &outbound, problems: &problems };
    let settings = settings::read(&reader, 1, &parts);
    reader.finish();
    (settings, problems.into_sorted().iter().map(ToString::to_string).collect())
}

fn irc(more: &str) -> Arc<IrcSettings> {
    let (settings, problems) = read(&format!("{BASE}{more}"));
    assert!(problems.iter().all(|problem| problem.contains("warning")), "{problems:?}");
    Arc::new(settings.unwrap())
}

/// The lines that may go out now, without their ends.
fn lines(talk: &mut Talk, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| talk.next_line(now)).map(|line| line.trim_end().to_owned()).collect()
}

fn hear(talk: &mut Talk, line: &str, now: Instant) -> Vec<Happening> {
    talk.take(wire::parse(line).unwrap(), now)
}

/// In `#ci`, as `bb!~bb@host`.
fn in_channel(more: &str, now: Instant) -> Talk {
    let mut talk = Talk::new(irc(&format!("channels = [\"#ci\"]\n{more}")), &[], now);
    hear(&mut talk, ":s 001 bb :hi", now);
    hear(&mut talk, ":bb!~bb@host JOIN #ci", now);
    lines(&mut talk, now);
    talk
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
    assert_eq!((settings.server.port, settings.server.tls.is_none()), (6667, true));
    assert!(settings.notify_events.is_empty() && settings.pm_to_nicks.is_empty());
    assert_eq!(settings.tags, ["fast"]);
    assert!(
        settings.wording.show_blame_list && !settings.wording.use_revisions && !settings.notice_on_channel
    );
    assert!(matches!(settings.rights, Rights::Switches { allow_force: false, allow_shutdown: false }));
    assert_eq!(settings.delays, (None, None));
    let names: Vec<&str> = settings.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["#ci", "&x"]);
    assert_eq!(irc("channels = []\ntags = [\"a\"]\ncategories = [\"b\"]\n").tags, ["a"]);
}

#[test]
fn i_con_01_i_con_02_i_con_06_logging_in() {
    let now = Instant::now();
    let more = "channels = [\"ci\", { channel = \"&x\", password = \"k\" }]\nserver_password = \"tower\"\n";
    let mut talk = Talk::new(irc(more), &["#asked".to_owned()], now);
    assert_eq!(lines(&mut talk, now), ["PASS :tower", "NICK bb", "USER bb foo bar :buildbot"]);
    // What the server makes of the name is the name.
    assert_eq!(hear(&mut talk, ":s 001 bb99 :welcome", now), [Happening::SignedOn("bb99".to_owned())]);
    assert_eq!(lines(&mut talk, now), ["JOIN #asked", "JOIN #ci", "JOIN &x k"]);
    assert!(!talk.is_settled());
    for channel in ["#asked", "#ci"] {
        let line = format!(":bb99!~bb@host JOIN {channel}");
        assert_eq!(hear(&mut talk, &line, now), [Happening::Joined(channel.to_owned())]);
    }
    let happening = hear(&mut talk, ":s 475 bb99 &x :Cannot join channel (+k)", now);
    assert!(matches!(&happening[..], [Happening::Left(channel, _)] if channel == "&x"), "{happening:?}");
    assert!(talk.is_settled() && talk.reaches("#ci") && !talk.reaches("&x") && talk.reaches("ada"));
}

#[test]
fn i_con_05_joins_wait_for_nickserv_or_five_seconds() {
    let now = Instant::now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let start = || {
        let mut talk = Talk::new(irc("channels = [\"ci\"]\npassword = \"sesame\"\n"), &[], now);
        hear(&mut talk, ":s 001 bb :hi", now);
        talk
    };
    let mut talk = start();
    let said = lines(&mut talk, now);
    assert_eq!(said.last().unwrap(), "PRIVMSG Nickserv :IDENTIFY sesame");
    assert_eq!(lines(&mut talk, after(4)), [""; 0]);
    assert_eq!(lines(&mut talk, after(5)), ["JOIN #ci"]);
    let mut talk = start();
    lines(&mut talk, now);
    hear(&mut talk, ":NickServ!s@services NOTICE bb :This nickname is registered.", after(1));
    assert_eq!(lines(&mut talk, after(1)), [""; 0]);
    hear(&mut talk, ":NickServ!s@services NOTICE bb :You are now identified for bb.", after(1));
    assert_eq!(lines(&mut talk, after(1)), ["JOIN #ci"]);
}

#[test]
fn i_con_08_signs_of_life() {
    let now = Instant::now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let mut talk = in_channel("", now);
    assert_eq!(talk.due(), after(60));
    assert_eq!(lines(&mut talk, after(59)), [""; 0]);
    assert_eq!(lines(&mut talk, after(60)), ["PING :alive"]);
    assert_eq!((talk.due(), talk.is_lost(after(179))), (after(180), None));
    assert!(talk.is_lost(after(180)).is_some());
    hear(&mut talk, ":s PONG s :alive", after(100));
    assert_eq!((talk.due(), talk.is_lost(after(500))), (after(160), None));
    hear(&mut talk, "PING :you", after(101));
    assert_eq!(lines(&mut talk, after(101)), ["PONG :you"]);
}

#[test]
fn i_con_07_other_nicknames_and_refusals() {
    let now = Instant::now();
    let mut talk = Talk::new(irc("channels = []\n"), &[], now);
    lines(&mut talk, now);
    for nick in ["bb_", "bb__"] {
        assert_eq!(hear(&mut talk, ":s 433 * bb :Nickname is already in use", now), []);
        assert_eq!(lines(&mut talk, now), [format!("NICK {nick}")]);
    }
    hear(&mut talk, ":s 432 * bb__ :Erroneous nickname", now);
    assert_eq!(lines(&mut talk, now), ["NICK defaultnick"]);
    let over = hear(&mut talk, ":s 464 * :Password incorrect", now);
    assert!(
        matches!(&over[..], [Happening::Over(why)] if why.contains("check `server_password`")),
        "{over:?}"
    );
    let over = hear(&mut talk, "ERROR :Closing Link: [Access denied]", now);
    assert_eq!(over, [Happening::Over("the server said: Closing Link: [Access denied]".to_owned())]);
}

#[test]
fn i_out_02_i_out_03_notices_in_every_kind_of_channel_and_actions() {
    let now = Instant::now();
    let mut talk = in_channel("notice_on_channel = true\n", now);
    let text = Saying::Text("one\ntwo".to_owned());
    for to in ["#ci", "&x", "+x", "!x", "ada"] {
        talk.say(to, &Saying::Text("hi".to_owned()));
    }
    let said = lines(&mut talk, now);
    assert_eq!(
        said,
        ["NOTICE #ci :hi", "NOTICE &x :hi", "NOTICE +x :hi", "NOTICE !x :hi", "PRIVMSG ada :hi"]
    );
    let later = now + Duration::from_secs(30);
    talk.say("#ci", &Saying::Action("dances".to_owned()));
    talk.say("ada", &text);
    assert_eq!(
        lines(&mut talk, later),
        ["PRIVMSG #ci :\u{1}ACTION dances\u{1}", "PRIVMSG ada :one", "PRIVMSG ada :two"]
    );
}

/// I-OUT-05: as others see it, with the prefix that the server has told, or the longest that there may be.
#[test]
fn i_out_05_lines_with_their_prefix_fit() {
    let now = Instant::now();
    let long = Saying::Text("ring the bell ".repeat(60));
    let mut known = in_channel("", now);
    known.say("#ci", &long);
    let prefix = ":bb!~bb@host ".len();
    let said = lines(&mut known, now);
    assert!(said.iter().all(|line| prefix + line.len() + 2 <= 512), "{said:?}");
    assert!(said.iter().any(|line| prefix + line.len() + 2 > 490), "none is shorter than need be");
    let mut unknown = Talk::new(irc("channels = []\n"), &[], now);
    hear(&mut unknown, ":s 005 bb NICKLEN=30 :are supported", now);
    lines(&mut unknown, now);
    unknown.say("ada", &long);
    assert!(lines(&mut unknown, now).iter().all(|line| 30 + 10 + 63 + 4 + 10 + line.len() + 2 <= 512));
}

#[test]
fn i_adr_01_senders_and_what_servers_refuse() {
    let now = Instant::now();
    let mut talk = in_channel("", now);
    let said = hear(&mut talk, ":Ada!~a@h PRIVMSG #ci :bb: hello", now);
    let [Happening::Said { from, to, text }] = &said[..] else { panic!("{said:?}") };
    assert_eq!((from.nick.as_str(), to.as_str(), text.as_str()), ("Ada", "#ci", "bb: hello"));
    let acted = hear(&mut talk, ":Ada!~a@h PRIVMSG #ci :\u{1}ACTION kicks bb\u{1}", now);
    assert!(matches!(&acted[..], [Happening::Acted { text, .. }] if text == "kicks bb"), "{acted:?}");
    assert_eq!(hear(&mut talk, ":Ada!~a@h NOTICE bb :\u{1}PING 1\u{1}", now), []);
    assert_eq!(lines(&mut talk, now), [""; 0], "notices are never answered");
    let refused = hear(&mut talk, ":s 401 bb Zoe :No such nick/channel", now);
    assert_eq!(refused, [Happening::Refused("zoe".to_owned(), "Zoe: No such nick/channel (401)".to_owned())]);
}

#[test]
fn i_adr_04_i_adr_05_i_adr_06_contacts_come_and_go() {
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
    assert!(!bob.take_forced(&build) && bob.take_watch(&build) && !bob.take_watch(&build));
    let other = irc("channels = [\"#other\"]\nnotify_events = [\"failure\"]\n");
    contacts.reconfigure(&other, Some(&settings), hours(2));
    assert!(contacts.get_mut("#ci").is_none() && contacts.get_mut("zoe").is_none());
    assert_eq!(contacts.get_mut("#other").unwrap().notify.len(), 1);
}

/// Nothing of a password is shown by what is logged or told.
#[test]
fn i_con_04_passwords_go_to_the_server_only() {
    let now = Instant::now();
    let settings = irc("channels = []\npassword = \"sesame\"\nsasl = true\n");
    assert_eq!(BTreeMap::from([(1, format!("{:?}", settings.server.password))])[&1], "Some(Secret(..))");
    let mut talk = Talk::new(settings, &[], now);
    assert_eq!(lines(&mut talk, now), ["CAP REQ :sasl", "NICK bb", "USER bb foo bar :buildbot"]);
    hear(&mut talk, ":s CAP * ACK :sasl", now);
    assert_eq!(lines(&mut talk, now), ["AUTHENTICATE PLAIN"]);
    hear(&mut talk, "AUTHENTICATE +", now);
    assert_eq!(lines(&mut talk, now), ["AUTHENTICATE YmIAYmIAc2VzYW1l"]);
    hear(&mut talk, ":s 903 bb :SASL authentication successful", now);
    assert_eq!(lines(&mut talk, now), ["CAP END"]);
    hear(&mut talk, ":s 001 bb :hi", now);
    assert_eq!(lines(&mut talk, now), [""; 0], "SASL has proven it: NickServ is not asked");
}
