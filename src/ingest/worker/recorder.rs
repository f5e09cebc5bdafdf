//! One stream's way onto the disk: runs, blocks, segments, gaps, each reported once it is durable.
//!
//! The segmenter's runs are not always ours: when a segment cannot be written it is dropped, our run ends
//! there with a gap that says why, and the next segment that can be written begins a new run with the same
//! init segment. Each segment is a new try, so recording goes on by itself when there is room again.

use std::time::Duration;

use super::pictures::{Keyframe, Pictures};
use super::reports::ReportSink;
use crate::clock::SharedClock;
use crate::ffmpeg::InitSegment;
use crate::ingest::gap_list::GapList;
use crate::ingest::protocol::{FromWorker, LogLevel, StreamState};
use crate::media::{AccountId, BlockId, GapCause, RunId, RunInfo, SegmentEntry, StreamId, ThumbnailPace, Timestamp};
use crate::store::thumbnails::open_thumbnails;
use crate::store::{BlockWriter, MediaRoot, NewBlock, NewSegment, RunEnd, StoreError};

/// Blocks that could not be sealed for want of room and are tried again. More are left to recovery.
const UNSEALED_MAX: usize = 16;

/// How blocks are made.
#[derive(Clone, Debug)]
pub(super) struct RecorderConfig {
    pub block_max_us: i64,
    pub block_max_bytes: u64,
    pub min_free_bytes: u64,
    pub sync: SyncPolicy,
    pub import_key: Option<String>,
}

/// When written segments are made durable, and so reported: at the first segment after either is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct SyncPolicy {
    pub interval: Duration,
    pub bytes: u64,
}

/// Where the stream's timeline stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    /// End of the footage; the epoch when there is none.
    pub end: Timestamp,
    pub next_run_ordinal: u64,
    pub next_sequence: u64,
    pub gaps: GapList,
}

/// A segment to be written: the pieces of its video and of its audio `moof mdat`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub start: Timestamp,
    pub wall_us: u32,
    pub media_us: u32,
    pub keyframe_bytes: u32,
    pub independent: bool,
    pub video: &'a [&'a [u8]],
    pub audio: &'a [&'a [u8]],
}

impl Segment<'_> {
    pub fn bytes(&self) -> u64 {
        self.video.iter().chain(self.audio).map(|p| p.len() as u64).sum()
    }
    fn end(&self) -> Timestamp {
        self.start.saturating_add_micros(i64::from(self.wall_us))
    }
    /// The video up to the end of its first picture, which is a keyframe.
    fn keyframe(&self) -> Option<Vec<u8>> {
        let mut left = if self.independent { self.keyframe_bytes as usize } else { 0 };
        let mut bytes = Vec::with_capacity(left);
        for piece in self.video {
            let (first, _) = piece.split_at(left.min(piece.len()));
            bytes.extend_from_slice(first);
            left -= first.len();
        }
        (!bytes.is_empty() && left == 0).then_some(bytes)
    }
}

struct OpenBlock {
    id: BlockId,
    writer: BlockWriter,
    reported: bool,
    /// Written but not yet durable.
    unreported: Vec<SegmentEntry>,
    unreported_bytes: u64,
    /// `None`: no small pictures are made of it.
    pace: Option<ThumbnailPace>,
}

struct OpenRun {
    info: RunInfo,
    reported: bool,
    block: Option<OpenBlock>,
}

/// Writes one stream. See the module's documentation.
pub(super) struct Recorder {
    root: MediaRoot,
    account: AccountId,
    stream: StreamId,
    config: RecorderConfig,
    clock: SharedClock,
    reports: Box<dyn ReportSink>,
    pictures: Pictures,
    timeline: Timeline,
    /// Parameters of the segmenter's run.
    init: Option<InitSegment>,
    run: Option<OpenRun>,
    unsealed: Vec<(BlockId, BlockWriter, RunEnd)>,
    /// Why segments are being dropped.
    stalled: Option<(GapCause, String)>,
    last_sync: Duration,
    segments: u64,
    bytes: u64,
    finished: bool,
}

impl Recorder {
    pub fn new(
        root: MediaRoot,
        (account, stream): (AccountId, StreamId),
        config: RecorderConfig,
        timeline: Timeline,
        clock: SharedClock,
        reports: Box<dyn ReportSink>,
    ) -> Self {
        Recorder {
            root,
            account,
            stream,
            config,
            last_sync: clock.monotonic(),
            clock,
            reports,
            pictures: Pictures::none(),
            timeline,
            init: None,
            run: None,
            unsealed: Vec::new(),
            stalled: None,
            segments: 0,
            bytes: 0,
            finished: false,
        }
    }

    /// Has small pictures made of what it writes.
    pub fn with_pictures(self, pictures: Pictures) -> Self {
        Recorder { pictures, ..self }
    }

    /// Segments and bytes written so far.
    pub fn written(&self) -> (u64, u64) {
        (self.segments, self.bytes)
    }

    /// Why segments are being dropped, if they are.
    pub fn trouble(&self) -> Option<String> {
        self.stalled.as_ref().map(|(_, why)| why.clone())
    }
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The segmenter begins a run with these parameters; its first segment follows.
    pub fn run_started(&mut self, init: InitSegment) {
        self.init = Some(init);
    }

    /// The segmenter's run is over.
    pub fn run_ended(&mut self, cause: GapCause, detail: &str) {
        self.init = None;
        if self.run.is_some() {
            self.end_run(cause, detail);
        }
    }

    /// Writes a segment, or drops it and says why. Not durable before [`Recorder::settle`].
    pub fn segment(&mut self, segment: &Segment<'_>) {
        if self.finished || segment.start < self.timeline.end {
            return;
        }
        match self.try_segment(segment) {
            Ok(()) => {
                self.segments += 1;
                self.bytes += segment.bytes();
                if self.stalled.take().is_some() {
                    self.log(LogLevel::Info, "recording goes on");
                    self.state(StreamState::Recording, "");
                }
            }
            Err(error) => {
                let detail = describe(&error);
                self.drop_segment(segment.start, error.gap_cause(), &detail);
            }
        }
    }

    /// Segments from `at` on did not get here: they were dropped on the way.
    pub fn dropped(&mut self, at: Timestamp, cause: GapCause, detail: &str) {
        if !self.finished {
            self.drop_segment(at, cause, detail);
        }
    }

    /// Makes what has been written durable, if that is due, and reports it.
    pub fn settle(&mut self) {
        let Some(block) = self.run.as_ref().and_then(|r| r.block.as_ref()) else { return };
        let waited = self.clock.monotonic().saturating_sub(self.last_sync);
        let due = waited >= self.config.sync.interval || block.unreported_bytes >= self.config.sync.bytes;
        if due && !block.unreported.is_empty() {
            self.sync();
        }
    }

    /// Nothing comes from `at` on, because of `cause`. Says nothing before the first footage, and nothing when
    /// the gap is already there for that cause.
    pub fn gap(&mut self, at: Timestamp, cause: GapCause, detail: &str) {
        let open = self.timeline.gaps.open.as_ref();
        if self.finished || self.timeline.end == Timestamp::MIN || open.is_some_and(|g| g.cause == cause && g.detail == detail) {
            return;
        }
        let same = open.is_some_and(|g| g.cause == cause);
        let start = match open {
            Some(gap) if same => gap.start,
            Some(gap) => at.max(gap.start),
            None => at.max(self.timeline.end),
        };
        if open.is_some_and(|g| g.start != start) {
            self.report(FromWorker::GapClosed { stream: self.stream.clone(), end: start });
        }
        self.timeline.gaps.open(start, cause, detail);
        self.report(FromWorker::GapOpened { stream: self.stream.clone(), start, cause, detail: detail.into() });
    }

    /// What the stream is doing. While segments cannot be written it is stalled, whatever its source does.
    pub fn state(&mut self, state: StreamState, detail: &str) {
        let (state, detail) = match &self.stalled {
            Some((_, why)) if state == StreamState::Recording => (StreamState::Stalled, why.clone()),
            _ => (state, detail.to_string()),
        };
        if !self.finished {
            self.report(FromWorker::State { stream: self.stream.clone(), state, detail });
        }
    }

    /// Ends everything. `gap`: from when on nothing comes, when that is later than the end of the footage.
    pub fn finish(&mut self, at: Timestamp, cause: GapCause, detail: &str) {
        if self.finished {
            return;
        }
        self.run_ended(cause, detail);
        self.gap(at, cause, detail);
        for (id, mut writer, end) in std::mem::take(&mut self.unsealed) {
            // What still cannot be sealed is sealed by recovery.
            if let Ok(sealed) = writer.seal(Some(end)) {
                self.report(FromWorker::BlockSealed { block: id, size_bytes: sealed.size_bytes, checksum: sealed.checksum });
            }
        }
        self.finished = true;
    }

    // ---- writing

    fn try_segment(&mut self, segment: &Segment<'_>) -> Result<(), StoreError> {
        self.check_room(segment)?;
        self.seal_leftovers();
        if self.run.is_some() && segment.start != self.timeline.end {
            // Only after a drop that was not announced; runs are contiguous whatever happens.
            self.end_run(GapCause::TimestampJump, "");
        }
        self.rotate_when_full(segment)?;
        let info = match self.run.take() {
            Some(run) => run,
            None => self.begin_run(segment.start)?,
        };
        let run = self.run.insert(info);
        if run.block.is_none() {
            let id = BlockId::new(self.clock.now(), random());
            let new = NewBlock {
                account: self.account.clone(),
                id,
                start: segment.start,
                first_sequence: self.timeline.next_sequence,
                run: &run.info,
            };
            let writer = BlockWriter::create(&self.root, &new)?;
            let pace = (run.info.video.is_some() && self.pictures.begin(&self.root, id)).then(ThumbnailPace::default);
            run.block = Some(OpenBlock { id, writer, reported: false, unreported: Vec::new(), unreported_bytes: 0, pace });
        }
        let block = run.block.as_mut().expect("made above when missing");
        let entry = block.writer.append(&NewSegment {
            start: segment.start,
            wall_us: segment.wall_us,
            media_us: segment.media_us,
            keyframe_bytes: segment.keyframe_bytes,
            independent: segment.independent,
            sequence: self.timeline.next_sequence,
            video: segment.video,
            audio: segment.audio,
        })?;
        block.unreported.push(entry);
        block.unreported_bytes += u64::from(entry.stored_bytes());
        let due = segment.independent && block.pace.as_mut().is_some_and(|pace| pace.takes(segment.start));
        if let Some(media) = due.then(|| segment.keyframe()).flatten() {
            let (stream, init) = (self.stream.clone(), run.info.init.clone());
            self.pictures.hand_over(Keyframe { stream, block: block.id, at: segment.start, init, media, hurry: false });
        }
        self.timeline.next_sequence += 1;
        self.timeline.end = segment.end();
        Ok(())
    }

    fn check_room(&self, segment: &Segment<'_>) -> Result<(), StoreError> {
        let free = self.root.free_bytes()?;
        if free < self.config.min_free_bytes.saturating_add(segment.bytes()) {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StoreError::io("keep the reserve (`media.min_free`) of", self.root.path(), source));
        }
        Ok(())
    }

    fn begin_run(&mut self, start: Timestamp) -> Result<OpenRun, StoreError> {
        let init = self.init.as_ref().ok_or(StoreError::Misplaced { sequence: self.timeline.next_sequence, what: "no run has begun" })?;
        // The list itself is only taken when the run is reported: until then a drop may undo it.
        let mut gaps = self.timeline.gaps.clone();
        let info = RunInfo {
            id: RunId::new(self.clock.now(), random()),
            stream: self.stream.clone(),
            start,
            ordinal: self.timeline.next_run_ordinal,
            video: init.video.clone(),
            audio: init.audio.clone(),
            init: init.bytes.clone(),
            gaps_before: gaps.take_for_run(start),
            import_key: self.config.import_key.clone(),
        };
        Ok(OpenRun { info, reported: false, block: None })
    }

    fn rotate_when_full(&mut self, segment: &Segment<'_>) -> Result<(), StoreError> {
        let Some(block) = self.run.as_mut().and_then(|r| r.block.as_mut()) else { return Ok(()) };
        let wall = block.writer.table().wall_us() + i64::from(segment.wall_us);
        let size = block.writer.size_bytes() + segment.bytes();
        if block.writer.table().is_empty() || (wall <= self.config.block_max_us && size <= self.config.block_max_bytes) {
            return Ok(());
        }
        self.sync();
        let Some(block) = self.run.as_mut().and_then(|r| r.block.as_mut()) else { return Ok(()) };
        self.pictures.settle();
        block.writer.set_pictures(open_thumbnails(&self.root, block.id));
        let sealed = block.writer.seal(None)?;
        let id = block.id;
        self.run.as_mut().expect("it has the block").block = None;
        self.report(FromWorker::BlockSealed { block: id, size_bytes: sealed.size_bytes, checksum: sealed.checksum });
        Ok(())
    }

    /// Syncs the open block and reports what is now durable.
    fn sync(&mut self) {
        self.last_sync = self.clock.monotonic();
        let Some(block) = self.run.as_mut().and_then(|r| r.block.as_mut()) else { return };
        if let Err(error) = block.writer.sync() {
            // These segments may be lost. The block is left as it is: recovery keeps what is whole.
            self.timeline.end = block.writer.next_start();
            for entry in block.unreported.iter().rev() {
                self.timeline.end = self.timeline.end.saturating_add_micros(-i64::from(entry.wall_us));
            }
            self.run.as_mut().expect("it has the block").block = None;
            self.drop_segment(self.timeline.end, error.gap_cause(), &describe(&error));
            return;
        }
        self.report_durable();
    }

    fn report_durable(&mut self) {
        let Some(run) = &mut self.run else { return };
        let Some(block) = &mut run.block else { return };
        if block.unreported.is_empty() {
            return;
        }
        if !std::mem::replace(&mut run.reported, true) {
            let start = run.info.start;
            self.timeline.next_run_ordinal = run.info.ordinal + 1;
            if self.timeline.gaps.open.is_some() {
                self.reports.send(FromWorker::GapClosed { stream: self.stream.clone(), end: start });
            }
            self.timeline.gaps.take_for_run(start);
            self.reports.send(FromWorker::RunStarted { run: run.info.clone(), init: run.info.init.clone() });
        }
        if !std::mem::replace(&mut block.reported, true) {
            self.reports.send(FromWorker::BlockOpened {
                id: block.id,
                account: self.account.clone(),
                stream: self.stream.clone(),
                run: run.info.id,
                start: block.writer.start(),
                first_offset: block.writer.first_offset(),
                first_sequence: block.writer.next_sequence() - block.writer.table().len() as u64,
            });
        }
        for entry in block.unreported.drain(..) {
            self.reports.send(FromWorker::Segment { stream: self.stream.clone(), block: block.id, entry });
        }
        block.unreported_bytes = 0;
    }

    /// Seals the run's last block and opens a gap at its end.
    fn end_run(&mut self, cause: GapCause, detail: &str) {
        self.sync();
        let Some(mut run) = self.run.take() else { return };
        let end = RunEnd { cause, detail: detail.into() };
        if let Some(block) = run.block.take() {
            self.close_block(block, end);
        }
        if run.reported {
            self.gap(self.timeline.end, cause, detail);
        }
    }

    fn close_block(&mut self, mut block: OpenBlock, end: RunEnd) {
        if block.writer.table().is_empty() {
            // An empty file is only clutter; recovery removes what could not be removed here.
            let _ = block.writer.discard(&self.root, block.id);
            return;
        }
        self.pictures.settle();
        block.writer.set_pictures(open_thumbnails(&self.root, block.id));
        match block.writer.seal(Some(end.clone())) {
            Ok(sealed) => {
                let report = FromWorker::BlockSealed { block: block.id, size_bytes: sealed.size_bytes, checksum: sealed.checksum };
                self.report(report);
            }
            Err(e) if e.is_full() && self.unsealed.len() < UNSEALED_MAX => self.unsealed.push((block.id, block.writer, end)),
            Err(e) => self.log(LogLevel::Warn, &format!("a block is left to recovery: {}", describe(&e))),
        }
    }

    fn seal_leftovers(&mut self) {
        for (id, mut writer, end) in std::mem::take(&mut self.unsealed) {
            match writer.seal(Some(end.clone())) {
                Ok(sealed) => {
                    self.report(FromWorker::BlockSealed { block: id, size_bytes: sealed.size_bytes, checksum: sealed.checksum });
                }
                Err(_) => self.unsealed.push((id, writer, end)),
            }
        }
    }

    fn drop_segment(&mut self, at: Timestamp, cause: GapCause, detail: &str) {
        self.end_run(cause, detail);
        self.gap(at, cause, detail);
        if self.stalled.as_ref().is_none_or(|(c, _)| *c != cause) {
            self.log(LogLevel::Error, &format!("recording stops: {detail}"));
            self.stalled = Some((cause, detail.to_string()));
            self.state(StreamState::Stalled, detail);
        }
    }

    fn report(&mut self, report: FromWorker) {
        self.reports.send(report);
    }

    fn log(&mut self, level: LogLevel, message: &str) {
        let (stream, message) = (Some(self.stream.clone()), message.to_string());
        self.reports.send(FromWorker::Log { level, stream, message });
    }
}

/// The error with its causes, as one sentence.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

pub(super) fn random() -> u128 {
    let mut bytes = [0; 16];
    // Without randomness from the kernel nothing in this process is safe; ids would collide.
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    u128::from_ne_bytes(bytes)
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
