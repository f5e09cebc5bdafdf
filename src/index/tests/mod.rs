//! Claims about the index as a whole, with real files and real rows.

mod checks;

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::db::{IndexChange, NewStream};
use crate::media::{AccountId, BlockState, GapCause, RunInfo, TimeRange};
use crate::store::testing::{T0, append, run_info, stream, writer};
use crate::store::{BlockWriter, RunEnd, open_notes};

/// An installation: media folder, database, index.
struct Home {
    dir: tempfile::TempDir,
    root: MediaRoot,
    index: Index,
}

fn cam() -> StreamId {
    stream("cam")
}
fn at(s: i64) -> Timestamp {
    T0.saturating_add_micros(s * 1_000_000)
}
fn range(a: i64, b: i64) -> TimeRange {
    TimeRange::new(at(a), at(b)).unwrap()
}

/// A block that is being recorded.
struct Recording {
    writer: BlockWriter,
    info: BlockInfo,
}

impl Home {
    async fn new() -> Home {
        let dir = tempfile::tempdir().unwrap();
        let root = MediaRoot::open_or_create(&dir.path().join("media"), None).unwrap();
        let index = Self::open(&dir, &root, "a.db").await;
        let new = NewStream {
            id: cam(),
            account: AccountId::main(),
            title: "Camera at the door".into(),
            source: "rtsp://10.0.0.7/".into(),
            credentials: Some("user:secret".into()),
        };
        index.db().add_stream(&new, T0).await.unwrap();
        Home { dir, root, index }
    }
    async fn open(dir: &tempfile::TempDir, root: &MediaRoot, name: &str) -> Index {
        let db = crate::db::sqlite::open(&dir.path().join(name)).await.unwrap();
        Index::new(db, root.clone())
    }
    /// The service ends here and another begins.
    async fn restart(self) -> (Home, RecoveryReport) {
        let Home { dir, root, .. } = self;
        let index = Self::open(&dir, &root, "a.db").await;
        let report = recover(&index, &root).await.unwrap();
        (Home { dir, root, index }, report)
    }

    async fn start(&self, run: &RunInfo, from: i64, first_sequence: u64) -> Recording {
        let (writer, info) = writer(&self.root, run, at(from), first_sequence);
        let changes = vec![
            IndexChange::GapClosed { stream: run.stream.clone(), end: at(from) },
            IndexChange::RunStarted(run.clone()),
            IndexChange::BlockOpened(info.clone()),
        ];
        self.index.commit(changes).await.unwrap();
        Recording { writer, info }
    }
    async fn record(&self, r: &mut Recording, segments: usize) {
        for _ in 0..segments {
            let entry = append(&mut r.writer, 4);
            self.index.commit(vec![IndexChange::SegmentAppended { block: r.info.id, entry }]).await.unwrap();
        }
    }
    /// Seals the block; with a cause, the run ends and a gap opens.
    async fn seal(&self, mut r: Recording, cause: Option<GapCause>) -> BlockInfo {
        let end = cause.map(|cause| RunEnd { cause, detail: String::new() });
        let sealed = r.writer.seal(end).unwrap();
        let mut changes = vec![IndexChange::BlockSealed { block: r.info.id, size_bytes: sealed.size_bytes, checksum: sealed.checksum }];
        if let Some(cause) = cause {
            let start = r.writer.next_start();
            changes.push(IndexChange::GapOpened { stream: r.info.stream, start, cause, detail: String::new() });
        }
        self.index.commit(changes).await.unwrap();
        self.index.db().block(r.info.id).await.unwrap().unwrap()
    }
    /// Run 0: seconds 0 to 40 in two blocks; a pause; run 1: seconds 60 to 80, one block, source ended.
    async fn with_history() -> (Home, Vec<BlockInfo>) {
        let home = Home::new().await;
        let run = run_info(&cam(), at(0), 0);
        let mut blocks = Vec::new();
        for (from, sequence) in [(0, 0), (20, 5)] {
            let mut r = home.start(&run, from, sequence).await;
            home.record(&mut r, 5).await;
            blocks.push(home.seal(r, (from == 20).then_some(GapCause::Paused)).await);
        }
        let mut run = run_info(&cam(), at(60), 1);
        run.gaps_before = home.index.db().gaps_in(&cam(), range(0, 60), 9).await.unwrap();
        run.gaps_before.last_mut().unwrap().end = Some(at(60));
        let mut r = home.start(&run, 60, 10).await;
        home.record(&mut r, 5).await;
        blocks.push(home.seal(r, Some(GapCause::SourceEnded)).await);
        (home, blocks)
    }

    /// Seconds 0 to `n` at one character for two seconds: `A`, `B` runs by ordinal, small letters gaps.
    async fn picture(&self, n: i64) -> String {
        let answer = self.index.coverage(&cam(), range(0, n), 0, at(n)).await.unwrap();
        let mut out = vec!['.'; (n / 2) as usize];
        let mut fill = |r: TimeRange, c: char| {
            let place = |t: Timestamp| (t.micros_since(at(0)) / 2_000_000) as usize;
            out[place(r.start())..place(r.end())].fill(c);
        };
        for r in answer.runs {
            let run = self.index.run(r.run.unwrap()).await.unwrap().unwrap();
            fill(r.range, (b'A' + run.ordinal as u8) as char);
        }
        for g in answer.gaps {
            let c = match g.cause {
                GapCause::ServiceKilled => 'k',
                GapCause::Damaged => 'd',
                cause => cause.as_str().chars().next().unwrap(),
            };
            fill(g.range, c);
        }
        out.into_iter().collect()
    }
    fn file(&self, block: &BlockInfo) -> PathBuf {
        self.root.file(&block.path())
    }
    async fn check(&self, repair: bool) -> Vec<Finding> {
        let mut all = Vec::new();
        let mut report = |event| {
            if let CheckEvent::Finding(finding) = event {
                all.push(finding);
            }
        };
        let options = CheckOptions { repair, ..CheckOptions::default() };
        check(&self.index, &self.root, at(1000), &options, &mut report).await.unwrap();
        all
    }
    async fn kinds(&self, repair: bool) -> Vec<FindingKind> {
        self.check(repair).await.into_iter().map(|f| f.kind).collect()
    }
    /// After a repair: nothing left to find, and everything the index names plays.
    async fn assert_sound(&self) {
        assert_eq!(self.check(false).await, []);
        for s in self.index.segments(&cam(), TimeRange::ALL, 10_000).await.unwrap() {
            let file = crate::store::BlockFile::open(&self.root, &s.block).unwrap();
            let at = s.segment.offset;
            let bytes = file.slice(at..at + u64::from(s.segment.entry.stored_bytes())).unwrap();
            let header = crate::store::SegmentHeader::decode(&bytes).unwrap();
            assert_eq!((header.start, header.entry), (s.segment.start, s.segment.entry));
            let sequence = s.block.first_sequence + u64::from(s.segment.position);
            assert_eq!(header.sequence, sequence);
            assert_eq!(
                bytes[80..],
                [crate::store::testing::media(sequence, 300), crate::store::testing::media(sequence + 1000, 50)].concat()
            );
        }
    }
    async fn raw_sql(&self, statement: &'static str) {
        crate::db::sqlite::meddle::run(&self.dir.path().join("a.db"), statement).await;
        self.index.refresh().await.unwrap();
    }
}

fn flip(path: &PathBuf, at: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at as usize] ^= 1;
    fs::write(path, bytes).unwrap();
}

async fn starts(index: &Index, r: TimeRange) -> Vec<i64> {
    let found = index.segments(&cam(), r, 100).await.unwrap();
    found.iter().map(|l| l.segment.start.micros_since(at(0)) / 1_000_000).collect()
}

#[tokio::test]
async fn a_segment_is_found_as_soon_as_it_is_committed() {
    let home = Home::new().await;
    let mut edge = home.index.live_edge(&cam()).await.unwrap();
    assert_eq!(*edge.borrow_and_update(), LiveEdge::default());
    let mut r = home.start(&run_info(&cam(), at(0), 0), 0, 0).await;
    for i in 1..=3 {
        home.record(&mut r, 1).await;
        assert!(edge.has_changed().unwrap());
        assert_eq!(edge.borrow_and_update().end, Some(at(i * 4)));
        assert_eq!(starts(&home.index, range(0, 100)).await, (0..i).map(|k| k * 4).collect::<Vec<_>>());
        let last = home.index.segment_covering(&cam(), at(i * 4 - 1)).await.unwrap().unwrap();
        assert_eq!(last.segment.start, at(i * 4 - 4));
        assert_eq!(last.block.size_bytes, last.segment.offset + u64::from(last.segment.entry.stored_bytes()));
    }
    assert!(home.index.segment_covering(&cam(), at(12)).await.unwrap().is_none());
    let id = r.info.id;
    home.seal(r, Some(GapCause::Paused)).await;
    assert_eq!(starts(&home.index, range(3, 5)).await, [0, 4]);
    assert_eq!(home.index.block(id).await.unwrap().unwrap().state, BlockState::Sealed);
    assert_eq!(edge.borrow().open_gap.as_ref().map(|g| (g.start, g.cause)), Some((at(12), GapCause::Paused)));
}

#[tokio::test]
async fn lookups_cross_hours_blocks_and_gaps() {
    let home = Home::new().await;
    let run = run_info(&cam(), at(0), 0);
    let mut changes = vec![IndexChange::RunStarted(run.clone())];
    // Ten-minute blocks over five hours, the third hour missing, four blocks that span a full hour's change.
    for b in (0..30).filter(|b| !(12..18).contains(b)) {
        changes.push(IndexChange::BlockIndexed(crate::db::contract::block(&run, b * 600 + 100, b * 600 + 700, b as u64 * 600)));
    }
    home.index.commit(changes).await.unwrap();
    for pass in ["from the rows", "from the cache"] {
        for (a, b) in [(0, 30_000), (3590, 3610), (7290, 12_000), (8000, 9000), (100, 101), (17_999, 18_200), (0, 100)] {
            let got = home.index.blocks(&cam(), range(a, b), 1000).await.unwrap();
            let want = home.index.db().blocks_in(&cam(), range(a, b), 1000).await.unwrap();
            assert_eq!(got.iter().map(|b| (**b).clone()).collect::<Vec<_>>(), want, "[{a}, {b}) {pass}");
        }
    }
    let found = home.index.segments(&cam(), range(650, 750), 1000).await.unwrap();
    assert_eq!((found.len(), found[0].segment.start), (100, at(650)));
    assert_eq!(home.index.segments(&cam(), range(650, 750), 7).await.unwrap().len(), 7);
    assert!(home.index.segment_at(&cam(), at(651)).await.unwrap().is_some());
    assert!(home.index.segment_at(&cam(), at(651).saturating_add_micros(5)).await.unwrap().is_none());
    assert_eq!(home.index.neighbours(&cam(), at(8000)).await.unwrap(), (Some(at(7300)), Some(at(10_900))));
}

#[tokio::test]
async fn an_hour_of_very_many_blocks_is_found_whole() {
    let home = Home::new().await;
    let run = run_info(&cam(), at(0), 0);
    let mut changes = vec![IndexChange::RunStarted(run.clone())];
    changes.extend((0..700).map(|b| IndexChange::BlockIndexed(crate::db::contract::block(&run, b * 4, b * 4 + 3, b as u64 * 9))));
    home.index.commit(changes).await.unwrap();
    assert_eq!(home.index.blocks(&cam(), range(0, 4000), 10_000).await.unwrap().len(), 700);
    assert_eq!(home.index.blocks(&cam(), range(0, 4000), 10).await.unwrap().len(), 10);
}

#[tokio::test]
async fn what_another_process_commits_is_seen_after_a_refresh() {
    let (home, blocks) = Home::with_history().await;
    let all = starts(&home.index, range(0, 100)).await;
    let generation = home.index.db().streams_generation().await.unwrap();
    let db = crate::db::sqlite::open(&home.dir.path().join("a.db")).await.unwrap();
    let other = Index::for_command(db, home.root.clone());
    other.commit(vec![IndexChange::BlockForgotten { block: blocks[0].id }]).await.unwrap();
    assert!(home.index.db().streams_generation().await.unwrap() > generation);
    home.index.refresh().await.unwrap();
    assert_eq!(starts(&home.index, range(0, 100)).await, all[5..]);
}

#[tokio::test]
async fn time_before_the_first_footage_and_after_now_is_neither_run_nor_gap() {
    let (home, _) = Home::with_history().await;
    assert_eq!(home.picture(80).await, "AAAAAAAAAAAAAAAAAAAAppppppppppBBBBBBBBBB");
    let answer = home.index.coverage(&cam(), range(-1000, 1000), 0, at(90)).await.unwrap();
    assert_eq!(answer.runs[0].range, range(0, 40));
    let last = answer.gaps.last().unwrap();
    assert_eq!((last.range, last.cause, last.ongoing), (range(80, 90), GapCause::SourceEnded, true));
    assert_eq!((answer.runs.len(), answer.gaps.len()), (2, 2));
    let none = home.index.coverage(&cam(), range(-1000, 0), 0, at(90)).await.unwrap();
    assert!(none.runs.is_empty() && none.gaps.is_empty());
    let coarse = home.index.coverage(&cam(), range(0, 80), 60_000_000, at(90)).await.unwrap();
    let spans: Vec<_> = coarse.runs.iter().map(|r| (r.range, r.run.is_some())).collect();
    assert_eq!(spans, [(range(0, 60), false), (range(60, 80), true)], "two thirds of the first minute are recorded");
    assert!(coarse.gaps.is_empty());
}

#[tokio::test]
async fn coverage_is_bounded_whatever_happened() {
    let home = Home::new().await;
    let mut changes = Vec::new();
    for i in 0..5000 {
        let run = run_info(&cam(), at(i * 4), i as u64);
        changes.push(IndexChange::RunStarted(run.clone()));
        changes.push(IndexChange::BlockIndexed(crate::db::contract::block(&run, i * 4, i * 4 + 3, i as u64 * 9)));
    }
    home.index.commit(changes).await.unwrap();
    for (resolution, max) in [(0, 500), (1, 2000), (600_000_000, 40)] {
        let answer = home.index.coverage(&cam(), range(0, 20_000), resolution, at(20_000)).await.unwrap();
        let n = answer.runs.len() + answer.gaps.len();
        assert!(n <= max && n > 0, "{n} entries at {resolution}");
        assert!(answer.resolution_us >= resolution);
        // More rows than are read at a time: what comes after is footage as well, and no gap that nobody knows of.
        let told: i64 = answer.runs.iter().map(|r| r.range.micros() - r.missing.map_or(0, |m| m.micros)).sum();
        assert!((told / 1_000_000 - 15_000).abs() < 40, "{told} recorded at {resolution}");
    }
    let close = home.index.coverage(&cam(), range(100, 140), 0, at(20_000)).await.unwrap();
    assert_eq!((close.runs.len(), close.gaps.len()), (10, 10));
}

#[tokio::test]
async fn a_kill_loses_nothing_that_is_whole_and_says_so() {
    let home = Home::new().await;
    let mut r = home.start(&run_info(&cam(), at(0), 0), 0, 0).await;
    home.record(&mut r, 3).await;
    // Written and synced, but the commit did not happen; then a torn one.
    append(&mut r.writer, 4);
    let path = home.file(&r.info);
    drop(r);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; 500]);
    fs::write(&path, bytes).unwrap();

    let (home, report) = home.restart().await;
    assert_eq!((report.blocks, report.segments_found, report.cut_bytes), (1, 1, 500));
    assert_eq!((report.failed.len(), report.interrupted.as_slice()), (0, [cam()].as_slice()));
    assert_eq!(home.picture(24).await, "AAAAAAAAkkkk");
    assert!(home.index.db().open_blocks().await.unwrap().is_empty());
    assert!(open_notes(&home.root).unwrap().is_empty());
    home.assert_sound().await;
    let (home, report) = home.restart().await;
    assert_eq!(report, RecoveryReport::default(), "nothing is left to do");
    assert_eq!(home.picture(24).await, "AAAAAAAAkkkk");
}

#[tokio::test]
async fn a_file_that_no_row_names_yet_is_found_by_the_journal() {
    let home = Home::new().await;
    let run = run_info(&cam(), at(0), 0);
    let (mut w, _) = writer(&home.root, &run, at(0), 0);
    append(&mut w, 4);
    append(&mut w, 4);
    drop(w);
    let (home, report) = home.restart().await;
    assert_eq!((report.blocks, report.segments_found), (1, 2));
    assert_eq!(home.picture(12).await, "AAAAkk");
    home.assert_sound().await;
}

#[tokio::test]
async fn a_block_without_a_whole_segment_leaves_no_trace() {
    let home = Home::new().await;
    let run = run_info(&cam(), at(0), 0);
    let r = home.start(&run, 0, 0).await;
    let path = home.file(&r.info);
    drop(r);
    let (torn, torn_info) = writer(&home.root, &run, at(9), 0);
    drop(torn);
    fs::write(home.file(&torn_info), b"\0\0\0").unwrap();
    let (home, report) = home.restart().await;
    assert_eq!((report.blocks, report.discarded, report.failed.len()), (2, 2, 0));
    assert!(!path.exists() && !home.file(&torn_info).exists());
    assert!(home.index.db().blocks_after(None, 9).await.unwrap().is_empty());
    assert!(open_notes(&home.root).unwrap().is_empty());
}

#[tokio::test]
async fn a_block_that_someone_is_still_writing_is_left_alone() {
    let home = Home::new().await;
    let mut r = home.start(&run_info(&cam(), at(0), 0), 0, 0).await;
    home.record(&mut r, 1).await;
    let report = recover(&home.index, &home.root).await.unwrap();
    assert_eq!((report.busy.as_slice(), report.interrupted.len()), ([r.info.id].as_slice(), 0));
    home.record(&mut r, 1).await;
    assert_eq!(home.picture(8).await, "AAAA");
}

#[tokio::test]
async fn sealed_but_not_committed_is_indexed_as_it_is() {
    let home = Home::new().await;
    let mut r = home.start(&run_info(&cam(), at(0), 0), 0, 0).await;
    home.record(&mut r, 2).await;
    append(&mut r.writer, 4);
    let sealed = r.writer.seal(None).unwrap();
    let id = r.info.id;
    drop(r);
    let (home, report) = home.restart().await;
    assert_eq!((report.segments_found, report.cut_bytes), (1, 0));
    let row = home.index.db().block(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.size_bytes, row.checksum), (BlockState::Sealed, sealed.size_bytes, Some(sealed.checksum)));
    assert_eq!(home.picture(16).await, "AAAAAAkk");
}

#[tokio::test]
async fn segments_behind_damage_survive_recovery() {
    let home = Home::new().await;
    let mut r = home.start(&run_info(&cam(), at(0), 0), 0, 0).await;
    home.record(&mut r, 1).await;
    for _ in 0..3 {
        append(&mut r.writer, 4);
    }
    let path = home.file(&r.info);
    let segment = (r.writer.size_bytes() - r.info.first_offset) / 4;
    let third = r.info.first_offset + 2 * segment + 200;
    drop(r);
    flip(&path, third);
    let (home, report) = home.restart().await;
    assert_eq!((report.failed.len(), report.segments_found), (0, 2));
    assert_eq!(home.picture(20).await, "AAAAddAAkk");
    home.assert_sound().await;
    assert_eq!(fs::read_dir(home.root.path().join(crate::store::LOST_FOLDER)).unwrap().count(), 1);
}

#[tokio::test]
async fn an_index_rebuilt_from_the_files_is_the_same() {
    let (home, _) = Home::with_history().await;
    let mut r = home.start(&run_info(&cam(), at(90), 2), 90, 15).await;
    home.record(&mut r, 2).await;
    drop(r);
    let (home, _) = home.restart().await;
    let other = Home::open(&home.dir, &home.root, "b.db").await;
    let report = rebuild(&other, &home.root, at(500), &mut |_| {}).await.unwrap();
    assert_eq!((report.streams, report.blocks, report.segments), (1, 4, 17));
    assert_eq!((report.skipped, report.nameless_streams.len()), (0, 0));
    let was = home.index.db();
    let is = other.db();
    let all = TimeRange::ALL;
    assert_eq!(is.blocks_in(&cam(), all, 99).await.unwrap(), was.blocks_in(&cam(), all, 99).await.unwrap());
    assert_eq!(is.gaps_in(&cam(), all, 99).await.unwrap(), was.gaps_in(&cam(), all, 99).await.unwrap());
    assert_eq!(is.run_extents(&cam(), all, 99).await.unwrap(), was.run_extents(&cam(), all, 99).await.unwrap());
    assert_eq!(is.totals(&cam()).await.unwrap(), was.totals(&cam()).await.unwrap());
    for extent in is.run_extents(&cam(), all, 99).await.unwrap() {
        assert_eq!(is.run(extent.run).await.unwrap(), was.run(extent.run).await.unwrap());
    }
    let (a, b) = (is.stream(&cam()).await.unwrap().unwrap(), was.stream(&cam()).await.unwrap().unwrap());
    assert_eq!((a.title, a.source, a.next_run_ordinal, a.next_sequence), (b.title, b.source, b.next_run_ordinal, b.next_sequence));
    assert_eq!(is.stream_credentials(&cam()).await.unwrap(), None, "the folder knows no passwords");
    assert_eq!(is.media_root_id().await.unwrap().as_deref(), Some(home.root.id()));
    let again = rebuild(&other, &home.root, at(500), &mut |_| {}).await.unwrap();
    assert_eq!((again.blocks, again.restored_streams.len()), (4, 0));
}

#[tokio::test]
async fn a_stream_whose_folder_says_nothing_waits_for_its_source() {
    let (home, _) = Home::with_history().await;
    fs::remove_file(home.root.stream_folder(&AccountId::main(), &cam()).join("stream.json")).unwrap();
    let other = Home::open(&home.dir, &home.root, "b.db").await;
    let report = rebuild(&other, &home.root, at(500), &mut |_| {}).await.unwrap();
    assert_eq!(report.nameless_streams, [cam()]);
    assert!(other.db().stream(&cam()).await.unwrap().unwrap().paused);
}

#[tokio::test]
async fn a_stream_stopped_in_order_is_not_called_killed() {
    let (home, _) = Home::with_history().await;
    let (home, report) = home.restart().await;
    assert_eq!(report, RecoveryReport::default());
    assert_eq!(home.picture(84).await, "AAAAAAAAAAAAAAAAAAAAppppppppppBBBBBBBBBBss");
}

#[tokio::test]
async fn a_kill_between_two_blocks_is_a_kill() {
    let home = Home::new().await;
    let mut r = home.start(&run_info(&cam(), at(0), 0), 0, 0).await;
    home.record(&mut r, 2).await;
    home.seal(r, None).await;
    let (home, report) = home.restart().await;
    assert_eq!((report.blocks, report.interrupted.as_slice()), (0, [cam()].as_slice()));
    assert_eq!(home.picture(12).await, "AAAAkk");
}
