//! 100,000 blocks leave while 20 streams record and a client plays: how fast they go, and what the client notices.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use retroview::db::{Db, IndexChange, NewStream, sqlite};
use retroview::media::{
    AccountId, BlockId, BlockInfo, BlockState, RunId, RunInfo, SegmentEntry, SegmentTable, StreamId, TimeRange, Timestamp,
};
use retroview::store::MediaRoot;

use crate::ingest::transport_stream;
use crate::load::Connection;
use crate::push::{Pushing, megabit_stream};
use crate::service::Service;
use crate::{Bench, Figure, cpu, median};

const BLOCKS: usize = 100_000;
/// Of the streams whose footage leaves. Enough that none of them is the whole of a sweep.
const STREAMS: usize = 40;
const RECORDING: usize = 20;
/// Small: what is measured is what each file and each row costs. Giving back the room of a large file is the file system's matter.
const FILE_BYTES: usize = 4096;
const BLOCK_US: i64 = 600_000_000;
/// 2025-01-01: outside of any window of months.
const OLD: Timestamp = Timestamp(1_735_689_600_000_000);
/// A client that plays asks for a segment every few seconds; this one stands for a hundred of them.
const REQUEST_EVERY: Duration = Duration::from_millis(20);
/// The client is watched for so long without a sweep.
const IDLE: Duration = Duration::from_secs(20);

const RATE_MIN: f64 = 500.0;
const P99_RATIO_MAX: f64 = 2.0;

pub fn run(bench: &Bench) -> Vec<Figure> {
    let data = bench.dir.join("sweep");
    let source = transport_stream(&bench.dir, 15);
    let body = megabit_stream(&bench.dir);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let service = prepare(bench, &data, &source);
    let db = runtime.block_on(fill(&data));
    let auth = format!("Authorization: Bearer {}\r\n", service.token);
    let urls = segments(&service, &auth);

    let quiet = watch(service.address, &auth, &urls, || std::thread::sleep(IDLE));
    let names: Vec<String> = (0..RECORDING).map(|n| format!("live{n}")).collect();
    let pushing = Pushing::start(&service, &names, &body);
    let recording = watch(service.address, &auth, &urls, || std::thread::sleep(IDLE));
    pushing.stop();
    drop(service);

    // The same service, which now looks for what has expired.
    let service =
        Service::with(bench, &data, &[("RETENTION_INTERVAL", "10s"), ("RETENTION_GRACE", "0s"), ("RETENTION_SHARE_PERCENT", "100")]);
    let auth = format!("Authorization: Bearer {}\r\n", service.token);
    let pushing = Pushing::start(&service, &names, &body);
    let mut took = Took::default();
    let sweeping = watch(service.address, &auth, &urls, || took = runtime.block_on(until_swept(&db, &service)));
    pushing.stop();

    let rate = BLOCKS as f64 / took.seconds;
    let (idle_p99, p99) = (quiet.percentile(0.99), sweeping.percentile(0.99));
    vec![
        Figure {
            what: format!("{BLOCKS} blocks marked and swept, blocks/s"),
            ours: format!("{rate:.0}"),
            peer: format!("≥ {RATE_MIN:.0}; {:.1} ms of CPU a block", took.cpu_seconds * 1e3 / BLOCKS as f64),
            within: Some(rate >= RATE_MIN),
        },
        Figure {
            what: format!("  a segment meanwhile, {RECORDING} streams recording, p99 ms"),
            ours: format!("{p99:.2} (p50 {:.2})", sweeping.percentile(0.5)),
            peer: format!("idle {idle_p99:.2} (p50 {:.2}), ratio {:.2} (≤ {P99_RATIO_MAX})", quiet.percentile(0.5), p99 / idle_p99),
            within: Some(p99 <= P99_RATIO_MAX * idle_p99),
        },
        Figure {
            what: "  the same while only recording".into(),
            ours: format!("{:.2} (p50 {:.2})", recording.percentile(0.99), recording.percentile(0.5)),
            peer: format!(
                "{} requests, median of maxima {:.1} ms",
                recording.0.len(),
                median(&[quiet.max(), recording.max(), sweeping.max()])
            ),
            within: None,
        },
    ]
}

/// A film to play, streams to record, and an account whose window is three months.
fn prepare(bench: &Bench, data: &Path, film: &Path) -> Service {
    let service = Service::start(bench, data);
    service.run(&["streams", "add", "film", "push:"]);
    service.run(&["import", "film", film.to_str().expect("our own path is UTF-8"), "--start", "2026-01-01T00:00:00Z"]);
    for n in 0..RECORDING {
        service.run(&["streams", "add", &format!("live{n}"), "push:"]);
    }
    service.run(&["accounts", "add", "acme", "--name", "Acme", "--zone", "UTC", "--plan", "basic"]);
    service
}

fn stream(n: usize) -> StreamId {
    format!("old{n}").parse().expect("a name")
}

fn account() -> AccountId {
    "acme".parse().expect("a name")
}

/// Files and rows of footage from long ago.
async fn fill(data: &Path) -> Db {
    let db = sqlite::open(&data.join("retroview.db")).await.expect("the service made it");
    let id = db.media_root_id().await.expect("the database answers");
    let root = MediaRoot::open(&data.join("media"), id.as_deref()).expect("the service made it");
    let bytes = vec![7; FILE_BYTES];
    for n in 0..STREAMS {
        let (stream, account) = (stream(n), account());
        let new = NewStream { id: stream.clone(), account, title: String::new(), source: "push:".into(), credentials: None };
        db.add_stream(&new, OLD).await.expect("add a stream");
        let run = run_of(&stream);
        db.commit(&[IndexChange::RunStarted(run.clone())]).await.expect("store a run");
        let blocks: Vec<BlockInfo> = (0..BLOCKS / STREAMS).map(|i| block(&run, i)).collect();
        for block in &blocks {
            let path = root.file(&block.path());
            fs::create_dir_all(path.parent().expect("a block path has folders")).expect("the scratch folder is ours");
            fs::write(path, &bytes).expect("the scratch folder is ours");
        }
        for part in blocks.chunks(500) {
            let changes: Vec<IndexChange> = part.iter().cloned().map(IndexChange::BlockIndexed).collect();
            db.commit(&changes).await.expect("store blocks");
        }
    }
    db
}

fn run_of(stream: &StreamId) -> RunInfo {
    let salt = stream.as_str().bytes().fold(0, |sum, b| sum * 31 + u128::from(b));
    let (id, init) = (RunId::new(OLD, salt), vec![7; 1200].into());
    let (gaps_before, import_key) = (Vec::new(), None);
    RunInfo { id, stream: stream.clone(), start: OLD, ordinal: 0, video: None, audio: None, init, gaps_before, import_key }
}

/// With the table that ten minutes leave: 150 segments.
fn block(run: &RunInfo, i: usize) -> BlockInfo {
    let start = OLD.saturating_add_micros(i as i64 * BLOCK_US);
    let entry = SegmentEntry {
        wall_us: 4_000_000,
        media_us: 4_000_000,
        video_bytes: 1_900_000,
        audio_bytes: 64_000,
        keyframe_bytes: 90_000,
        independent: true,
        erased: false,
    };
    BlockInfo {
        id: BlockId::new(start, u128::from_be_bytes(run.id.to_bytes()) << 16 | i as u128),
        account: account(),
        stream: run.stream.clone(),
        run: run.id,
        start,
        state: BlockState::Sealed,
        first_offset: 2500,
        first_sequence: i as u64 * 150,
        size_bytes: FILE_BYTES as u64,
        checksum: Some(i as u64),
        table: SegmentTable::from_entries(vec![entry; 150]),
    }
}

/// Every segment of the film.
fn segments(service: &Service, auth: &str) -> Vec<String> {
    let mut connection = Connection::open(service.address);
    let path = "/v1/streams/film/media.m3u8?start=2026-01-01T00:00:00Z&end=2026-01-01T00:15:00Z";
    let (status, _, body) = connection.get(path, auth, true);
    assert_eq!(status, 200);
    let text = String::from_utf8(body).expect("playlists are UTF-8");
    text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).map(|l| format!("/v1/streams/film/{l}")).collect()
}

/// How long each request took, in milliseconds, shortest first.
struct Latencies(Vec<f64>);

impl Latencies {
    fn percentile(&self, share: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * share) as usize]
    }
    fn max(&self) -> f64 {
        self.percentile(1.0)
    }
}

/// Asks for segments, at a steady pace, while something happens.
fn watch(address: SocketAddr, auth: &str, urls: &[String], something: impl FnOnce()) -> Latencies {
    let over = AtomicBool::new(false);
    let mut took = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut connection = Connection::open(address);
            let mut took = Vec::new();
            // A stride that visits all of them, in no order that reading ahead would help.
            for n in (0..).step_by(37) {
                let began = Instant::now();
                let (status, _, _) = connection.get(&urls[n % urls.len()], auth, false);
                assert_eq!(status, 200);
                took.push(began.elapsed().as_secs_f64() * 1e3);
                if over.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::sleep(REQUEST_EVERY.saturating_sub(began.elapsed()));
            }
            took
        });
        something();
        over.store(true, Ordering::Relaxed);
        client.join().expect("the client went through")
    });
    took.sort_by(f64::total_cmp);
    Latencies(took)
}

#[derive(Default)]
struct Took {
    seconds: f64,
    cpu_seconds: f64,
}

/// From the first mark to the last row.
async fn until_swept(db: &Db, service: &Service) -> Took {
    let all = TimeRange::ALL;
    let pause = || tokio::time::sleep(Duration::from_millis(100));
    while db.marks(None, 1).await.expect("the database answers").is_empty()
        && db.sweeps(None, 1).await.expect("the database answers").is_empty()
    {
        pause().await;
    }
    let (began, cpu_before) = (Instant::now(), cpu::scheduled_seconds(service.pid()));
    for n in 0..STREAMS {
        while !db.blocks_in(&stream(n), all, 1).await.expect("the database answers").is_empty() {
            pause().await;
        }
    }
    while db.sweeps(None, 1).await.expect("the database answers").iter().any(|s| s.finished_at.is_none()) {
        pause().await;
    }
    Took { seconds: began.elapsed().as_secs_f64(), cpu_seconds: cpu::scheduled_seconds(service.pid()) - cpu_before }
}
