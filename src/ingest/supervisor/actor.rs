//! The supervisor's one task: all decisions are made here, one after the other.
//!
//! It never waits for a worker or for the database: commands to workers and changes for the committer are
//! queued, reading rows and looking through blocks happens in tasks that report back as [`Event`]s.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::book::change_of;
use super::committer::{CommitNews, Committer};
use super::placement::{Placement, Successors, WorkerId};
use super::process::{Gone, Process, ProcessEvent, Spawner};
use super::salvage::{self, Salvage};
use super::status::{NotRecording, StatusBoard};
use super::streams::{Entry, Phase, PublishReport, Wanted};
use super::{Deps, PublishError};
use crate::db::{IndexChange, StreamRow};
use crate::ingest::protocol::{FromWorker, LogLevel, PushFormat, StreamState, ToWorker};
use crate::ingest::source::{SourceKind, SourceSpec};
use crate::media::{BlockId, GapCause, StreamId};

/// A stream that does not stop in this time takes its worker with it.
const STOP_MAX: Duration = Duration::from_secs(8);
/// A worker that could not be started is tried again after so long.
const SPAWN_RETRY: Duration = Duration::from_secs(2);

/// What was sent is durable; whether rows say so already matters to a sender that looks at once, not to one in need of an answer.
const PUBLISHED_MAX: Duration = Duration::from_secs(5);

/// Everything the supervisor reacts to.
pub(super) enum Event {
    Tick,
    /// Streams as the database has them now; for new ones with where they stand.
    Streams(Vec<(StreamRow, Wanted, super::book::Book)>),
    /// A stream's timeline, read anew after the database had refused its changes.
    Reread(StreamId, Box<super::book::Book>),
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
pub(super) type PublishAnswer = Result<oneshot::Receiver<PublishReport>, PublishError>;

pub(super) struct Actor {
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

    async fn take_streams(&mut self, rows: Vec<(StreamRow, Wanted, super::book::Book)>) {
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

    // ---- workers speak and die

    async fn process_event(&mut self, worker: WorkerId, event: ProcessEvent) {
        match event {
            ProcessEvent::Report(report) => self.report(worker, *report).await,
            ProcessEvent::Gone(gone) => self.worker_gone(worker, gone).await,
        }
    }

    async fn report(&mut self, worker: WorkerId, report: FromWorker) {
        match report {
            FromWorker::Ready { pid } => tracing::debug!(pid, "worker ready"),
            FromWorker::Log { level, stream, message } => log(level, stream.as_ref(), &message),
            report => {
                let Some(stream) = self.stream_of(&report) else { return };
                // A late word of a worker that no longer has the stream.
                if self.streams.get(&stream).and_then(Entry::worker) == Some(worker) {
                    self.stream_report(worker, &stream, report).await;
                }
            }
        }
    }

    fn stream_of(&self, report: &FromWorker) -> Option<StreamId> {
        match report {
            FromWorker::RunStarted { run, .. } => Some(run.stream.clone()),
            FromWorker::BlockSealed { block, .. } => self.blocks.get(block).cloned(),
            FromWorker::BlockOpened { stream, .. }
            | FromWorker::Segment { stream, .. }
            | FromWorker::GapOpened { stream, .. }
            | FromWorker::GapClosed { stream, .. }
            | FromWorker::State { stream, .. }
            | FromWorker::Reconnecting { stream, .. }
            | FromWorker::Stopped { stream, .. }
            | FromWorker::PublishEnded { stream, .. } => Some(stream.clone()),
            FromWorker::Ready { .. } | FromWorker::Log { .. } | FromWorker::Probed { .. } | FromWorker::Imported { .. } => None,
        }
    }

    async fn stream_report(&mut self, worker: WorkerId, stream: &StreamId, report: FromWorker) {
        let now = self.deps.clock.now();
        let Some(entry) = self.streams.get_mut(stream) else { return };
        if let Err(contradiction) = entry.book.apply(&report) {
            tracing::error!(%stream, %contradiction, "a worker contradicts itself and is killed");
            if let Some(process) = self.workers.get(&worker) {
                process.kill();
            }
            return;
        }
        match &report {
            FromWorker::State { state, detail, .. } => {
                let quarantined = entry.quarantined && *state != StreamState::Recording;
                entry.quarantined = quarantined;
                let state = if quarantined && *state != StreamState::Disabled { StreamState::Quarantined } else { *state };
                self.board.update(stream, now, |s| s.enter(state, detail, now));
            }
            FromWorker::Reconnecting { .. } => self.board.update(stream, now, |s| s.reconnects += 1),
            FromWorker::Segment { entry: segment, .. } => {
                let end = entry.book.end;
                self.board.update(stream, now, |s| {
                    s.segments += 1;
                    s.bytes += u64::from(segment.stored_bytes());
                    s.last_segment_end = Some(end);
                });
            }
            FromWorker::BlockOpened { id, .. } => drop(self.blocks.insert(*id, stream.clone())),
            FromWorker::BlockSealed { block, .. } => {
                entry.sealed.insert(*block);
                self.blocks.remove(block);
            }
            FromWorker::PublishEnded { segments, bytes, cause, detail, .. } => {
                if let Some(publisher) = entry.publisher.take() {
                    let report = PublishReport { segments: *segments, bytes: *bytes, cause: *cause, detail: detail.clone() };
                    let committer = self.committer.clone();
                    // What the sender is told of, it finds: everything reported before is in the queue by now.
                    tokio::spawn(async move {
                        committer.flush(PUBLISHED_MAX).await;
                        // The sender did not wait for the answer.
                        let _ = publisher.send(report);
                    });
                }
            }
            FromWorker::Stopped { detail, .. } => return self.stream_stopped(stream, detail.clone()).await,
            _ => {}
        }
        let Some(entry) = self.streams.get(stream) else { return };
        if let Some(change) = change_of(report, &entry.book).filter(|_| !entry.refused) {
            self.committer.push(stream, change);
        }
    }

    async fn stream_stopped(&mut self, stream: &StreamId, detail: String) {
        let now = self.deps.clock.now();
        if let Some(worker) = self.placement.remove(stream)
            && let Some(process) = self.workers.get(&worker)
        {
            process.send(ToWorker::Shutdown);
        }
        let Some(entry) = self.streams.get_mut(stream) else { return };
        let by_itself = matches!(entry.phase, Phase::Running(_));
        entry.phase = if by_itself { Phase::Finished } else { Phase::Idle };
        entry.running = None;
        entry.publisher = None;
        entry.quarantined = false;
        self.board.update(stream, now, |s| {
            s.worker_pid = None;
            s.enter(StreamState::Disabled, &detail, now);
        });
        if !by_itself {
            self.reconcile(stream).await;
        }
    }

    async fn worker_gone(&mut self, worker: WorkerId, gone: Gone) {
        let Some(process) = self.workers.remove(&worker) else { return };
        let streams: Vec<StreamId> =
            self.streams.iter().filter(|(_, e)| e.worker() == Some(worker)).map(|(stream, _)| stream.clone()).collect();
        if streams.is_empty() {
            self.placement.died(worker, gone.death, self.deps.clock.monotonic());
            return;
        }
        if self.stopping.is_none() {
            tracing::error!(pid = process.pid, streams = streams.len(), "worker {}", gone.words);
        }
        let next = self.placement.died(worker, gone.death, self.deps.clock.monotonic());
        let now = self.deps.clock.now();
        let mut known = HashMap::new();
        let mut sealed = HashSet::new();
        let end = salvage::crashed(&gone.words);
        for stream in &streams {
            let Some(entry) = self.streams.get_mut(stream) else { continue };
            entry.phase = Phase::Salvaging;
            entry.publisher = None;
            known.extend(std::mem::take(&mut entry.book.blocks));
            sealed.extend(entry.sealed.drain());
            let state = if next.quarantined { StreamState::Quarantined } else { StreamState::Connecting };
            self.board.update(stream, now, |s| {
                s.worker_pid = None;
                s.worker_deaths += 1;
                s.enter(state, &end.detail, now);
            });
        }
        self.blocks.retain(|block, _| !known.contains_key(block));
        let (root, events) = (self.deps.root.clone(), self.events.clone());
        tokio::task::spawn_blocking(move || {
            let names = streams.iter().cloned().collect();
            let salvage = salvage::salvage(&root, &names, &known, &sealed, &end).map_err(|e| e.to_string());
            // The supervisor has ended meanwhile: the next start recovers the same.
            let _ = events.send(Event::Salvaged { streams, salvage, next, words: end.detail });
        });
    }

    async fn salvaged(&mut self, streams: Vec<StreamId>, salvage: Result<Salvage, String>, next: Successors, words: &str) {
        match salvage {
            Ok(salvage) => {
                for (block, why) in salvage.left {
                    tracing::error!(%block, why, "a block of a dead worker is left to `retroview check --repair`");
                }
                for saved in salvage.saved {
                    self.adopt(saved);
                }
            }
            Err(error) => tracing::error!(error, "blocks of a dead worker are left to recovery at the next start"),
        }
        for stream in &streams {
            let Some(mut entry) = self.streams.remove(stream) else { continue };
            entry.phase = Phase::Idle;
            entry.running = None;
            entry.quarantined = next.quarantined;
            if entry.book.has_footage() && entry.book.gaps.open.is_none() {
                let start = entry.book.end;
                self.open_gap(stream, &mut entry, start, GapCause::WorkerCrashed, words);
            }
            self.streams.insert(stream.clone(), entry);
        }
        let placed: HashSet<StreamId> = next.workers.into_iter().flat_map(|(_, streams)| streams).collect();
        for stream in streams {
            let wanted = self.streams.get(&stream).and_then(|e| e.target().ok().cloned());
            match wanted.filter(|_| placed.contains(&stream) && self.stopping.is_none()) {
                Some(wanted) => self.start(&stream, wanted, next.delay).await,
                None => {
                    self.placement.remove(&stream);
                    self.reconcile(&stream).await;
                }
            }
        }
    }

    fn adopt(&mut self, saved: salvage::Saved) {
        let stream = saved.block.stream.clone();
        if let Some(entry) = self.streams.get_mut(&stream) {
            let (run, block) = (&saved.run, &saved.block);
            if block.end() > entry.book.end {
                entry.book.gaps.take_for_run(block.start);
                entry.book.end = block.end();
            }
            entry.book.next_run_ordinal = entry.book.next_run_ordinal.max(run.ordinal + 1);
            entry.book.next_sequence = entry.book.next_sequence.max(block.first_sequence + block.table.len() as u64);
            if entry.refused {
                return;
            }
        }
        for change in saved.changes() {
            self.committer.push(&stream, change);
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
                super::streams::read_book(deps.index.db(), &row).await.map(Some)
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

fn log(level: LogLevel, stream: Option<&StreamId>, message: &str) {
    let stream = stream.map(tracing::field::display);
    match level {
        LogLevel::Error => tracing::error!(stream, "{message}"),
        LogLevel::Warn => tracing::warn!(stream, "{message}"),
        LogLevel::Info => tracing::info!(stream, "{message}"),
        LogLevel::Debug => tracing::debug!(stream, "{message}"),
    }
}
