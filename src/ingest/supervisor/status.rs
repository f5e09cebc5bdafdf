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
    #[serde(rename = "last_segment_end_us")]
    pub last_segment_end: Option<Timestamp>,
    /// The worker process that has the stream.
    pub worker_pid: Option<u32>,
    /// How often its worker died.
    pub worker_deaths: u64,
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

#[derive(Default)]
struct Board {
    streams: HashMap<StreamId, StreamStatus>,
    not_recording: Option<NotRecording>,
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
