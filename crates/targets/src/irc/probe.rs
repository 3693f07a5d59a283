//! Tries whether the bot could register: for `campanile check --connect`.

use std::sync::Arc;

use campanile_irc::{Client, Connection, SessionEvent};
use campanile_outbound::limits::IRC_WELCOME;
use tokio::time::{Instant, timeout_at};

use super::connection_loop::describe;
use super::settings::IrcSettings;
use crate::{Fault, FaultCode};

/// Registers, joins nothing, and leaves.
pub(super) async fn probe(settings: &IrcSettings) -> Result<String, Fault> {
    let server = &settings.client.server;
    let (host, port) = (&server.host, server.port);
    let failed = |reason: String| Fault::transient(FaultCode::Connection, format!("{host}:{port}: {reason}"));
    let connection = Connection::open(server).await.map_err(|error| failed(describe(&error)))?;
    let mut client = Client::new(connection, Arc::clone(&settings.client), &[]);
    let until = Instant::now() + IRC_WELCOME;
    let nick = loop {
        client.send_due().await.map_err(|error| failed(describe(&error)))?;
        let events = timeout_at(until, client.next_events())
            .await
            .map_err(|_| failed(format!("no welcome within {} s", IRC_WELCOME.as_secs())))?
            .map_err(|error| failed(describe(&error)))?;
        let registered = events.into_iter().find_map(|event| match event {
            SessionEvent::Registered { nick } => Some(Ok(nick)),
            SessionEvent::Closed { reason } => Some(Err(failed(reason))),
            _ => None,
        });
        if let Some(nick) = registered {
            break nick?;
        }
    };
    client.quit("tried").await;
    client.close().await;
    let tls = if server.tls.is_some() { ", by TLS" } else { "" };
    Ok(format!("{host}:{port} takes the bot as {nick}{tls}"))
}
