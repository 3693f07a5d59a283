//! The body of a mail: by the message formatter, a template, or the built-in text; about one build, or about several in
//! one mail.

use super::built_in_text::{self, TextInputs};
use super::decide::MailedBuild;
use super::diagnosis::Diagnosis;
use super::pages;
use super::settings::MailSettings;
use super::subject::one_line;
use super::{Context, Fault};
use crate::FaultCode;
use campanile_callbacks::{CallbackError, FormattedMessage, MessageKind};

/// A message, and the digest of the callback version that wrote it, if one did.
pub(super) type RenderedMessage = (FormattedMessage, Option<String>);

/// Renders the message about one build. A callback or template that fails is replaced by the built-in text, with a line
/// at its top that says so, unless the settings want the delivery to wait or to end.
pub(super) async fn render(
    settings: &MailSettings,
    mailed: &MailedBuild<'_>,
    context: &Context,
) -> Result<RenderedMessage, Fault> {
    let MailedBuild { build, results, previous, compared } = *mailed;
    let status = &context.caller.status;
    let mut top = String::new();
    if let Some(formatter) = &settings.formatter {
        let formatted =
            formatter.format_message(&context.caller, settings.modes, &build.builder, build, results).await;
        match formatted {
            Ok((message, report)) => return Ok((message, Some(report.version))),
            Err(fault) => {
                let text = callback_text(settings, "message formatter", formatter.name(), &fault);
                settings.on_callback_error.judge(&text)?;
                tracing::warn!(
                    target = settings.name,
                    build = %build.id(),
                    callback = formatter.name(),
                    "mail: the message formatter failed, the built-in text goes out: {fault}"
                );
                let reason = fault.to_string();
                top = format!(
                    "The message formatter {} failed: {}. This is the built-in text.\n\n",
                    formatter.name(),
                    one_line(&reason)
                );
            }
        }
    }
    let build_url = status.url_of(build);
    let diagnosis = Diagnosis::read(build, results, &**status).await?;
    let inputs = TextInputs {
        modes: settings.modes,
        results,
        previous,
        compared,
        title: status.title(),
        build_url: build_url.as_deref(),
        url: status.url(),
        diagnosis: &diagnosis,
    };
    if let Some(templates) = &settings.templates {
        match templates.render(build, inputs, context).await {
            Ok(message) => return Ok((message, None)),
            // What the store can't give now it may give later.
            Err(fault) if fault.code == FaultCode::Store => return Err(fault),
            Err(fault) => {
                let text = format!("mail target `{}`: {fault}", settings.name);
                settings.on_callback_error.judge(&text)?;
                tracing::warn!(
                    target = settings.name,
                    build = %build.id(),
                    code = fault.code.name(),
                    "mail: {fault}; the built-in text goes out"
                );
                top = format!("{}. This is the built-in text.\n\n", one_line(&capitalised(&fault.text)));
            }
        }
    }
    Ok((plain(None, top + &built_in_text::finished(build, inputs)), None))
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// A plain message.
pub(super) fn plain(subject: Option<String>, body: String) -> FormattedMessage {
    FormattedMessage { subject, body, kind: MessageKind::Plain, alternative: None, headers: Vec::new() }
}

/// Joins several messages into one (M-24): bodies in order, the last subject there is. If one of them is a page, all become
/// one, and of several whole pages there is one document (M-77).
pub(super) fn join(mut messages: Vec<RenderedMessage>) -> RenderedMessage {
    if messages.len() == 1
        && let Some(only) = messages.pop()
    {
        return only;
    }
    let subject = messages.iter().rev().find_map(|(message, _)| message.subject.clone());
    let version = messages.iter().rev().find_map(|(_, version)| version.clone());
    let kind = if messages.iter().any(|(message, _)| message.kind == MessageKind::Html) {
        MessageKind::Html
    } else {
        MessageKind::Plain
    };
    // What there is of each as plain text; of a page without one, nothing can stand for it.
    let texts: Option<Vec<&str>> = messages
        .iter()
        .map(|(message, _)| match message.kind {
            MessageKind::Plain => Some(message.body.as_str()),
            MessageKind::Html => message.alternative.as_deref(),
        })
        .collect();
    let alternative = texts.filter(|_| kind == MessageKind::Html).map(built_in_text::join);
    let bodies = messages.iter().map(|(message, _)| match (kind, message.kind) {
        (MessageKind::Html, MessageKind::Plain) => format!("<pre>{}</pre>", escaped(&message.body)),
        _ => message.body.clone(),
    });
    let bodies: Vec<String> = bodies.collect();
    let body = match kind {
        MessageKind::Html => pages::join(&bodies),
        MessageKind::Plain => built_in_text::join(bodies.iter().map(String::as_str).collect()),
    };
    let headers = messages.iter().flat_map(|(message, _)| message.headers.iter().cloned()).collect();
    (FormattedMessage { subject, body, kind, alternative, headers }, version)
}

/// Escapes a text as part of a page.
fn escaped(text: &str) -> String {
    let mut page = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            other => page.push(other),
        }
    }
    page
}

/// The text about a callback of the target that failed, for a fault.
pub(super) fn callback_text(
    settings: &MailSettings,
    what: &str,
    name: &str,
    fault: &CallbackError,
) -> String {
    format!("mail target `{}`: the {what} `{name}` failed: {fault}", settings.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(body: &str, alternative: Option<&str>) -> RenderedMessage {
        let alternative = alternative.map(str::to_owned);
        (FormattedMessage { kind: MessageKind::Html, alternative, ..plain(None, body.to_owned()) }, None)
    }

    #[test]
    fn m_24_several_messages_become_one() {
        let first = (plain(Some("one".to_owned()), "a <b>".to_owned()), Some("v1".to_owned()));
        let second = (plain(None, "c & d".to_owned()), None);
        let (message, version) = join(vec![first.clone(), second.clone()]);
        assert_eq!((message.body.as_str(), message.kind), ("a <b>\n\nc & d", MessageKind::Plain));
        assert_eq!((message.subject.as_deref(), version.as_deref()), (Some("one"), Some("v1")));

        let (message, _) = join(vec![first, html("<p>x</p>", Some("x")), second]);
        assert_eq!(message.kind, MessageKind::Html);
        assert_eq!(message.body, "<pre>a &lt;b&gt;</pre>\n\n<p>x</p>\n\n<pre>c &amp; d</pre>");
        assert_eq!(message.alternative.as_deref(), Some("a <b>\n\nx\n\nc & d"));
        assert_eq!(join(vec![html("1", None), html("2", Some("2"))]).0.alternative, None);
    }

    #[test]
    fn a_single_message_stays_as_it_is() {
        assert_eq!(join(vec![html("<p>", None)]), html("<p>", None));
    }
}
