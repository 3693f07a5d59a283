//! Rendering templates, in processes of their own with limits.
//!
//! A line of a template can overflow the stack, which ends its process, or walk for ever through a list that is never there.
//! A process that stays renders one after the other in less than a millisecond; one that dies of a template, or is killed
//! for its time, ends that rendering only, and the next one starts another.

use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::fair_semaphore::{FairSemaphore, Share};
use campanile_model::jinja::{JinjaError, TemplateJob, TemplateOutcome};

/// Renderings side by side, in all.
const RENDERERS: usize = 3;
/// The same of one tenant.
const RENDERERS_OF_ONE: usize = 2;
/// Wall time of a rendering: long, for a machine that is busy with other things.
const MAX_WALL: Duration = Duration::from_secs(10);
/// CPU time of a rendering, in seconds; a template whose fuel ends has used some milliseconds.
const MAX_CPU: u64 = 2;
/// Address space of a renderer, in bytes.
const MAX_MEMORY: u64 = 512 << 20;
/// A renderer that holds more than this after a rendering, in KiB, is replaced: memory that was freed may stay with it.
const MAX_KEPT_KIB: u64 = 96 << 10;
/// Length of the longest job or outcome, in bytes.
const MAX_FRAME: usize = 64 << 20;

/// The renderer of a tenant's templates. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TemplateRenderer {
    pool: RenderPool,
    share: Share,
}

/// The renderers that all tenants share. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct RenderPool {
    /// This program; none: jobs are done in this process.
    program: Option<Arc<PathBuf>>,
    idle: Arc<Mutex<Vec<Renderer>>>,
    permits: FairSemaphore,
}

impl RenderPool {
    pub(super) fn new(program: Option<PathBuf>) -> Self {
        let permits = FairSemaphore::new(RENDERERS, RENDERERS_OF_ONE);
        Self { program: program.map(Arc::new), idle: Arc::default(), permits }
    }

    pub(super) fn for_tenant(&self, share: Share) -> TemplateRenderer {
        TemplateRenderer { pool: self.clone(), share }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Renderer>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a job in a renderer. Blocks for `MAX_WALL` at most.
    fn run(&self, job: TemplateJob) -> TemplateOutcome {
        let Some(program) = &self.program else { return job.run() };
        let Ok(job) = serde_json::to_vec(&job) else { return failed("its values cannot be written") };
        let until = Instant::now() + MAX_WALL;
        // One that was idle may have been killed meanwhile by somebody else: then another one is asked.
        let waiting = self.idle().pop();
        let (renderer, outcome) = match waiting.map(|renderer| renderer.ask(&job, until)) {
            Some(Ok((renderer, outcome))) => (renderer, outcome),
            Some(Err(AskError::Gone)) | None => {
                let asked = Renderer::start(program).map_err(AskError::Start);
                match asked.and_then(|renderer| renderer.ask(&job, until)) {
                    Ok((renderer, outcome)) => (renderer, outcome),
                    Err(error) => return failed(&error.to_string()),
                }
            }
            Some(Err(error)) => return failed(&error.to_string()),
        };
        match serde_json::from_slice::<Answer>(&outcome) {
            Ok(Answer { outcome, is_spent }) => {
                let mut idle = self.idle();
                if !is_spent && idle.len() < RENDERERS {
                    idle.push(renderer);
                }
                outcome
            }
            Err(_) => failed("its values nest too deeply"),
        }
    }
}

impl TemplateRenderer {
    /// A renderer that works in this process: for tests, whose process is not this program.
    #[must_use]
    pub fn in_process() -> Self {
        RenderPool::new(None).for_tenant(0)
    }

    /// Does a job on this thread, which waits for it: seconds, for a hostile template.
    #[must_use]
    pub fn run_blocking(&self, job: TemplateJob) -> TemplateOutcome {
        self.pool.run(job)
    }

    /// Does a job off the runtime's threads, in the turn of its tenant. Cancelled, the job goes on to its end.
    pub async fn run(&self, job: TemplateJob) -> TemplateOutcome {
        let permit = self.pool.permits.acquire(self.share).await;
        let pool = self.pool.clone();
        let ran = tokio::task::spawn_blocking(move || {
            let outcome = pool.run(job);
            drop(permit);
            outcome
        });
        ran.await.unwrap_or_else(|stopped| failed(&format!("it was broken off: {stopped}")))
    }
}

/// The outcome of a job that no renderer has an answer to.
fn failed(text: &str) -> TemplateOutcome {
    TemplateOutcome::failed(JinjaError { line: 1, text: text.to_owned(), always: true })
}

/// The reason why a renderer gave no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("templates cannot be rendered: the process for that does not start: {0}")]
    Start(std::io::Error),
    /// It was not there any more when it was asked.
    #[error("templates cannot be rendered: the process for that has ended")]
    Gone,
    #[error("it takes too long, or makes too much")]
    TooLong,
    #[error(
        "it takes too long, nests too deeply, or takes too much memory: the process that rendered it died of it"
    )]
    Died,
}

/// A process that renders templates. Killed when it is dropped.
#[derive(Debug)]
struct Renderer {
    child: Child,
    stream: UnixStream,
}

impl Renderer {
    fn start(program: &std::path::Path) -> std::io::Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        let output = OwnedFd::from(theirs.try_clone()?);
        let child = Command::new(program)
            .arg("render-templates")
            // It needs no secret of ours, should a template ever take it over.
            .env_clear()
            // Signals of a terminal are for the engine, which still renders while it stops.
            .process_group(0)
            .stdin(OwnedFd::from(theirs))
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, stream })
    }

    /// Gives it a job, and waits for the answer. One that has none is dropped with its process.
    fn ask(mut self, job: &[u8], until: Instant) -> Result<(Self, Vec<u8>), AskError> {
        let written = write_frame(&mut Timed { stream: &self.stream, until }, job);
        if let Err(error) = written {
            return Err(if is_timeout(&error) { AskError::TooLong } else { AskError::Gone });
        }
        match read_frame(&mut Timed { stream: &self.stream, until }) {
            Ok(Some(answer)) => Ok((self, answer)),
            Err(error) if is_timeout(&error) => Err(AskError::TooLong),
            // One that had ended before it had the job leaves it unread, which is an error of the connection.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(AskError::Gone),
            Ok(None) | Err(_) => {
                let _ = self.child.wait();
                Err(AskError::Died)
            }
        }
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A connection on which everything ends at a time.
struct Timed<'a> {
    stream: &'a UnixStream,
    until: Instant,
}

impl Timed<'_> {
    fn left(&self) -> std::io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl std::io::Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The answer of a renderer.
#[derive(serde::Serialize, serde::Deserialize)]
struct Answer {
    outcome: TemplateOutcome,
    /// It holds much memory by now.
    is_spent: bool,
}

/// Runs the hidden command `render-templates`: limits itself, and does one job after the other from standard input until
/// that ends.
#[must_use]
pub fn render_templates() -> ExitCode {
    match render_within_limits() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn render_within_limits() -> std::io::Result<()> {
    let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, limit(MAX_MEMORY))?;
    setrlimit(Resource::Core, limit(0))?;
    let (mut jobs, mut answers) = (std::io::stdin().lock(), std::io::stdout().lock());
    while let Some(job) = read_frame(&mut jobs)? {
        // From here on for this job alone. Should whoever asked be gone, this ends it all the same.
        let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
        setrlimit(Resource::Cpu, Rlimit { current: Some(used + 1 + MAX_CPU), maximum: None })?;
        let outcome = match serde_json::from_slice::<TemplateJob>(&job) {
            Ok(job) => job.run(),
            Err(_) => failed("its values nest too deeply"),
        };
        let is_spent = kept_kib() > MAX_KEPT_KIB;
        write_frame(&mut answers, &serde_json::to_vec(&Answer { outcome, is_spent })?)?;
    }
    Ok(())
}

/// Memory of this process that belongs to no file, in KiB.
fn kept_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn write_frame(stream: &mut impl std::io::Write, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= MAX_FRAME);
    let Some(length) = length else { return Err(ErrorKind::FileTooLarge.into()) };
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(bytes)?;
    stream.flush()
}

/// Reads the next frame; none at the end.
fn read_frame(stream: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}
