//! The single door: rows first, then memory, then wake-ups.

use std::collections::HashMap;
use std::sync::Arc;

use super::cache::StreamMemory;
use super::stopwatch::Stopwatch;
use super::{Index, LiveEdge};
use crate::db::{DbError, DbResult, IndexChange};
use crate::media::{BlockId, BlockInfo, BlockState, RunInfo, StreamId, TimeRange, Timestamp};
use crate::store::{self, StreamCard};

/// A source that has been away for days with ever new reasons: the oldest of them are enough to say that it was.
const CARD_GAPS_MAX: u32 = 64;

impl Index {
    /// Commits the changes as one. When this returns, lookups see them and followers of live edges have been
    /// woken. The work goes on to its end when the caller stops waiting.
    ///
    /// # Errors
    /// [`DbError`]; then nothing has changed.
    pub async fn commit(&self, changes: Vec<IndexChange>) -> DbResult<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let index = self.clone();
        // A task of its own: dropped halfway, rows and memory would disagree.
        let work = tokio::spawn(async move { index.commit_whole(changes).await });
        work.await.map_err(|e| DbError::Sql { step: "finish a commit", source: e.into() })?
    }

    async fn commit_whole(&self, mut changes: Vec<IndexChange>) -> DbResult<()> {
        let inner = &self.0;
        let _door = inner.door.lock().await;
        if inner.announce && changes.iter().any(|c| !matches!(c, IndexChange::SegmentAppended { .. })) {
            changes.push(IndexChange::Announced);
        }
        // Forgotten and replaced blocks must be known before they are gone.
        let gone = inner.db.blocks(&changes.iter().flat_map(touched_blocks).collect::<Vec<_>>()).await?;
        let began = Stopwatch::start();
        inner.db.commit(&changes).await?;
        began.commit();
        if let Err(e) = self.remember(&changes, gone).await {
            // The rows have changed: an error now would make the caller commit the same again.
            tracing::warn!(error = %e, "could not follow a commit in memory; reading from the rows again");
            inner.cache.reset();
        }
        self.keep_house(&changes).await;
        Ok(())
    }

    /// Forgets all that another process may have changed.
    ///
    /// # Errors
    /// [`DbError`] when the live edges cannot be read again; the caches are empty then, and lookups right.
    pub async fn refresh(&self) -> DbResult<()> {
        let _door = self.0.door.lock().await;
        self.0.cache.forget_all();
        for memory in self.0.cache.streams() {
            let edge = self.edge_of(&memory.id).await?;
            memory.edge.send_if_modified(|old| {
                let changed = (&old.end, &old.open_gap) != (&edge.end, &edge.open_gap);
                if changed {
                    *old = LiveEdge { version: old.version + 1, ..edge };
                }
                changed
            });
        }
        Ok(())
    }

    pub(super) async fn memory(&self, stream: &StreamId) -> DbResult<Arc<StreamMemory>> {
        if let Some(known) = self.0.cache.stream(stream) {
            return Ok(known);
        }
        let edge = self.edge_of(stream).await?;
        Ok(self.0.cache.remember(stream, edge))
    }

    async fn edge_of(&self, stream: &StreamId) -> DbResult<LiveEdge> {
        let end = self.0.db.totals(stream).await?.last_end;
        let latest = TimeRange::new(Timestamp(Timestamp::MAX.as_micros() - 1), Timestamp::MAX).expect("one microsecond");
        // Only a gap without an end reaches there.
        let open_gap = self.0.db.gaps_in(stream, latest, 1).await?.into_iter().find(|g| g.end.is_none());
        Ok(LiveEdge { end, open_gap, version: 0 })
    }

    async fn remember(&self, changes: &[IndexChange], gone: Vec<BlockInfo>) -> DbResult<()> {
        let cache = &self.0.cache;
        let mut touched: HashMap<StreamId, Touch> = HashMap::new();
        for info in gone {
            let memory = self.memory(&info.stream).await?;
            cache.open_remove(info.id);
            if let Some(range) = info.range() {
                cache.forget(&memory, range);
            }
            touched.entry(info.stream).or_default().reread = true;
        }
        // Blocks that were read from the rows just now hold this batch's segments already.
        let mut just_read: Vec<BlockId> = Vec::new();
        for change in changes {
            match change {
                IndexChange::RunStarted(run) => cache.runs.insert(run.id, Arc::new(run.clone())),
                IndexChange::BlockOpened(info) => {
                    let memory = self.memory(&info.stream).await?;
                    cache.open_insert(&memory, info.clone());
                }
                IndexChange::SegmentAppended { block, entry } if !just_read.contains(block) => {
                    let end = match cache.owner(*block) {
                        Some(memory) => cache.open_append(&memory, *block, *entry).map(|end| (memory.id.clone(), end)),
                        None => {
                            just_read.push(*block);
                            self.adopt(*block).await?
                        }
                    };
                    if let Some((stream, end)) = end {
                        let touch = touched.entry(stream).or_default();
                        touch.end = touch.end.max(Some(end));
                    }
                }
                IndexChange::SegmentAppended { .. }
                | IndexChange::BlockForgotten { .. }
                | IndexChange::BlocksSwept { .. }
                | IndexChange::SegmentsErased { .. }
                | IndexChange::ErasedBytesGone { .. }
                | IndexChange::Announced => {}
                IndexChange::BlockSealed { block, .. } => {
                    if let Some(open) = cache.open_block(*block) {
                        // Hours first: who looks between the two finds it twice rather than not at all.
                        let memory = self.memory(&open.stream).await?;
                        if let Some(range) = open.range() {
                            cache.forget(&memory, range);
                        }
                        cache.open_remove(*block);
                    }
                }
                IndexChange::BlockIndexed(info) => {
                    let memory = self.memory(&info.stream).await?;
                    if let Some(range) = info.range() {
                        cache.forget(&memory, range);
                    }
                    touched.entry(info.stream.clone()).or_default().reread = true;
                }
                IndexChange::GapOpened { stream, .. } | IndexChange::GapClosed { stream, .. } | IndexChange::GapAdded { stream, .. } => {
                    touched.entry(stream.clone()).or_default().gaps = true;
                }
            }
        }
        for (stream, touch) in touched {
            self.move_edge(&stream, touch).await?;
        }
        Ok(())
    }

    /// A block opened before this process: its row, with all that has been committed, is taken over.
    async fn adopt(&self, block: BlockId) -> DbResult<Option<(StreamId, Timestamp)>> {
        let Some(info) = self.0.db.block(block).await? else { return Ok(None) };
        let memory = self.memory(&info.stream).await?;
        let (stream, end) = (info.stream.clone(), info.end());
        if let Some(range) = info.range() {
            self.0.cache.forget(&memory, range);
        }
        if info.state == BlockState::Open {
            self.0.cache.open_insert(&memory, info);
        }
        Ok(Some((stream, end)))
    }

    async fn move_edge(&self, stream: &StreamId, touch: Touch) -> DbResult<()> {
        let memory = self.memory(stream).await?;
        let read = if touch.reread || touch.gaps { Some(self.edge_of(stream).await?) } else { None };
        memory.edge.send_modify(|edge| {
            edge.version += 1;
            match read {
                Some(read) => (edge.end, edge.open_gap) = (read.end, read.open_gap),
                None => edge.end = edge.end.max(touch.end),
            }
        });
        Ok(())
    }

    /// What the rows say of the stream, for its folder.
    async fn card(&self, stream: &StreamId) -> DbResult<Option<StreamCard>> {
        let db = &self.0.db;
        let Some(row) = db.stream(stream).await? else { return Ok(None) };
        let last_end = db.totals(stream).await?.last_end;
        let after = last_end.and_then(|end| TimeRange::new(end, Timestamp::MAX).ok());
        let gaps_after = match after {
            Some(after) => db.gaps_in(stream, after, CARD_GAPS_MAX).await?,
            None => Vec::new(),
        };
        let (paused, removed_at) = (row.paused, row.removed_at);
        Ok(Some(StreamCard { stream: row.id, account: row.account, title: row.title, source: row.source, paused, removed_at, gaps_after }))
    }

    /// Journal notes of blocks that need no recovery any more, and what streams' folders say about them. Neither
    /// undoes the commit when it fails: a note too many costs one look at the next start.
    async fn keep_house(&self, changes: &[IndexChange]) {
        let Some(root) = &self.0.root else { return };
        let mut done = Vec::new();
        let (mut changed, mut cards) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                IndexChange::BlockSealed { block, .. } | IndexChange::BlockForgotten { block } => done.push(*block),
                IndexChange::BlockIndexed(info) if info.state == BlockState::Sealed => done.push(info.id),
                IndexChange::RunStarted(RunInfo { stream, .. })
                | IndexChange::GapOpened { stream, .. }
                | IndexChange::GapClosed { stream, .. }
                | IndexChange::GapAdded { stream, .. }
                    if !changed.contains(&stream) =>
                {
                    changed.push(stream);
                }
                _ => {}
            }
        }
        for stream in changed {
            match self.card(stream).await {
                Ok(card) => cards.extend(card),
                Err(e) => tracing::warn!(%stream, error = %e, "could not read the stream for its card"),
            }
        }
        if done.is_empty() && cards.is_empty() {
            return;
        }
        let root = root.clone();
        let work = tokio::task::spawn_blocking(move || {
            for block in done {
                if let Err(e) = store::forget_open(&root, block) {
                    tracing::warn!(%block, error = %e, "could not remove the note of a finished block");
                }
            }
            for card in cards {
                if let Err(e) = root.write_stream_card(&card) {
                    tracing::warn!(stream = %card.stream, error = %e, "could not write the stream's card");
                }
            }
        });
        if let Err(e) = work.await {
            tracing::error!(error = %e, "keeping house after a commit failed");
        }
    }
}

/// Blocks whose rows go or change other than by growing.
fn touched_blocks(change: &IndexChange) -> Vec<BlockId> {
    match change {
        IndexChange::BlockForgotten { block } | IndexChange::BlockIndexed(BlockInfo { id: block, .. }) => vec![*block],
        IndexChange::BlocksSwept { blocks, .. } => blocks.clone(),
        IndexChange::SegmentsErased { blocks, .. } => blocks.iter().map(|(block, _)| *block).collect(),
        IndexChange::ErasedBytesGone { blocks, .. } => blocks.iter().map(|(block, _)| *block).collect(),
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Touch {
    end: Option<Timestamp>,
    /// The open gap may have changed.
    gaps: bool,
    /// The end may have moved back.
    reread: bool,
}
