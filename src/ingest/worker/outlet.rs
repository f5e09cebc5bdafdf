//! Where a stream's thread sends what it read: straight to its recorder, or through a lane.
//!
//! A source that can wait (a file, a sender behind a pipe) writes straight: nothing is copied, and a slow disk
//! slows the source down. A live source that cannot wait goes through a lane, which copies each segment once.

use super::lane::{LaneEntry, Lanes, SharedRecorder, StreamEvent, lock};
use super::recorder::Segment;
use crate::ingest::protocol::StreamState;
use crate::media::{GapCause, TimeRange, Timestamp};
use crate::segment::Event;

pub(super) enum Way {
    Straight,
    Lane(LaneEntry),
}

/// A segment that begins this much before its limit is kept, and said to begin there; see `import`.
const SEAM_US: i64 = 1_000_000;

pub(super) struct Outlet {
    recorder: SharedRecorder,
    way: Way,
    /// Said instead of the segmenter's words when the run ends: why the connection did.
    end_detail: Option<String>,
    segments: u64,
    /// Nothing outside is written.
    limits: Option<TimeRange>,
}

impl Outlet {
    pub fn new(recorder: SharedRecorder, lanes: Option<&Lanes>) -> Self {
        let way = lanes.map_or(Way::Straight, |l| Way::Lane(l.enter(recorder.clone())));
        Outlet { recorder, way, end_detail: None, segments: 0, limits: None }
    }

    /// Segments handed over so far.
    pub fn segments(&self) -> u64 {
        self.segments
    }
    pub fn recorder(&self) -> &SharedRecorder {
        &self.recorder
    }
    pub fn set_end_detail(&mut self, detail: Option<String>) {
        self.end_detail = detail;
    }

    /// Leaves out what is outside; a segment across a limit is shortened in wall time where that is little.
    pub fn set_limits(&mut self, limits: Option<TimeRange>) {
        self.limits = limits;
    }
    /// Why what comes cannot be written, where that is known at once.
    pub fn trouble(&self) -> Option<String> {
        matches!(self.way, Way::Straight).then(|| lock(&self.recorder).trouble()).flatten()
    }

    /// Takes what the segmenter made.
    pub fn event(&mut self, event: Event<'_>) {
        match event {
            Event::RunStarted(run) => self.send(StreamEvent::RunStarted(run.init)),
            Event::Segment(s) => {
                let Some((start, wall_us)) = self.limited(s.start, s.wall_us) else { return };
                self.segments += 1;
                self.segment(&Segment {
                    start,
                    wall_us,
                    media_us: s.media_us,
                    keyframe_bytes: s.keyframe_bytes,
                    independent: s.independent,
                    video: s.video(),
                    audio: s.audio(),
                });
            }
            Event::RunEnded(end) => {
                let detail = self.end_detail.clone().unwrap_or_else(|| end.detail.to_string());
                self.send(StreamEvent::RunEnded { cause: end.cause, detail });
            }
        }
    }

    fn limited(&self, start: Timestamp, wall_us: u32) -> Option<(Timestamp, u32)> {
        let Some(limits) = self.limits else { return Some((start, wall_us)) };
        let end = start.saturating_add_micros(i64::from(wall_us)).min(limits.end());
        let from = start.max(limits.start());
        let left = u32::try_from(end.micros_since(from)).ok().filter(|left| *left > 0)?;
        (from.micros_since(start) <= SEAM_US).then_some((from, left))
    }

    fn segment(&mut self, segment: &Segment<'_>) {
        match &mut self.way {
            Way::Straight => {
                let mut recorder = lock(&self.recorder);
                recorder.segment(segment);
                recorder.settle();
            }
            Way::Lane(entry) => entry.segment(segment),
        }
    }

    pub fn state(&self, state: StreamState, detail: impl Into<String>) {
        self.send(StreamEvent::State { state, detail: detail.into() });
    }
    pub fn gap(&self, at: Timestamp, cause: GapCause, detail: impl Into<String>) {
        self.send(StreamEvent::Gap { at, cause, detail: detail.into() });
    }
    pub fn finish(&self, at: Timestamp, cause: GapCause, detail: impl Into<String>) {
        self.send(StreamEvent::Finish { at, cause, detail: detail.into() });
    }

    fn send(&self, event: StreamEvent) {
        match &self.way {
            Way::Straight => event.apply(&mut lock(&self.recorder)),
            Way::Lane(entry) => entry.event(event),
        }
    }
}
