//! From a finished build to a mail or a reason for silence: filter, outcome, previous build, mode, people, words.

use super::headers::Extra;
use super::message::{Envelope, StoredMail};
use super::mime::{self, Draft};
use super::settings::{MailSettings, OnCallbackError};
use super::subject::one_line;
use super::text::{self, Facts};
use super::{Context, Fault, Prepared, Silence, mode};
use crate::callbacks::{Callback, CallbackFault, FormattedMessage, MessageKind, StatusError};
use crate::model::{Build, Results, Timestamp};
use crate::targets::FaultCode;

/// Decides and writes; touches no network.
pub(super) async fn prepare(
    settings: &MailSettings,
    build: &Build,
    context: &Context,
) -> Result<Prepared, Fault> {
    if let Some(silence) = settings.filter.refuses(build) {
        return Ok(Prepared::Silent(silence));
    }
    let results = match build.results {
        Some(Results::Retry) => return Ok(Prepared::Silent(Silence::Retry)),
        Some(results) => results,
        None => return Ok(Prepared::Silent(Silence::Mode { seen: "a build without a result".to_owned() })),
    };
    let previous = if mode::needs_previous(settings.modes) {
        previous_results(settings, build, context).await?
    } else {
        None
    };
    if !mode::asks(settings.modes, results, previous) {
        return Ok(Prepared::Silent(Silence::Mode { seen: seen(settings, results, previous) }));
    }
    let recipients = match &settings.lookup {
        Some(lookup) if settings.audience.interested => {
            settings.audience.of_found(&looked_up(settings, lookup, build, context).await)
        }
        _ => settings.audience.of(build),
    };
    if recipients.is_empty() {
        return Ok(Prepared::Silent(Silence::NoRecipients));
    }

    let (words, version) = words(settings, build, results, previous, context).await?;
    let subject = match &words.subject {
        Some(subject) => one_line(subject).into_owned(),
        None => settings.subject.render(results, context.caller.status.title(), &build.builder),
    };
    let mut extra: Vec<Extra> =
        settings.extra_headers.iter().filter_map(|extra| extra.render(build)).collect();
    extra.extend(words.headers.iter().filter_map(|(name, value)| Extra::checked(name, value)));
    let named = extra.iter().find(|extra| extra.name.eq_ignore_ascii_case("Message-ID"));
    let message_id = match named {
        Some(extra) => extra.value.clone(),
        None => format!("<{}@{}>", uuid::Uuid::now_v7(), settings.from.domain()),
    };
    let url = build.url.clone().or_else(|| context.caller.status.url_for(&build.id()));
    let mut attachments = if settings.add_patch { mime::patches(build, url.as_deref()) } else { Vec::new() };
    attachments.extend(settings.add_logs.of(build, &*context.caller.status).await?);
    let thread = match settings.thread_by {
        Some(by) => by.root(build, &*context.caller.status, settings.from.domain()).await?,
        None => None,
    };
    let (raw, parts) = mime::render(Draft {
        from: &settings.from,
        recipients: &recipients,
        subject: &subject,
        date: context.now,
        message_id: &message_id,
        thread: thread.as_deref(),
        kind: words.kind,
        body: &format!("{}\n\n", words.body),
        alternative: words.alternative.as_deref(),
        attachments,
        extra: &extra,
    });
    let envelope = Envelope {
        sender: settings.from.envelope(),
        recipients: recipients.envelope(),
        message_id,
        rendered: sortable(context.now),
        parts,
        ..Envelope::default()
    };
    let mail = StoredMail { envelope, raw }.limited(&settings.name, settings.max_message_bytes)?;
    Ok(Prepared::Message { message: mail.to_bytes(), version })
}

/// What the build before came to: by the callback if there is one (M-19, M-20), else by number (M-18).
async fn previous_results(
    settings: &MailSettings,
    build: &Build,
    context: &Context,
) -> Result<Option<Results>, Fault> {
    let status = &context.caller.status;
    if let Some(getter) = &settings.previous_build {
        match getter.previous_build(&context.caller, build).await {
            Ok((None, _)) => return Ok(None),
            Ok((Some(id), _)) => {
                let named = status.build(&id).await.map_err(|error| store_fault(&error))?;
                let finished = named.filter(Build::is_finished).and_then(|build| build.results);
                // One that was lost came to nothing, as with the built-in rule.
                return Ok(finished.filter(|results| *results != Results::Retry));
            }
            Err(fault) => {
                let text = callback_text(settings, "previousBuildGetter", getter.name(), &fault);
                give_up_unless_default(settings, &text)?;
                tracing::warn!(build = %build.id(), "{text}; the build before by number is taken");
            }
        }
    }
    let earlier = status.earlier_builds(&build.id(), 1).await.map_err(|error| store_fault(&error))?;
    Ok(earlier.first().and_then(|build| build.results))
}

/// What a lookup callback answers for each interested user, asked once (M-31). A failing call costs that user alone.
async fn looked_up(
    settings: &MailSettings,
    lookup: &Callback,
    build: &Build,
    context: &Context,
) -> Vec<String> {
    let mut found = Vec::new();
    for user in build.interested_users() {
        match lookup.look_up(&context.caller, &user).await {
            Ok((address, _)) => found.extend(address),
            Err(fault) => {
                let text = callback_text(settings, "lookup", lookup.name(), &fault);
                tracing::warn!(build = %build.id(), user, "{text}; this user gets no mail");
            }
        }
    }
    found
}

/// The formatter's message with its version, or the built-in text.
async fn words(
    settings: &MailSettings,
    build: &Build,
    results: Results,
    previous: Option<Results>,
    context: &Context,
) -> Result<(FormattedMessage, Option<String>), Fault> {
    let status = &context.caller.status;
    let mut top = String::new();
    if let Some(formatter) = &settings.formatter {
        let formatted =
            formatter.format_message(&context.caller, settings.modes, &build.builder, build, results).await;
        match formatted {
            Ok((message, report)) => return Ok((message, Some(report.version))),
            Err(fault) => {
                let text = callback_text(settings, "message formatter", formatter.name(), &fault);
                give_up_unless_default(settings, &text)?;
                tracing::warn!(build = %build.id(), "{text}; the built-in text goes out");
                let reason = fault.to_string();
                top = format!(
                    "The message formatter {} failed: {}. This is the built-in text.\n\n",
                    formatter.name(),
                    one_line(&reason)
                );
            }
        }
    }
    let build_url = build.url.clone().or_else(|| status.url_for(&build.id()));
    let facts = Facts {
        modes: settings.modes,
        results,
        previous,
        title: status.title(),
        build_url: build_url.as_deref(),
        url: status.url(),
    };
    let message = FormattedMessage {
        subject: None,
        body: top + &text::built_in(build, facts),
        kind: MessageKind::Plain,
        alternative: None,
        headers: Vec::new(),
    };
    Ok((message, None))
}

fn callback_text(settings: &MailSettings, what: &str, name: &str, fault: &CallbackFault) -> String {
    format!("mail target `{}`: the {what} `{name}` failed: {fault}", settings.name)
}

fn give_up_unless_default(settings: &MailSettings, text: &str) -> Result<(), Fault> {
    match settings.on_callback_error {
        OnCallbackError::Default => Ok(()),
        OnCallbackError::Retry => Err(Fault::passing(FaultCode::Callback, text)),
        OnCallbackError::Dead => Err(Fault::lasting(FaultCode::Callback, text)),
    }
}

fn store_fault(error: &StatusError) -> Fault {
    Fault::passing(FaultCode::Store, error.to_string())
}

/// What was looked at, for the record of a silence.
fn seen(settings: &MailSettings, results: Results, previous: Option<Results>) -> String {
    match previous {
        Some(previous) => format!("{results} after {previous}"),
        None if mode::needs_previous(settings.modes) => format!("{results} with no build before"),
        None => results.to_string(),
    }
}

/// A time as text that sorts.
fn sortable(when: Timestamp) -> String {
    let when = jiff::Timestamp::from_microsecond(when.as_micros()).unwrap_or_default();
    when.strftime("%Y%m%dT%H%M%S.%6fZ").to_string()
}
