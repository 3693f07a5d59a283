//! An upload of a raw log: cuts and compresses the text, and submits it to the writer in parts of bounded size.

use async_trait::async_trait;

use super::Writer;
use super::logs::{self, Chunk, LogPart};
use super::writer::{Operation, OperationResult};
use crate::{LogWriter, StoreError};
use campanile_model::{BuildId, LogRef};

/// Bytes of text that are gathered before they are submitted: few enough commits, little enough memory.
const PART_BYTES: usize = 1024 * 1024;

/// An upload in progress.
pub(super) struct Upload {
    writer: Writer,
    tenant: String,
    build: i64,
    build_id: BuildId,
    step: String,
    name: String,
    chunk_bytes: usize,
    buffer: Vec<u8>,
    /// Row of the invisible log, once something of it is stored; none again when it is finished.
    log: Option<i64>,
    /// True after a failure: what is stored of it is then unknown.
    broken: bool,
}

impl Upload {
    pub(super) fn new(
        writer: Writer,
        (tenant, build): (&str, i64),
        log: &LogRef,
        max_log_bytes: u64,
    ) -> Self {
        Self {
            writer,
            tenant: tenant.to_owned(),
            build,
            build_id: log.build.clone(),
            step: log.step.clone(),
            name: log.log.clone(),
            chunk_bytes: logs::chunk_bytes(max_log_bytes),
            buffer: Vec::new(),
            log: None,
            broken: false,
        }
    }

    /// Submits chunks; returns lines and bytes kept so far.
    async fn submit_part(&mut self, chunks: Vec<Chunk>, last: bool) -> Result<(u64, u64), StoreError> {
        let part = LogPart {
            log: self.log,
            tenant: self.tenant.clone(),
            build: self.build,
            build_id: self.build_id.clone(),
            step: self.step.clone(),
            name: self.name.clone(),
            chunks,
            last,
        };
        // Stays so when this future is dropped half-way: the part may be stored or not, and sent once more it could be
        // there twice.
        self.broken = true;
        match self.writer.submit(Operation::WriteLog(part)).await? {
            OperationResult::LogWritten { log, lines, bytes } => {
                self.log = (!last).then_some(log);
                self.broken = false;
                Ok((lines, bytes))
            }
            other => other.unexpected(),
        }
    }
}

#[async_trait]
impl LogWriter for Upload {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::Closed);
        }
        for bytes in bytes.chunks(PART_BYTES) {
            self.buffer.extend_from_slice(bytes);
            if self.buffer.len() >= PART_BYTES {
                let pieces = logs::cut(&mut self.buffer, self.chunk_bytes);
                let chunks = logs::pack(pieces).await?;
                self.submit_part(chunks, false).await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(u64, u64), StoreError> {
        if self.broken {
            return Err(StoreError::Closed);
        }
        let mut pieces = logs::cut(&mut self.buffer, self.chunk_bytes);
        if !self.buffer.is_empty() {
            pieces.push(std::mem::take(&mut self.buffer));
        }
        let chunks = logs::pack(pieces).await?;
        self.submit_part(chunks, true).await
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(log) = self.log {
            self.writer.submit_detached(Operation::DiscardLog { log });
        }
    }
}
