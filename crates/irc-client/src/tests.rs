//! A session's lines and events, without a server.

use std::sync::Arc;
use std::time::Duration;

use campanile_config::Secret;
use campanile_outbound::{Allowed, Outbound, SystemResolver};
use tokio::time::Instant;

use crate::message;
use crate::{
    AccountAuth, Channel, ClientSettings, OutgoingMessage, Rate, Refusal, ServerSettings, Session,
    SessionEvent,
};

/// As `bb`, in no channel.
fn settings() -> ClientSettings {
    let outbound = Outbound::new(Allowed::default(), Arc::new(SystemResolver));
    ClientSettings {
        server: ServerSettings {
            host: "irc.example.org".to_owned(),
            port: 6667,
            tls: None,
            dialer: outbound.dialer().clone(),
            nick: "bb".to_owned(),
            real_name: "buildbot".to_owned(),
            server_password: None,
            auth: AccountAuth::None,
            account_tag: false,
        },
        channels: Vec::new(),
        rate: Rate { burst: 5, interval: Duration::from_secs(2) },
        notice_on_channel: false,
        version: "campanile 1".to_owned(),
    }
}

fn channel(name: &str) -> Channel {
    Channel { name: name.to_owned(), key: None }
}

fn session(settings: ClientSettings, now: Instant) -> Session {
    Session::new(Arc::new(settings), &[], now)
}

/// The lines that may go out now, without their ends.
fn lines(session: &mut Session, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| session.next_line(now)).map(|line| line.trim_end().to_owned()).collect()
}

fn receive(session: &mut Session, line: &str, now: Instant) -> Vec<SessionEvent> {
    session.receive(message::parse(line).unwrap(), now)
}

fn text(text: &str) -> OutgoingMessage {
    OutgoingMessage::Text(text.to_owned())
}

/// In `#ci`, as `bb!~bb@host`.
fn in_channel(settings: ClientSettings, now: Instant) -> Session {
    let mut session = session(ClientSettings { channels: vec![channel("#ci")], ..settings }, now);
    receive(&mut session, ":s 001 bb :hi", now);
    receive(&mut session, ":bb!~bb@host JOIN #ci", now);
    lines(&mut session, now);
    session
}

#[test]
fn i_con_01_i_con_02_i_con_06_logging_in() {
    let now = Instant::now();
    let mut told = settings();
    told.channels = vec![channel("#ci"), Channel { key: Some(Secret::new("k")), ..channel("&x") }];
    told.server.server_password = Some(Secret::new("tower"));
    let mut session = Session::new(Arc::new(told), &["#asked".to_owned()], now);
    assert_eq!(lines(&mut session, now), ["PASS :tower", "NICK bb", "USER bb foo bar :buildbot"]);
    // The name that the server makes of it is the name.
    let nick = "bb99".to_owned();
    assert_eq!(receive(&mut session, ":s 001 bb99 :welcome", now), [SessionEvent::Registered { nick }]);
    assert_eq!(session.nick(), "bb99");
    assert_eq!(lines(&mut session, now), ["JOIN #asked", "JOIN #ci", "JOIN &x k"]);
    assert!(!session.is_settled());
    for channel in ["#asked", "#ci"] {
        let line = format!(":bb99!~bb@host JOIN {channel}");
        let joined = SessionEvent::Joined { channel: channel.to_owned() };
        assert_eq!(receive(&mut session, &line, now), [joined]);
    }
    let events = receive(&mut session, ":s 475 bb99 &x :Cannot join channel (+k)", now);
    assert!(matches!(&events[..], [SessionEvent::Left { channel, .. }] if channel == "&x"), "{events:?}");
    assert!(session.is_settled());
    assert!(session.reaches("#ci") && !session.reaches("&x") && session.reaches("ada"));
}

#[test]
fn i_con_05_joins_wait_for_nickserv_or_five_seconds() {
    let now = Instant::now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let start = || {
        let mut told = ClientSettings { channels: vec![channel("#ci")], ..settings() };
        told.server.auth = AccountAuth::NickServ(Secret::new("sesame"));
        let mut session = session(told, now);
        receive(&mut session, ":s 001 bb :hi", now);
        session
    };
    let mut session = start();
    let said = lines(&mut session, now);
    assert_eq!(said.last().unwrap(), "PRIVMSG Nickserv :IDENTIFY sesame");
    // One that people ask for waits, too, and nothing is due before its time.
    session.join("#asked", now);
    assert_eq!((lines(&mut session, after(4)), session.due()), (Vec::new(), after(5)));
    assert_eq!(lines(&mut session, after(5)), ["JOIN #asked", "JOIN #ci"]);
    let mut session = start();
    lines(&mut session, now);
    let greeting = ":NickServ!s@services NOTICE bb :This nickname is registered.";
    assert_eq!(receive(&mut session, greeting, after(1)), []);
    assert_eq!(lines(&mut session, after(1)), [""; 0]);
    let answer = ":NickServ!s@services NOTICE bb :You are now identified for bb.";
    let text = "you are now identified for bb.".to_owned();
    assert_eq!(receive(&mut session, answer, after(1)), [SessionEvent::NickServReplied { text }]);
    assert_eq!(lines(&mut session, after(1)), ["JOIN #ci"]);
}

#[test]
fn i_con_08_signs_of_life() {
    let now = Instant::now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let mut session = in_channel(settings(), now);
    assert_eq!(session.due(), after(60));
    assert_eq!(lines(&mut session, after(59)), [""; 0]);
    assert_eq!(lines(&mut session, after(60)), ["PING :alive"]);
    assert_eq!((session.due(), session.is_lost(after(179))), (after(180), false));
    assert!(session.is_lost(after(180)));
    receive(&mut session, ":s PONG s :alive", after(100));
    assert_eq!((session.due(), session.is_lost(after(500))), (after(160), false));
    receive(&mut session, "PING :you", after(101));
    assert_eq!(lines(&mut session, after(101)), ["PONG :you"]);
}

#[test]
fn i_con_07_other_nicknames_and_refusals() {
    let now = Instant::now();
    let mut session = session(settings(), now);
    lines(&mut session, now);
    for nick in ["bb_", "bb__"] {
        assert_eq!(receive(&mut session, ":s 433 * bb :Nickname is already in use", now), []);
        assert_eq!(lines(&mut session, now), [format!("NICK {nick}")]);
    }
    receive(&mut session, ":s 432 * bb__ :Erroneous nickname", now);
    assert_eq!(lines(&mut session, now), ["NICK defaultnick"]);
    let closed = receive(&mut session, ":s 464 * :Password incorrect", now);
    assert!(
        matches!(&closed[..], [SessionEvent::Closed { reason }] if reason.contains("check `server_password`")),
        "{closed:?}"
    );
    let closed = receive(&mut session, "ERROR :Closing Link: [Access denied]", now);
    let reason = "the server said: Closing Link: [Access denied]".to_owned();
    assert_eq!(closed, [SessionEvent::Closed { reason }]);
}

#[test]
fn i_con_11_thrown_out_it_comes_back_and_later_less_often() {
    let now = Instant::now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let mut session = in_channel(settings(), now);
    let out = receive(&mut session, ":ada!a@h KICK #ci bb :out", now);
    let reason = "ada threw the bot out: out".to_owned();
    assert_eq!(out, [SessionEvent::Left { channel: "#ci".to_owned(), reason }]);
    assert!(session.is_settled() && !session.reaches("#ci"));
    assert_eq!((lines(&mut session, after(29)), session.due()), (Vec::new(), after(30)));
    assert_eq!(lines(&mut session, after(30)), ["JOIN #ci"]);
    receive(&mut session, ":s 474 bb #ci :Cannot join channel (+b)", after(31));
    assert!(!lines(&mut session, after(330)).contains(&"JOIN #ci".to_owned()));
    assert!(lines(&mut session, after(331)).contains(&"JOIN #ci".to_owned()));
    receive(&mut session, ":bb!~bb@host JOIN #ci", after(332));
    assert!(session.reaches("#ci"));
}

#[test]
fn i_con_12_a_channel_that_nobody_asked_for_is_left_and_hears_nothing() {
    let now = Instant::now();
    let mut session = session(ClientSettings { channels: vec![channel("#ci")], ..settings() }, now);
    receive(&mut session, ":s 001 bb :hi", now);
    lines(&mut session, now);
    let told = receive(&mut session, ":s 470 bb #ci ##ci :Forwarding to another channel", now);
    let [SessionEvent::Left { channel, reason }] = &told[..] else { panic!("{told:?}") };
    assert!(
        channel == "#ci" && reason.contains("forwards to ##ci") && reason.contains("`channels`"),
        "{reason}"
    );
    let told = receive(&mut session, ":bb!~bb@host JOIN ##ci", now);
    assert!(matches!(&told[..], [SessionEvent::Left { channel, .. }] if channel == "##ci"), "{told:?}");
    assert_eq!(lines(&mut session, now), ["PART ##ci"]);
    assert!(session.is_settled() && !session.reaches("#ci") && !session.reaches("##ci"));
    assert!(!lines(&mut session, now + Duration::from_secs(299)).contains(&"JOIN #ci".to_owned()));
    assert!(
        lines(&mut session, now + Duration::from_secs(300)).contains(&"JOIN #ci".to_owned()),
        "as I-CON-11"
    );
}

#[test]
fn i_col_05_a_channel_without_colours_is_told_again_without_them() {
    for refusal in [
        "404 bb #ci :Cannot send to channel (+c)",
        "404 bb #ci :Can't send colors to channel (+c is set)",
        "408 bb #ci :You cannot use control codes on this channel. Not sent: x",
    ] {
        let now = Instant::now();
        let mut session = in_channel(settings(), now);
        let message = text("Failure [\x0304failed\x03]");
        let mut said = |now| {
            let ticket = session.deliver([("#ci", std::slice::from_ref(&message))]);
            let said = lines(&mut session, now);
            let refused = receive(&mut session, &format!(":s {refusal}"), now);
            let arrived = said.last().and_then(|ping| ping.strip_prefix("PING :")).unwrap().to_owned();
            let delivered = receive(&mut session, &format!(":s PONG s :{arrived}"), now);
            let [SessionEvent::Delivered { ticket: of, refused: passes }] = &delivered[..] else {
                panic!("{delivered:?}")
            };
            assert_eq!((*of, refused.len(), passes.len()), (ticket, 1, 1));
            (said[0].clone(), passes[0].clone())
        };
        let (line, refused) = said(now);
        assert_eq!(line, "PRIVMSG #ci :Failure [\x0304failed\x03]");
        assert!(refused.passes && refused.reason.contains("`use_colors = false`"), "{refused:?}");
        let (line, refused) = said(now + Duration::from_secs(30));
        assert_eq!(line, "PRIVMSG #ci :Failure [failed]");
        assert!(!refused.passes, "that was not it: {refused:?}");
    }
    let now = Instant::now();
    let mut session = in_channel(settings(), now);
    let told = receive(&mut session, ":s 404 bb #ci :Cannot send to channel (+m)", now);
    assert!(matches!(&told[..], [SessionEvent::Refused(refusal)] if !refusal.passes), "{told:?}");
}

#[test]
fn i_out_02_i_out_03_notices_in_every_kind_of_channel_and_actions() {
    let now = Instant::now();
    let mut session = in_channel(ClientSettings { notice_on_channel: true, ..settings() }, now);
    for to in ["#ci", "&x", "+x", "!x", "ada"] {
        session.send(to, &text("hi")).unwrap();
    }
    let said = lines(&mut session, now);
    assert_eq!(
        said,
        ["NOTICE #ci :hi", "NOTICE &x :hi", "NOTICE +x :hi", "NOTICE !x :hi", "PRIVMSG ada :hi"]
    );
    let later = now + Duration::from_secs(30);
    session.send("#ci", &OutgoingMessage::Action("dances".to_owned())).unwrap();
    session.send("ada", &text("one\ntwo")).unwrap();
    assert_eq!(
        lines(&mut session, later),
        ["PRIVMSG #ci :\u{1}ACTION dances\u{1}", "PRIVMSG ada :one", "PRIVMSG ada :two"]
    );
}

/// I-OUT-05: as others see it, with the prefix that the server has told, or the longest that there may be.
#[test]
fn i_out_05_lines_with_their_prefix_fit() {
    let now = Instant::now();
    let long = text(&"ring the bell ".repeat(60));
    let mut known = in_channel(settings(), now);
    known.send("#ci", &long).unwrap();
    let prefix = ":bb!~bb@host ".len();
    let said = lines(&mut known, now);
    assert!(said.iter().all(|line| prefix + line.len() + 2 <= 512), "{said:?}");
    assert!(said.iter().any(|line| prefix + line.len() + 2 > 490), "none is shorter than need be");
    let mut unknown = session(settings(), now);
    receive(&mut unknown, ":s 005 bb NICKLEN=30 :are supported", now);
    lines(&mut unknown, now);
    unknown.send("ada", &long).unwrap();
    assert!(lines(&mut unknown, now).iter().all(|line| 30 + 10 + 63 + 4 + 10 + line.len() + 2 <= 512));
}

#[test]
fn i_adr_01_senders_and_what_servers_refuse() {
    let now = Instant::now();
    let mut session = in_channel(settings(), now);
    let said = receive(&mut session, ":Ada!~a@h PRIVMSG #ci :bb: hello", now);
    let [SessionEvent::Message { from, to, text }] = &said[..] else { panic!("{said:?}") };
    assert_eq!((from.nick.as_str(), to.as_str(), text.as_str()), ("Ada", "#ci", "bb: hello"));
    let acted = receive(&mut session, ":Ada!~a@h PRIVMSG #ci :\u{1}ACTION kicks bb\u{1}", now);
    assert!(matches!(&acted[..], [SessionEvent::Action { text, .. }] if text == "kicks bb"), "{acted:?}");
    assert_eq!(receive(&mut session, ":Ada!~a@h NOTICE bb :\u{1}PING 1\u{1}", now), []);
    assert_eq!(lines(&mut session, now), [""; 0], "notices are never answered");
    let refused = receive(&mut session, ":s 401 bb Zoe :No such nick/channel", now);
    let reason = "Zoe: No such nick/channel (401)".to_owned();
    assert_eq!(
        refused,
        [SessionEvent::Refused(Refusal { recipient: "zoe".to_owned(), reason, passes: false })]
    );
}

/// I-CON-09: requests of clients are answered by notices, but not so many that nothing else is said.
#[test]
fn i_con_09_ping_and_version_by_ctcp() {
    let now = Instant::now();
    let mut session = in_channel(settings(), now);
    receive(&mut session, ":Ada!~a@h PRIVMSG bb :\u{1}PING 7\u{1}", now);
    receive(&mut session, ":Ada!~a@h PRIVMSG bb :\u{1}VERSION\u{1}", now);
    receive(&mut session, ":Ada!~a@h PRIVMSG bb :\u{1}TIME\u{1}", now);
    let answers = ["NOTICE Ada :\u{1}PING 7\u{1}", "NOTICE Ada :\u{1}VERSION campanile 1\u{1}"];
    assert_eq!(lines(&mut session, now), answers);
    for _ in 0..100 {
        receive(&mut session, ":Ada!~a@h PRIVMSG bb :\u{1}PING 7\u{1}", now);
    }
    let hour = now + Duration::from_secs(3_600);
    let all = (0..100).flat_map(|step| lines(&mut session, hour + Duration::from_secs(2 * step)));
    assert_eq!(all.filter(|line| line.contains("PING 7")).count(), 20);
}

/// A delivery has arrived when the server answers the PING behind it; those who did not get it are told with it, but no
/// refusal counts against what was sent after it.
#[test]
fn deliveries_arrive_with_those_who_did_not_get_them() {
    let now = Instant::now();
    let mut session = in_channel(settings(), now);
    let hi = [text("hi")];
    let first = session.deliver([("#ci", &hi[..]), ("#nope", &hi[..]), ("zoe", &hi[..])]);
    assert_eq!(lines(&mut session, now), ["PRIVMSG #ci :hi", "PRIVMSG zoe :hi", "PING :arrived-1"]);
    let (second, third) = (session.deliver([("ada", &hi[..])]), session.deliver([("zoe", &hi[..])]));
    receive(&mut session, ":s 401 bb zoe :No such nick/channel", now);
    assert_eq!(receive(&mut session, ":s PONG s :other", now), []);
    let refusal = |recipient: &str, reason: &str| Refusal {
        recipient: recipient.to_owned(),
        reason: reason.to_owned(),
        passes: false,
    };
    let zoe = refusal("zoe", "zoe: No such nick/channel (401)");
    let refused = vec![refusal("#nope", "the bot is not in #nope"), zoe.clone()];
    let events = receive(&mut session, ":s PONG s :arrived-1", now);
    assert_eq!(events, [SessionEvent::Delivered { ticket: first, refused }]);
    assert_eq!(lines(&mut session, now), ["PRIVMSG ada :hi", "PRIVMSG zoe :hi", "PING :arrived-2"]);
    let events = receive(&mut session, ":s PONG s :arrived-2", now);
    // The second may have been on its way when the refusal came; the third had not been begun.
    let delivered = |ticket, refused| SessionEvent::Delivered { ticket, refused };
    assert_eq!(events, [delivered(second, vec![zoe]), delivered(third, Vec::new())]);
}

/// Nothing of a password is shown by what is logged or told.
/// Words of a server that repeat what it was told go into no log.
#[test]
fn i_con_04_what_the_server_repeats_is_masked() {
    let now = Instant::now();
    let mut told = settings();
    told.server.server_password = Some(Secret::new("belfry-gate"));
    told.server.auth = AccountAuth::NickServ(Secret::new("Open-Sesame"));
    told.channels = vec![Channel { key: Some(Secret::new("key-of-x")), ..channel("#x") }];
    let mut session = session(told, now);
    receive(&mut session, ":s 001 bb :hi", now);
    lines(&mut session, now);
    for (line, shown) in [
        (
            ":NickServ!s@services NOTICE bb :You are now identified by Open-Sesame",
            "you are now identified by ***",
        ),
        (
            ":s 475 bb #x :Cannot join channel (+k), not by key-of-x",
            "it cannot be joined (475): Cannot join channel (+k), not by ***",
        ),
        (
            "ERROR :you said PASS belfry-gate, IDENTIFY Open-Sesame",
            "the server said: you said PASS ***, IDENTIFY ***",
        ),
    ] {
        let events = receive(&mut session, line, now);
        assert!(format!("{events:?}").contains(shown), "{line}: {events:?}");
    }
}

#[test]
fn i_con_04_passwords_go_to_the_server_only() {
    let now = Instant::now();
    let mut told = settings();
    told.server.auth = AccountAuth::SaslPlain(Secret::new("sesame"));
    assert!(format!("{told:?}").contains("SaslPlain(Secret(..))"), "{told:?}");
    let mut session = session(told, now);
    assert_eq!(lines(&mut session, now), ["CAP REQ :sasl", "NICK bb", "USER bb foo bar :buildbot"]);
    receive(&mut session, ":s CAP * ACK :sasl", now);
    assert_eq!(lines(&mut session, now), ["AUTHENTICATE PLAIN"]);
    receive(&mut session, "AUTHENTICATE +", now);
    assert_eq!(lines(&mut session, now), ["AUTHENTICATE YmIAYmIAc2VzYW1l"]);
    receive(&mut session, ":s 903 bb :SASL authentication successful", now);
    assert_eq!(lines(&mut session, now), ["CAP END"]);
    receive(&mut session, ":s 001 bb :hi", now);
    assert_eq!(lines(&mut session, now), [""; 0], "SASL has proven it: NickServ is not asked");
}
