//! Makes packets of events (P-PKT-01).

use super::filter;
use super::payload::StoredPacket;
use super::settings::QueueSettings;
use crate::{Context, Fault, FaultCode, QueuePosition, payload};
use campanile_callbacks::{Status, StatusError};
use campanile_model::{BuilderActivity, Event, Master, PACKET_SCHEMA, PacketContext};

/// Writes the packet of an event.
pub(super) async fn write(
    settings: &QueueSettings,
    event: &Event,
    context: &Context,
) -> Result<Vec<u8>, Fault> {
    let status = &*context.caller.status;
    let around = surroundings(event, status)
        .await
        .map_err(|error| Fault::transient(FaultCode::Store, error.to_string()))?;
    let name = event.packet_name(settings.fixed_names);
    let (Some(name), Some(QueuePosition { number, started })) = (name, context.position) else {
        return Err(Fault::permanent(FaultCode::Content, "the event has no place in the target's queue"));
    };
    let mut values = settings.dicts.payload(event, &around);
    if let Some(zeros) = settings.filter {
        filter::clean_payload(&mut values, zeros);
    }
    let packet = StoredPacket {
        id: number,
        timestamp: context.created.to_packet_text(),
        project: status.title(),
        started: started.to_packet_text(),
        event: name,
        payload: values,
        schema: PACKET_SCHEMA,
    };
    payload::to_bytes("the packet", &packet)
}

/// Looks up the things that an event doesn't say of itself. Steps' and logs' events don't have the properties of their
/// build: they are as they stand when the packet is written, shortly after the event if the queue moves.
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
