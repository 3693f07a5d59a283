//! Looks up the parts of the news that an event doesn't say itself: addresses, and the build that a request asks for.

use super::decide::News;
use super::forge::Occasion;
use crate::{Context, Decision, Fault, FaultCode, Silence};
use campanile_model::{Build, BuildRequest, Event};

/// Gives the news of an event; none where no forge is told of such events, or too little is known.
///
/// # Errors
/// A transient fault when the store doesn't answer.
pub(super) async fn news(event: &Event, context: &Context) -> Result<Decision<News>, Fault> {
    let status = &context.caller.status;
    let build_url = |build: &Build| status.url_of(build);
    let (occasion, build, url) = match event {
        Event::BuildStarted { build } => (Occasion::Started, (**build).clone(), build_url(build)),
        Event::BuildFinished { build } => {
            (Occasion::Finished(build.results), (**build).clone(), build_url(build))
        }
        Event::RequestSubmitted { request } | Event::RequestCancelled { request } => {
            let is_new = matches!(event, Event::RequestSubmitted { .. });
            let occasion = if is_new { Occasion::Requested } else { Occasion::Cancelled };
            let Some(build) = requested(request, context).await? else {
                let why = format!("buildset {} of the request is not known", request.bsid);
                return Ok(Decision::Silent(Silence::Unaddressed { why }));
            };
            (occasion, build, status.url_for_request(request.brid))
        }
        other => {
            let seen = format!("the event `{}`", other.name());
            return Ok(Decision::Silent(Silence::Mode { seen }));
        }
    };
    Ok(Decision::Send(News { occasion, build, url, front_page: status.url().map(str::to_owned) }))
}

/// Makes the build that was asked for, as far as its buildset tells of it; none if that is not known.
async fn requested(request: &BuildRequest, context: &Context) -> Result<Option<Build>, Fault> {
    let status = &context.caller.status;
    let store =
        |error: campanile_callbacks::StatusError| Fault::transient(FaultCode::Store, error.to_string());
    let Some(buildset) = status.buildset(request.bsid).await.map_err(store)? else { return Ok(None) };
    let builders = status.builders().await.map_err(store)?;
    let builder = builders.into_iter().find(|builder| builder.name == request.builder);
    Ok(Some(Build {
        tags: builder.map(|builder| builder.tags).unwrap_or_default(),
        started: Some(request.submitted_at),
        properties: buildset.properties,
        source_stamps: buildset.source_stamps,
        ..Build::new(request.builder.as_str(), 0)
    }))
}
