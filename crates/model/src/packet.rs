//! Events as the packets of StatusPush: their names on the wire and what they carry (P-PKT-01 to P-PKT-07).

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::dict::triples;
use super::{Build, BuilderActivity, Dicts, Event, Master, Results, SourceStamp, Timestamp};

/// The form of packets and bodies, told in each of them (P-T-4).
pub const PACKET_SCHEMA: &str = "campanile/1";

/// Facts that must be known beside an event, where they matter to it.
#[derive(Clone, Debug, Default)]
pub struct PacketContext {
    /// The build that a step's or log's event is about, with its steps.
    pub build: Option<Build>,
    /// Activity of the builder that the event is about.
    pub activity: BuilderActivity,
    /// Source stamp that the event's request is for.
    pub source: Option<SourceStamp>,
    /// Builds that a worker runs.
    pub running: Vec<Build>,
    /// The installation.
    pub master: Master,
}

impl Event {
    /// The name on the wire; none for what is never told there. `fixed` mends the one with the slip (P-PKT-06).
    #[must_use]
    pub fn packet_name(&self, fixed: bool) -> Option<&'static str> {
        packet_name(self.name(), fixed)
    }
}

/// As `Event::packet_name`, by the event's own name.
#[must_use]
pub fn packet_name(event: &'static str, fixed: bool) -> Option<&'static str> {
    Some(match event {
        "builderRemoved" if !fixed => "buildedRemoved",
        "workerConnected" => "slaveConnected",
        "workerDisconnected" => "slaveDisconnected",
        "workerPaused" => "slavePaused",
        "workerUnpaused" => "slaveUnpaused",
        "workerMissing" => "slaveMissing",
        // Pieces of logs are not news; whoever wants a log asks for it.
        "logChunk" => return None,
        other => other,
    })
}

/// Events that are told only where they are asked for (P-PKT-05).
pub const EXTRA_EVENTS: [&str; 8] = [
    "buildETAUpdate",
    "stepTextChanged",
    "stepText2Changed",
    "stepETAUpdate",
    "logStarted",
    "logFinished",
    "buildsetComplete",
    "workerMissing",
];

impl Dicts {
    /// Content of this event's packet (P-PKT-03, P-PKT-07).
    #[must_use]
    pub fn payload(&self, event: &Event, around: &PacketContext) -> Map<String, Value> {
        let value = match event {
            Event::Start {} | Event::Shutdown {} => json!({"status": self.master(&around.master)}),
            Event::BuilderAdded { builder } => {
                json!({"builderName": builder.name, "builder": self.builder(builder, &around.activity)})
            }
            Event::BuilderRemoved { builder } => json!({"builderName": builder}),
            Event::BuilderChangedState { builder, state } => {
                json!({"builderName": builder, "state": state})
            }
            Event::BuildsetSubmitted { buildset } | Event::BuildsetComplete { buildset } => {
                json!({"buildset": self.buildset(buildset)})
            }
            Event::RequestSubmitted { request } => {
                json!({"request": self.request(request, around.source.as_ref(), &[])})
            }
            Event::RequestCancelled { request } => json!({
                "builder": request.builder, "request": self.request(request, around.source.as_ref(), &[]),
            }),
            Event::BuildStarted { build } => json!({"build": self.build(build, None)}),
            Event::BuildFinished { build } => {
                let mut payload = json!({
                    "build": self.build(build, None), "results": build.results.map(Results::code),
                });
                if let (Some(Results::Retry), Some(payload)) = (build.results, payload.as_object_mut()) {
                    // Another build stands for it (P-T-8).
                    payload.insert("final".to_owned(), false.into());
                }
                payload
            }
            Event::BuildEtaUpdate { eta, .. } => {
                let build = around.build.as_ref().map(|build| self.build(build, *eta));
                json!({"build": build, "ETA": eta})
            }
            Event::StepStarted { step, .. } | Event::StepFinished { step, .. } => {
                let place = around.build.as_ref().and_then(|build| {
                    let number = build.steps.iter().position(|known| known.name == step.name)?;
                    Some((build, number))
                });
                match place {
                    Some((build, number)) => Self::of_step(around, &self.step(build, number, step)),
                    None => json!({"properties": [], "step": step.name}),
                }
            }
            Event::StepTextChanged { step, text, .. } => {
                extended(self.of_named_step(around, step), "text", json!(text))
            }
            Event::StepText2Changed { step, text2, .. } => {
                extended(self.of_named_step(around, step), "text2", json!(text2))
            }
            Event::StepEtaUpdate { step, eta, expectations, .. } => {
                let payload = extended(self.of_named_step(around, step), "ETA", json!(eta));
                extended(payload, "expectations", json!(expectations))
            }
            Event::LogStarted { log } | Event::LogFinished { log } => {
                extended(self.of_named_step(around, &log.step), "log", log.log.as_str().into())
            }
            Event::LogChunk { .. } => Value::Null,
            Event::ChangeAdded { change } => json!({"change": self.change(change)}),
            Event::WorkerConnected { worker } => json!({"slave": self.worker(worker, &around.running)}),
            Event::WorkerDisconnected { worker }
            | Event::WorkerPaused { worker }
            | Event::WorkerUnpaused { worker }
            | Event::WorkerMissing { worker } => json!({"slavename": worker.name}),
        };
        let Value::Object(mut payload) = value else { return Map::new() };
        if let (Some(id), false) = (
            event.build_id(),
            matches!(
                event,
                Event::BuildStarted { .. } | Event::BuildFinished { .. } | Event::BuildEtaUpdate { .. }
            ),
        ) {
            payload.insert("builderName".to_owned(), id.builder.into());
            payload.insert("buildNumber".to_owned(), id.number.into());
        }
        payload
    }

    fn of_named_step(&self, around: &PacketContext, name: &str) -> Value {
        let step = around.build.as_ref().and_then(|build| {
            let (number, step) = build.steps.iter().enumerate().find(|(_, step)| step.name == name)?;
            Some(self.step(build, number, step))
        });
        Self::of_step(around, &step.unwrap_or_else(|| name.into()))
    }

    fn of_step(around: &PacketContext, step: &Value) -> Value {
        let properties =
            around.build.as_ref().map_or_else(|| json!([]), |build| triples(&build.all_properties()));
        json!({"properties": properties, "step": step})
    }
}

fn extended(mut payload: Value, key: &str, value: Value) -> Value {
    if let Some(payload) = payload.as_object_mut() {
        payload.insert(key.to_owned(), value);
    }
    payload
}

impl Timestamp {
    /// As packets have it: UTC, `2014-04-19 23:03:46.000001`, without a fraction that is zero (P-PKT-01).
    #[must_use]
    pub fn to_packet_text(self) -> String {
        self.to_text(&TimeZone::UTC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_pkt_01_times_are_utc_with_a_fraction_if_there_is_one() {
        let at = |micros| Timestamp::from_micros(micros).to_packet_text();
        assert_eq!(at(1_397_948_626_000_000), "2014-04-19 23:03:46");
        assert_eq!(at(1_397_948_626_000_001), "2014-04-19 23:03:46.000001");
    }

    #[test]
    fn p_pkt_06_names_on_the_wire() {
        assert_eq!(packet_name("builderRemoved", false), Some("buildedRemoved"));
        assert_eq!(packet_name("builderRemoved", true), Some("builderRemoved"));
        assert_eq!(packet_name("workerUnpaused", false), Some("slaveUnpaused"));
        assert_eq!(packet_name("logChunk", false), None);
        assert_eq!(packet_name("buildETAUpdate", false), Some("buildETAUpdate"));
    }

    /// P-PKT-03, P-PKT-07, P-T-5: each event's payload is plain JSON with the keys of the table.
    #[test]
    fn p_pkt_03_each_event_carries_what_it_should() {
        let keys = |event: Value| {
            let event: Event = serde_json::from_value(event).unwrap();
            let mut build = Build::new("b", 1);
            build.steps = vec![super::super::Step { name: "s".to_owned(), ..Default::default() }];
            build.properties.set("branch", "main", "Build");
            let around = PacketContext { build: Some(build), ..PacketContext::default() };
            let payload = Dicts::plain().payload(&event, &around);
            assert!(payload.get("step").is_none_or(|step| step["name"] == "s"), "{payload:?}");
            assert!(payload.get("properties").is_none_or(|all| all[0][0] == "branch"), "{payload:?}");
            payload.keys().cloned().collect::<Vec<_>>().join(" ")
        };
        let build = json!({"builder": "b", "number": 1});
        for (event, wanted) in [
            (json!({"event": "start"}), "status"),
            (json!({"event": "shutdown"}), "status"),
            (json!({"event": "requestSubmitted", "request": {"brid": 1}}), "request"),
            (json!({"event": "requestCancelled", "request": {"brid": 1}}), "builder request"),
            (json!({"event": "buildsetSubmitted", "buildset": {"bsid": 1}}), "buildset"),
            (json!({"event": "builderAdded", "builder": {"name": "b"}}), "builder builderName"),
            (json!({"event": "builderRemoved", "builder": "b"}), "builderName"),
            (json!({"event": "builderChangedState", "builder": "b", "state": "idle"}), "builderName state"),
            (json!({"event": "buildStarted", "build": build}), "build"),
            (
                json!({"event": "buildFinished", "build": {"builder": "b", "number": 1, "results": 0}}),
                "build results",
            ),
            (
                json!({"event": "buildFinished", "build": {"builder": "b", "number": 1, "results": 5}}),
                "build final results",
            ),
            (json!({"event": "buildETAUpdate", "build": build, "eta": 1.5}), "ETA build"),
            (
                json!({"event": "stepStarted", "build": build, "step": {"name": "s"}}),
                "buildNumber builderName properties step",
            ),
            (
                json!({"event": "stepFinished", "build": build, "step": {"name": "s"}}),
                "buildNumber builderName properties step",
            ),
            (
                json!({"event": "stepTextChanged", "build": build, "step": "s", "text": []}),
                "buildNumber builderName properties step text",
            ),
            (
                json!({"event": "stepText2Changed", "build": build, "step": "s", "text2": []}),
                "buildNumber builderName properties step text2",
            ),
            (
                json!({"event": "stepETAUpdate", "build": build, "step": "s", "eta": 1.0}),
                "ETA buildNumber builderName expectations properties step",
            ),
            (
                json!({"event": "logStarted", "build": build, "step": "s", "log": "l"}),
                "buildNumber builderName log properties step",
            ),
            (
                json!({"event": "logFinished", "build": build, "step": "s", "log": "l"}),
                "buildNumber builderName log properties step",
            ),
            (json!({"event": "changeAdded", "change": {"number": 1}}), "change"),
            (json!({"event": "workerConnected", "worker": {"name": "w"}}), "slave"),
            (json!({"event": "workerDisconnected", "worker": {"name": "w"}}), "slavename"),
            (json!({"event": "workerPaused", "worker": {"name": "w"}}), "slavename"),
            (json!({"event": "workerUnpaused", "worker": {"name": "w"}}), "slavename"),
        ] {
            let name = event["event"].clone();
            assert_eq!(keys(event), wanted, "{name}");
        }
    }
}
