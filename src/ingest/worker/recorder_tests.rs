use std::sync::{Arc, Mutex};

use super::*;
use crate::clock::ManualClock;
use crate::store::testing::{T0, boxed, media, root, stream};
use crate::store::{read_header, read_sealed};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<FromWorker>>>);

impl ReportSink for Heard {
    fn send(&mut self, report: FromWorker) {
        self.0.lock().unwrap().push(report);
    }
}

struct Scene {
    recorder: Recorder,
    heard: Heard,
    root: MediaRoot,
    clock: Arc<ManualClock>,
    /// End of the segment before.
    at: Timestamp,
    _dir: tempfile::TempDir,
}

fn config() -> RecorderConfig {
    RecorderConfig {
        block_max_us: 600_000_000,
        block_max_bytes: 512 << 20,
        min_free_bytes: 0,
        sync: SyncPolicy { interval: Duration::ZERO, bytes: u64::MAX },
        import_key: None,
    }
}

fn init() -> InitSegment {
    let bytes = [boxed(b"ftyp", b"iso5\0\0\0\0"), boxed(b"moov", b"not really")].concat().into();
    InitSegment { bytes, video: None, audio: None }
}

impl Scene {
    fn new(config: RecorderConfig, timeline: Timeline) -> Self {
        let (dir, root) = root();
        let clock = ManualClock::at(T0);
        let heard = Heard::default();
        let who = (AccountId::main(), stream("cam"));
        let recorder = Recorder::new(root.clone(), who, config, timeline, clock.clone(), Box::new(heard.clone()));
        Scene { recorder, heard, root, clock, at: T0, _dir: dir }
    }

    fn segment(&mut self, wall_us: u32, bytes: usize) {
        let video = media(7, bytes);
        self.recorder.segment(&Segment {
            start: self.at,
            wall_us,
            media_us: wall_us,
            keyframe_bytes: 8,
            independent: true,
            video: &[&video],
            audio: &[],
        });
        self.recorder.settle();
        self.at = self.at.saturating_add_micros(i64::from(wall_us));
    }

    /// `A` begins a run, `.` is a segment of 4 s, `!` ends the run.
    fn play(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                'A' => self.recorder.run_started(init()),
                '.' => self.segment(4_000_000, 400),
                '!' => self.recorder.run_ended(GapCause::SourceEnded, "it ended"),
                _ => panic!("{c}"),
            }
        }
    }

    /// What was reported, drawn: `R` run, `B` block, `.` segment, `S` sealed, `[cause` gap opened, `]` closed.
    fn drawn(&self) -> String {
        let heard = self.heard.0.lock().unwrap();
        let one = |r: &FromWorker| match r {
            FromWorker::RunStarted { .. } => "R".to_string(),
            FromWorker::BlockOpened { .. } => "B".into(),
            FromWorker::Segment { .. } => ".".into(),
            FromWorker::BlockSealed { .. } => "S".into(),
            FromWorker::GapOpened { cause, .. } => format!("[{}", cause.as_str()),
            FromWorker::GapClosed { .. } => "]".into(),
            _ => String::new(),
        };
        heard.iter().map(one).collect()
    }

    fn runs(&self) -> Vec<RunInfo> {
        let heard = self.heard.0.lock().unwrap();
        heard.iter().filter_map(|r| if let FromWorker::RunStarted { run, .. } = r { Some(run.clone()) } else { None }).collect()
    }

    fn states(&self) -> Vec<StreamState> {
        let heard = self.heard.0.lock().unwrap();
        heard.iter().filter_map(|r| if let FromWorker::State { state, .. } = r { Some(*state) } else { None }).collect()
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        fn walk(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|e| e == "mp4") {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.root.path(), &mut found);
        found.sort();
        found
    }
}

#[test]
fn segments_become_a_run_with_a_block_and_its_end_a_gap() {
    let mut s = Scene::new(config(), Timeline::default());
    s.play("A...!");
    assert_eq!(s.drawn(), "RB...S[source_ended");
    let sealed = read_sealed(&s.files()[0]).unwrap().unwrap();
    assert_eq!(sealed.trailer.table.len(), 3);
    assert_eq!(sealed.trailer.end, Some(RunEnd { cause: GapCause::SourceEnded, detail: "it ended".into() }));
}

#[test]
fn a_run_goes_on_in_the_next_block_when_one_is_full() {
    let mut s = Scene::new(RecorderConfig { block_max_us: 8_000_000, ..config() }, Timeline::default());
    s.play("A.....!");
    assert_eq!(s.drawn(), "RB..SB..SB.S[source_ended");
    let ends: Vec<_> = s.files().iter().map(|f| read_sealed(f).unwrap().unwrap().trailer.end.is_some()).collect();
    assert_eq!(ends, [false, false, true], "only the last block says why the run ended");
    let mut s = Scene::new(RecorderConfig { block_max_bytes: 1500, ..config() }, Timeline::default());
    s.play("A....");
    assert_eq!(s.drawn(), "RB..SB..");
}

#[test]
fn the_next_run_carries_the_gaps_since_the_last_footage() {
    let mut s = Scene::new(config(), Timeline::default());
    s.play("A.!");
    let end = s.at;
    let later = |us| end.saturating_add_micros(us);
    s.recorder.gap(later(1_000_000), GapCause::SourceRefused, "no");
    s.recorder.gap(later(2_000_000), GapCause::SourceRefused, "no");
    s.recorder.gap(later(3_000_000), GapCause::SourceRefused, "still no");
    s.at = later(5_000_000);
    s.play("A.");
    assert_eq!(s.drawn(), "RB.S[source_ended][source_refused[source_refused]RB.");
    let gaps = &s.runs()[1].gaps_before;
    let drawn: Vec<_> = gaps.iter().map(|g| (g.start, g.end.unwrap(), g.cause, g.detail.as_str())).collect();
    assert_eq!(
        drawn,
        [
            (end, later(1_000_000), GapCause::SourceEnded, "it ended"),
            (later(1_000_000), later(5_000_000), GapCause::SourceRefused, "still no")
        ]
    );
    assert_eq!(s.runs()[1].ordinal, 1);
    let (header, _) = read_header(&s.files()[1]).unwrap();
    assert_eq!(&header.run.gaps_before, gaps, "also in the file, from which the index can be rebuilt");
    assert_eq!(header.first_sequence, 1);
}

#[test]
fn nothing_is_a_gap_before_the_first_footage() {
    let mut s = Scene::new(config(), Timeline::default());
    s.recorder.gap(T0, GapCause::SourceUnreachable, "not there");
    assert_eq!(s.drawn(), "");
}

#[test]
fn a_full_disk_drops_segments_and_recording_goes_on_by_itself() {
    let mut s = Scene::new(config(), Timeline::default());
    s.play("A..");
    s.recorder.config.min_free_bytes = u64::MAX;
    let full_at = s.at;
    s.play("..");
    assert_eq!(s.drawn(), "RB..S[disk_full", "one gap, said once");
    assert_eq!(s.states(), [StreamState::Stalled]);
    s.recorder.state(StreamState::Recording, "");
    assert_eq!(s.states().last(), Some(&StreamState::Stalled), "the source being there does not help");
    s.recorder.config.min_free_bytes = 0;
    s.play("..");
    assert_eq!(s.drawn(), "RB..S[disk_full]RB..");
    assert_eq!(s.states().last(), Some(&StreamState::Recording));
    let run = &s.runs()[1];
    assert_eq!((run.gaps_before[0].start, run.gaps_before[0].end), (full_at, Some(run.start)));
    assert_eq!(run.start, full_at.saturating_add_micros(8_000_000), "exactly the dropped segments are missing");
}

#[test]
fn a_disk_full_from_the_start_says_so_and_makes_no_gap_of_unrecorded_time() {
    let mut s = Scene::new(RecorderConfig { min_free_bytes: u64::MAX, ..config() }, Timeline::default());
    s.play("A..");
    assert_eq!((s.drawn().as_str(), s.states()), ("", vec![StreamState::Stalled]));
    assert!(s.files().is_empty());
}

#[test]
fn a_disk_that_fills_while_the_source_is_away_splits_the_gap() {
    let mut s = Scene::new(config(), Timeline::default());
    s.play("A.!");
    let (end, back) = (s.at, s.at.saturating_add_micros(9_000_000));
    s.at = back;
    s.recorder.config.min_free_bytes = u64::MAX;
    s.play("A.");
    s.recorder.config.min_free_bytes = 0;
    s.play(".");
    let causes: Vec<_> = s.runs()[1].gaps_before.iter().map(|g| (g.start, g.cause)).collect();
    assert_eq!(causes, [(end, GapCause::SourceEnded), (back, GapCause::DiskFull)]);
}

#[test]
fn with_a_sync_interval_nothing_is_reported_before_it_is_synced() {
    let sync = SyncPolicy { interval: Duration::from_secs(10), bytes: u64::MAX };
    let mut s = Scene::new(RecorderConfig { sync, ..config() }, Timeline::default());
    s.play("A..");
    assert_eq!(s.drawn(), "");
    s.clock.advance(Duration::from_secs(10));
    s.play(".");
    assert_eq!(s.drawn(), "RB...");
    s.play(".!");
    assert_eq!(s.drawn(), "RB....S[source_ended", "the end of a run syncs what is left");
}

#[test]
fn a_media_folder_that_goes_away_stalls_and_nothing_is_written_beside_it() {
    let mut s = Scene::new(RecorderConfig { block_max_us: 4_000_000, ..config() }, Timeline::default());
    s.play("A.");
    let moved = s.root.path().with_extension("away");
    std::fs::rename(s.root.path(), &moved).unwrap();
    s.play("..");
    assert!(s.drawn().contains("[write_failed"), "{}", s.drawn());
    assert!(!s.root.path().exists());
    std::fs::rename(&moved, s.root.path()).unwrap();
    s.play(".");
    assert!(s.drawn().ends_with("]RB."), "{}", s.drawn());
}

#[test]
fn what_follows_a_finish_is_ignored() {
    let mut s = Scene::new(config(), Timeline::default());
    s.play("A.");
    s.recorder.finish(s.at, GapCause::Paused, "");
    s.play(".");
    s.recorder.gap(s.at, GapCause::SourceEnded, "");
    s.recorder.finish(s.at, GapCause::ServiceStopped, "");
    assert_eq!(s.drawn(), "RB.S[paused");
}
