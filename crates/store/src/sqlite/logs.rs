//! Logs in the database: chunks of about 64 KiB, compressed, of which the middle goes once there are too many.
//!
//! A chunk is never read unless its text is asked for. Readers see one text: the first chunks, a marker line that stands
//! for what was dropped, the last chunks.
//!
//! The arithmetic: `seq`, `first_byte` and `first_line` of a chunk count in the text as it came in, so no chunk is ever
//! renumbered. The head is full at a quarter of the limit; there the gap is fixed: `gap_seq`, a number that no chunk has,
//! and `gap_byte`. From then on the oldest chunks behind the gap go while the tail is longer than three quarters, and
//! `dropped_bytes` and `dropped_newlines` tell how much is missing between the gap and the first chunk behind it.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row as _};

use super::next_id::next_id;
use super::projection::LogText;
use super::writer::OperationResult;
use crate::StoreError;
use campanile_model::{BuildId, LogChannel, LogRef};

/// Bytes of text per chunk, before compression.
const CHUNK_BYTES: usize = 64 * 1024;

/// Seconds after which an upload that nobody went on with is abandoned. Not at once at a start, because another process
/// may be the one that uploads.
const ABANDONED_AFTER: i64 = 3600;

/// A piece of a log, ready to be stored.
#[derive(Debug)]
pub(super) struct Chunk {
    header: bool,
    /// Bytes and line ends of the text.
    bytes: i64,
    newlines: i64,
    /// True if the last line lacks its end.
    open: bool,
    /// True if `data` is compressed.
    packed: bool,
    data: Vec<u8>,
}

/// A part of an upload.
#[derive(Debug)]
pub(super) struct LogPart {
    /// Row of the invisible log that it goes on with; none to begin one.
    pub(super) log: Option<i64>,
    pub(super) tenant: String,
    /// Row of the build that it belonged to when the upload began.
    pub(super) build: i64,
    pub(super) build_id: BuildId,
    pub(super) step: String,
    pub(super) name: String,
    pub(super) chunks: Vec<Chunk>,
    /// True for the last part, which makes the log visible.
    pub(super) last: bool,
}

/// Computes the bytes of text per chunk of a log that may hold so much.
pub(super) fn chunk_bytes(max_log_bytes: u64) -> usize {
    // Whole chunks go or stay: at most a quarter of the head is then left unused.
    usize::try_from(max_log_bytes / 16).unwrap_or(CHUNK_BYTES).clamp(1, CHUNK_BYTES)
}

/// Takes full chunks off the front of `text`, cut at line ends where the lines are not too long.
pub(super) fn cut(text: &mut Vec<u8>, size: usize) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while text.len() > size {
        let (front, _) = text.split_at(size);
        let end = front.iter().rposition(|byte| *byte == b'\n').map_or(size, |at| at + 1);
        let rest = text.split_off(end);
        pieces.push(std::mem::replace(text, rest));
    }
    pieces
}

/// Compresses pieces on a thread for blocking work.
pub(super) async fn pack(pieces: Vec<Vec<u8>>) -> Result<Vec<Chunk>, StoreError> {
    if pieces.is_empty() {
        return Ok(Vec::new());
    }
    let packed = tokio::task::spawn_blocking(move || {
        pieces
            .iter()
            .map(|piece| Ok(Chunk { data: zstd::bulk::compress(piece, 1)?, packed: true, ..plain(piece) }))
            .collect::<std::io::Result<Vec<_>>>()
    });
    packed.await.map_err(|_| StoreError::Closed)?.map_err(|error| StoreError::Database(error.into()))
}

/// Makes a chunk of a text, without data.
fn plain(text: &[u8]) -> Chunk {
    let newlines = text.iter().filter(|byte| **byte == b'\n').count();
    Chunk {
        header: false,
        bytes: i64::try_from(text.len()).unwrap_or(i64::MAX),
        newlines: i64::try_from(newlines).unwrap_or(i64::MAX),
        open: text.last().is_some_and(|byte| *byte != b'\n'),
        packed: false,
        data: Vec::new(),
    }
}

/// Reads the text of a chunk.
pub(super) fn unpack(packed: bool, bytes: i64, data: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    if !packed {
        return Ok(data);
    }
    zstd::bulk::decompress(&data, usize::try_from(bytes).unwrap_or(0))
        .map_err(|error| StoreError::Corrupt { what: "a piece of a log".to_owned(), source: error.into() })
}

/// The row of a log, as far as its chunks concern it.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) id: i64,
    pub(super) next_seq: i64,
    bytes: i64,
    newlines: i64,
    open: bool,
    header_bytes: i64,
    pub(super) gap_seq: Option<i64>,
    pub(super) gap_byte: i64,
    gap_open: bool,
    tail_bytes: i64,
    pub(super) dropped_bytes: i64,
    dropped_newlines: i64,
}

impl<'r> FromRow<'r, SqliteRow> for Log {
    fn from_row(row: &'r SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            next_seq: row.try_get("next_seq")?,
            bytes: row.try_get("bytes")?,
            newlines: row.try_get("newlines")?,
            open: row.try_get("open")?,
            header_bytes: row.try_get("header_bytes")?,
            gap_seq: row.try_get("gap_seq")?,
            gap_byte: row.try_get("gap_byte")?,
            gap_open: row.try_get("gap_open")?,
            tail_bytes: row.try_get("tail_bytes")?,
            dropped_bytes: row.try_get("dropped_bytes")?,
            dropped_newlines: row.try_get("dropped_newlines")?,
        })
    }
}

impl Log {
    /// Writes the line that stands for what was dropped; empty if nothing was.
    pub(super) fn marker(&self) -> String {
        match self.dropped_bytes {
            0 => String::new(),
            dropped => {
                let end_line = if self.gap_open { "\n" } else { "" };
                format!("{end_line}[... {dropped} bytes left out ...]\n")
            }
        }
    }

    /// Computes the lines and bytes that a reader gets.
    fn kept(&self) -> (i64, i64) {
        let marker = self.marker();
        let marker_lines = i64::try_from(marker.matches('\n').count()).unwrap_or(0);
        (
            self.newlines - self.dropped_newlines + marker_lines + i64::from(self.open),
            self.bytes - self.dropped_bytes + i64::try_from(marker.len()).unwrap_or(0),
        )
    }

    /// Reads the row of a log that is not being uploaded.
    pub(super) async fn visible(
        reader: &mut SqliteConnection,
        tenant: &str,
        log: &LogRef,
    ) -> Result<Option<Self>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT l.* FROM builds b JOIN logs l ON l.build = b.id AND l.step = ? AND l.name = ? AND l.visible = 1 \
             WHERE b.tenant = ? AND b.builder = ? AND b.number = ?",
        )
        .bind(&log.step)
        .bind(&log.log)
        .bind(tenant)
        .bind(&log.build.builder)
        .bind(log.build.number.cast_signed())
        .fetch_optional(reader)
        .await?)
    }

    /// Adds a chunk at the end, and drops the oldest ones of the tail that are too many.
    async fn push(&mut self, tx: &mut SqliteConnection, chunk: Chunk, max: i64) -> Result<(), StoreError> {
        if chunk.header {
            // Nobody reads header lines in bulk, so they have no gap; they must not be the way around the limit.
            if self.header_bytes + chunk.bytes > max / 4 {
                return Ok(());
            }
            self.header_bytes += chunk.bytes;
        } else if self.gap_seq.is_none() && self.bytes + chunk.bytes > max / 4 {
            // The number is used up, so that the head is all below it and the tail all above it.
            (self.gap_seq, self.gap_byte, self.gap_open) = (Some(self.next_seq), self.bytes, self.open);
            self.next_seq += 1;
        }
        sqlx::query(
            "INSERT INTO log_chunks (log, seq, header, first_byte, first_line, bytes, newlines, open, packed, data) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(self.id)
        .bind(self.next_seq)
        .bind(chunk.header)
        .bind(self.bytes)
        .bind(self.newlines)
        .bind(chunk.bytes)
        .bind(chunk.newlines)
        .bind(chunk.open)
        .bind(chunk.packed)
        .bind(chunk.data)
        .execute(&mut *tx)
        .await?;
        let written = self.next_seq;
        self.next_seq += 1;
        if chunk.header {
            return Ok(());
        }
        self.bytes += chunk.bytes;
        self.newlines += chunk.newlines;
        self.open = chunk.open;
        let Some(gap) = self.gap_seq else { return Ok(()) };
        self.tail_bytes += chunk.bytes;
        // Never the chunk that was just written: of a log of one long chunk something is left.
        while self.tail_bytes > max - max / 4 {
            let oldest: Option<(i64, i64)> = sqlx::query_as(
                "DELETE FROM log_chunks WHERE log = ?1 AND header = 0 AND seq = (SELECT min(seq) FROM log_chunks \
                 WHERE log = ?1 AND header = 0 AND seq > ?2 AND seq < ?3) RETURNING bytes, newlines",
            )
            .bind(self.id)
            .bind(gap)
            .bind(written)
            .fetch_optional(&mut *tx)
            .await?;
            let Some((bytes, newlines)) = oldest else { break };
            self.tail_bytes -= bytes;
            self.dropped_bytes += bytes;
            self.dropped_newlines += newlines;
        }
        Ok(())
    }

    /// Removes the last chunk and returns its text if it is still plain, so that more text can join it: text comes as
    /// events line by line, and a chunk for each line would be a row for each.
    async fn reopen_last(&mut self, tx: &mut SqliteConnection, header: bool) -> Result<Vec<u8>, StoreError> {
        let last: Option<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "DELETE FROM log_chunks WHERE log = ? AND header = ? AND seq = ? AND packed = 0 \
             RETURNING bytes, newlines, data",
        )
        .bind(self.id)
        .bind(header)
        .bind(self.next_seq - 1)
        .fetch_optional(tx)
        .await?;
        let Some((bytes, newlines, data)) = last else { return Ok(Vec::new()) };
        self.next_seq -= 1;
        if header {
            self.header_bytes -= bytes;
        } else {
            self.bytes -= bytes;
            self.newlines -= newlines;
            if self.gap_seq.is_some() {
                self.tail_bytes -= bytes;
            }
        }
        Ok(data)
    }

    /// Writes the row.
    async fn save(&self, tx: &mut SqliteConnection) -> Result<(), StoreError> {
        let (lines, bytes) = self.kept();
        sqlx::query(
            "UPDATE logs SET next_seq = ?, bytes = ?, newlines = ?, open = ?, header_bytes = ?, gap_seq = ?, \
             gap_byte = ?, gap_open = ?, tail_bytes = ?, dropped_bytes = ?, dropped_newlines = ?, kept_lines = ?, \
             kept_bytes = ?, touched = unixepoch() WHERE id = ?",
        )
        .bind(self.next_seq)
        .bind(self.bytes)
        .bind(self.newlines)
        .bind(self.open)
        .bind(self.header_bytes)
        .bind(self.gap_seq)
        .bind(self.gap_byte)
        .bind(self.gap_open)
        .bind(self.tail_bytes)
        .bind(self.dropped_bytes)
        .bind(self.dropped_newlines)
        .bind(lines)
        .bind(bytes)
        .bind(self.id)
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Adds the row of an empty log.
async fn insert(
    tx: &mut SqliteConnection,
    (build, step, name): (i64, &str, &str),
    visible: i64,
) -> Result<Log, StoreError> {
    let id = sqlx::query_scalar(concat!(
        "INSERT INTO logs (id, build, step, name, visible, touched) VALUES (",
        next_id!("logs"),
        ", ?, ?, ?, ?, unixepoch()) RETURNING id"
    ))
    .bind(build)
    .bind(step)
    .bind(name)
    .bind(visible)
    .fetch_one(tx)
    .await?;
    Ok(Log { id, ..Log::default() })
}

/// A full chunk that is stored as it came, to be compressed when the transaction is over.
#[derive(Clone, Debug)]
pub(super) struct PlainChunk {
    log: i64,
    header: bool,
    seq: i64,
    /// Bytes of the text.
    bytes: i64,
    /// The text; compressed once [`PlainChunk::pack`] has been at it.
    data: Vec<u8>,
}

impl PlainChunk {
    /// Compresses chunks on a thread for blocking work.
    pub(super) async fn pack(chunks: Vec<Self>) -> Result<Vec<Self>, StoreError> {
        let packed = tokio::task::spawn_blocking(move || {
            let pack = |chunk: Self| Ok(Self { data: zstd::bulk::compress(&chunk.data, 1)?, ..chunk });
            chunks.into_iter().map(pack).collect::<std::io::Result<Vec<_>>>()
        });
        packed.await.map_err(|_| StoreError::Closed)?.map_err(|error| StoreError::Database(error.into()))
    }
}

/// Puts the compressed form of a chunk in its place, if it is still there as it was: its log, number and length tell that
/// it has the same text.
pub(super) async fn store_packed(
    tx: &mut SqliteConnection,
    chunk: &PlainChunk,
) -> Result<OperationResult, StoreError> {
    sqlx::query(
        "UPDATE log_chunks SET data = ?, packed = 1 WHERE log = ? AND header = ? AND seq = ? AND packed = 0 \
         AND bytes = ?",
    )
    .bind(&chunk.data)
    .bind(chunk.log)
    .bind(chunk.header)
    .bind(chunk.seq)
    .bind(chunk.bytes)
    .execute(tx)
    .await?;
    Ok(OperationResult::Done)
}

/// Appends text that came as events; without any, the log at least exists from now on. Full chunks are added to `full`.
pub(super) async fn append(
    tx: &mut SqliteConnection,
    build: i64,
    step: &str,
    name: &str,
    text: LogText,
    max_log_bytes: u64,
    full: &mut Vec<PlainChunk>,
) -> Result<(), StoreError> {
    let known =
        sqlx::query_as("SELECT * FROM logs WHERE build = ? AND step = ? AND name = ? AND visible = 1")
            .bind(build)
            .bind(step)
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
    let mut log: Log = match known {
        Some(log) => log,
        None => insert(tx, (build, step, name), 1).await?,
    };
    let max = i64::try_from(max_log_bytes).unwrap_or(i64::MAX);
    let mut text = text.into_iter().peekable();
    while let Some((channel, first)) = text.next() {
        let header = channel == LogChannel::Header;
        let mut whole = log.reopen_last(tx, header).await?;
        whole.extend_from_slice(first.as_bytes());
        while let Some((_, more)) = text.next_if(|(next, _)| (*next == LogChannel::Header) == header) {
            whole.extend_from_slice(more.as_bytes());
        }
        for data in cut(&mut whole, chunk_bytes(max_log_bytes)) {
            let piece = plain(&data);
            let bytes = piece.bytes;
            log.push(tx, Chunk { header, data: data.clone(), ..piece }, max).await?;
            full.push(PlainChunk { log: log.id, header, seq: log.next_seq - 1, bytes, data });
        }
        if !whole.is_empty() {
            let rest = plain(&whole);
            log.push(tx, Chunk { header, data: whole, ..rest }, max).await?;
        }
    }
    log.save(tx).await
}

/// Stores a part of an upload.
pub(super) async fn upload(
    tx: &mut SqliteConnection,
    part: &LogPart,
    max_log_bytes: u64,
) -> Result<OperationResult, StoreError> {
    // The build may have been removed since the upload began, with its tenant or because it was old.
    let build: Option<i64> = sqlx::query_scalar("SELECT id FROM builds WHERE id = ? AND tenant = ?")
        .bind(part.build)
        .bind(&part.tenant)
        .fetch_optional(&mut *tx)
        .await?;
    if build.is_none() {
        return Err(StoreError::NoSuchBuild(part.build_id.clone()));
    }
    let mut log: Log = match part.log {
        // One that was removed as abandoned is an error: half a log must not become visible as a whole one.
        Some(id) => {
            sqlx::query_as("SELECT * FROM logs WHERE id = ? AND visible = 0 AND build = ?")
                .bind(id)
                .bind(part.build)
                .fetch_one(&mut *tx)
                .await?
        }
        None => insert(tx, (part.build, &part.step, &part.name), 0).await?,
    };
    let max = i64::try_from(max_log_bytes).unwrap_or(i64::MAX);
    for chunk in &part.chunks {
        let chunk = Chunk { data: chunk.data.clone(), ..*chunk };
        log.push(tx, chunk, max).await?;
    }
    log.save(tx).await?;
    if part.last {
        sqlx::query("DELETE FROM logs WHERE build = ? AND step = ? AND name = ? AND visible = 1")
            .bind(part.build)
            .bind(&part.step)
            .bind(&part.name)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE logs SET visible = 1 WHERE id = ?").bind(log.id).execute(tx).await?;
    }
    let (lines, bytes) = log.kept();
    Ok(OperationResult::LogWritten {
        log: log.id,
        lines: lines.cast_unsigned(),
        bytes: bytes.cast_unsigned(),
    })
}

/// Removes an upload that will not be finished.
pub(super) async fn discard(tx: &mut SqliteConnection, log: i64) -> Result<OperationResult, StoreError> {
    sqlx::query("DELETE FROM logs WHERE id = ? AND visible = 0").bind(log).execute(tx).await?;
    Ok(OperationResult::Done)
}

/// Removes uploads that nobody goes on with, as a crash leaves them.
pub(super) async fn discard_abandoned(tx: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM logs WHERE visible = 0 AND touched < unixepoch() - ?")
        .bind(ABANDONED_AFTER)
        .execute(tx)
        .await?;
    Ok(())
}
