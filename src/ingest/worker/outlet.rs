//! Where a stream's thread sends what it read: straight to its recorder, or through a lane.
//!
//! A source that can wait (a file, a sender behind a pipe) writes straight: nothing is copied, and a slow disk
//! slows the source down. A live source that cannot wait goes through a lane, which copies each segment once.

use super::lane::{LaneEntry, Lanes, SharedRecorder, StreamEvent, lock};
use super::recorder::Segment;
use crate::ingest::protocol::StreamState;
use crate::media::{GapCause, Timestamp};
use crate::segment::Event;

pub(super) enum Way {
    Straight,
    Lane(LaneEntry),
}

pub(super) struct Outlet {
    recorder: SharedRecorder,
    way: Way,
    /// Said instead of the segmenter's words when the run ends: why the connection did.
    end_detail: Option<String>,
    segments: u64,
}

impl Outlet {
    pub fn new(recorder: SharedRecorder, lanes: Option<&Lanes>) -> Self {
        let way = lanes.map_or(Way::Straight, |l| Way::Lane(l.enter(recorder.clone())));
        Outlet { recorder, way, end_detail: None, segments: 0 }
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

    /// Takes what the segmenter made.
    pub fn event(&mut self, event: Event<'_>) {
        match event {
            Event::RunStarted(run) => self.send(StreamEvent::RunStarted(run.init)),
            Event::Segment(s) => {
                self.segments += 1;
                self.segment(&Segment {
                    start: s.start,
                    wall_us: s.wall_us,
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
