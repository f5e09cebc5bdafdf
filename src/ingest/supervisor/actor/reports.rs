//! What workers say while they live.

use super::{Actor, PUBLISHED_MAX};
use crate::ingest::protocol::{FromWorker, LogLevel, StreamState, ToWorker};
use crate::ingest::supervisor::book::change_of;
use crate::ingest::supervisor::placement::WorkerId;
use crate::ingest::supervisor::process::ProcessEvent;
use crate::ingest::supervisor::streams::{Entry, Phase, PublishReport};
use crate::media::StreamId;

impl Actor {
    pub(super) async fn process_event(&mut self, worker: WorkerId, event: ProcessEvent) {
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
            FromWorker::Ready { .. }
            | FromWorker::Log { .. }
            | FromWorker::Probed { .. }
            | FromWorker::Looked { .. }
            | FromWorker::Imported { .. } => None,
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
                    s.recent.add(segment.media_bytes(), segment.wall_us);
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
