//! watch (I-CMD-10 to I-CMD-13).

use super::invocation::{Invocation, Reply, line, reject};
use crate::irc::announce::named;
use crate::irc::durations::spoken;
use campanile_irc::OutgoingMessage;

pub(super) async fn watch(call: Invocation) -> Reply {
    let words = call.words()?;
    let [name] = words.as_slice() else { return reject("try 'watch <builder>'") };
    let builder = call.builder(name).await?;
    let running = call.context.status.running_builds(&builder.name).await?;
    if running.is_empty() {
        return line("there are no builds currently running");
    }
    let mut lines = Vec::new();
    for build in &running {
        // Watched first: it may end while its expected end is reckoned.
        if let Some(contact) = call.bot.contacts().get_mut(&call.contact) {
            contact.watch(build.id());
        }
        let eta = call.eta(build).await?.map(|eta| format!(" [{}]", spoken(eta))).unwrap_or_default();
        let name = named(build, call.settings.wording.use_revisions);
        lines.push(OutgoingMessage::Text(format!("watching build {name} until it finishes{eta}..")));
    }
    Ok(lines)
}
