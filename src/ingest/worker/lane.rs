//! Writer threads for live sources: reading must not wait for a disk.
//!
//! A stream's events go through one lane in order. A lane holds [`STREAM_SEGMENTS_MAX`] segments of one stream
//! and the worker [`QUEUE_BYTES_MAX`] in all; when a disk is too slow for that, the newest segment is dropped
//! and the recorder is told, which makes a gap (`overload`). Everything but segments is small and always goes in.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::recorder::{Recorder, Segment};
use crate::ffmpeg::InitSegment;
use crate::ingest::protocol::StreamState;
use crate::media::{GapCause, Timestamp};

/// Half a minute of segments: longer stalls of a disk are faults, and memory is for more than one stream.
const STREAM_SEGMENTS_MAX: usize = 8;
/// Of all streams of a worker: 32 s of 25 streams of 2 Mbit/s.
const QUEUE_BYTES_MAX: usize = 192 << 20;
/// Writer threads of a worker. Syncs of several streams wait for the disk together; more threads only wait more.
pub(super) const LANES: usize = 4;
/// Events handled before what they wrote is synced: a backlog of one stream costs one sync.
const BATCH_MAX: usize = 32;

/// A recorder, shared so that it can be closed when its thread hangs in a library.
pub(super) type SharedRecorder = Arc<Mutex<Recorder>>;

pub(super) fn lock(recorder: &SharedRecorder) -> MutexGuard<'_, Recorder> {
    recorder.lock().expect("the recorder does not panic")
}

/// What a stream's thread tells its recorder.
#[derive(Debug)]
pub(super) enum StreamEvent {
    RunStarted(InitSegment),
    Segment(OwnedSegment),
    Dropped { at: Timestamp },
    RunEnded { cause: GapCause, detail: String },
    Gap { at: Timestamp, cause: GapCause, detail: String },
    State { state: StreamState, detail: String },
    Finish { at: Timestamp, cause: GapCause, detail: String },
}

#[derive(Debug)]
pub(super) struct OwnedSegment {
    start: Timestamp,
    wall_us: u32,
    media_us: u32,
    keyframe_bytes: u32,
    independent: bool,
    video: Vec<u8>,
    audio: Vec<u8>,
}

impl OwnedSegment {
    pub fn copy_of(s: &Segment<'_>) -> Self {
        OwnedSegment {
            start: s.start,
            wall_us: s.wall_us,
            media_us: s.media_us,
            keyframe_bytes: s.keyframe_bytes,
            independent: s.independent,
            video: s.video.concat(),
            audio: s.audio.concat(),
        }
    }
    fn bytes(&self) -> usize {
        self.video.len() + self.audio.len()
    }
}

impl StreamEvent {
    /// Hands the event to the recorder. Segments are not durable before [`Recorder::settle`].
    pub fn apply(self, recorder: &mut Recorder) {
        match self {
            StreamEvent::RunStarted(init) => recorder.run_started(init),
            StreamEvent::Segment(s) => {
                let (video, audio) = ([&s.video[..]], [&s.audio[..]]);
                recorder.segment(&Segment {
                    start: s.start,
                    wall_us: s.wall_us,
                    media_us: s.media_us,
                    keyframe_bytes: s.keyframe_bytes,
                    independent: s.independent,
                    video: if s.video.is_empty() { &[] } else { &video },
                    audio: if s.audio.is_empty() { &[] } else { &audio },
                });
            }
            StreamEvent::Dropped { at } => recorder.dropped(at, GapCause::Overload, "more came than the disk could take"),
            StreamEvent::RunEnded { cause, detail } => recorder.run_ended(cause, &detail),
            StreamEvent::Gap { at, cause, detail } => recorder.gap(at, cause, &detail),
            StreamEvent::State { state, detail } => recorder.state(state, &detail),
            StreamEvent::Finish { at, cause, detail } => recorder.finish(at, cause, &detail),
        }
    }
}

#[derive(Default)]
struct Queue {
    events: VecDeque<(SharedRecorder, Arc<AtomicUsize>, StreamEvent)>,
    closed: bool,
}

/// One writer thread's queue.
#[derive(Default)]
struct Lane {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// All lanes of a worker.
#[derive(Clone)]
pub(super) struct Lanes {
    lanes: Arc<Vec<Lane>>,
    bytes: Arc<AtomicUsize>,
    next: Arc<AtomicUsize>,
}

/// One stream's way into its lane.
pub(super) struct LaneEntry {
    lanes: Lanes,
    lane: usize,
    recorder: SharedRecorder,
    /// Segments of this stream in the queue.
    waiting: Arc<AtomicUsize>,
    dropping: bool,
}

impl Lanes {
    /// Starts the writer threads. They end with [`Lanes::close`].
    ///
    /// # Errors
    /// The system refuses threads.
    pub fn start() -> std::io::Result<Lanes> {
        let lanes = Lanes { lanes: Arc::new((0..LANES).map(|_| Lane::default()).collect()), bytes: Arc::default(), next: Arc::default() };
        for n in 0..LANES {
            let lanes = lanes.clone();
            std::thread::Builder::new().name(format!("lane-{n}")).stack_size(256 << 10).spawn(move || lanes.work(n))?;
        }
        Ok(lanes)
    }

    pub fn enter(&self, recorder: SharedRecorder) -> LaneEntry {
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % LANES;
        LaneEntry { lanes: self.clone(), lane, recorder, waiting: Arc::default(), dropping: false }
    }

    /// Lets the threads end once their queues are empty.
    pub fn close(&self) {
        for lane in self.lanes.iter() {
            lane.queue().closed = true;
            lane.wake.notify_all();
        }
    }

    fn work(&self, n: usize) {
        let lane = &self.lanes[n];
        loop {
            let mut queue = lane.queue();
            while queue.events.is_empty() {
                if queue.closed {
                    return;
                }
                queue = lane.wake.wait(queue).expect("nothing panics while it holds the queue");
            }
            let n = queue.events.len().min(BATCH_MAX);
            let batch: Vec<_> = queue.events.drain(..n).collect();
            drop(queue);
            self.handle(batch);
        }
    }

    fn handle(&self, batch: Vec<(SharedRecorder, Arc<AtomicUsize>, StreamEvent)>) {
        let mut touched: Vec<SharedRecorder> = Vec::new();
        for (recorder, waiting, event) in batch {
            let bytes = if let StreamEvent::Segment(s) = &event { Some(s.bytes()) } else { None };
            event.apply(&mut lock(&recorder));
            if let Some(bytes) = bytes {
                self.bytes.fetch_sub(bytes, Ordering::AcqRel);
                waiting.fetch_sub(1, Ordering::AcqRel);
                if !touched.iter().any(|t| Arc::ptr_eq(t, &recorder)) {
                    touched.push(recorder);
                }
            }
        }
        for recorder in touched {
            lock(&recorder).settle();
        }
    }
}

impl Lane {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds the queue")
    }
}

impl LaneEntry {
    /// Queues a segment, or drops it when there is no room.
    pub fn segment(&mut self, segment: &Segment<'_>) {
        let bytes = usize::try_from(segment.bytes()).unwrap_or(usize::MAX);
        let waiting = self.waiting.load(Ordering::Acquire);
        let in_all = self.lanes.bytes.load(Ordering::Acquire).saturating_add(bytes);
        // One segment always goes in, or a stream beside a greedy one would never record.
        if waiting > 0 && (waiting >= STREAM_SEGMENTS_MAX || in_all > QUEUE_BYTES_MAX) {
            if !std::mem::replace(&mut self.dropping, true) {
                self.event(StreamEvent::Dropped { at: segment.start });
            }
            return;
        }
        self.dropping = false;
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.lanes.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.event(StreamEvent::Segment(OwnedSegment::copy_of(segment)));
    }

    pub fn event(&self, event: StreamEvent) {
        let lane = &self.lanes.lanes[self.lane];
        lane.queue().events.push_back((self.recorder.clone(), self.waiting.clone(), event));
        lane.wake.notify_one();
    }
}
