//! An archive in a temporary folder, filled by the recorder's own parts, and its router.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use retroview::clock::{Clock, ManualClock, SharedClock};
use retroview::db::{AuditVerifier, Db, DbResult, IndexChange, NewStream, sqlite};
use retroview::entitlement::{Access, AccessSettings, NewToken, Principal, Rights, Scope};
use retroview::exports::{ExportSettings, Exports};
use retroview::ffmpeg::camera::{self, CameraOptions, CameraOutput, clock_row};
use retroview::ffmpeg::{DecoderPool, Input, Interrupt, OpenOptions, Read, decode_small};
use retroview::http::{HttpSettings, Installation, Recorder, Services, ViewLog, router};
use retroview::index::Index;
use retroview::ingest::protocol::{PushFormat, Sight};
use retroview::ingest::{LookError, Publication, PublishError, SourcePolicy, SourceSpec, StreamStatus};
use retroview::media::{AccountId, BlockId, GapCause, RunId, RunInfo, StreamId, THUMBNAIL_WIDTH, ThumbnailPace, Timestamp};
use retroview::playback::Playback;
use retroview::retention::{self, Retention};
use retroview::segment::{Arrival, Event, Segmenter, SegmenterConfig};
use retroview::store::thumbnails::{Thumbnail, add_thumbnail, begin_thumbnails, open_thumbnails};
use retroview::store::{BlockCache, BlockWriter, MediaRoot, NewBlock, NewSegment, RunEnd};
use tower::ServiceExt;

/// Where drawings begin.
pub const T0: Timestamp = Timestamp(1_777_816_800_000_000);

pub fn at(s: f64) -> Timestamp {
    T0.saturating_add_micros((s * 1e6) as i64)
}

pub struct Archive {
    pub dir: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub db: Db,
    pub index: Index,
    pub retention: Retention,
    pub router: Router,
    pub admin: String,
    access: Access,
    root: MediaRoot,
    next_run: u64,
    next_sequence: u64,
    last_end: Option<Timestamp>,
    segments_per_block: usize,
    /// Small pictures are made of what is recorded.
    pub thumbnails: bool,
    /// What is recorded last is left as it is while it is being written.
    pub stay_open: bool,
}

/// Playback needs no recording.
struct NothingRecorded;

#[async_trait::async_trait]
impl Recorder for NothingRecorded {
    fn status(&self, _: &StreamId) -> Option<StreamStatus> {
        None
    }
    fn statuses(&self) -> HashMap<StreamId, StreamStatus> {
        HashMap::new()
    }
    async fn reload(&self) -> DbResult<()> {
        Ok(())
    }
    async fn publish(&self, stream: &StreamId, _: PushFormat) -> Result<Publication, PublishError> {
        Err(PublishError::UnknownStream(stream.clone()))
    }
    async fn look(&self, _: &SourceSpec) -> Result<Sight, LookError> {
        Err(LookError::TimedOut)
    }
}

/// An answer, read whole.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An answer that has begun.
pub struct Begun {
    first: Bytes,
    body: Body,
}

impl Begun {
    /// All of it.
    pub async fn rest(self) -> Bytes {
        let rest = self.body.collect().await.expect("a whole body").to_bytes();
        [self.first, rest].concat().into()
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("a text")
    }
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().expect("a text"))
    }
}

async fn token(access: &Access, now: Timestamp, scopes: &[Scope]) -> String {
    let new = NewToken {
        account: AccountId::main(),
        name: "tests".into(),
        rights: Rights::Scopes(scopes.iter().copied().collect()),
        streams: Vec::new(),
        expires_at: None,
    };
    let who = Principal::command_line(AccountId::main());
    access.directory().make_token(&who, now, new).await.expect("a token").1
}

impl Archive {
    pub async fn new() -> Archive {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let clock = ManualClock::at(at(86_400.0));
        let shared: SharedClock = clock.clone();
        let db = sqlite::open(&dir.path().join("retroview.db")).await.expect("a database");
        let root = MediaRoot::open_or_create(&dir.path().join("media"), None).expect("a media folder");
        let index = Index::new(db.clone(), root.clone());
        let access = Access::open(db.clone(), shared.clone(), AccessSettings::default()).await.expect("a key");
        let admin = token(&access, shared.now(), &[Scope::Admin]).await;
        let decoders = DecoderPool::new(env!("CARGO_BIN_EXE_retroview").into(), vec!["decoder".into()], 1, Duration::from_secs(20));
        let files = Arc::new(BlockCache::new(root.clone()));
        let lock_file = dir.path().join("retention.lock");
        let retention = Retention::new(index.clone(), root.clone(), retention::Settings::default(), shared.clone(), &lock_file);
        let playback = Playback::within(retention.windows(), index.clone(), files, shared.clone()).with_decoders(decoders);
        let export_settings =
            ExportSettings { folder: dir.path().join("exports"), keep: Duration::from_secs(86_400), max_bytes: 1 << 30, min_free_bytes: 0 };
        let exports = Exports::new(db.clone(), shared.clone(), playback.clone(), export_settings);
        let services = Services {
            db: db.clone(),
            clock: shared,
            access: access.clone(),
            playback,
            recorder: Arc::new(NothingRecorded),
            sources: SourcePolicy::default(),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            settings: HttpSettings::default(),
            retention: retention.clone(),
            exports,
            views: ViewLog::default(),
            verifier: AuditVerifier::new(db.clone(), || at(86_400.0)),
            installation: Installation { root: root.clone(), min_free_bytes: 0, started_at: at(86_400.0) },
        };
        let router = router(Arc::new(services));
        Archive {
            retention,
            access,
            dir,
            clock,
            db,
            index,
            router,
            admin,
            root,
            next_run: 0,
            next_sequence: 0,
            last_end: None,
            segments_per_block: 3,
            thumbnails: false,
            stay_open: false,
        }
    }

    /// Blocks of so many segments, with small pictures.
    pub async fn with_thumbnails(segments_per_block: usize) -> Archive {
        Archive { segments_per_block, thumbnails: true, ..Self::new().await }
    }

    /// Records what `options` describe, from its `start` on, as one run (or more, if the camera changes), in blocks of three
    /// segments. A hole since the last recording becomes a gap.
    pub async fn record(&mut self, stream: &str, options: CameraOptions) {
        let id: StreamId = stream.parse().expect("an id");
        if self.db.stream(&id).await.expect("a row").is_none() {
            let new = NewStream {
                id: id.clone(),
                account: AccountId::main(),
                title: stream.to_uppercase(),
                source: "push:".into(),
                credentials: None,
            };
            self.db.add_stream(&new, T0).await.expect("a stream");
        }
        if let Some(end) = self.last_end.filter(|end| *end < options.start) {
            let gap = |change| vec![change];
            let opened = IndexChange::GapOpened { stream: id.clone(), start: end, cause: GapCause::SourceEnded, detail: String::new() };
            self.index.commit(gap(opened)).await.expect("a gap");
            self.index.commit(gap(IndexChange::GapClosed { stream: id.clone(), end: options.start })).await.expect("a gap");
        }
        let file = film(self.dir.path(), &options, self.clock.as_ref());
        let start = options.start;
        let (root, first_run, first_sequence, per_block) = (self.root.clone(), self.next_run, self.next_sequence, self.segments_per_block);
        let clock: SharedClock = self.clock.clone();
        let (thumbnails, stay_open) = (self.thumbnails, self.stay_open);
        let cut = tokio::task::spawn_blocking(move || {
            Cutter::cut(root, &file, id, start, (first_run, first_sequence), per_block, (thumbnails, stay_open), clock)
        });
        let cutter = cut.await.expect("a recording");
        self.next_run = cutter.next_run;
        self.next_sequence = cutter.next_sequence;
        self.last_end = cutter.end;
        for change in cutter.changes {
            self.index.commit(vec![change]).await.expect("a commit");
        }
    }

    /// A bearer token with these scopes.
    pub async fn token(&self, scopes: &[Scope]) -> String {
        token(&self.access, self.clock.now(), scopes).await
    }

    /// An answer of which only the first piece has been read.
    pub async fn begin(&self, uri: &str) -> Begun {
        let request = Request::builder().uri(uri).header("host", "rv.test").header("authorization", format!("Bearer {}", self.admin));
        let request = request.body(Body::empty()).expect("a request");
        let mut body = self.router.clone().oneshot(request).await.expect("an answer").into_body();
        let first = body.frame().await.expect("something").expect("a piece").into_data().expect("bytes");
        Begun { first, body }
    }

    /// As an administrator.
    pub async fn get(&self, uri: &str) -> Answer {
        self.ask(Method::GET, uri, &[("authorization", &format!("Bearer {}", self.admin))]).await
    }

    pub async fn get_with(&self, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let bearer = format!("Bearer {}", self.admin);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.ask(Method::GET, uri, &all).await
    }

    pub async fn ask(&self, method: Method, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(uri).header("host", "rv.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    pub async fn post(&self, uri: &str, json: &str) -> Answer {
        let request = Request::builder().method(Method::POST).uri(uri).header("host", "rv.test");
        let request = request.header("authorization", format!("Bearer {}", self.admin)).header("content-type", "application/json");
        self.send(request.body(Body::from(json.to_owned())).expect("a request")).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Fetches a playlist and all it names into a folder, laid out so that a player can play it from there.
    pub async fn download(&self, playlist_uri: &str, name: &str) -> PathBuf {
        let folder = self.dir.path().join(name);
        for sub in ["init", "segments"] {
            std::fs::create_dir_all(folder.join(sub)).expect("a folder");
        }
        let playlist = self.get(playlist_uri).await;
        assert_eq!(playlist.status, 200, "{}", playlist.text());
        let base = playlist_uri.rsplit_once('/').expect("a path").0;
        let text = playlist.text();
        let maps = text.lines().filter_map(|l| l.strip_prefix("#EXT-X-MAP:URI=\"")).filter_map(|l| l.strip_suffix('"'));
        for uri in maps.chain(text.lines().filter(|l| l.starts_with("segments/"))) {
            let part = self.get(&format!("{base}/{uri}")).await;
            assert_eq!(part.status, 200, "{uri}");
            std::fs::write(folder.join(uri), &part.body).expect("a file");
        }
        let path = folder.join("media.m3u8");
        std::fs::write(&path, text).expect("a file");
        path
    }
}

/// A short film with a picture of 128x96, five a second, a keyframe each second, and a tone.
pub fn small(start: Timestamp, seconds: u64) -> CameraOptions {
    CameraOptions {
        start,
        duration: Some(Duration::from_secs(seconds)),
        fps: 5,
        width: 128,
        height: 96,
        gop: 5,
        ..CameraOptions::default()
    }
}

fn film(folder: &Path, options: &CameraOptions, clock: &dyn Clock) -> PathBuf {
    let path = folder.join(format!("film-{}.bin", options.start.as_micros()));
    camera::run(options, CameraOutput::File(path.clone()), clock, &AtomicBool::new(false)).expect("a film");
    path
}

struct Cutter {
    root: MediaRoot,
    stream: StreamId,
    next_run: u64,
    next_sequence: u64,
    per_block: usize,
    run: Option<RunInfo>,
    writer: Option<(BlockWriter, BlockId)>,
    end: Option<Timestamp>,
    changes: Vec<IndexChange>,
    thumbnails: bool,
    stay_open: bool,
    pace: ThumbnailPace,
}

impl Cutter {
    #[allow(clippy::too_many_arguments)]
    fn cut(
        root: MediaRoot,
        file: &Path,
        stream: StreamId,
        start: Timestamp,
        (next_run, next_sequence): (u64, u64),
        per_block: usize,
        (thumbnails, stay_open): (bool, bool),
        clock: SharedClock,
    ) -> Cutter {
        let (run, writer, end, changes, pace) = (None, None, None, Vec::new(), ThumbnailPace::default());
        let mut cutter =
            Cutter { root, stream, next_run, next_sequence, per_block, run, writer, end, changes, thumbnails, stay_open, pace };
        let mut input =
            Input::open(file.to_str().expect("a path"), &OpenOptions::default(), Interrupt::new(clock.clone())).expect("the film opens");
        let mut segmenter = Segmenter::new(SegmenterConfig { target_us: 2_000_000, ..SegmenterConfig::exact(start) }, &input.tracks());
        let arrival = Arrival { wall: start, monotonic: Duration::ZERO };
        loop {
            match input.read().expect("the film can be read") {
                Read::Packet(packet) => segmenter.feed(&packet, arrival, &mut |event| cutter.take(event)).expect("a segment"),
                Read::End => break,
                _ => {}
            }
        }
        segmenter.finish(GapCause::SourceEnded, "", &mut |event| cutter.take(event)).expect("an end");
        cutter
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::RunStarted(start) => {
                let run = RunInfo {
                    id: RunId::new(start.start, u128::from(self.next_run) << 64 | u128::from(start.start.as_micros().unsigned_abs())),
                    stream: self.stream.clone(),
                    start: start.start,
                    ordinal: self.next_run,
                    video: start.init.video.clone(),
                    audio: start.init.audio.clone(),
                    init: start.init.bytes.clone(),
                    gaps_before: Vec::new(),
                    import_key: None,
                };
                self.next_run += 1;
                self.changes.push(IndexChange::RunStarted(run.clone()));
                self.run = Some(run);
            }
            Event::Segment(segment) => {
                let run = self.run.as_ref().expect("a run before its segments");
                if self.writer.is_none() {
                    let id = BlockId::new(segment.start, u128::from(self.next_sequence) << 8 | 1);
                    let new = NewBlock { account: AccountId::main(), id, start: segment.start, first_sequence: self.next_sequence, run };
                    let writer = BlockWriter::create(&self.root, &new).expect("a block");
                    self.changes.push(IndexChange::BlockOpened(writer.block_info(&AccountId::main(), id, run)));
                    if self.thumbnails {
                        begin_thumbnails(&self.root, id).expect("a file");
                    }
                    self.pace = ThumbnailPace::default();
                    self.writer = Some((writer, id));
                }
                let (writer, id) = self.writer.as_mut().expect("opened just now");
                let entry = writer
                    .append(&NewSegment {
                        start: segment.start,
                        wall_us: segment.wall_us,
                        media_us: segment.media_us,
                        keyframe_bytes: segment.keyframe_bytes,
                        independent: segment.independent,
                        sequence: self.next_sequence,
                        video: segment.video(),
                        audio: segment.audio(),
                    })
                    .expect("a segment");
                writer.sync().expect("synced");
                self.next_sequence += 1;
                self.end = Some(segment.start.saturating_add_micros(i64::from(segment.wall_us)));
                self.changes.push(IndexChange::SegmentAppended { block: *id, entry });
                if self.thumbnails && run.video.is_some() && self.pace.takes(segment.start) {
                    let keyframe = segment.video().concat()[..segment.keyframe_bytes as usize].to_vec();
                    let jpeg = decode_small(run.init.clone(), keyframe.into(), THUMBNAIL_WIDTH).expect("it decodes").bytes;
                    assert!(add_thumbnail(&self.root, *id, &Thumbnail { at: segment.start, jpeg }).expect("room"));
                }
                if writer.table().len() == self.per_block {
                    self.seal(None);
                }
            }
            Event::RunEnded(_) if self.stay_open => {}
            Event::RunEnded(end) => self.seal(Some(RunEnd { cause: end.cause, detail: String::new() })),
        }
    }

    fn seal(&mut self, end: Option<RunEnd>) {
        if let Some((mut writer, id)) = self.writer.take() {
            writer.set_pictures(open_thumbnails(&self.root, id));
            let sealed = writer.seal(end).expect("sealed");
            self.changes.push(IndexChange::BlockSealed { block: id, size_bytes: sealed.size_bytes, checksum: sealed.checksum });
        }
    }
}

/// What `ffprobe` says of a file or playlist: `key=value` lines of its `-show_entries`.
pub fn ffprobe(path: &Path, entries: &str) -> String {
    let mut command = std::process::Command::new("ffprobe");
    command.args(["-v", "error", "-show_entries", entries, "-of", "default=nw=1"]);
    let output = command.arg(path).output().expect("ffprobe is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).expect("a text")
}

/// Decodes everything; the number of pictures. Any complaint of the decoder fails.
pub fn decode(path: &Path) -> usize {
    let mut command = std::process::Command::new("ffmpeg");
    // libavformat warns at each change of init segment in a playlist; a file must not make it say a word.
    let is_playlist = path.extension().is_some_and(|e| e == "m3u8");
    command.args(["-v", if is_playlist { "error" } else { "warning" }]);
    if is_playlist {
        command.args(["-allowed_extensions", "ALL"]);
    }
    command.arg("-i").arg(path);
    command.args(["-map", "0:v", "-map", "0:a?", "-f", "framecrc", "-"]);
    let output = command.output().expect("ffmpeg is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8_lossy(&output.stdout).lines().filter(|l| l.starts_with("0,")).count()
}

/// A part of a picture, in grey: `width * height` bytes.
pub fn luma_of(jpeg: &[u8], [x, y, width, height]: [usize; 4]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("picture.jpg");
    std::fs::write(&file, jpeg).expect("a file");
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(&file).args(["-vf", &format!("crop={width}:{height}:{x}:{y}")]);
    let output = command.args(["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]).output().expect("ffmpeg is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty() && output.stdout.len() == width * height, "{errors}");
    output.stdout
}

/// The burned-in time of a part of a picture, in microseconds. Small pictures have no more than two lines of it.
pub fn clock_of(jpeg: &[u8], place: [usize; 4]) -> Option<i64> {
    let [_, _, width, height] = place;
    let luma = luma_of(jpeg, place);
    let line = &luma[(height - 2) * width..(height - 1) * width];
    clock_row::read(&line.repeat(10), width, width, 10).map(|ms| ms * 1000)
}
