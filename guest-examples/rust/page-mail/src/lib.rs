//! The mail as a page: result, branch, duration and people at a glance, the log's end of what failed, one button to the build.
//!
//! # Layout
//!
//! - `facts`: what the mail says, gathered once, cut to lengths and counts that a mail can bear.
//! - `history` and `quote`: since when the builder is broken; the end of the logs of what failed.
//! - `page` and `plain`: the facts as html and as the plain-text twin. Only the page escapes.
//! - `outcome` and `text`: results in words and colours; lines, names and lengths of time.

mod facts;
mod history;
mod outcome;
mod page;
mod plain;
mod quote;
#[cfg(test)]
mod tests;
mod text;

use campanile_guest::{Message, MessageRequest, Status};
use facts::Facts;

/// The page with its plain-text twin, under a subject such as `linux #7 on main: failed (compile)`.
pub fn render(request: &MessageRequest, status: &dyn Status) -> Result<Message, String> {
    let facts = Facts::gather(request, status);
    let message = Message::html(page::html(&facts), plain::text(&facts));
    Ok(Message { subject: Some(facts.subject), ..message })
}

campanile_guest::message_formatter!(render);
