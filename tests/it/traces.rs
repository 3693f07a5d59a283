//! Traces: an incoming `traceparent` goes through to what is pushed, over a restart too, and spans reach a collector.

use serde_json::{Value, json};

use campanile_testing::receiver::{Receiver, Reply};
use campanile_testing::{Engine, build_finished, http, patiently};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn push_to(port: u16) -> String {
    format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[http_status_push]]\nname = \"push\"\n\
         server_url = \"http://127.0.0.1:{port}/push\"\nbuffer_delay = 0.05\nretry_delay = 0.1\n\
         black_list = [\"start\", \"shutdown\"]\nfilter = false\n"
    )
}

async fn tell(engine: &Engine, number: u64, traceparent: &str) {
    let request = http()
        .post(format!("{}/api/v1/events", engine.url))
        .header("content-type", "application/json")
        .header("traceparent", traceparent);
    let sent = request.body(build_finished(number, "failure").to_string()).send().await.unwrap();
    assert_eq!(sent.status(), 202);
}

/// Of the pushes that were traced, the newest one's header.
fn traced(receiver: &Receiver) -> Option<String> {
    let header = |got: &campanile_testing::receiver::Got| {
        (got.status == 200).then(|| got.headers.get("traceparent")?.to_str().ok().map(str::to_owned))?
    };
    receiver.got().iter().rev().find_map(header)
}

#[tokio::test]
async fn without_a_collector_a_trace_goes_through_as_it_came() {
    let receiver = Receiver::kind().await;
    let engine = Engine::start(&push_to(receiver.port));
    engine.build(1, "failure").await;
    patiently("the build is pushed", async || (!receiver.packets().is_empty()).then_some(())).await;
    assert_eq!(traced(&receiver), None);
    tell(&engine, 2, PARENT).await;
    let header = patiently("the traced build is pushed", async || traced(&receiver)).await;
    assert_eq!(header, PARENT);
    // What is no such header is none.
    let before = receiver.got().len();
    tell(&engine, 3, "00-nonsense").await;
    patiently("the third build is pushed", async || (receiver.got().len() > before).then_some(())).await;
    assert!(receiver.got()[before..].iter().all(|got| got.headers.get("traceparent").is_none()));
}

/// Every span that a collector was sent.
fn spans(collector: &Receiver) -> Vec<Value> {
    let got = collector.got().into_iter().filter(|got| got.path == "/v1/traces" && got.status == 200);
    let spans = |got: campanile_testing::receiver::Got| {
        assert_eq!(got.headers["content-type"], "application/json");
        let body: Value = serde_json::from_str(&got.body).unwrap();
        let resource = &body["resourceSpans"][0];
        let service = json!({"key": "service.name", "value": {"stringValue": "bells"}});
        assert_eq!(resource["resource"]["attributes"][0], service);
        resource["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    };
    got.flat_map(spans).collect()
}

// Of several threads: the collector answers while the test waits for the engine's end.
#[tokio::test(flavor = "multi_thread")]
async fn spans_join_the_trace_that_came_in_and_do_so_after_a_restart() {
    let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_down = std::sync::Arc::clone(&down);
    let receiver = Receiver::start(0, move |_, _| {
        Reply::Status(if is_down.load(std::sync::atomic::Ordering::SeqCst) { 503 } else { 200 })
    })
    .await;
    // It asks to be asked again at first.
    let collector = Receiver::start(0, |number, _| Reply::Status(if number == 1 { 503 } else { 200 })).await;
    let settings = format!(
        "{}\n[telemetry]\notlp_endpoint = \"http://127.0.0.1:{}/\"\nservice_name = \"bells\"\n",
        push_to(receiver.port),
        collector.port
    );
    let mut engine = Engine::start(&settings);
    tell(&engine, 1, PARENT).await;
    let all = patiently("spans reach the collector", async || {
        let all = spans(&collector);
        all.iter().any(|span| span["name"] == "send push" && span["status"]["code"] == 2).then_some(all)
    })
    .await;
    let named = |all: &[Value], name: &str| -> Value {
        let found = all.iter().find(|span| span["name"] == name && span["traceId"] == TRACE);
        found.unwrap_or_else(|| panic!("no `{name}` in {all:#?}")).clone()
    };
    let accept = named(&all, "accept");
    assert_eq!((&accept["parentSpanId"], &accept["kind"]), (&json!("00f067aa0ba902b7"), &json!(2)));
    let attributes = accept["attributes"].as_array().unwrap();
    assert!(
        attributes.contains(&json!({"key": "campanile.events", "value": {"stringValue": "buildFinished"}}))
    );
    let prepare = named(&all, "prepare push");
    assert_eq!((&prepare["parentSpanId"], &prepare["kind"]), (&accept["spanId"], &json!(1)));
    let send = named(&all, "send push");
    assert_eq!((&send["parentSpanId"], &send["kind"]), (&accept["spanId"], &json!(3)));
    let nanos = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    for span in [&accept, &prepare, &send] {
        assert!(nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano"));
        assert!(nanos(span, "startTimeUnixNano") > 1_600_000_000_000_000_000);
    }

    // A second life, and a far side that is back: what is pushed carries the span of the attempt.
    engine.kill_and_restart();
    down.store(false, std::sync::atomic::Ordering::SeqCst);
    let header = patiently("the build is pushed after all", async || traced(&receiver)).await;
    let parts: Vec<&str> = header.split('-').collect();
    assert_eq!((parts[1], parts[3]), (TRACE, "01"));
    assert_eq!(engine.terminate(), Some(0));
    // What was noted last is sent before the end.
    let span = spans(&collector).into_iter().find(|span| span["spanId"] == parts[2]).unwrap();
    assert_eq!((&span["name"], &span["parentSpanId"]), (&json!("send push"), &accept["spanId"]));
    assert!(span.get("status").is_none(), "{span}");
}

// Of several threads: the collector answers while the test waits for the engine's end.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_callbacks_are_spans_and_an_unsampled_trace_is_not_told() {
    let Some(component) = campanile_testing::guest("html-mail") else {
        return campanile_testing::skip("the guest html-mail is not built: run `cargo xtask guests`");
    };
    let collector = Receiver::kind().await;
    let settings = format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[telemetry]\notlp_endpoint = \"http://127.0.0.1:{}\"\n\
         service_name = \"bells\"\n\n[callbacks.html]\ncomponent = \"{}\"\ndeadline = \"10s\"\n\n\
         [[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
         lookup = \"example.org\"\nmessage_formatter = \"html\"\n",
        collector.port,
        component.display()
    );
    let mut engine = Engine::start(&settings);
    tell(&engine, 1, &PARENT.replace("-01", "-00")).await;
    engine.outbox(1).await;
    // Nobody's trace: it gets one of its own.
    engine.build(2, "failure").await;
    engine.outbox(2).await;
    assert_eq!(engine.terminate(), Some(0));
    let all = spans(&collector);
    assert!(all.iter().all(|span| span["traceId"] != TRACE), "{all:#?}");
    let find = |name: &str| {
        all.iter()
            .find(|span| span["name"] == name)
            .unwrap_or_else(|| panic!("no `{name}` in {all:#?}\n{}", engine.log()))
    };
    let (accept, prepare, call) = (find("accept"), find("prepare dev"), find("call html"));
    assert!(accept.get("parentSpanId").is_none());
    assert_eq!(prepare["parentSpanId"], accept["spanId"]);
    assert_eq!(call["parentSpanId"], prepare["spanId"]);
    assert!([prepare, call].iter().all(|span| span["traceId"] == accept["traceId"]));
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nothing_up() {
    let gone = campanile_testing::free_port();
    let engine = Engine::start(&format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[telemetry]\notlp_endpoint = \"http://127.0.0.1:{gone}\"\n\n\
         [[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n"
    ));
    engine.build(1, "failure").await;
    engine.outbox(1).await;
    engine.logs("spans are lost").await;
    assert!(crate::retention::metric(&engine, "campanile_trace_spans_dropped_total", "").await >= 1.0);
    assert_eq!(crate::retention::metric(&engine, "campanile_trace_spans_exported_total", "").await, 0.0);
}
