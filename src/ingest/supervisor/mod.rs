//! The serving process's side of recording: starts workers, tells them what to record, commits what they report.
//!
//! One task decides ([`actor`]); everything it needs to decide with is pure and tested apart: who reads what and
//! who is to blame ([`placement`]), where a stream's timeline stands ([`book`]), what a queue does when the
//! database does not answer ([`committer`]).
//!
//! **Invariants.** What a worker reports is durable, so it is never lost: it is queued, folded, and in the last
//! resort found again on disk. A stream is read by at most one worker. No report of a worker that no longer has
//! a stream counts.
//!
//! **When things fail.** A worker that dies is replaced at once; what it left is salvaged first, so that the next
//! run begins behind it. See [`placement`] for streams that kill their worker.

mod actor;
pub(in crate::ingest) mod book;
mod committer;
pub(in crate::ingest) mod placement;
pub(in crate::ingest) mod process;
mod salvage;
mod status;
mod streams;
#[cfg(test)]
pub(in crate::ingest) mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::look::{LookError, Looker};
use super::protocol::{PushFormat, Sight, WorkerConfig};
use super::socket;
use super::source::SourceSpec;
use crate::clock::SharedClock;
use crate::db::DbResult;
use crate::index::Index;
use crate::media::StreamId;
use crate::store::MediaRoot;
use actor::{Actor, Event};
use committer::Committer;
use placement::Placement;
use process::Spawner;

pub use process::WorkerProgram;
pub use status::{NotRecording, StatusBoard, StreamStatus, WorkerCount};
pub use streams::PublishReport;

/// How often changes made by other processes are looked for.
const POLL: Duration = Duration::from_secs(1);
/// Reports of one worker that wait for the supervisor; a worker that is faster than this waits.
const REPORTS_MAX: usize = 1024;
/// Workers have so long to finish their segments; then they are killed, and recovery does the rest.
const WORKERS_STOP_MAX: Duration = Duration::from_millis(1100);
/// The last rows have so long.
const COMMIT_MAX: Duration = Duration::from_millis(300);
/// A worker connects to a publisher's socket in a moment, unless it is busy dying.
const PUBLISHER_ACCEPT_MAX: Duration = Duration::from_secs(5);
/// A stream that was added or resumed a moment ago has so long to be placed on a worker before a sender is sent away.
const PUBLISH_READY_MAX: Duration = Duration::from_secs(5);
const PUBLISH_READY_STEP: Duration = Duration::from_millis(25);
/// Orphans end by themselves; see [`wait_for_orphans`].
const ORPHANS_MAX: Duration = Duration::from_secs(5);
const LOCK_FILE: &str = "workers.lock";

/// How recording is done.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// Worker processes that streams are spread over.
    pub workers: usize,
    /// Folder for sockets and the workers' lock; exists.
    pub run_dir: PathBuf,
    /// How to start a worker: this binary with the hidden subcommand.
    pub program: WorkerProgram,
    /// `lock_file` is filled in.
    pub worker: WorkerConfig,
}

/// What the supervisor works with.
#[derive(Clone)]
pub(crate) struct Deps {
    pub index: Index,
    pub root: MediaRoot,
    pub clock: SharedClock,
    pub program: WorkerProgram,
    pub worker: WorkerConfig,
    /// Held from reading the streams' rows until the actor has them: an older list that came after a newer one would
    /// take streams away that have just been added.
    pub reading: Arc<tokio::sync::Mutex<()>>,
}

/// Why recording cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    #[error("prepare {path} for workers")]
    RunDir {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("workers of an earlier service are still writing; end them (see `{path}`) or wait, then try again")]
    Orphans { path: PathBuf },
    #[error("start the thread that starts workers")]
    Thread(#[source] std::io::Error),
}

/// Why a sender cannot publish.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("there is no stream `{0}`")]
    UnknownStream(StreamId),
    #[error("stream `{0}` is paused; resume it first")]
    Paused(StreamId),
    #[error("stream `{0}` has a source of its own; only streams with the source `push:` take what is sent")]
    NotPush(StreamId),
    #[error("somebody is sending to stream `{0}` already; one sender at a time")]
    PublisherPresent(StreamId),
    #[error("stream `{0}` is not ready for a sender; try again in a moment")]
    NotReady(StreamId),
    #[error("connect the sender with the recording process")]
    Socket(#[source] std::io::Error),
}

/// A sender's way to its worker.
#[derive(Debug)]
pub struct Publication {
    /// What is written here is recorded. Shutting down the writing side ends it in order; a write fails when
    /// recording has ended.
    pub socket: UnixStream,
    ended: oneshot::Receiver<PublishReport>,
}

impl Publication {
    /// `ended` is told once everything is recorded; dropped without that when recording is interrupted.
    pub fn new(socket: UnixStream, ended: oneshot::Receiver<PublishReport>) -> Self {
        Publication { socket, ended }
    }
    /// The socket, and what [`Publication::report`] waits for.
    pub fn into_parts(self) -> (UnixStream, oneshot::Receiver<PublishReport>) {
        (self.socket, self.ended)
    }
    /// Waits until what was sent is recorded; call after shutting down the writing side. `None`: the worker
    /// died, or the stream was stopped.
    pub async fn report(self) -> Option<PublishReport> {
        drop(self.socket);
        self.ended.await.ok()
    }
}

/// Ways to ask the supervisor. Cheap to clone.
#[derive(Clone)]
pub struct SupervisorHandle {
    board: StatusBoard,
    events: mpsc::UnboundedSender<Event>,
    committer: Committer,
    deps: Arc<Deps>,
    run_dir: Arc<Path>,
    sockets: Arc<AtomicU64>,
    looker: Looker,
}

/// Waits until no worker of an earlier service is left that could still write. Call before recovery.
///
/// # Errors
/// [`SupervisorError::Orphans`] when they do not end; [`SupervisorError::RunDir`].
pub async fn wait_for_orphans(run_dir: &Path) -> Result<(), SupervisorError> {
    let path = run_dir.join(LOCK_FILE);
    let wrong = |source| SupervisorError::RunDir { path: path.clone(), source };
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(wrong)?;
    let step = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            // Given back with the file: from here on only our own workers take it.
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if waited < ORPHANS_MAX => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(SupervisorError::Orphans { path }),
            Err(e) => return Err(wrong(e.into())),
        }
        tokio::time::sleep(step).await;
        waited += step;
    }
}

/// Starts recording all streams the database names. Recovery must be over.
///
/// # Errors
/// The run directory cannot be used, or old workers do not end.
pub async fn start(
    settings: IngestSettings,
    index: Index,
    root: MediaRoot,
    clock: SharedClock,
) -> Result<SupervisorHandle, SupervisorError> {
    wait_for_orphans(&settings.run_dir).await?;
    remove_old_sockets(&settings.run_dir);
    let lock_file = settings.run_dir.join(LOCK_FILE).display().to_string();
    let worker = WorkerConfig { lock_file: Some(lock_file), ..settings.worker };
    let deps = Arc::new(Deps { index: index.clone(), root, clock, program: settings.program, worker, reading: Arc::default() });
    let (events, inbox) = mpsc::unbounded_channel();
    let (process_events, processes) = mpsc::channel(REPORTS_MAX);
    let (news_to, news) = mpsc::unbounded_channel();
    let committer = Committer::start(Arc::new(index), committer::RETRY, news_to);
    let board = StatusBoard::default();
    let spawner = Spawner::start().map_err(SupervisorError::Thread)?;
    let looker = Looker::new(spawner.clone(), deps.program.clone(), deps.worker.clone());
    let actor = Actor {
        deps: deps.clone(),
        board: board.clone(),
        committer: committer.clone(),
        spawner,
        placement: Placement::new(settings.workers),
        workers: HashMap::new(),
        streams: HashMap::new(),
        blocks: HashMap::new(),
        events: events.clone(),
        process_events,
        spawn_after: Duration::ZERO,
        stopping: None,
    };
    tokio::spawn(actor.run(inbox, processes, news));
    tokio::spawn(poll(deps.clone(), events.clone()));
    Ok(SupervisorHandle { board, events, committer, deps, run_dir: settings.run_dir.into(), sockets: Arc::default(), looker })
}

fn remove_old_sockets(run_dir: &Path) {
    for entry in std::fs::read_dir(run_dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".sock") {
            // A leftover name takes no room; a new socket has another.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Looks for changes that other processes made (the command line works on the database), and ticks.
async fn poll(deps: Arc<Deps>, events: mpsc::UnboundedSender<Event>) {
    let mut known = None;
    let mut complaining = false;
    loop {
        match look(&deps, known, &events).await {
            Ok(generation) => {
                known = Some(generation);
                complaining = false;
            }
            Err(error) if !std::mem::replace(&mut complaining, true) => {
                tracing::warn!(%error, "cannot read which streams to record; what is being recorded goes on");
            }
            Err(_) => {}
        }
        if events.send(Event::Tick).is_err() {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn look(deps: &Deps, known: Option<i64>, events: &mpsc::UnboundedSender<Event>) -> DbResult<i64> {
    let generation = deps.index.db().streams_generation().await?;
    if known != Some(generation) {
        if known.is_some() {
            deps.index.refresh().await?;
        }
        read_streams(deps, events).await?;
    }
    Ok(generation)
}

async fn read_streams(deps: &Deps, events: &mpsc::UnboundedSender<Event>) -> DbResult<()> {
    let _in_order = deps.reading.lock().await;
    let mut all = Vec::new();
    for (row, wanted) in streams::read_wanted(deps.index.db()).await? {
        let book = streams::read_book(deps.index.db(), &row).await?;
        all.push((row, wanted, book));
    }
    // The supervisor has ended.
    let _ = events.send(Event::Streams(all));
    Ok(())
}

impl SupervisorHandle {
    /// What the stream is doing; `None` for one that is not recorded here.
    pub fn status(&self, stream: &StreamId) -> Option<StreamStatus> {
        self.board.get(stream)
    }
    pub fn statuses(&self) -> HashMap<StreamId, StreamStatus> {
        self.board.all()
    }

    /// The processes that record.
    pub fn workers(&self) -> WorkerCount {
        self.board.workers()
    }

    /// Why nothing can be recorded, if that is so.
    pub fn not_recording(&self) -> Option<NotRecording> {
        if self.events.is_closed() { Some(NotRecording::Stopping) } else { self.board.not_recording() }
    }

    /// Looks at the database's streams now, instead of within a second.
    ///
    /// # Errors
    /// [`crate::db::DbError`] when they cannot be read.
    pub async fn reload(&self) -> DbResult<()> {
        read_streams(&self.deps, &self.events).await
    }

    /// Opens a push stream for one sender. The stream may have been added, by whomever, just now.
    ///
    /// # Errors
    /// [`PublishError`] says why not.
    pub async fn publish(&self, stream: &StreamId, format: PushFormat) -> Result<Publication, PublishError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.try_publish(stream, format).await {
                Err(PublishError::UnknownStream(_) | PublishError::Paused(_)) if waited.is_zero() => {
                    // Changed beside this process, and not polled yet. When the rows cannot be read, what is known holds.
                    let _ = self.reload().await;
                }
                Err(PublishError::NotReady(_)) if waited < PUBLISH_READY_MAX => {}
                decided => return decided,
            }
            tokio::time::sleep(PUBLISH_READY_STEP).await;
            waited += PUBLISH_READY_STEP;
        }
    }

    /// What a source sends that is not recorded yet: see [`LookError`] for why there may be nothing to see.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn look(&self, source: &SourceSpec) -> Result<Sight, LookError> {
        self.looker.look(source).await
    }

    async fn try_publish(&self, stream: &StreamId, format: PushFormat) -> Result<Publication, PublishError> {
        let name = format!("p{}-{}.sock", std::process::id(), self.sockets.fetch_add(1, Ordering::Relaxed));
        let path = self.run_dir.join(name);
        let listener = socket::listen(&path).map_err(PublishError::Socket)?;
        let _unlink = Unlink(path.clone());
        let (answer, answered) = oneshot::channel();
        let gone = || PublishError::NotReady(stream.clone());
        let ask = Event::Publish { stream: stream.clone(), format, socket: path.display().to_string(), answer };
        self.events.send(ask).map_err(|_| gone())?;
        let ended = answered.await.map_err(|_| gone())??;
        let accepted = tokio::time::timeout(PUBLISHER_ACCEPT_MAX, listener.accept()).await;
        let (socket, _) = accepted.map_err(|_| gone())?.map_err(PublishError::Socket)?;
        Ok(Publication { socket, ended })
    }

    /// Finishes what is being recorded and ends all workers, within about a second and a half. What is not
    /// finished by then is recovered at the next start.
    pub async fn shutdown(&self) {
        let (done, finished) = oneshot::channel();
        if self.events.send(Event::Shutdown(done)).is_ok() && tokio::time::timeout(WORKERS_STOP_MAX, finished).await.is_err() {
            tracing::warn!("workers do not end in time and are killed; their footage is recovered at the next start");
            let (killed, finished) = oneshot::channel();
            if self.events.send(Event::Kill(killed)).is_ok() {
                // A process in an uninterruptible wait dies when the kernel lets it.
                let _ = tokio::time::timeout(COMMIT_MAX, finished).await;
            }
        }
        if !self.committer.flush(COMMIT_MAX).await {
            tracing::warn!("the last footage could not be indexed; it is recovered at the next start");
        }
        self.committer.close();
    }
}

struct Unlink(PathBuf);

impl Drop for Unlink {
    fn drop(&mut self) {
        // The name is only needed until both ends are connected.
        let _ = std::fs::remove_file(&self.0);
    }
}
