//! watch (I-CMD-10 to I-CMD-13).

use super::ask::{Answer, Asked, said, told};
use crate::irc::announce::named;
use crate::irc::durations::spoken;
use crate::irc::talk::Saying;

pub(super) async fn watch(asked: Asked) -> Answer {
    let words = asked.words()?;
    let [name] = words.as_slice() else { return told("try 'watch <builder>'") };
    let builder = asked.builder(name).await?;
    let running = asked.desk.status.running_builds(&builder.name).await?;
    if running.is_empty() {
        return said("there are no builds currently running");
    }
    let mut lines = Vec::new();
    for build in &running {
        // Watched first: it may end while its expected end is reckoned.
        if let Some(contact) = asked.bot.contacts().get_mut(&asked.contact) {
            contact.watch(build.id());
        }
        let eta = asked.eta(build).await?.map(|eta| format!(" [{}]", spoken(eta))).unwrap_or_default();
        let name = named(build, asked.settings.wording.use_revisions);
        lines.push(Saying::Text(format!("watching build {name} until it finishes{eta}..")));
    }
    Ok(lines)
}
