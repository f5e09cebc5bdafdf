//! What a stream is doing now, for lists, pages and metrics.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use serde::Serialize;

use crate::ingest::protocol::StreamState;
use crate::media::{StreamId, Timestamp};

/// One stream at this moment. Counters run since the service started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StreamStatus {
    pub state: StreamState,
    /// One sentence for people; may be empty. Never holds credentials.
    pub detail: String,
    #[serde(rename = "since_us")]
    pub since: Timestamp,
    /// Connections that were lost and made again.
    pub reconnects: u64,
    pub segments: u64,
    pub bytes: u64,
    /// Of the newest segments, in bits per second of footage.
    #[serde(skip)]
    pub recent: RecentBytes,
    #[serde(rename = "last_segment_end_us")]
    pub last_segment_end: Option<Timestamp>,
    /// The worker process that has the stream.
    pub worker_pid: Option<u32>,
    /// How often its worker died.
    pub worker_deaths: u64,
}

/// How much the newest segments hold. The bitrate of one segment of a camera that shows little is mostly its keyframe; of some
/// thirty seconds it is what the stream sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecentBytes {
    segments: [(u32, u32); RECENT_SEGMENTS],
    next: usize,
}

const RECENT_SEGMENTS: usize = 8;

impl RecentBytes {
    pub fn add(&mut self, bytes: u32, wall_us: u32) {
        self.segments[self.next % RECENT_SEGMENTS] = (bytes, wall_us);
        self.next = (self.next + 1) % RECENT_SEGMENTS;
    }
    /// `None` before the first segment.
    pub fn bits_per_second(&self) -> Option<u64> {
        let sum = |part: fn(&(u32, u32)) -> u32| self.segments.iter().map(|s| u64::from(part(s))).sum::<u64>();
        let (bytes, wall_us) = (sum(|s| s.0), sum(|s| s.1));
        (wall_us > 0).then(|| bytes * 8_000_000 / wall_us)
    }
}

impl StreamStatus {
    pub fn new(state: StreamState, now: Timestamp) -> Self {
        StreamStatus {
            state,
            detail: String::new(),
            since: now,
            reconnects: 0,
            segments: 0,
            bytes: 0,
            recent: RecentBytes::default(),
            last_segment_end: None,
            worker_pid: None,
            worker_deaths: 0,
        }
    }
    /// `since` stays while the state does.
    pub fn enter(&mut self, state: StreamState, detail: &str, now: Timestamp) {
        if self.state != state {
            self.since = now;
        }
        self.state = state;
        self.detail = detail.into();
    }
}

/// Why nothing can be recorded, whatever the streams are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotRecording {
    /// Worker processes cannot be started.
    NoWorkers,
    Stopping,
}

/// The processes that record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WorkerCount {
    pub alive: u64,
    /// That died while they had streams, since the service started.
    pub deaths: u64,
}

#[derive(Default)]
struct Board {
    streams: HashMap<StreamId, StreamStatus>,
    not_recording: Option<NotRecording>,
    workers: WorkerCount,
}

/// All streams' statuses; read by many, written by the supervisor alone.
#[derive(Clone, Default)]
pub struct StatusBoard(Arc<RwLock<Board>>);

impl StatusBoard {
    pub fn get(&self, stream: &StreamId) -> Option<StreamStatus> {
        self.0.read().expect("writers do not panic").streams.get(stream).cloned()
    }
    pub fn all(&self) -> HashMap<StreamId, StreamStatus> {
        self.0.read().expect("writers do not panic").streams.clone()
    }
    pub fn not_recording(&self) -> Option<NotRecording> {
        self.0.read().expect("writers do not panic").not_recording
    }
    pub fn workers(&self) -> WorkerCount {
        self.0.read().expect("writers do not panic").workers
    }
    pub(super) fn set_alive(&self, workers: usize) {
        self.0.write().expect("writers do not panic").workers.alive = workers as u64;
    }
    pub(super) fn count_death(&self) {
        self.0.write().expect("writers do not panic").workers.deaths += 1;
    }
    pub(super) fn set_not_recording(&self, why: Option<NotRecording>) {
        self.0.write().expect("writers do not panic").not_recording = why;
    }
    pub(super) fn remove(&self, stream: &StreamId) {
        self.0.write().expect("writers do not panic").streams.remove(stream);
    }
    /// Changes one status, which begins as `Disabled` at `now`.
    pub(super) fn update(&self, stream: &StreamId, now: Timestamp, change: impl FnOnce(&mut StreamStatus)) {
        let mut board = self.0.write().expect("writers do not panic");
        change(board.streams.entry(stream.clone()).or_insert_with(|| StreamStatus::new(StreamState::Disabled, now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bitrate_is_that_of_the_newest_segments() {
        let mut recent = RecentBytes::default();
        assert_eq!(recent.bits_per_second(), None);
        recent.add(500_000, 4_000_000);
        assert_eq!(recent.bits_per_second(), Some(1_000_000));
        (0..8).for_each(|_| recent.add(1_000_000, 4_000_000));
        assert_eq!(recent.bits_per_second(), Some(2_000_000), "what came before is forgotten");
    }
}
