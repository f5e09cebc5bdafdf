//! The media playlist of a whole day, 21,600 segments of 4 s, as it is served: credentials, lookup, text, gzip.
//!
//! `cargo bench --bench playlist`. Times are CPU seconds of the whole process, not of the clock on the wall: the
//! machine may do other things meanwhile. Sizes are printed first. Three cameras, because what repeats compresses:
//! one whose clock is exact, one whose clock is 80 ppm off and is corrected, and one whose keyframes jitter.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use rustix::time::{ClockId, clock_gettime};
use tower::ServiceExt;

use retroview::clock::{Clock, SystemClock};
use retroview::db::{AuditVerifier, DbResult, IndexChange, NewStream, sqlite};
use retroview::entitlement::{Access, AccessSettings, NewToken, Principal, Rights, Scope};
use retroview::exports::{ExportSettings, Exports};
use retroview::http::{HttpSettings, Installation, Recorder, Services, ViewLog, router};
use retroview::index::Index;
use retroview::ingest::protocol::{PushFormat, Sight};
use retroview::ingest::{LookError, Publication, PublishError, SourcePolicy, SourceSpec, StreamStatus};
use retroview::media::{
    AccountId, AudioTrack, BlockId, BlockInfo, BlockState, RunId, RunInfo, SegmentEntry, SegmentTable, StreamId, Timestamp, VideoTrack,
};
use retroview::playback::Playback;
use retroview::retention::{self, Retention};
use retroview::store::{BlockCache, MediaRoot};

/// The most that one day may cost.
const CPU_MAX: Duration = Duration::from_millis(5);
const BYTES_MAX: usize = 150_000;
const SEGMENTS: usize = 21_600;
const PER_BLOCK: usize = 150;
/// A reconnect in the morning, one at noon, one in the evening; blocks of the second run begin anew.
const RUNS: [usize; 4] = [5_000, 4_000, 7_600, 5_000];
/// Nothing is recorded for so long between them.
const HOLE_US: i64 = 7_345_678;
/// 2026-05-03T00:00:03.141592Z: cameras do not begin on the second.
const START_US: i64 = 1_777_766_403_141_592;

#[derive(Clone, Copy)]
enum Camera {
    Exact,
    Drifting,
    Jittering,
}

const CAMERAS: [(Camera, &str); 3] = [(Camera::Exact, "exact"), (Camera::Drifting, "drifting"), (Camera::Jittering, "jittering")];

/// Wall and media duration of each segment, as `segment` makes them.
struct Durations {
    camera: Camera,
    random: u64,
    /// How far our wall time is behind the camera's arrival, smoothed.
    offset_us: i64,
    smoothed_us: i64,
    last_jitter_us: i64,
}

impl Durations {
    fn new(camera: Camera) -> Self {
        Durations { camera, random: 0x9e37_79b9_7f4a_7c15, offset_us: 0, smoothed_us: 0, last_jitter_us: 0 }
    }

    fn random(&mut self, below: u64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below) as i64
    }

    fn next(&mut self) -> (u32, u32) {
        let (wall_us, media_us) = match self.camera {
            Camera::Exact => (4_000_000, 4_000_000),
            // Beyond 50 ms an eighth is made up for with each segment, at most 500 ppm: see `segment::wall_clock`.
            Camera::Drifting => {
                self.offset_us += 320;
                self.smoothed_us += (self.offset_us - self.smoothed_us) / 4;
                let correction = if self.smoothed_us > 50_000 { (self.smoothed_us / 8).min(2_000) } else { 0 };
                self.offset_us -= correction;
                (4_000_000 + correction, 4_000_000)
            }
            // Two milliseconds either way, in ticks of 90 kHz.
            Camera::Jittering => {
                let jitter_us = (self.random(361) - 180) * 100 / 9;
                let media_us = 4_000_000 + jitter_us - self.last_jitter_us;
                self.last_jitter_us = jitter_us;
                (media_us, media_us)
            }
        };
        (wall_us as u32, media_us as u32)
    }

    fn entry(&mut self) -> SegmentEntry {
        let (wall_us, media_us) = self.next();
        let (video, keyframe) = (self.random(600_000) as u32, self.random(40_000) as u32);
        SegmentEntry {
            wall_us,
            media_us,
            video_bytes: 1_700_000 + video,
            audio_bytes: 64_000,
            keyframe_bytes: 80_000 + keyframe,
            independent: true,
            erased: false,
        }
    }
}

fn day(stream: &StreamId, camera: Camera) -> (Vec<IndexChange>, Timestamp) {
    let (mut changes, mut now, mut durations) = (Vec::new(), Timestamp::from_micros(START_US), Durations::new(camera));
    let mut sequence = 1_000_000;
    for (ordinal, segments) in RUNS.into_iter().enumerate() {
        let run = RunId::from_bytes([camera as u8 * 16 + ordinal as u8 + 1; 16]);
        changes.push(IndexChange::RunStarted(RunInfo {
            id: run,
            stream: stream.clone(),
            start: now,
            ordinal: 40 + ordinal as u64,
            video: Some(VideoTrack { codec: "avc1.640028".into(), width: 1920, height: 1080, fps_num: 25, fps_den: 1 }),
            audio: Some(AudioTrack { codec: "mp4a.40.2".into(), sample_rate: 48_000, channels: 2 }),
            init: vec![7; 1_200].into(),
            gaps_before: Vec::new(),
            import_key: None,
        }));
        let mut left = segments;
        while left > 0 {
            let count = left.min(PER_BLOCK);
            let table = SegmentTable::from_entries((0..count).map(|_| durations.entry()).collect());
            let start = now;
            now = now.saturating_add_micros(table.wall_us());
            changes.push(IndexChange::BlockIndexed(BlockInfo {
                id: BlockId::new(start, u128::from(sequence) << 8 | camera as u128),
                account: AccountId::main(),
                stream: stream.clone(),
                run,
                start,
                state: BlockState::Sealed,
                first_offset: 2_500,
                first_sequence: sequence,
                size_bytes: 300_000_000,
                checksum: Some(sequence),
                table,
            }));
            sequence += count as u64;
            left -= count;
        }
        now = now.saturating_add_micros(HOLE_US);
    }
    (changes, now)
}

/// Nothing is recorded here.
struct NoRecorder;

#[async_trait]
impl Recorder for NoRecorder {
    fn status(&self, _: &StreamId) -> Option<StreamStatus> {
        None
    }
    fn statuses(&self) -> HashMap<StreamId, StreamStatus> {
        HashMap::new()
    }
    async fn reload(&self) -> DbResult<()> {
        Ok(())
    }
    async fn publish(&self, _: &StreamId, _: PushFormat) -> Result<Publication, PublishError> {
        unreachable!("nobody pushes")
    }
    async fn look(&self, _: &SourceSpec) -> Result<Sight, LookError> {
        unreachable!("nobody tries sources")
    }
}

/// The HTTP side over a day of three streams, and what to ask it.
struct Served {
    router: Router,
    token: String,
    ends: Vec<Timestamp>,
}

async fn served(dir: &std::path::Path) -> Served {
    let db = sqlite::open(&dir.join("retroview.db")).await.expect("a fresh database");
    let index = Index::rows_only(db.clone());
    let mut ends = Vec::new();
    for (camera, name) in CAMERAS {
        let stream: StreamId = name.parse().expect("a slug");
        let new =
            NewStream { id: stream.clone(), account: AccountId::main(), title: String::new(), source: "push:".into(), credentials: None };
        db.add_stream(&new, Timestamp::from_micros(START_US)).await.expect("add a stream");
        let (changes, end) = day(&stream, camera);
        index.commit(changes).await.expect("it commits");
        ends.push(end);
    }
    let clock = Arc::new(SystemClock);
    let access = Access::open(db.clone(), clock.clone(), AccessSettings::default()).await.expect("the database answers");
    let new = NewToken {
        account: AccountId::main(),
        name: "bench".into(),
        rights: Rights::Scopes([Scope::View].into_iter().collect()),
        streams: Vec::new(),
        expires_at: None,
    };
    let who = Principal::command_line(AccountId::main());
    let (_, token) = access.directory().make_token(&who, clock.now(), new).await.expect("a token");
    let root = MediaRoot::open_or_create(&dir.join("media"), None).expect("a media folder");
    let lock_file = dir.join("retention.lock");
    let retention = Retention::new(index.clone(), root.clone(), retention::Settings::default(), clock.clone(), &lock_file);
    let sources = SourcePolicy::new(&[] as &[&str], &[] as &[&str]).expect("no networks, no folders");
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let verifier = AuditVerifier::new(db.clone(), || SystemClock.now());
    let installation = Installation { root: root.clone(), min_free_bytes: 0, started_at: clock.now() };
    let playback = Playback::within(retention.windows(), index, Arc::new(BlockCache::new(root)), clock.clone());
    let export_settings =
        ExportSettings { folder: dir.join("exports"), keep: Duration::from_secs(86_400), max_bytes: 1 << 30, min_free_bytes: 0 };
    let exports = Exports::new(db.clone(), clock.clone(), playback.clone(), export_settings);
    let services = Services {
        db,
        clock,
        access,
        playback,
        recorder: Arc::new(NoRecorder),
        sources,
        metrics,
        settings: HttpSettings::default(),
        retention,
        exports,
        views: ViewLog::default(),
        verifier,
        installation,
    };
    Served { router: router(Arc::new(services)), token, ends }
}

impl Served {
    /// What comes over the line.
    async fn ask(&self, camera: usize, gzip: bool) -> Bytes {
        let name = CAMERAS[camera].1;
        let (start, end) = (START_US, self.ends[camera].as_micros());
        let seconds = |us: i64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
        let uri = format!("/v1/streams/{name}/media.m3u8?start={}&end={}", seconds(start), seconds(end));
        let mut request = Request::get(uri).header("authorization", format!("Bearer {}", self.token));
        if gzip {
            request = request.header("accept-encoding", "gzip");
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("the router always answers");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers().contains_key("content-encoding"), gzip);
        response.into_body().collect().await.expect("the body is in memory").to_bytes()
    }
}

fn cpu() -> Duration {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap_or(0))
}

fn benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let served = runtime.block_on(served(dir.path()));
    for (camera, (_, name)) in CAMERAS.iter().enumerate() {
        let text = runtime.block_on(served.ask(camera, false));
        let segments = std::str::from_utf8(&text).expect("playlists are UTF-8").lines().filter(|l| l.starts_with("#EXTINF")).count();
        assert_eq!(segments, SEGMENTS);
        let sent = runtime.block_on(served.ask(camera, true)).len();
        let verdict = if sent <= BYTES_MAX { "within" } else { "OVER" };
        println!("24 h of an {name} camera: {} bytes of text, {sent} bytes sent (≤ {BYTES_MAX}: {verdict})", text.len());
    }
    for (camera, (_, name)) in CAMERAS.iter().enumerate() {
        let mut spent = (Duration::ZERO, 0);
        c.bench_function(&format!("playlist of 24 h, {name} camera, CPU"), |b| {
            b.iter_custom(|iterations| {
                let before = cpu();
                for _ in 0..iterations {
                    black_box(runtime.block_on(served.ask(camera, true)));
                }
                let took = cpu() - before;
                spent = (spent.0 + took, spent.1 + iterations as u32);
                took
            });
        });
        let each = spent.0 / spent.1.max(1);
        println!("  {each:.2?} of CPU each (≤ {CPU_MAX:?}: {})", if each <= CPU_MAX { "within" } else { "OVER" });
    }
}

criterion_group! {
    name = playlist;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    targets = benches
}
criterion_main!(playlist);
