//! Logs as attachments (M-57), each no longer than the settings allow (M-X-15).

use super::cut::PartKind;
use super::mime::Attachment;
use super::{Fault, store_fault};
use crate::callbacks::Status;
use crate::config::Reader;
use crate::model::{Build, LogRef, LogSummary, Step};

/// Of a longer log the last part is attached.
const DEFAULT_MAX_BYTES: u64 = 1 << 20;

/// Which logs go with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddLogs {
    which: Which,
    max_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    None,
    All,
    /// By name, `stdio`, or label, `compile.stdio`.
    Listed(Vec<String>),
}

impl AddLogs {
    /// Reads `add_logs` and `max_attachment_bytes`.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let max_bytes = reader.size("max_attachment_bytes").unwrap_or(DEFAULT_MAX_BYTES);
        Self { which: which(reader), max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX) }
    }

    /// The wanted logs of a build, in the order of steps and logs; named after the builder too if so wanted.
    pub(super) async fn of(
        &self,
        build: &Build,
        with_builder: bool,
        status: &dyn Status,
    ) -> Result<Vec<Attachment>, Fault> {
        let mut attachments = Vec::new();
        for step in &build.steps {
            for log in step.logs.iter().filter(|log| self.wants(step, log)) {
                let place = LogRef { build: build.id(), step: step.name.clone(), log: log.name.clone() };
                let text = status.log_tail(&place, u32::MAX, self.max_bytes).await;
                // A log that the feed names but never sent.
                let Some(text) = text.map_err(|error| store_fault(&error))? else { continue };
                attachments.push(Attachment {
                    name: if with_builder {
                        format!("{}.{}", build.builder, label(step, log))
                    } else {
                        label(step, log)
                    },
                    kind: PartKind::Log,
                    url: log.url.clone().or_else(|| status.log_url_for(&place)),
                    text: self.told(text, log),
                });
            }
        }
        Ok(attachments)
    }

    fn wants(&self, step: &Step, log: &LogSummary) -> bool {
        match &self.which {
            Which::None => false,
            Which::All => true,
            Which::Listed(names) => {
                let label = label(step, log);
                names.iter().any(|name| *name == log.name || *name == label)
            }
        }
    }

    /// A cut log says so in its first line.
    fn told(&self, text: String, log: &LogSummary) -> String {
        // What is read back ends within a character of the limit only when there was more.
        if log.bytes <= self.max_bytes as u64 || text.len() + 4 < self.max_bytes {
            return text;
        }
        format!("[this log has {} bytes; its last {} are attached]\n{text}", log.bytes, text.len())
    }
}

fn which(reader: &Reader<'_>) -> Which {
    let Some(item) = reader.item("add_logs") else { return Which::None };
    if let Some(wanted) = item.as_boolean() {
        return if wanted { Which::All } else { Which::None };
    }
    if let Some(text) = item.as_text() {
        item.error(format!("`add_logs` must be true, false or a list: write [{text:?}]"));
        return Which::None;
    }
    let Some(items) = item.list() else {
        item.error("`add_logs` must be true, false or a list of texts");
        return Which::None;
    };
    Which::Listed(items.into_iter().filter_map(|item| item.text("add_logs")).collect())
}

fn label(step: &Step, log: &LogSummary) -> String {
    format!("{}.{}", step.name, log.name)
}
