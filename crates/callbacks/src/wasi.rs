//! The closed WASI that language runtimes link to: clocks, random numbers, and prints that go to the call's log.
//!
//! There is no folder, variable, argument or socket in it, whatever a guest asks for.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use super::call::{CallRecorder, Level};

/// No more random bytes are made at once.
const MAX_RANDOM: u64 = 64 << 10;
/// A guest may write so many bytes at once, as many as the log keeps in all. More is dropped, so that prints don't fail
/// before they are more than a call may hand over.
const MAX_WRITE: usize = 64 << 10;

/// A context without any authority.
pub(super) fn closed(recorder: &Arc<CallRecorder>) -> WasiCtx {
    let print = |level| Print { recorder: Arc::clone(recorder), level };
    WasiCtxBuilder::new()
        .stdout(print(Level::Info))
        .stderr(print(Level::Error))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(MAX_RANDOM)
        .build()
}

/// Standard output or error of one call.
#[derive(Clone)]
struct Print {
    recorder: Arc<CallRecorder>,
    level: Level,
}

impl IsTerminal for Print {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Print {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this one, and that is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Print {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.recorder.copied(bytes.len()).map_err(|met| StreamError::Trap(met.into()))?;
        self.recorder.print(self.level, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

#[async_trait::async_trait]
impl Pollable for Print {
    async fn ready(&mut self) {}
}
