//! An archive for tests: drawn, recorded into real block files and a real database, damaged, looked at.
//!
//! Footage is drawn with a character for each segment of four seconds: `"aaabb..cc|dd"` is a block of three and
//! one of two segments in one run, a gap of two segments' time, a run of one block, and a run that follows it
//! without a gap. Capital letters are imported.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::Index;
use crate::db::{Db, IndexChange, NewStream, sqlite};
use crate::media::{AccountId, BlockId, BlockInfo, BlockState, Gap, GapCause, RunInfo, StreamId, TimeRange, Timestamp};
use crate::store::testing::{T0, append, run_info};
use crate::store::{BlockWriter, MediaRoot, NewBlock, RunEnd, StreamCard, forget_open};

/// Seconds of a drawn segment.
pub(crate) const STEP: u32 = 4;

pub(crate) fn at(step: usize) -> Timestamp {
    T0.saturating_add_micros(step as i64 * i64::from(STEP) * 1_000_000)
}

pub(crate) fn steps(from: usize, to: usize) -> TimeRange {
    TimeRange::new(at(from), at(to)).unwrap()
}

pub(crate) struct Archive {
    dir: tempfile::TempDir,
    pub db: Db,
    pub index: Index,
    pub root: MediaRoot,
    /// Rows of the drawn blocks, by the letter they were drawn with.
    pub blocks: BTreeMap<char, BlockInfo>,
    /// Writers of blocks that were left open.
    pub writers: Vec<BlockWriter>,
    made: Cell<u128>,
}

impl Archive {
    pub(crate) async fn new() -> Archive {
        let dir = tempfile::tempdir().unwrap();
        let root = MediaRoot::open_or_create(&dir.path().join("media"), None).unwrap();
        let db = sqlite::open(&dir.path().join("retroview.db")).await.unwrap();
        db.set_media_root_id(root.id()).await.unwrap();
        let index = Index::new(db.clone(), root.clone());
        Archive { dir, db, index, root, blocks: BTreeMap::new(), writers: Vec::new(), made: Cell::new(0) }
    }

    /// One stream, `cam`, as drawn.
    pub(crate) async fn drawn(drawing: &str) -> Archive {
        let mut archive = Archive::new().await;
        archive.record("cam", drawing).await;
        archive
    }

    pub(crate) async fn add_stream(&self, id: &StreamId) {
        let (account, title) = (AccountId::main(), format!("The {id}"));
        let source = format!("rtsp://10.0.0.7/{id}");
        self.root
            .write_stream_card(&StreamCard {
                stream: id.clone(),
                account: account.clone(),
                title: title.clone(),
                source: source.clone(),
                paused: false,
                removed_at: None,
                gaps_after: Vec::new(),
            })
            .unwrap();
        self.db.add_stream(&NewStream { id: id.clone(), account, title, source, credentials: None }, T0).await.unwrap();
    }

    /// Records the drawing as the service does: files first, rows after. A `~` at the end leaves the last block open.
    pub(crate) async fn record(&mut self, stream: &str, drawing: &str) {
        let stream: StreamId = stream.parse().unwrap();
        self.add_stream(&stream).await;
        let cells: Vec<char> = drawing.trim_end_matches('~').chars().collect();
        let stays_open = drawing.ends_with('~');
        let mut pen = Pen { ordinal: 0, sequence: 0, run: None, gap: None, live: false };
        let (mut i, mut step) = (0, 0);
        while i < cells.len() {
            let cell = cells[i];
            let n = cells[i..].iter().take_while(|c| **c == cell).count();
            i += n;
            match cell {
                '.' => {
                    // Once a live run has ended, its gap lasts around what is imported into it.
                    let (cause, detail) =
                        if pen.live || step == 0 { (GapCause::SourceEnded, "it hung up") } else { (GapCause::NotImported, "") };
                    let gap = Gap { start: at(step), end: Some(at(step + n)), cause, detail: detail.into() };
                    (pen.run, pen.gap) = (None, Some(gap));
                    step += n;
                }
                '|' => pen.run = None,
                letter => {
                    let next = cells.get(i).copied();
                    let open = next.is_none() && stays_open;
                    // After a gap, or at the drawing's end, the run is over.
                    let end = match next {
                        Some('.') | None => Some(GapCause::SourceEnded),
                        Some('|') => Some(GapCause::CodecChange),
                        Some(_) => None,
                    };
                    self.record_block(&stream, &mut pen, letter, (step, n), end.filter(|_| !open), open).await;
                    step += n;
                }
            }
        }
    }

    async fn record_block(
        &mut self,
        stream: &StreamId,
        pen: &mut Pen,
        letter: char,
        (step, n): (usize, usize),
        end: Option<GapCause>,
        stays_open: bool,
    ) {
        let mut changes = Vec::new();
        let imported = letter.is_uppercase();
        pen.live |= !imported;
        if pen.run.is_none() {
            let mut run = run_info(stream, at(step), pen.ordinal);
            let gap = pen.gap.take();
            pen.ordinal += 1;
            if imported {
                run.import_key = Some(format!("file {letter}"));
            } else {
                run.gaps_before = gap.iter().cloned().collect();
                changes.push(IndexChange::GapClosed { stream: stream.clone(), end: at(step) });
            }
            changes.extend(gap.map(|gap| IndexChange::GapAdded { stream: stream.clone(), gap }));
            changes.push(IndexChange::RunStarted(run.clone()));
            pen.run = Some(run);
        }
        let run = pen.run.as_ref().unwrap();
        let (mut w, mut info) = self.writer(run, at(step), pen.sequence);
        changes.push(IndexChange::BlockOpened(info.clone()));
        for _ in 0..n {
            let entry = append(&mut w, STEP);
            changes.push(IndexChange::SegmentAppended { block: info.id, entry });
            info.table.push(entry);
        }
        pen.sequence += n as u64;
        info.size_bytes = w.size_bytes();
        if stays_open {
            self.writers.push(w);
        } else {
            let run_end = end.map(|cause| RunEnd { cause, detail: "it hung up".into() });
            let sealed = w.seal(run_end.clone()).unwrap();
            (info.size_bytes, info.checksum) = (sealed.size_bytes, Some(sealed.checksum));
            info.state = BlockState::Sealed;
            changes.push(IndexChange::BlockSealed { block: info.id, size_bytes: sealed.size_bytes, checksum: sealed.checksum });
            if let Some(RunEnd { cause, detail }) = run_end.filter(|_| !imported) {
                changes.push(IndexChange::GapOpened { stream: stream.clone(), start: at(step + n), cause, detail });
            }
        }
        self.db.commit(&changes).await.unwrap();
        if !stays_open {
            forget_open(&self.root, info.id).unwrap();
        }
        self.blocks.insert(letter, info);
    }

    /// A new block file of this run. Ids say when they were made, as in life.
    pub(crate) fn writer(&self, run: &RunInfo, start: Timestamp, first_sequence: u64) -> (BlockWriter, BlockInfo) {
        let made = self.made.get() + 1;
        self.made.set(made);
        let (account, id) = (AccountId::main(), BlockId::new(T0, made));
        let w = BlockWriter::create(&self.root, &NewBlock { account: account.clone(), id, start, first_sequence, run }).unwrap();
        let info = w.block_info(&account, id, run);
        (w, info)
    }

    pub(crate) fn path(&self, letter: char) -> PathBuf {
        self.root.file(&self.blocks[&letter].path())
    }

    /// Changes the bytes of a block's file.
    pub(crate) fn edit(&self, letter: char, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path(letter);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
    }

    /// Stores a row past the database's own rules.
    pub(crate) async fn force_row(&self, info: &BlockInfo) {
        sqlite::meddle::force_row(&self.dir.path().join("retroview.db"), info).await;
    }

    /// A sealed block file of `n` segments in the run of the block drawn with `letter`, without a row.
    pub(crate) async fn extra_block(&self, letter: char, step: usize, n: usize, first_sequence: u64) -> BlockInfo {
        let run = self.db.run(self.blocks[&letter].run).await.unwrap().unwrap();
        let (mut w, mut info) = self.writer(&run, at(step), first_sequence);
        (0..n).for_each(|_| info.table.push(append(&mut w, STEP)));
        let sealed = w.seal(None).unwrap();
        forget_open(&self.root, info.id).unwrap();
        BlockInfo { state: BlockState::Sealed, size_bytes: sealed.size_bytes, checksum: Some(sealed.checksum), ..info }
    }

    /// A new, empty database for the same media folder.
    pub(crate) async fn forget_database(&mut self) {
        self.db = sqlite::open(&self.dir.path().join("other.db")).await.unwrap();
        self.index = Index::new(self.db.clone(), self.root.clone());
    }

    /// Every row there is, as text.
    pub(crate) async fn rows(&self) -> String {
        let mut text = String::new();
        for mut stream in self.db.streams(true).await.unwrap() {
            // The one thing that no file knows.
            stream.created_at = T0;
            text += &format!("{stream:#?}\n{:?}\n", self.db.totals(&stream.id).await.unwrap());
            for gap in self.db.gaps_in(&stream.id, TimeRange::ALL, 10_000).await.unwrap() {
                text += &format!("{gap:?}\n");
            }
            for extent in self.db.run_extents(&stream.id, TimeRange::ALL, 10_000).await.unwrap() {
                text += &format!("{extent:?}\n{:?}\n", self.db.run(extent.run).await.unwrap());
            }
        }
        for block in self.db.blocks_after(None, 10_000).await.unwrap() {
            text += &format!("{block:?}\n");
        }
        text
    }

    /// The stream's coverage as a drawing: `#` footage, `!` damaged, `x` erased, `.` other gaps, `_` neither.
    pub(crate) async fn coverage(&self, stream: &str, n: usize) -> String {
        let stream: StreamId = stream.parse().unwrap();
        let mut drawing = String::new();
        for step in 0..n {
            let range = steps(step, step + 1);
            let footage = self.db.run_extents(&stream, range, 10).await.unwrap();
            let gaps = self.db.gaps_in(&stream, range, 10).await.unwrap();
            drawing.push(match (footage.len(), gaps.as_slice()) {
                (1, []) => '#',
                (0, [gap]) if gap.cause == GapCause::Damaged => '!',
                (0, [gap]) if gap.cause == GapCause::Erased => 'x',
                (0, [_]) => '.',
                (0, []) => '_',
                other => panic!("step {step}: {other:?}"),
            });
        }
        drawing
    }

    /// What a player gets: the media of each segment by its start, read through rows and files.
    pub(crate) async fn media(&self, stream: &str) -> BTreeMap<Timestamp, (u64, Vec<u8>)> {
        let stream: StreamId = stream.parse().unwrap();
        let mut media = BTreeMap::new();
        for block in self.db.blocks_in(&stream, TimeRange::ALL, 10_000).await.unwrap() {
            let bytes = fs::read(self.root.file(&block.path())).unwrap();
            for segment in block.segments() {
                let sequence = block.first_sequence + u64::from(segment.position);
                let from = usize::try_from(segment.media_offset()).unwrap();
                let body = bytes[from..from + segment.entry.media_bytes() as usize].to_vec();
                assert!(media.insert(segment.start, (sequence, body)).is_none());
            }
        }
        media
    }

    /// Paths of all files below the media root, without identity and cards.
    pub(crate) fn files(&self) -> Vec<String> {
        fn walk(folder: &std::path::Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(self.root.path(), &mut found);
        let relative = found.iter().map(|p| p.strip_prefix(self.root.path()).unwrap().to_string_lossy().into_owned());
        let mut files: Vec<String> = relative.filter(|p| !p.ends_with(".json")).collect();
        files.sort();
        files
    }
}

struct Pen {
    ordinal: u64,
    sequence: u64,
    run: Option<RunInfo>,
    gap: Option<Gap>,
    /// Whether a live run has been drawn.
    live: bool,
}
