//! Reads of logs: from the end, or from a byte on; one chunk at a time, no more than is asked for.

use sqlx::sqlite::SqliteConnection;

use super::logs::{Log, unpack};
use crate::StoreError;
use campanile_model::LogRef;

/// Reads the last lines, see `Store::log_tail`: backwards, no more chunks than it gives of.
pub(super) async fn tail(
    reader: &mut SqliteConnection,
    tenant: &str,
    log: &LogRef,
    lines: u32,
    max_bytes: usize,
) -> Result<Option<String>, StoreError> {
    let Some(log) = Log::visible(reader, tenant, log).await? else { return Ok(None) };
    let marker = log.marker().into_bytes();
    let mut wanted = usize::try_from(lines).unwrap_or(usize::MAX);
    // Last piece first.
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let (mut bytes, mut before, mut at_end) = (0, log.next_seq, true);
    let mut marker_due = !marker.is_empty();
    while wanted > 0 && bytes < max_bytes {
        let chunk: Option<(i64, bool, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT seq, packed, bytes, data FROM log_chunks WHERE log = ? AND header = 0 AND seq < ? \
             ORDER BY seq DESC LIMIT 1",
        )
        .bind(log.id)
        .bind(before)
        .fetch_optional(&mut *reader)
        .await?;
        let piece = match chunk {
            chunk if marker_due && chunk.as_ref().is_none_or(|(seq, ..)| Some(*seq) < log.gap_seq) => {
                marker_due = false;
                marker.clone()
            }
            Some((seq, packed, length, data)) => {
                before = seq;
                unpack(packed, length, data)?
            }
            None => break,
        };
        // A line begins behind each line end but the very last.
        let mut begin = 0;
        for (at, _) in piece.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            if std::mem::take(&mut at_end) && at + 1 == piece.len() {
                continue;
            }
            wanted -= 1;
            if wanted == 0 {
                begin = at + 1;
                break;
            }
        }
        at_end = false;
        bytes += piece.len() - begin;
        pieces.push(piece.get(begin..).unwrap_or_default().to_vec());
    }
    pieces.reverse();
    let mut text = String::from_utf8_lossy(&pieces.concat()).into_owned();
    if text.len() > max_bytes {
        let begin = text.ceil_char_boundary(text.len() - max_bytes);
        text.drain(..begin);
    }
    Ok(Some(text))
}

/// Reads bytes from an offset on, see `Store::log_read`.
pub(super) async fn read(
    reader: &mut SqliteConnection,
    tenant: &str,
    log: &LogRef,
    offset: u64,
    limit: usize,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(log) = Log::visible(reader, tenant, log).await? else { return Ok(None) };
    let marker = log.marker().into_bytes();
    let marker_bytes = i64::try_from(marker.len()).unwrap_or(0);
    let mut at = i64::try_from(offset).unwrap_or(i64::MAX);
    let mut out = Vec::new();
    while out.len() < limit {
        let (piece, begin) = if !marker.is_empty() && at >= log.gap_byte && at - log.gap_byte < marker_bytes {
            (marker.clone(), at - log.gap_byte)
        } else {
            // The same byte in the text as it came in: a reader's offsets have the marker in the place of what was
            // dropped.
            let place = if !marker.is_empty() && at >= log.gap_byte {
                at - marker_bytes + log.dropped_bytes
            } else {
                at
            };
            let chunk: Option<(i64, bool, i64, Vec<u8>)> = sqlx::query_as(
                "SELECT first_byte, packed, bytes, data FROM log_chunks WHERE log = ? AND header = 0 \
                 AND first_byte <= ? ORDER BY first_byte DESC LIMIT 1",
            )
            .bind(log.id)
            .bind(place)
            .fetch_optional(&mut *reader)
            .await?;
            match chunk {
                Some((first, packed, bytes, data)) if place - first < bytes => {
                    (unpack(packed, bytes, data)?, place - first)
                }
                _ => break,
            }
        };
        let rest = piece.get(usize::try_from(begin).unwrap_or(usize::MAX)..).unwrap_or_default();
        let taken = rest.get(..limit - out.len()).unwrap_or(rest);
        out.extend_from_slice(taken);
        at += i64::try_from(taken.len()).unwrap_or(0);
    }
    Ok(Some(out))
}
