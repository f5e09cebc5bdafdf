//! A worker has died: what it left is saved first, then its streams go on elsewhere.

use std::collections::{HashMap, HashSet};

use super::{Actor, Event};
use crate::ingest::protocol::StreamState;
use crate::ingest::supervisor::placement::{Successors, WorkerId};
use crate::ingest::supervisor::process::Gone;
use crate::ingest::supervisor::salvage::{self, Salvage};
use crate::ingest::supervisor::streams::Phase;
use crate::media::{GapCause, StreamId};

impl Actor {
    pub(super) async fn worker_gone(&mut self, worker: WorkerId, gone: Gone) {
        let Some(process) = self.workers.remove(&worker) else { return };
        self.board.set_alive(self.workers.len());
        let streams: Vec<StreamId> =
            self.streams.iter().filter(|(_, e)| e.worker() == Some(worker)).map(|(stream, _)| stream.clone()).collect();
        if streams.is_empty() {
            self.placement.died(worker, gone.death, self.deps.clock.monotonic());
            return;
        }
        if self.stopping.is_none() {
            self.board.count_death();
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

    pub(super) async fn salvaged(&mut self, streams: Vec<StreamId>, salvage: Result<Salvage, String>, next: Successors, words: &str) {
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
}
