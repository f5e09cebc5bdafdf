//! Imports with real files and a real worker process: this test binary, as in the supervisor's tests.

use std::path::Path;

use std::sync::atomic::AtomicBool;

use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::db::NewStream;
use crate::ffmpeg::camera::{self, CameraAudio, CameraFormat, CameraOptions, CameraOutput};
use crate::ingest::supervisor::tests::{program, worker_config};
use crate::media::AccountId;
use crate::store::MediaRoot;

const NOON: Timestamp = Timestamp(1_777_809_600_000_000);

fn after(seconds: i64) -> Timestamp {
    NOON.saturating_add_micros(seconds * 1_000_000)
}

struct House {
    dir: tempfile::TempDir,
    importer: Importer,
    stream: StreamId,
    told: Vec<ImportProgress>,
}

impl House {
    async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let root = MediaRoot::open_or_create(&dir.path().join("media"), None).unwrap();
        let db = crate::db::sqlite::open(&dir.path().join("retroview.db")).await.unwrap();
        let stream: StreamId = "cam".parse().unwrap();
        let new =
            NewStream { id: stream.clone(), account: AccountId::main(), title: "Cam".into(), source: "push:".into(), credentials: None };
        db.add_stream(&new, NOON).await.unwrap();
        let importer = Importer {
            index: Index::for_command(db, root),
            clock: ManualClock::at(after(86_400)),
            program: program(),
            worker: worker_config(dir.path()),
            run_dir: dir.path().into(),
        };
        House { dir, importer, stream, told: Vec::new() }
    }

    /// Films `seconds` into `films/<name>`.
    fn film(&self, name: &str, start: Timestamp, seconds: u64) -> PathBuf {
        crate::ffmpeg::init();
        let folder = self.dir.path().join("films");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        let format = match path.extension().and_then(|e| e.to_str()) {
            Some("mp4") => CameraFormat::Mp4,
            Some("mkv") => CameraFormat::Matroska,
            _ => CameraFormat::MpegTs,
        };
        let options = CameraOptions {
            start,
            duration: Some(Duration::from_secs(seconds)),
            width: 160,
            height: 96,
            gop: 10,
            audio: Some(CameraAudio::Aac),
            format,
            ..CameraOptions::default()
        };
        camera::run(&options, CameraOutput::File(path.clone()), &SystemClock, &AtomicBool::new(false)).unwrap();
        path
    }

    async fn import(&mut self, path: &Path, start: StartFrom) -> Result<Vec<ImportedFile>, ImportError> {
        let request = ImportRequest { stream: self.stream.clone(), paths: vec![path.into()], start };
        let told = &mut self.told;
        self.importer.import(&request, &mut |p| told.push(p.clone())).await
    }

    async fn extents(&self) -> Vec<TimeRange> {
        let extents = self.importer.db().run_extents(&self.stream, TimeRange::ALL, 100).await.unwrap();
        extents.iter().map(|e| e.range).collect()
    }

    /// Footage `#` and gaps by the first letter of their cause, a character per second from noon.
    async fn drawn(&self, seconds: i64) -> String {
        let extents = self.extents().await;
        let gaps = self.importer.db().gaps_in(&self.stream, TimeRange::ALL, 100).await.unwrap();
        let at = |s: i64| {
            let t = after(s).saturating_add_micros(500_000);
            if extents.iter().any(|r| r.contains(t)) {
                return '#';
            }
            let gap = gaps.iter().find(|g| g.start <= t && g.end.is_none_or(|e| t < e));
            gap.map_or('.', |g| g.cause.as_str().chars().next().unwrap())
        };
        (0..seconds).map(at).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_all_kinds_become_footage_where_they_belong() {
    let mut house = House::new().await;
    for (name, at) in [("a.mp4", 0), ("b.mkv", 10), ("c.ts", 20)] {
        let path = house.film(name, after(at), 6);
        let done = house.import(&path, StartFrom::Given(after(at))).await.unwrap();
        let range = done[0].range.unwrap();
        assert_eq!(range.start(), after(at), "{name}");
        assert!((range.end().micros_since(after(at + 6))).abs() < 200_000, "{name}: {range:?}");
        assert!(done[0].segments >= 6 && !done[0].known);
    }
    assert_eq!(house.drawn(30).await, "######nnnn######nnnn######....");
    assert!(house.told.iter().any(|p| p.done_us > 0 && p.total_us > p.done_us));
    let blocks = house.importer.db().blocks_in(&house.stream, TimeRange::ALL, 10).await.unwrap();
    assert!(blocks.iter().all(|b| b.state == crate::media::BlockState::Sealed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_imported_by_the_names_of_its_files_and_only_once() {
    let mut house = House::new().await;
    house.film("cam-20260503-120010.ts", after(10), 5);
    house.film("cam-20260503-120000.ts", after(0), 6);
    let films = house.dir.path().join("films");
    std::fs::write(films.join("notes.txt"), "not a film").unwrap();
    let by_name = || StartFrom::Name { pattern: "%Y%m%d-%H%M%S".into(), zone: "UTC".into() };
    let done = house.import(&films, by_name()).await.unwrap();
    assert_eq!(done.len(), 2);
    assert_eq!(house.drawn(16).await, "######nnnn#####.");
    let before = house.extents().await;
    let again = house.import(&films, by_name()).await.unwrap();
    assert!(again.iter().all(|f| f.known && f.segments == 0), "{again:?}");
    assert_eq!(house.extents().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_overlap_is_refused_naming_both() {
    let mut house = House::new().await;
    let first = house.film("first.ts", after(0), 6);
    let second = house.film("second.ts", after(3), 6);
    house.import(&first, StartFrom::Given(after(0))).await.unwrap();
    let error = house.import(&second, StartFrom::Given(after(3))).await.unwrap_err().to_string();
    for named in ["second.ts", "2026-05-03T12:00:03.000Z", "2026-05-03T12:00:00.000Z to 2026-05-03T12:00:0", "run 0", "import with key"] {
        assert!(error.contains(named), "{error}");
    }
    let both = StartFrom::Name { pattern: "%s".into(), zone: "UTC".into() };
    let folder = house.dir.path().join("pair");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(&first, folder.join(format!("{}.ts", after(100).as_micros() / 1_000_000))).unwrap();
    std::fs::copy(&second, folder.join(format!("{}.ts", after(103).as_micros() / 1_000_000))).unwrap();
    let error = house.import(&folder, both).await.unwrap_err();
    assert!(matches!(error, ImportError::FilesOverlap { .. }), "{error}");
    assert_eq!(house.drawn(12).await, "######......", "nothing was imported");
    let error = house.import(&first, StartFrom::Given(after(86_398))).await.unwrap_err();
    assert!(matches!(error, ImportError::Future { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_meet_with_a_little_too_much_are_joined() {
    let mut house = House::new().await;
    let (a, b, c) = (house.film("a.ts", after(0), 6), house.film("b.ts", after(6), 6), house.film("c.ts", after(12), 6));
    let early = |t: Timestamp| StartFrom::Given(t.saturating_add_micros(-400_000));
    house.import(&b, StartFrom::Given(after(6))).await.unwrap();
    house.import(&c, early(after(12))).await.unwrap();
    house.import(&a, StartFrom::Given(after(0).saturating_add_micros(300_000))).await.unwrap();
    let extents = house.extents().await;
    assert_eq!(extents.len(), 3);
    assert!(extents.windows(2).all(|w| w[0].end() == w[1].start()), "{extents:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_interrupted_goes_on_where_it_was() {
    let mut house = House::new().await;
    let whole = house.film("whole.ts", after(0), 12);
    house.import(&whole, StartFrom::Given(after(0))).await.unwrap();
    let blocks = house.importer.db().blocks_in(&house.stream, TimeRange::ALL, 100).await.unwrap();
    let mut short = blocks[0].clone();
    // As a kill would have left it: the second half of the footage is not there.
    let kept: Vec<_> = short.table.entries()[..short.table.len() / 2].to_vec();
    short.table = crate::media::SegmentTable::from_entries(kept);
    let cut_at = short.end();
    let changes = vec![IndexChange::BlockIndexed(short)];
    house.importer.index.commit(changes).await.unwrap();
    let again = house.import(&whole, StartFrom::Given(after(0))).await.unwrap();
    assert_eq!(again[0].range.unwrap().start(), cut_at);
    assert_eq!(house.drawn(12).await, "############");
    let extents = house.extents().await;
    assert_eq!((extents.len(), extents[0].end()), (2, cut_at));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_film_is_refused_with_its_name() {
    let mut house = House::new().await;
    let path = house.dir.path().join("noise.ts");
    std::fs::write(&path, vec![0xa5; 300_000]).unwrap();
    let error = house.import(&path, StartFrom::Given(after(0))).await.unwrap_err().to_string();
    assert!(error.contains("noise.ts"), "{error}");
    let missing = house.import(Path::new("/nowhere/film.ts"), StartFrom::Given(after(0))).await.unwrap_err().to_string();
    assert!(missing.contains("/nowhere/film.ts"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_import_and_it_can_be_taken_up_again() {
    let mut house = House::new().await;
    let path = house.film("a.ts", after(0), 6);
    house.importer.worker.min_free_bytes = u64::MAX;
    let error = house.import(&path, StartFrom::Given(after(0))).await.unwrap_err().to_string();
    assert!(error.contains("a.ts") && error.contains("room"), "{error}");
    house.importer.worker.min_free_bytes = 0;
    house.import(&path, StartFrom::Given(after(0))).await.unwrap();
    assert_eq!(house.drawn(6).await, "######");
}
