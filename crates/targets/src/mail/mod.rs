//! The mail target (MailNotifier): builds that lead to a mail, its recipients, and its text.
//! `docs/spec/mail-notifier.md` gives the rules by number.
//!
//! In the order of a mail's life: `settings` reads the table; `decide` says whether a build is mailed, by `filter`,
//! `mode` and `previous_build`; `order` which mails stay in order; `recipients` and `address` to whom; `body` what it says,
//! by the message formatter, a `template` with its `template_context`, or the `built_in_text`, with a `diagnosis`;
//! `subject`, `headers`, `logs` and `threads` what goes
//! with that; `mime` writes the bytes; `payload` is their stored form; `prepare` puts this first half together. `send`
//! hands a stored mail to the transport of the settings: `smtp_transport`, `sendmail` or `eml_folder`.
//!
//! Invariant: a mail that was stored is sent byte for byte, with the same Message-ID at every attempt. Only what a
//! relay has no room or no characters for is left out for it (`size_limit`, `ascii_downgrade`).

mod address;
mod ascii_downgrade;
mod body;
mod built_in_text;
mod decide;
mod diagnosis;
mod durations;
mod eml_folder;
#[cfg(test)]
mod event_tests;
mod headers;
mod logs;
mod mime;
mod mode;
mod order;
mod pages;
mod payload;
mod prepare;
mod previous_build;
mod recipients;
#[cfg(test)]
mod relay_tests;
mod send;
mod sendmail;
mod settings;
mod size_limit;
mod smtp_transport;
mod source_stamps;
mod subject;
mod template;
mod template_context;
#[cfg(test)]
mod template_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod text_tests;
mod threads;
mod watched_workers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Context, Fault, FaultCode, Outcome, Outgoing, Parts, Prepared, Silence, Target, Wanted};
use campanile_callbacks::StatusError;
use campanile_config::Reader;
use campanile_model::{Builder, Event};

use payload::StoredMail;
use settings::MailSettings;

/// Makes a mail target from the n-th `[[mail]]` table.
pub fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let settings = settings::read(reader, index, parts)?;
    Some(Arc::new(MailTarget { settings }))
}

/// A mail that the relay puts off by itself holds the mails behind it for so long.
const ORDER_PATIENCE: Duration = Duration::from_secs(3_600);

fn store_fault(error: &StatusError) -> Fault {
    Fault::transient(FaultCode::Store, error.to_string())
}

/// A target made from one `[[mail]]` table.
struct MailTarget {
    settings: MailSettings,
}

#[async_trait]
impl Target for MailTarget {
    fn name(&self) -> &str {
        &self.settings.name
    }

    /// Wants every finished build: that one is not mailed is recorded too, with the reason (M-05, M-21).
    fn wants(&self, event: &Event) -> Option<Wanted> {
        let settings = &self.settings;
        let key = match event {
            Event::BuildFinished { build } => settings.order_by.key_of_build(build),
            Event::BuildStarted { build } if settings.report_new => settings.order_by.key_of_build(build),
            Event::BuildsetComplete { buildset } if settings.build_set_summary => {
                settings.order_by.key_of_buildset(buildset.bsid)
            }
            Event::WorkerMissing { worker } if settings.watched_workers.includes(worker) => {
                format!("worker {}", worker.name)
            }
            _ => return None,
        };
        Some(Wanted::in_order(key))
    }

    fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        self.settings.build_filter.unknown_names(builders)
    }

    fn unwanted(&self, event: &Event) -> String {
        match event {
            Event::BuildStarted { .. } => "`report_new` is off: builds that begin are not mailed".to_owned(),
            Event::BuildsetComplete { .. } => {
                "`build_set_summary` is off: builds are mailed one by one, not by buildset".to_owned()
            }
            Event::WorkerMissing { worker } => {
                format!("the worker `{}` is not among the target's `watched_workers`", worker.name)
            }
            _ => "mail tells of builds, buildsets and missing workers only".to_owned(),
        }
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        match event {
            Event::BuildFinished { build } => prepare::build(&self.settings, build, context).await,
            Event::BuildStarted { build } => prepare::started(&self.settings, build, context).await,
            Event::BuildsetComplete { buildset } => {
                prepare::buildset(&self.settings, buildset, context).await
            }
            Event::WorkerMissing { worker } => prepare::missing_worker(&self.settings, worker, context),
            other => Ok(Prepared::Silent(Silence::Mode { seen: format!("the event `{}`", other.name()) })),
        }
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        match StoredMail::from_bytes(outgoing.message) {
            Ok(mail) => send::send(&self.settings.transport, mail).await,
            Err(fault) => Outcome::Refused(fault),
        }
    }

    fn max_in_flight(&self) -> Option<usize> {
        self.settings.transport.max_in_flight()
    }

    /// A greylisted mail, or one for a full mailbox, must not keep a builder's other mails for days.
    fn order_patience(&self) -> Option<Duration> {
        Some(ORDER_PATIENCE)
    }

    async fn probe(&self) -> Result<String, Fault> {
        send::probe(&self.settings.transport).await
    }
}
