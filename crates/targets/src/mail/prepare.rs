//! From an event to a mail or a reason for silence: whom it is about, who is told, what it says, what goes with it.

use super::body::{self, RenderedMessage, plain};
use super::decide::{MailedBuild, decide};
use super::headers::{self, Extra};
use super::mime::{self, Attachment, Draft};
use super::payload::{Envelope, StoredMail};
use super::recipients::Recipients;
use super::settings::MailSettings;
use super::subject::one_line;
use super::{Context, Fault, Prepared, Silence, built_in_text, store_fault};
use crate::Decision;
use campanile_callbacks::Callback;
use campanile_model::interpolate::Scope;
use campanile_model::{Build, Buildset, Results, Timestamp, Worker};

/// The name of a summary where a builder's is asked for (M-23).
const WHOLE_BUILDSET: &str = "(whole buildset)";

/// Prepares the mail about a finished build.
pub(super) async fn build(
    settings: &MailSettings,
    build: &Build,
    context: &Context,
) -> Result<Prepared, Fault> {
    if settings.build_set_summary && build.buildset.is_some() {
        return Ok(Prepared::Silent(Silence::BuildsetSummary));
    }
    let mailed = match decide(settings, build, context).await? {
        Decision::Send(mailed) => mailed,
        Decision::Silent(silence) => return Ok(Prepared::Silent(silence)),
    };
    let properties = build.all_properties();
    let scope = Scope::new(&properties, &build.source_stamps);
    let about = MailTopic { name: &build.builder, results: mailed.results, scope };
    mail_about(settings, &about, vec![mailed], context).await
}

/// Prepares the mail about a complete buildset (M-22): one mail about those of its builds that are told of.
pub(super) async fn buildset(
    settings: &MailSettings,
    buildset: &Buildset,
    context: &Context,
) -> Result<Prepared, Fault> {
    let builds = context.caller.status.builds_of_buildset(buildset.bsid).await;
    let builds = builds.map_err(|error| store_fault(&error))?;
    let (mut mailed, mut silent) = (Vec::new(), Vec::new());
    for build in &builds {
        match decide(settings, build, context).await? {
            Decision::Send(one) => mailed.push(one),
            Decision::Silent(silence) => silent.push(format!("{}: {silence}", build.id())),
        }
    }
    if mailed.is_empty() {
        return Ok(Prepared::Silent(Silence::WholeBuildset { of_each: silent }));
    }
    let of_builds = || Results::of_buildset(builds.iter().filter_map(|build| build.results));
    let results = buildset.results.unwrap_or_else(of_builds);
    // Extra headers are made of the buildset's own properties and sources (M-61).
    let properties = buildset.all_properties();
    let scope = Scope::new(&properties, &buildset.source_stamps);
    let about = MailTopic { name: WHOLE_BUILDSET, results, scope };
    mail_about(settings, &about, mailed, context).await
}

/// Prepares the mail about a build that began, for targets that want to know (M-X-05). No mode is asked, and no
/// callback: there is no result that they could be asked about.
pub(super) async fn started(
    settings: &MailSettings,
    build: &Build,
    context: &Context,
) -> Result<Prepared, Fault> {
    if let Some(silence) = settings.build_filter.refuses(build) {
        return Ok(Prepared::Silent(silence));
    }
    let recipients = recipients(settings, &[build], context).await;
    if recipients.is_empty() {
        return Ok(Prepared::Silent(Silence::NoRecipients));
    }
    let status = &context.caller.status;
    let url = status.url_of(build);
    let text = built_in_text::started(build, status.title(), url.as_deref(), status.url());
    let subject = settings.subject.render("started", status.title(), &build.builder);
    let content = MailContent {
        recipients,
        subject,
        rendered: (plain(None, text), None),
        extra: extra_headers(settings, &Scope::new(&build.all_properties(), &build.source_stamps)),
        thread: thread(settings, build, context).await?,
        attachments: Vec::new(),
    };
    store(settings, content, context)
}

/// Prepares the mail about a worker that has been away for too long, to those who asked to be told of it (M-X-13).
pub(super) fn missing_worker(
    settings: &MailSettings,
    worker: &Worker,
    context: &Context,
) -> Result<Prepared, Fault> {
    let recipients = settings.audience.named(&worker.notify);
    if recipients.is_empty() {
        return Ok(Prepared::Silent(Silence::NoRecipients));
    }
    let status = &context.caller.status;
    let content = MailContent {
        recipients,
        subject: format!("{}: worker {} is missing", status.title(), worker.name),
        rendered: (plain(None, built_in_text::missing_worker(worker, status.title(), status.url())), None),
        extra: Vec::new(),
        thread: None,
        attachments: Vec::new(),
    };
    store(settings, content, context)
}

/// The name and result in a mail about builds.
struct MailTopic<'a> {
    /// A builder, or the whole buildset.
    name: &'a str,
    results: Results,
    /// The properties and sources of which extra headers are made.
    scope: Scope<'a>,
}

async fn mail_about(
    settings: &MailSettings,
    about: &MailTopic<'_>,
    mailed: Vec<MailedBuild<'_>>,
    context: &Context,
) -> Result<Prepared, Fault> {
    let status = &*context.caller.status;
    let builds: Vec<&Build> = mailed.iter().map(|mailed| mailed.build).collect();
    let recipients = recipients(settings, &builds, context).await;
    if recipients.is_empty() {
        return Ok(Prepared::Silent(Silence::NoRecipients));
    }
    let mut of_each = Vec::with_capacity(mailed.len());
    for one in &mailed {
        of_each.push(body::render(settings, one, context).await?);
    }
    let (message, version) = body::join(of_each);
    let subject = match &message.subject {
        Some(subject) => one_line(subject).into_owned(),
        None => settings.subject.render(about.results.name(), status.title(), about.name),
    };
    let mut extra = extra_headers(settings, &about.scope);
    extra.extend(message.headers.iter().filter_map(|(name, value)| Extra::checked(name, value)));
    let mut attachments = Vec::new();
    if settings.add_patch {
        let url = |build: &Build| status.url_of(build);
        attachments.extend(mime::patches(builds.iter().map(|build| (*build, url(build)))));
    }
    for build in &builds {
        attachments.extend(settings.add_logs.of(build, settings.build_set_summary, status).await?);
    }
    let thread = match builds.first() {
        Some(first) => thread(settings, first, context).await?,
        None => None,
    };
    let content =
        MailContent { recipients, subject, rendered: (message, version), extra, thread, attachments };
    store(settings, content, context)
}

fn extra_headers(settings: &MailSettings, scope: &Scope<'_>) -> Vec<Extra> {
    let mut bytes = 0;
    let rendered = settings.extra_headers.iter().filter_map(|extra| extra.render(scope));
    rendered
        .take_while(|extra| {
            bytes += extra.name.len() + extra.value.len();
            bytes <= headers::MAX_VALUES
        })
        .collect()
}

async fn thread(settings: &MailSettings, build: &Build, context: &Context) -> Result<Option<String>, Fault> {
    match settings.thread_by {
        Some(by) => by.root(build, &*context.caller.status, settings.from.domain()).await,
        None => Ok(None),
    }
}

/// Recipients of a mail about these builds: the interested users of all of them together (M-25).
async fn recipients(settings: &MailSettings, builds: &[&Build], context: &Context) -> Recipients {
    match &settings.lookup {
        Some(lookup) if settings.audience.interested => {
            settings.audience.of_found(&looked_up(settings, lookup, builds, context).await)
        }
        _ => settings.audience.of(builds),
    }
}

/// Answers of a lookup callback, asked once for each interested user (M-31). A failing call costs that user alone.
async fn looked_up(
    settings: &MailSettings,
    lookup: &Callback,
    builds: &[&Build],
    context: &Context,
) -> Vec<String> {
    let mut users: Vec<String> = builds.iter().flat_map(|build| build.interested_users()).collect();
    users.sort_unstable();
    users.dedup();
    let mut found = Vec::new();
    for user in users {
        match lookup.look_up(&context.caller, &user).await {
            Ok((address, _)) => found.extend(address),
            Err(fault) => {
                tracing::warn!(
                    target = settings.name,
                    user,
                    callback = lookup.name(),
                    "mail: the lookup failed, this user gets no mail: {fault}"
                );
            }
        }
    }
    found
}

/// The content of one mail, before it has a sender, a date and a Message-ID.
struct MailContent {
    recipients: Recipients,
    subject: String,
    rendered: RenderedMessage,
    extra: Vec<Extra>,
    thread: Option<String>,
    attachments: Vec<Attachment>,
}

/// Writes the mail in its stored form, within the size that the settings allow.
fn store(settings: &MailSettings, content: MailContent, context: &Context) -> Result<Prepared, Fault> {
    let MailContent { recipients, subject, rendered: (message, version), extra, thread, attachments } =
        content;
    let named = extra.iter().find(|extra| extra.name.eq_ignore_ascii_case("Message-ID"));
    let message_id = match named {
        Some(extra) => extra.value.clone(),
        None => format!("<{}@{}>", uuid::Uuid::now_v7(), settings.from.domain()),
    };
    let (raw, parts) = mime::render(Draft {
        from: &settings.from,
        recipients: &recipients,
        subject: &one_line(&subject),
        date: context.now,
        message_id: &message_id,
        thread: thread.as_deref(),
        kind: message.kind,
        body: &format!("{}\n\n", message.body),
        alternative: message.alternative.as_deref(),
        attachments,
        extra: &extra,
    });
    if settings.dump_mails_to_log {
        let mail = String::from_utf8_lossy(&raw);
        tracing::info!(target = settings.name, ?mail, "mail: as it will be sent");
    }
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

/// A time as text that sorts.
fn sortable(when: Timestamp) -> String {
    let when = jiff::Timestamp::from_microsecond(when.as_micros()).unwrap_or_default();
    when.strftime("%Y%m%dT%H%M%S.%6fZ").to_string()
}
