//! What the supervisor knows of one stream's timeline, so that it can hand the stream to another worker at
//! any moment, also while the database does not answer. Pure.

use std::collections::HashMap;

use crate::db::IndexChange;
use crate::ingest::gap_list::GapList;
use crate::ingest::protocol::FromWorker;
use crate::media::{BlockId, BlockInfo, BlockState, RunId, RunInfo, SegmentTable, Timestamp};

/// Where one stream's timeline stands.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// End of the footage; nothing new may begin before it. `Timestamp::MIN` when there is none.
    pub end: Timestamp,
    pub next_run_ordinal: u64,
    pub next_sequence: u64,
    /// Since the last footage.
    pub gaps: GapList,
    /// The last footage was imported.
    pub imported_last: bool,
    /// Runs and blocks that workers have open, with everything reported of them.
    pub runs: HashMap<RunId, RunInfo>,
    pub blocks: HashMap<BlockId, BlockInfo>,
}

/// A report that does not fit what was reported before: its worker cannot be trusted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    #[error("a segment of a block that was never opened")]
    UnknownBlock,
    #[error("a block of a run that never started")]
    UnknownRun,
    #[error("footage before the end of what is recorded")]
    Overlap,
}

impl Book {
    pub fn has_footage(&self) -> bool {
        self.end > Timestamp::MIN
    }

    /// Takes in one report.
    ///
    /// # Errors
    /// [`Contradiction`]; nothing has changed then.
    pub fn apply(&mut self, report: &FromWorker) -> Result<(), Contradiction> {
        match report {
            FromWorker::RunStarted { run, init } => {
                if run.start < self.end {
                    return Err(Contradiction::Overlap);
                }
                let run = RunInfo { init: init.clone(), ..run.clone() };
                self.next_run_ordinal = self.next_run_ordinal.max(run.ordinal + 1);
                self.runs.retain(|id, _| self.blocks.values().any(|b| b.run == *id));
                self.runs.insert(run.id, run);
            }
            FromWorker::BlockOpened { id, account, stream, run, start, first_offset, first_sequence } => {
                if !self.runs.contains_key(run) {
                    return Err(Contradiction::UnknownRun);
                }
                if *start < self.end {
                    return Err(Contradiction::Overlap);
                }
                let block = BlockInfo {
                    id: *id,
                    account: account.clone(),
                    stream: stream.clone(),
                    run: *run,
                    start: *start,
                    state: BlockState::Open,
                    first_offset: *first_offset,
                    first_sequence: *first_sequence,
                    size_bytes: *first_offset,
                    checksum: None,
                    table: SegmentTable::default(),
                };
                self.blocks.insert(*id, block);
            }
            FromWorker::Segment { block, entry, .. } => {
                let block = self.blocks.get_mut(block).ok_or(Contradiction::UnknownBlock)?;
                block.table.push(*entry);
                block.size_bytes += u64::from(entry.stored_bytes());
                self.end = self.end.max(block.end());
                self.next_sequence = self.next_sequence.max(block.first_sequence + block.table.len() as u64);
                self.gaps.closed.clear();
            }
            FromWorker::BlockSealed { block, .. } => {
                self.blocks.remove(block).ok_or(Contradiction::UnknownBlock)?;
            }
            FromWorker::GapOpened { start, cause, detail, .. } => self.gaps.open(*start, *cause, detail),
            FromWorker::GapClosed { end, .. } => self.gaps.close(*end),
            _ => {}
        }
        Ok(())
    }
}

/// What a report means for the index; `None` when nothing. The book has taken it in already.
pub fn change_of(report: FromWorker, book: &Book) -> Option<IndexChange> {
    Some(match report {
        FromWorker::RunStarted { run, init } => IndexChange::RunStarted(RunInfo { init, ..run }),
        FromWorker::BlockOpened { id, .. } => IndexChange::BlockOpened(book.blocks.get(&id)?.clone()),
        FromWorker::Segment { block, entry, .. } => IndexChange::SegmentAppended { block, entry },
        FromWorker::BlockSealed { block, size_bytes, checksum } => IndexChange::BlockSealed { block, size_bytes, checksum },
        FromWorker::GapOpened { stream, start, cause, detail } => IndexChange::GapOpened { stream, start, cause, detail },
        FromWorker::GapClosed { stream, end } => IndexChange::GapClosed { stream, end },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{SegmentEntry, StreamId};

    fn t(s: i64) -> Timestamp {
        Timestamp::from_secs(s)
    }
    fn stream() -> StreamId {
        "cam".parse().unwrap()
    }
    fn run(n: u8, start: i64) -> FromWorker {
        let run = RunInfo {
            id: RunId::from_bytes([n; 16]),
            stream: stream(),
            start: t(start),
            ordinal: u64::from(n),
            video: None,
            audio: None,
            init: bytes::Bytes::new(),
            gaps_before: vec![],
            import_key: None,
        };
        FromWorker::RunStarted { run, init: bytes::Bytes::from_static(b"init") }
    }
    fn block(n: u8, run: u8, start: i64, first_sequence: u64) -> FromWorker {
        FromWorker::BlockOpened {
            id: BlockId::from_bytes([n; 16]),
            account: crate::media::AccountId::main(),
            stream: stream(),
            run: RunId::from_bytes([run; 16]),
            start: t(start),
            first_offset: 1000,
            first_sequence,
        }
    }
    fn segment(block: u8) -> FromWorker {
        let entry = SegmentEntry {
            wall_us: 4_000_000,
            media_us: 4_000_000,
            video_bytes: 100,
            audio_bytes: 20,
            keyframe_bytes: 50,
            independent: true,
            erased: false,
        };
        FromWorker::Segment { stream: stream(), block: BlockId::from_bytes([block; 16]), entry }
    }

    #[test]
    fn the_book_knows_where_the_next_worker_must_go_on() {
        let mut book = Book::default();
        for report in [run(3, 100), block(1, 3, 100, 7), segment(1), segment(1)] {
            book.apply(&report).unwrap();
        }
        assert_eq!((book.end, book.next_run_ordinal, book.next_sequence), (t(108), 4, 9));
        let open = &book.blocks[&BlockId::from_bytes([1; 16])];
        assert_eq!((open.table.len(), open.size_bytes), (2, 1000 + 2 * 200));
        assert_eq!(&book.runs[&RunId::from_bytes([3; 16])].init[..], b"init");
    }

    #[test]
    fn reports_that_contradict_earlier_ones_are_refused() {
        let mut book = Book::default();
        assert_eq!(book.apply(&segment(1)), Err(Contradiction::UnknownBlock));
        assert_eq!(book.apply(&block(1, 3, 100, 0)), Err(Contradiction::UnknownRun));
        for report in [run(3, 100), block(1, 3, 100, 0), segment(1)] {
            book.apply(&report).unwrap();
        }
        assert_eq!(book.apply(&run(4, 103)), Err(Contradiction::Overlap));
        assert_eq!(book.apply(&run(4, 104)), Ok(()));
    }
}
