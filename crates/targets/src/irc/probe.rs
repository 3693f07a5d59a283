//! Tries whether the bot could sign on: for `campanile check --connect`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use super::settings::IrcSettings;
use super::talk::{Happening, Talk};
use crate::{Fault, FaultCode};

/// For a login.
const PATIENCE: Duration = Duration::from_secs(30);

/// Signs on, joins nothing, and leaves.
pub(super) async fn probe(settings: &Arc<IrcSettings>) -> Result<String, Fault> {
    let (host, port) = (&settings.server.host, settings.server.port);
    let failed = |why: String| Fault::transient(FaultCode::Connection, format!("{host}:{port}: {why}"));
    let connecting = Connection::open(&settings.server).await;
    let mut connection = connecting.map_err(failed)?;
    let mut talk = Talk::new(Arc::clone(settings), &[], Instant::now());
    let until = Instant::now() + PATIENCE;
    let nick = loop {
        while let Some(line) = talk.next_line(Instant::now()) {
            connection.write(&line).await.map_err(failed)?;
        }
        let line = tokio::select! {
            line = connection.read() => line.map_err(failed)?,
            () = sleep_until(until) => return Err(failed(format!("no welcome within {} s", PATIENCE.as_secs()))),
        };
        let signed_on = talk.take(line, Instant::now()).into_iter().find_map(|happening| match happening {
            Happening::SignedOn(nick) => Some(Ok(nick)),
            Happening::Over(why) => Some(Err(failed(why))),
            _ => None,
        });
        if let Some(nick) = signed_on {
            break nick?;
        }
    };
    let _ = connection.write("QUIT :tried\r\n").await;
    connection.close().await;
    let tls = if settings.server.tls.is_some() { ", by TLS" } else { "" };
    Ok(format!("{host}:{port} takes the bot as {nick}{tls}"))
}
