//! Packets: an event as it stands in the queue and goes out (P-PKT-01).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::filter;
use super::settings::Common;
use crate::{Context, Fault, FaultCode, Place, payload};
use campanile_callbacks::{Status, StatusError};
use campanile_model::{BuilderActivity, Event, Master, PACKET_SCHEMA, PacketContext};

/// A packet as it is written.
#[derive(Serialize)]
struct Packet<'a> {
    id: u64,
    timestamp: String,
    project: &'a str,
    started: String,
    event: &'static str,
    payload: Map<String, Value>,
    schema: &'static str,
}

/// What those who hand a packet on read of it; its bytes go out as they are.
#[derive(Deserialize)]
pub(super) struct Queued<'a> {
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) event: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub(super) timestamp: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub(super) started: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub(super) payload: &'a RawValue,
}

/// The packet of an event, in bytes.
pub(super) async fn write(common: &Common, event: &Event, context: &Context) -> Result<Vec<u8>, Fault> {
    let status = &*context.caller.status;
    let around = surroundings(event, status)
        .await
        .map_err(|error| Fault::transient(FaultCode::Store, error.to_string()))?;
    let name = event.packet_name(common.fixed_names);
    let (Some(name), Some(Place { number, started })) = (name, context.place) else {
        return Err(Fault::permanent(FaultCode::Content, "the event has no place in the target's queue"));
    };
    let mut payload = common.dicts.payload(event, &around);
    if let Some(zeros) = common.filter {
        filter::payload(&mut payload, zeros);
    }
    let packet = Packet {
        id: number,
        timestamp: context.created.to_packet_text(),
        project: status.title(),
        started: started.to_packet_text(),
        event: name,
        payload,
        schema: PACKET_SCHEMA,
    };
    payload::to_bytes("the packet", &packet)
}

/// What an event doesn't say of itself. Steps' and logs' events don't have the properties of their build: they are as
/// they stand when the packet is written, shortly after the event if the queue moves.
async fn surroundings(event: &Event, status: &dyn Status) -> Result<PacketContext, StatusError> {
    let mut around = PacketContext::default();
    match event {
        Event::Start {} | Event::Shutdown {} => {
            let url = status.url().unwrap_or_default().to_owned();
            around.master =
                Master { title: status.title().to_owned(), title_url: url.clone(), buildbot_url: url };
        }
        Event::BuilderAdded { builder } => {
            let running = status.running_builds(&builder.name).await?;
            let last = status.last_build(&builder.name).await?;
            around.activity = BuilderActivity {
                cached_builds: last.iter().chain(&running).map(|build| build.number).collect(),
                current_builds: running.iter().map(|build| build.number).collect(),
                ..BuilderActivity::default()
            };
        }
        Event::WorkerConnected { worker } => {
            for builder in status.builders().await? {
                let running = status.running_builds(&builder.name).await?;
                around.running.extend(running.into_iter().filter(|build| build.worker == worker.name));
            }
        }
        Event::RequestSubmitted { request } | Event::RequestCancelled { request } => {
            let set = status.buildset(request.bsid).await?;
            around.source = set.and_then(|set| set.source_stamps.into_iter().next());
        }
        Event::BuildStarted { .. } | Event::BuildFinished { .. } => {}
        _ => {
            if let Some(id) = event.build_id() {
                around.build = status.build(&id).await?;
            }
        }
    }
    Ok(around)
}
