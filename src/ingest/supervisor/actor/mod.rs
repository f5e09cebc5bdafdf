//! The supervisor's one task: all decisions are made here, one after the other.
//!
//! It never waits for a worker or for the database: commands to workers and changes for the committer are
//! queued, reading rows and looking through blocks happens in tasks that report back as [`Event`]s.

mod deaths;
mod reports;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::db::{IndexChange, StreamRow};
use crate::ingest::protocol::{PushFormat, StreamState, ToWorker};
use crate::ingest::source::{SourceKind, SourceSpec};
use crate::ingest::supervisor::book::Book;
use crate::ingest::supervisor::committer::{CommitNews, Committer};
use crate::ingest::supervisor::placement::{Placement, Successors, WorkerId};
use crate::ingest::supervisor::process::{Process, ProcessEvent, Spawner};
use crate::ingest::supervisor::salvage::Salvage;
use crate::ingest::supervisor::status::{NotRecording, StatusBoard};
use crate::ingest::supervisor::streams::{Entry, Phase, PublishReport, Wanted, read_book};
use crate::ingest::supervisor::{Deps, PublishError};
use crate::media::{BlockId, GapCause, StreamId};

/// A stream that does not stop in this time takes its worker with it.
const STOP_MAX: Duration = Duration::from_secs(8);
/// A worker that could not be started is tried again after so long.
const SPAWN_RETRY: Duration = Duration::from_secs(2);

/// What was sent is durable; whether rows say so already matters to a sender that looks at once, not to one in need of an answer.
const PUBLISHED_MAX: Duration = Duration::from_secs(5);

/// Everything the supervisor reacts to.
pub(in crate::ingest::supervisor) enum Event {
    Tick,
    /// Streams as the database has them now; for new ones with where they stand.
    Streams(Vec<(StreamRow, Wanted, Book)>),
    /// A stream's timeline, read anew after the database had refused its changes.
    Reread(StreamId, Box<Book>),
    Salvaged {
        streams: Vec<StreamId>,
        salvage: Result<Salvage, String>,
        next: Successors,
        words: String,
    },
    Publish {
        stream: StreamId,
        format: PushFormat,
        socket: String,
        answer: oneshot::Sender<PublishAnswer>,
    },
    Shutdown(oneshot::Sender<()>),
    /// Shutdown took too long.
    Kill(oneshot::Sender<()>),
}

/// The end of the publication is told through the receiver.
pub(in crate::ingest::supervisor) type PublishAnswer = Result<oneshot::Receiver<PublishReport>, PublishError>;

pub(in crate::ingest::supervisor) struct Actor {
    pub deps: Arc<Deps>,
    pub board: StatusBoard,
    pub committer: Committer,
    pub spawner: Spawner,
    pub placement: Placement,
    pub workers: HashMap<WorkerId, Process>,
    pub streams: HashMap<StreamId, Entry>,
    /// Whose block it is: some reports name only the block.
    pub blocks: HashMap<BlockId, StreamId>,
    pub events: mpsc::UnboundedSender<Event>,
    pub process_events: mpsc::Sender<(WorkerId, ProcessEvent)>,
    /// When a worker may be started again after a failure to start.
    pub spawn_after: Duration,
    pub stopping: Option<oneshot::Sender<()>>,
}

impl Actor {
    pub async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Event>,
        mut processes: mpsc::Receiver<(WorkerId, ProcessEvent)>,
        mut news: mpsc::UnboundedReceiver<CommitNews>,
    ) {
        loop {
            tokio::select! {
                // Reports first: a decision must not be made on less than is known.
                biased;
                Some((worker, event)) = processes.recv() => self.process_event(worker, event).await,
                Some(event) = inbox.recv() => self.event(event).await,
                Some(news) = news.recv() => self.commit_news(news),
                else => return,
            }
            if self.stopping.is_some() && self.workers.is_empty() {
                if let Some(done) = self.stopping.take() {
                    // Shutdown gave up waiting.
                    let _ = done.send(());
                }
                return;
            }
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Tick => self.tick().await,
            Event::Streams(rows) => self.take_streams(rows).await,
            Event::Reread(stream, book) => {
                if let Some(entry) = self.streams.get_mut(&stream).filter(|e| e.phase == Phase::Idle) {
                    entry.book = *book;
                    entry.refused = false;
                    self.reconcile(&stream).await;
                }
            }
            Event::Salvaged { streams, salvage, next, words } => self.salvaged(streams, salvage, next, &words).await,
            Event::Publish { stream, format, socket, answer } => {
                // Whoever asked has gone; the worker sees that nobody sends.
                let _ = answer.send(self.publish(&stream, format, socket));
            }
            Event::Shutdown(done) => {
                self.board.set_not_recording(Some(NotRecording::Stopping));
                for process in self.workers.values() {
                    process.send(ToWorker::Shutdown);
                }
                self.stopping = Some(done);
            }
            Event::Kill(done) => {
                self.workers.values().for_each(Process::kill);
                self.stopping = Some(done);
            }
        }
    }

    // ---- streams come, change and go

    async fn take_streams(&mut self, rows: Vec<(StreamRow, Wanted, Book)>) {
        let named: HashSet<StreamId> = rows.iter().map(|(row, ..)| row.id.clone()).collect();
        for (row, wanted, book) in rows {
            let now = self.deps.clock.now();
            match self.streams.get_mut(&row.id) {
                Some(entry) => {
                    if entry.wanted.as_ref() != Some(&wanted) {
                        self.placement.forgive(&row.id);
                        if entry.phase == Phase::Finished {
                            entry.phase = Phase::Idle;
                        }
                    }
                    entry.wanted = Some(wanted);
                    // The first footage was imported meanwhile. Its worker knows of none and must begin anew.
                    if !entry.book.has_footage() && book.has_footage() {
                        entry.book = book;
                        entry.running = None;
                        if let Some(mut entry) = self.streams.remove(&row.id) {
                            self.note_downtime(&row.id, &mut entry);
                            self.streams.insert(row.id.clone(), entry);
                        }
                    }
                }
                None => {
                    self.board.update(&row.id, now, |_| {});
                    let mut entry = Entry::new(wanted, book);
                    entry.phase = entry.phase_at_start();
                    self.note_downtime(&row.id, &mut entry);
                    self.streams.insert(row.id.clone(), entry);
                }
            }
        }
        let gone = self.streams.iter_mut().filter(|(id, _)| !named.contains(*id));
        gone.for_each(|(_, entry)| entry.wanted = None);
        let all: Vec<StreamId> = self.streams.keys().cloned().collect();
        for stream in all {
            self.reconcile(&stream).await;
        }
    }

    /// Footage ends somewhere and no gap says why: the service was killed there.
    fn note_downtime(&self, stream: &StreamId, entry: &mut Entry) {
        if entry.book.has_footage() && entry.book.gaps.open.is_none() {
            let start = entry.book.gaps.closed.last().and_then(|g| g.end).unwrap_or(entry.book.end);
            let cause = if entry.book.imported_last { GapCause::NotImported } else { GapCause::ServiceKilled };
            self.open_gap(stream, entry, start, cause, "");
        }
    }

    fn open_gap(&self, stream: &StreamId, entry: &mut Entry, start: crate::media::Timestamp, cause: GapCause, detail: &str) {
        entry.book.gaps.open(start, cause, detail);
        let change = IndexChange::GapOpened { stream: stream.clone(), start, cause, detail: detail.into() };
        self.committer.push(stream, change);
    }

    /// Moves the stream one step towards what is wanted.
    async fn reconcile(&mut self, stream: &StreamId) {
        if self.stopping.is_some() {
            return;
        }
        let now = self.deps.clock.now();
        let Some(entry) = self.streams.get_mut(stream) else { return };
        match (entry.phase, entry.target().cloned()) {
            (Phase::Idle, Ok(_)) if entry.refused => self.reread(stream),
            (Phase::Idle, Ok(wanted)) => self.start(stream, wanted, Duration::ZERO).await,
            (Phase::Idle | Phase::Finished, Err(cause)) => {
                if entry.book.has_footage() && entry.book.gaps.open.as_ref().is_none_or(|g| g.cause != cause) {
                    let mut entry = self.streams.remove(stream).expect("looked up above");
                    let start = now.max(entry.book.end);
                    self.open_gap(stream, &mut entry, start, cause, "");
                    self.streams.insert(stream.clone(), entry);
                }
                if cause == GapCause::Removed {
                    self.streams.remove(stream);
                    self.board.remove(stream);
                } else {
                    self.board.update(stream, now, |s| s.enter(StreamState::Disabled, "", now));
                }
            }
            (Phase::Running(worker), target) => {
                let cause = match target {
                    Err(cause) => cause,
                    Ok(wanted) if entry.running.as_ref() != Some(&wanted) => GapCause::SourceEnded,
                    Ok(_) => return,
                };
                entry.phase = Phase::Stopping(worker, self.deps.clock.monotonic());
                if let Some(process) = self.workers.get(&worker) {
                    process.send(ToWorker::Stop { stream: stream.clone(), cause });
                }
            }
            _ => {}
        }
    }

    async fn start(&mut self, stream: &StreamId, wanted: Wanted, delay: Duration) {
        let worker = self.placement.place(stream);
        if !self.ensure_worker(worker).await {
            return;
        }
        let (Some(process), Some(entry)) = (self.workers.get(&worker), self.streams.get_mut(stream)) else { return };
        process.send(ToWorker::Start(entry.job(stream, &wanted, delay)));
        entry.phase = Phase::Running(worker);
        entry.running = Some(wanted);
        entry.sealed.clear();
        entry.refused = false;
        let (pid, now) = (process.pid, self.deps.clock.now());
        self.board.update(stream, now, |s| {
            s.worker_pid = Some(pid);
            if s.state == StreamState::Disabled {
                s.enter(StreamState::Connecting, "", now);
            }
        });
    }

    /// Starts the worker's process unless it runs. False: it could not be started; the next tick tries again.
    async fn ensure_worker(&mut self, worker: WorkerId) -> bool {
        if self.workers.contains_key(&worker) {
            return true;
        }
        if self.deps.clock.monotonic() < self.spawn_after {
            return false;
        }
        match self.spawner.spawn(worker, &self.deps.program, self.process_events.clone()).await {
            Ok(process) => {
                process.send(ToWorker::Configure(self.deps.worker.clone()));
                self.board.set_not_recording(None);
                self.workers.insert(worker, process);
                self.board.set_alive(self.workers.len());
                true
            }
            Err(e) => {
                tracing::error!(program = %self.deps.program.path.display(), error = %e, "cannot start a worker");
                self.spawn_after = self.deps.clock.monotonic() + SPAWN_RETRY;
                self.board.set_not_recording(Some(NotRecording::NoWorkers));
                false
            }
        }
    }

    async fn tick(&mut self) {
        let now = self.deps.clock.monotonic();
        self.placement.settle(now);
        let mut idle = Vec::new();
        for (stream, entry) in &self.streams {
            match entry.phase {
                Phase::Idle if entry.target().is_ok() => idle.push(stream.clone()),
                Phase::Stopping(worker, since) if now.saturating_sub(since) > STOP_MAX => {
                    if let Some(process) = self.workers.get(&worker) {
                        tracing::warn!(%stream, pid = process.pid, "the stream does not stop: its worker is killed");
                        process.kill();
                    }
                }
                _ => {}
            }
        }
        for stream in idle {
            self.reconcile(&stream).await;
        }
    }

    // ---- the database speaks

    fn commit_news(&mut self, news: CommitNews) {
        match news {
            CommitNews::Health(Some(error)) => tracing::error!(error, "footage cannot be indexed; it is kept on disk, and indexed later"),
            CommitNews::Health(None) => tracing::info!("footage is indexed again"),
            CommitNews::LetGo => {
                tracing::warn!("the database was away for so long that footage must be looked for on disk");
                let deps = self.deps.clone();
                tokio::spawn(async move {
                    match crate::index::recover(&deps.index, &deps.root).await {
                        Ok(report) => tracing::info!(segments = report.segments_found, "footage found on disk is indexed"),
                        Err(e) => tracing::error!(error = %e, "recovery failed; run `retroview check --repair`"),
                    }
                });
            }
            CommitNews::Refused { stream, error } => {
                tracing::error!(%stream, %error, "the index refuses this footage; the stream starts anew, `retroview check` names the files");
                let Some(entry) = self.streams.get_mut(&stream) else { return };
                entry.refused = true;
                if let Phase::Running(worker) = entry.phase {
                    entry.phase = Phase::Stopping(worker, self.deps.clock.monotonic());
                    if let Some(process) = self.workers.get(&worker) {
                        process.send(ToWorker::Stop { stream, cause: GapCause::Unknown });
                    }
                }
            }
        }
    }

    fn reread(&self, stream: &StreamId) {
        let (deps, events, stream) = (self.deps.clone(), self.events.clone(), stream.clone());
        tokio::spawn(async move {
            let read = async {
                let Some(row) = deps.index.db().stream(&stream).await? else { return Ok(None) };
                read_book(deps.index.db(), &row).await.map(Some)
            };
            match read.await {
                Ok(Some(book)) => drop(events.send(Event::Reread(stream, Box::new(book)))),
                Ok(None) => {}
                // The next tick asks again.
                Err(error) => tracing::warn!(%stream, %error, "cannot read where the stream stands"),
            }
        });
    }

    // ---- publishers

    fn publish(&mut self, stream: &StreamId, format: PushFormat, socket: String) -> PublishAnswer {
        let entry = self.streams.get_mut(stream).ok_or_else(|| PublishError::UnknownStream(stream.clone()))?;
        let wanted = entry.target().map_err(|cause| match cause {
            GapCause::Paused => PublishError::Paused(stream.clone()),
            _ => PublishError::UnknownStream(stream.clone()),
        })?;
        if SourceSpec::stored(&wanted.source, None).is_ok_and(|s| s.kind() != SourceKind::Push) {
            return Err(PublishError::NotPush(stream.clone()));
        }
        if entry.publisher.as_ref().is_some_and(|p| !p.is_closed()) {
            return Err(PublishError::PublisherPresent(stream.clone()));
        }
        let process = match entry.phase {
            Phase::Running(worker) => self.workers.get(&worker),
            _ => None,
        };
        let process = process.ok_or_else(|| PublishError::NotReady(stream.clone()))?;
        let (ended, told) = oneshot::channel();
        entry.publisher = Some(ended);
        process.send(ToWorker::Publish { stream: stream.clone(), socket, format });
        Ok(told)
    }
}
