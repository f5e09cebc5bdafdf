//! What supervisor and worker say to one another, over the worker's stdin and stdout.
//!
//! Each message is a length (u32, little-endian) and that many bytes of JSON. A worker never touches the
//! database: it writes block files and reports; the supervisor commits. Init segments travel in `init`
//! (base64 in JSON would be wasteful but they are about 1 KiB and come once a run).

use serde::{Deserialize, Serialize};

use crate::media::{AccountId, BlockId, Gap, GapCause, RunId, RunInfo, SegmentEntry, StreamId, Timestamp};

/// Where a stream is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// Opening the source, or waiting for a publisher.
    Connecting,
    /// Segments are being written.
    Recording,
    /// Connected, but nothing usable comes, or it cannot be written (disk full).
    Stalled,
    /// The source failed; waiting before the next try.
    BackingOff,
    /// Killed its worker too often; retried alone, rarely.
    Quarantined,
    /// Paused by an operator, or removed.
    Disabled,
}

impl StreamState {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            StreamState::Connecting => "connecting",
            StreamState::Recording => "recording",
            StreamState::Stalled => "stalled",
            StreamState::BackingOff => "backing_off",
            StreamState::Quarantined => "quarantined",
            StreamState::Disabled => "disabled",
        }
    }
}

/// Supervisor to worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker {
    /// First message: how to work. Sent once.
    Configure(WorkerConfig),
    /// Record this stream until told otherwise.
    Start(StreamJob),
    /// Finish the segment in flight, seal the block, report, and let go.
    Stop { stream: StreamId, cause: GapCause },
    /// A publisher has connected: read its body from this Unix socket.
    Publish { stream: StreamId, socket: String, format: PushFormat },
    /// What is in this file?
    Probe { path: String },
    /// Read this file whole.
    Import(ImportJob),
    /// What does this source send?
    Look(LookJob),
    /// `Stop` for all, then exit.
    Shutdown,
}

/// What a pushed body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushFormat {
    MpegTs,
    FragmentedMp4,
}

/// Settings of a worker process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerConfig {
    pub media_root: String,
    pub segment_target_us: u32,
    /// A source without keyframes is cut here.
    pub segment_max_us: u32,
    pub block_max_us: i64,
    pub block_max_bytes: u64,
    /// Recording stops while the disk has less than this free.
    pub min_free_bytes: u64,
    /// Streams that stop before the others when the disk fills, in this order.
    pub stop_first: Vec<String>,
    pub stop_first_step_bytes: u64,
    /// 0: every segment is synced before it is reported.
    pub sync_interval_us: i64,
    pub connect_timeout_us: i64,
    /// No packet for so long ends the connection.
    pub silence_timeout_us: i64,
    pub backoff_min_us: i64,
    pub backoff_max_us: i64,
    /// Networks (CIDR) that sources may not reach, whatever names, redirects and nested playlists say.
    pub forbidden_networks: Vec<String>,
    /// Folders that file sources may read.
    pub file_roots: Vec<String>,
    /// Make small pictures for scrubbing.
    #[serde(default)]
    pub thumbnails: bool,
    /// Locked (shared) by the worker for as long as it lives, so that a new supervisor can wait for orphans.
    pub lock_file: Option<String>,
}

impl WorkerConfig {
    /// Recording of the stream stops while the disk has less than this free.
    pub fn reserve_bytes(&self, stream: &StreamId) -> u64 {
        let turn = self.stop_first.iter().position(|id| id == stream.as_str());
        let steps = turn.map_or(0, |turn| self.stop_first.len() - turn) as u64;
        self.min_free_bytes.saturating_add(self.stop_first_step_bytes.saturating_mul(steps))
    }
}

/// One stream to record.
#[derive(Clone, Serialize, Deserialize)]
pub struct StreamJob {
    pub stream: StreamId,
    pub account: AccountId,
    /// `ingest::SourceSpec` as text, without credentials.
    pub source: String,
    /// What `ingest::SourceSpec` split off. Never logged.
    pub credentials: Option<String>,
    /// Nothing may be recorded before this: the end of what is already there.
    pub not_before: Timestamp,
    pub next_run_ordinal: u64,
    pub next_sequence: u64,
    /// Gaps since the last footage, not yet written into any file: the next run's header carries them.
    pub gaps_before: Vec<Gap>,
    /// The gap open now, if any: where it began and why.
    pub open_gap: Option<Gap>,
    /// Wait so long before the first try: a stream whose worker crashed.
    pub delay_us: i64,
}

/// One file to import.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportJob {
    pub stream: StreamId,
    pub account: AccountId,
    pub path: String,
    /// When the file's first picture was taken.
    pub start: Timestamp,
    /// Footage before or after these is left out: it is there already.
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// For `RunInfo::import_key`.
    pub key: String,
    pub next_run_ordinal: u64,
    pub next_sequence: u64,
}

/// A source to look at.
#[derive(Clone, Serialize, Deserialize)]
pub struct LookJob {
    /// As in [`StreamJob`].
    pub source: String,
    /// As in [`StreamJob`].
    pub credentials: Option<String>,
    /// The whole look takes no longer.
    pub limit_us: i64,
    /// Of the picture, at most.
    pub width: u32,
}

impl std::fmt::Debug for LookJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookJob").field("source", &self.source).finish_non_exhaustive()
    }
}

/// What a source sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sight {
    pub video: Option<SeenVideo>,
    pub audio: Option<SeenAudio>,
    /// RFC 6381, video first; `None` when nothing came that could be recorded.
    pub codecs: Option<String>,
    pub picture: Option<SeenPicture>,
    /// For people; with video but without a picture.
    pub why_no_picture: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenVideo {
    /// `h264`, `h265`, `av1`.
    pub codec: String,
    /// 0 when the source does not say.
    pub width: u32,
    pub height: u32,
    /// 0/1 when unknown.
    pub fps_num: u32,
    pub fps_den: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenAudio {
    /// As it would be recorded: `aac`, `opus`, `mp3`.
    pub codec: String,
    pub sample_rate: u32,
    pub channels: u32,
    /// What the source sends when that is not what is recorded.
    pub recoded_from: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenPicture {
    #[serde(with = "base64_bytes")]
    pub jpeg: bytes::Bytes,
    pub width: u32,
    pub height: u32,
}

/// Why there is nothing to be seen of a source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoSight {
    pub why: WhyNoSight,
    /// For people, without credentials.
    pub detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNoSight {
    /// The policy forbids it, or it is no source that can be looked at.
    NotAllowed,
    /// Nothing answers.
    Unreachable,
    /// Something answers and does not want us.
    Refused,
    /// It wants another user or password.
    Unauthorized,
    /// It answers, and sends nothing that can be recorded.
    NoMedia,
}

impl std::fmt::Debug for StreamJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamJob").field("stream", &self.stream).field("source", &self.source).finish_non_exhaustive()
    }
}

/// Worker to supervisor. Everything named here is already durable on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromWorker {
    Ready {
        pid: u32,
    },
    State {
        stream: StreamId,
        state: StreamState,
        detail: String,
    },
    RunStarted {
        run: RunInfo,
        #[serde(with = "base64_bytes")]
        init: bytes::Bytes,
    },
    BlockOpened {
        id: BlockId,
        account: AccountId,
        stream: StreamId,
        run: RunId,
        start: Timestamp,
        first_offset: u64,
        first_sequence: u64,
    },
    Segment {
        stream: StreamId,
        block: BlockId,
        entry: SegmentEntry,
    },
    BlockSealed {
        block: BlockId,
        size_bytes: u64,
        checksum: u64,
    },
    GapOpened {
        stream: StreamId,
        start: Timestamp,
        cause: GapCause,
        detail: String,
    },
    GapClosed {
        stream: StreamId,
        end: Timestamp,
    },
    /// The connection was lost and is being made again.
    Reconnecting {
        stream: StreamId,
        attempt: u32,
        delay_us: i64,
    },
    /// Answer to `Stop`, or the end of a source that has one (a file read once).
    Stopped {
        stream: StreamId,
        /// Why it ended by itself; empty when it was told to.
        #[serde(default)]
        detail: String,
    },
    /// A publisher is gone; how much of what it sent was recorded.
    PublishEnded {
        stream: StreamId,
        segments: u64,
        bytes: u64,
        cause: GapCause,
        detail: String,
    },
    /// Answer to `Probe`.
    Probed {
        duration_us: Option<i64>,
        /// RFC 3339.
        creation_time: Option<String>,
        error: Option<String>,
    },
    /// Answer to `Look`.
    Looked {
        outcome: Result<Sight, NoSight>,
    },
    /// Answer to `Import`, after all its reports.
    Imported {
        stream: StreamId,
        segments: u64,
        bytes: u64,
        error: Option<String>,
    },
    /// A log line of the worker, already free of credentials.
    Log {
        level: LogLevel,
        stream: Option<StreamId>,
        message: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(b: &bytes::Bytes, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(b))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<bytes::Bytes, D::Error> {
        let text = String::deserialize(d)?;
        STANDARD.decode(text).map(Into::into).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_stop_in_the_order_the_operator_chose_when_the_disk_fills() {
        let config = WorkerConfig {
            media_root: String::new(),
            segment_target_us: 0,
            segment_max_us: 0,
            block_max_us: 0,
            block_max_bytes: 0,
            min_free_bytes: 100,
            stop_first: vec!["lobby".into(), "yard".into()],
            stop_first_step_bytes: 10,
            sync_interval_us: 0,
            connect_timeout_us: 0,
            silence_timeout_us: 0,
            backoff_min_us: 0,
            backoff_max_us: 0,
            forbidden_networks: Vec::new(),
            file_roots: Vec::new(),
            thumbnails: false,
            lock_file: None,
        };
        assert_eq!(["lobby", "yard", "door"].map(|id| config.reserve_bytes(&id.parse().unwrap())), [120, 110, 100]);
    }
}
