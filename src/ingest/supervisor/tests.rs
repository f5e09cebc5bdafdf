//! The supervisor with real worker processes. The worker is this test binary, asked for [`worker_process`].

use std::io::Read;
use std::time::Duration;

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::db::{Db, NewStream};
use crate::ffmpeg::camera::{self, CameraFormat, CameraOptions, CameraOutput};
use crate::ingest::frame;
use crate::ingest::protocol::{StreamState, ToWorker};
use crate::ingest::worker::reports::Reports;
use crate::media::{AccountId, Gap, GapCause, TimeRange, Timestamp};

/// Hands commands on, and dies like libavformat would when it is to read a stream whose name begins with `killer`.
struct Deadly<R> {
    from: R,
    ready: std::io::Cursor<Vec<u8>>,
}

impl<R: Read> Read for Deadly<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let n = self.ready.read(buf)?;
            if n > 0 {
                return Ok(n);
            }
            let Some(command) = frame::read::<ToWorker>(&mut self.from)? else { return Ok(0) };
            if let ToWorker::Start(job) = &command
                && job.stream.as_str().starts_with("killer")
            {
                let me = rustix::process::getpid();
                rustix::process::kill_process(me, rustix::process::Signal::SEGV)?;
            }
            self.ready = std::io::Cursor::new(frame::encode(&command)?);
        }
    }
}

#[test]
#[ignore = "started by the other tests as their worker process"]
fn worker_process() {
    crate::ffmpeg::init();
    crate::ffmpeg::die_of_crash_signals();
    let to = std::fs::OpenOptions::new().write(true).open("/proc/self/fd/3").unwrap();
    let mut commands = Deadly { from: std::io::stdin().lock(), ready: std::io::Cursor::default() };
    let code = crate::ingest::worker::run(&mut commands, &Reports::new(to)).unwrap();
    std::process::exit(code);
}

/// The test harness prints to stdout, so reports go through another descriptor.
pub(in crate::ingest) fn program() -> WorkerProgram {
    let me = std::env::current_exe().unwrap();
    let test = format!("{}::worker_process", module_path!().split_once("::").unwrap().1);
    let script = format!("exec 3>&1 >/dev/null; exec '{}' --exact '{test}' --ignored --nocapture", me.display());
    WorkerProgram { path: "/bin/sh".into(), arguments: vec!["-c".into(), script] }
}

struct House {
    dir: tempfile::TempDir,
    db: Db,
    index: Index,
    handle: SupervisorHandle,
}

pub(in crate::ingest) fn worker_config(dir: &Path) -> WorkerConfig {
    WorkerConfig {
        media_root: dir.join("media").display().to_string(),
        segment_target_us: 500_000,
        segment_max_us: 2_000_000,
        block_max_us: 600_000_000,
        block_max_bytes: 512 << 20,
        min_free_bytes: 0,
        stop_first: Vec::new(),
        stop_first_step_bytes: 0,
        sync_interval_us: 0,
        connect_timeout_us: 5_000_000,
        silence_timeout_us: 5_000_000,
        backoff_min_us: 50_000,
        backoff_max_us: 200_000,
        forbidden_networks: vec![],
        file_roots: vec![dir.display().to_string()],
        thumbnails: false,
        lock_file: None,
    }
}

fn settings(dir: &Path) -> IngestSettings {
    IngestSettings { workers: 2, run_dir: dir.join("run"), program: program(), worker: worker_config(dir) }
}

impl House {
    async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("run")).unwrap();
        Self::open(dir).await
    }

    /// Recovers and starts, as the service does.
    async fn open(dir: tempfile::TempDir) -> House {
        let root = MediaRoot::open_or_create(&dir.path().join("media"), None).unwrap();
        let db = crate::db::sqlite::open(&dir.path().join("retroview.db")).await.unwrap();
        let index = Index::new(db.clone(), root.clone());
        let settings = settings(dir.path());
        wait_for_orphans(&settings.run_dir).await.unwrap();
        let recovered = crate::index::recover(&index, &root).await.unwrap();
        assert_eq!(recovered.failed, []);
        let handle = start(settings, index.clone(), root, Arc::new(SystemClock)).await.unwrap();
        House { dir, db, index, handle }
    }

    /// A film whose keyframes are 0.4 s apart, as a source.
    fn film(&self) -> String {
        let path = self.dir.path().join("film.ts");
        if !path.exists() {
            crate::ffmpeg::init();
            let options = CameraOptions {
                start: Timestamp::from_secs(1_777_816_800),
                duration: Some(Duration::from_secs(20)),
                width: 160,
                height: 96,
                gop: 10,
                format: CameraFormat::MpegTs,
                ..CameraOptions::default()
            };
            let stop = std::sync::atomic::AtomicBool::new(false);
            camera::run(&options, CameraOutput::File(path.clone()), &SystemClock, &stop).unwrap();
        }
        format!("file://{}#loop", path.display())
    }

    async fn add(&self, id: &str, source: &str) -> StreamId {
        let id: StreamId = id.parse().unwrap();
        let new = NewStream { id: id.clone(), account: AccountId::main(), title: id.to_string(), source: source.into(), credentials: None };
        self.db.add_stream(&new, SystemClock.now()).await.unwrap();
        self.handle.reload().await.unwrap();
        id
    }

    /// Waits until the stream's index is as wanted.
    async fn until_edge(&self, stream: &StreamId, wanted: impl Fn(&crate::index::LiveEdge) -> bool) {
        let mut edge = self.index.live_edge(stream).await.unwrap();
        let reached = tokio::time::timeout(Duration::from_secs(30), edge.wait_for(|e| wanted(e)));
        if reached.await.is_err() {
            panic!("{stream}: {:?}, {:?}", self.handle.status(stream), self.gaps(stream).await);
        }
    }

    async fn gaps(&self, stream: &StreamId) -> Vec<Gap> {
        self.db.gaps_in(stream, TimeRange::ALL, 100).await.unwrap()
    }

    /// Sends the signal to the process that reads the stream.
    fn kill_worker_of(&self, stream: &StreamId, signal: rustix::process::Signal) {
        let pid = self.handle.status(stream).unwrap().worker_pid.unwrap();
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Runs and gaps follow one another without overlap, and every block is as the index says.
    async fn check(&self, stream: &StreamId) {
        let extents = self.db.run_extents(stream, TimeRange::ALL, 1000).await.unwrap();
        let mut spans: Vec<TimeRange> = extents.iter().map(|e| e.range).collect();
        spans.extend(self.gaps(stream).await.iter().filter_map(|g| TimeRange::new(g.start, g.end?).ok()));
        spans.sort_by_key(|r| r.start());
        for pair in spans.windows(2) {
            assert!(pair[0].end() <= pair[1].start(), "{pair:?} overlap");
            assert_eq!(pair[0].end(), pair[1].start(), "unexplained time between {pair:?}");
        }
    }
}

fn gap_lasts(cause: GapCause) -> impl Fn(&crate::index::LiveEdge) -> bool {
    move |edge| edge.open_gap.as_ref().is_some_and(|g| g.cause == cause)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_becomes_footage_and_shutting_down_finishes_it() {
    let house = House::new().await;
    let film = house.film();
    let cam = house.add("cam", &film).await;
    house.until_edge(&cam, |e| e.version > 4 && e.end.is_some()).await;
    let status = house.handle.status(&cam).unwrap();
    assert_eq!(status.state, StreamState::Recording);
    assert!(status.segments > 0 && status.bytes > 0);
    let began = SystemClock.monotonic();
    house.handle.shutdown().await;
    assert!(SystemClock.monotonic() - began < Duration::from_millis(1500));
    let blocks = house.db.blocks_in(&cam, TimeRange::ALL, 10).await.unwrap();
    assert!(blocks.iter().all(|b| b.state == crate::media::BlockState::Sealed), "{blocks:?}");
    let gaps = house.gaps(&cam).await;
    assert_eq!(gaps.iter().map(|g| (g.cause, g.end)).collect::<Vec<_>>(), [(GapCause::ServiceStopped, None)]);

    let again = House::open(house.dir).await;
    again.until_edge(&cam, |e| e.open_gap.is_none()).await;
    again.check(&cam).await;
    assert_eq!(again.gaps(&cam).await[0].cause, GapCause::ServiceStopped);
    again.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_is_replaced_and_others_are_left_alone() {
    let house = House::new().await;
    let film = house.film();
    let (a, b) = (house.add("a", &film).await, house.add("b", &film).await);
    for stream in [&a, &b] {
        house.until_edge(stream, |e| e.end.is_some()).await;
    }
    let before = house.handle.status(&b).unwrap();
    let began = SystemClock.monotonic();
    house.kill_worker_of(&a, rustix::process::Signal::SEGV);
    house.until_edge(&a, gap_lasts(GapCause::WorkerCrashed)).await;
    house.until_edge(&a, |e| e.open_gap.is_none()).await;
    assert!(SystemClock.monotonic() - began < Duration::from_secs(5));
    let gap = house.gaps(&a).await.remove(0);
    assert!(gap.detail.contains("SIGSEGV"), "{gap:?}");
    assert!(gap.end.unwrap().micros_since(gap.start) < 5_000_000);
    house.check(&a).await;
    let after = house.handle.status(&b).unwrap();
    assert_eq!((after.worker_pid, after.worker_deaths), (before.worker_pid, 0));
    assert_eq!(house.gaps(&b).await, []);
    house.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_kills_its_worker_is_quarantined_and_the_others_record() {
    let house = House::new().await;
    let film = house.film();
    let good: Vec<StreamId> = vec![house.add("a", &film).await, house.add("b", &film).await, house.add("c", &film).await];
    let killer = house.add("killer", &film).await;
    for _ in 0..3000 {
        if house.handle.status(&killer).is_some_and(|s| s.state == StreamState::Quarantined) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(house.handle.status(&killer).unwrap().state, StreamState::Quarantined);
    for stream in &good {
        house.until_edge(stream, |e| e.end.is_some() && e.open_gap.is_none()).await;
        house.check(stream).await;
        assert_ne!(house.handle.status(stream).unwrap().state, StreamState::Quarantined);
    }
    house.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_paused_resumed_and_removed_while_others_record() {
    let house = House::new().await;
    let film = house.film();
    let cam = house.add("cam", &film).await;
    house.until_edge(&cam, |e| e.end.is_some()).await;
    house.db.set_stream_paused(&cam, true).await.unwrap();
    house.until_edge(&cam, gap_lasts(GapCause::Paused)).await;
    house.db.set_stream_paused(&cam, false).await.unwrap();
    house.until_edge(&cam, |e| e.open_gap.is_none()).await;
    house.db.set_stream_removed(&cam, Some(SystemClock.now())).await.unwrap();
    house.until_edge(&cam, gap_lasts(GapCause::Removed)).await;
    house.check(&cam).await;
    // Its process ends in its own time; a stop of the service would not wait for it.
    while house.handle.status(&cam).is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    house.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sender_at_a_time_pushes_and_its_absence_is_a_gap() {
    use tokio::io::AsyncWriteExt;
    let house = House::new().await;
    house.film();
    let body = std::fs::read(house.dir.path().join("film.ts")).unwrap();
    let cam = house.add("cam", "push:").await;
    let refused = house.handle.publish(&"other".parse().unwrap(), PushFormat::MpegTs).await;
    assert!(matches!(refused, Err(PublishError::UnknownStream(_))));
    let mut sender = loop {
        match house.handle.publish(&cam, PushFormat::MpegTs).await {
            Ok(sender) => break sender,
            Err(PublishError::NotReady(_) | PublishError::UnknownStream(_)) => tokio::task::yield_now().await,
            Err(e) => panic!("{e}"),
        }
    };
    let second = house.handle.publish(&cam, PushFormat::MpegTs).await;
    assert!(matches!(second, Err(PublishError::PublisherPresent(_))), "{second:?}");
    sender.socket.write_all(&body[..body.len() / 8]).await.unwrap();
    sender.socket.shutdown().await.unwrap();
    let report = sender.report().await.unwrap();
    assert!(report.segments >= 3, "{report:?}");
    assert_eq!(report.cause, GapCause::NoPublisher);
    house.until_edge(&cam, gap_lasts(GapCause::NoPublisher)).await;

    let mut sender = house.handle.publish(&cam, PushFormat::MpegTs).await.unwrap();
    // Garbage: an answer, and no hang. The worker may stop reading before all is written.
    let _ = sender.socket.write_all(&vec![0x55; 8 << 20]).await;
    let _ = sender.socket.shutdown().await;
    let report = sender.report().await.unwrap();
    assert_eq!((report.segments, report.cause), (0, GapCause::SourceInvalid), "{report:?}");
    house.handle.shutdown().await;
}
