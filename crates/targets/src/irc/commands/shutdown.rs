//! shutdown (I-CMD-25 to I-CMD-27).

use super::invocation::{Invocation, Reply, line, refused, reject};
use campanile_ci::control::{Lifecycle, Shutdown};

pub(super) async fn shutdown(call: Invocation) -> Reply {
    let what = match call.rest.as_str() {
        "check" => Shutdown::Check,
        "start" => Shutdown::Start,
        "stop" => Shutdown::Stop,
        "now" => Shutdown::Now,
        _ => return reject("try 'shutdown check|start|stop|now'"),
    };
    if !call.may_shut_down() {
        return reject("shutdown control is not enabled");
    }
    let (control, asker) = (&call.context.control, call.asker());
    let product = &call.settings.product;
    // Whether there is anything to start or stop is for the reply only.
    let before =
        control.shutdown(&asker, Shutdown::Check).await.map_err(|error| refused(&error, "shutdown"))?;
    let text = match (what, before) {
        (Shutdown::Check, Lifecycle::ShuttingDown) => format!("Status: {product} is shutting down"),
        (Shutdown::Check, Lifecycle::Running) => format!("Status: {product} is running"),
        (Shutdown::Start, Lifecycle::ShuttingDown) => "Already started".to_owned(),
        (Shutdown::Start, Lifecycle::Running) => "Starting clean shutdown".to_owned(),
        (Shutdown::Stop, Lifecycle::Running) => "Nothing to stop".to_owned(),
        (Shutdown::Stop, Lifecycle::ShuttingDown) => "Stopping clean shutdown".to_owned(),
        (Shutdown::Now, _) => format!("Stopping {product}"),
    };
    let nothing_to_do = matches!(
        (what, before),
        (Shutdown::Check, _)
            | (Shutdown::Start, Lifecycle::ShuttingDown)
            | (Shutdown::Stop, Lifecycle::Running)
    );
    if nothing_to_do {
        return line(text);
    }
    // Said before: the connection may end with what is asked for (I-CMD-26).
    call.say(text).await;
    call.bot.flushed().await;
    control.shutdown(&asker, what).await.map_err(|error| refused(&error, "shutdown"))?;
    Ok(Vec::new())
}
