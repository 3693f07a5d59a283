//! Logs as attachments (M-57), each no longer than the settings allow (M-X-15).

use std::collections::BTreeSet;

use super::mime::{Attachment, Content};
use super::size_limit::AttachmentKind;
use super::{Fault, store_fault};
use campanile_callbacks::Status;
use campanile_config::Reader;
use campanile_model::{Build, LogRef, LogSummary, Step};

/// Most bytes of one log that are attached, by default: of a longer one the last part.
const DEFAULT_MAX_BYTES: u64 = 1 << 20;
/// The same that a tenant may set.
const MAX_TENANTS_ATTACHMENT: u64 = 25 << 20;

/// The logs that go with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddLogs {
    which: LogChoice,
    max_bytes: usize,
    /// Most bytes of all of them together.
    max_total: u64,
}

/// Some of the logs of a build (M-57).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LogChoice {
    /// None of them.
    None,
    /// All of them.
    All,
    /// By name, `stdio`, or label, `compile.stdio`.
    Listed(Vec<String>),
}

impl AddLogs {
    /// Reads `add_logs` and `max_attachment_bytes`, for mails of at most `max_total` bytes.
    pub(super) fn read(reader: &Reader<'_>, max_total: u64) -> Self {
        let max_bytes =
            reader.size_up_to("max_attachment_bytes", MAX_TENANTS_ATTACHMENT).unwrap_or(DEFAULT_MAX_BYTES);
        Self {
            which: LogChoice::read(reader, "add_logs"),
            max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            max_total,
        }
    }

    /// Reads the wanted logs of a build, in the order of steps and logs; named after the builder too if so wanted.
    /// Those that the mail has no room for in any case are not even read.
    pub(super) async fn of(
        &self,
        build: &Build,
        with_builder: bool,
        status: &dyn Status,
    ) -> Result<Vec<Attachment>, Fault> {
        let logs = build.steps.iter().flat_map(|step| step.logs.iter().map(move |log| (step, log)));
        let wanted: Vec<(&Step, &LogSummary)> =
            logs.filter(|(step, log)| self.which.wants(step, log)).collect();
        let room = self.with_room(&wanted);
        let mut attachments = Vec::new();
        for (number, (step, log)) in wanted.into_iter().enumerate() {
            let place = LogRef { build: build.id(), step: step.name.clone(), log: log.name.clone() };
            let content = if room.contains(&number) {
                let text = status.log_tail(&place, u32::MAX, self.max_bytes).await;
                // A log that the feed names but never sent.
                let Some(text) = text.map_err(|error| store_fault(&error))? else { continue };
                Content::Text(self.told(text, log))
            } else {
                Content::TooLarge(log.bytes)
            };
            let url = status.url_of_log(log, &place);
            let name = if with_builder {
                format!("{}.{}", build.builder, label(step, log))
            } else {
                label(step, log)
            };
            attachments.push(Attachment { name, kind: AttachmentKind::Log, url, content });
        }
        Ok(attachments)
    }

    /// Positions of the smallest ones, as many as a mail can hold.
    fn with_room(&self, logs: &[(&Step, &LogSummary)]) -> BTreeSet<usize> {
        let size = |log: &LogSummary| log.bytes.min(self.max_bytes as u64);
        let mut sizes: Vec<(u64, usize)> =
            logs.iter().enumerate().map(|(number, (_, log))| (size(log), number)).collect();
        sizes.sort_unstable();
        let mut total = 0_u64;
        let fits = |(bytes, _): &(u64, usize)| {
            total = total.saturating_add(*bytes);
            total <= self.max_total
        };
        sizes.into_iter().take_while(fits).map(|(_, number)| number).collect()
    }

    /// The text of a log; one that was cut says so in its first line.
    fn told(&self, text: String, log: &LogSummary) -> String {
        // What is read back ends within a character of the limit only when there was more.
        if log.bytes <= self.max_bytes as u64 || text.len() + 4 < self.max_bytes {
            return text;
        }
        format!("[this log has {} bytes; its last {} are attached]\n{text}", log.bytes, text.len())
    }
}

impl LogChoice {
    /// Reads `true`, `false` or a list; no logs without the key.
    pub(super) fn read(reader: &Reader<'_>, key: &str) -> Self {
        let Some(item) = reader.item(key) else { return Self::None };
        if let Some(wanted) = item.as_boolean() {
            return if wanted { Self::All } else { Self::None };
        }
        if let Some(text) = item.as_text() {
            item.error(format!("`{key}` must be true, false or a list: write [{text:?}]"));
            return Self::None;
        }
        let Some(items) = item.list() else {
            item.error(format!("`{key}` must be true, false or a list of texts"));
            return Self::None;
        };
        Self::Listed(items.into_iter().filter_map(|item| item.text(key)).collect())
    }

    /// True if the log is one of them.
    pub(super) fn wants(&self, step: &Step, log: &LogSummary) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Listed(names) => {
                let label = label(step, log);
                names.iter().any(|name| *name == log.name || *name == label)
            }
        }
    }
}

fn label(step: &Step, log: &LogSummary) -> String {
    format!("{}.{}", step.name, log.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_x_15_the_smallest_logs_are_read_as_many_as_fit() {
        let logs = AddLogs { which: LogChoice::All, max_bytes: 100, max_total: 249 };
        let step = Step::default();
        let of = |bytes| LogSummary { bytes, ..LogSummary::default() };
        let found = [5000, 20, 7000, 100, 30].map(of);
        let wanted: Vec<(&Step, &LogSummary)> = found.iter().map(|log| (&step, log)).collect();
        // 20, 30 and 100 fit; the tails of the others have 100 each.
        assert_eq!(logs.with_room(&wanted), BTreeSet::from([0, 1, 4]));
        assert!(logs.with_room(&[]).is_empty());
    }
}
