//! A run: everything from one unbroken connection with unchanged codec parameters.

use serde::{Deserialize, Serialize};

use super::{Gap, RunId, StreamId, Timestamp};

/// Ticks per second of every video track we write. 90 kHz divides the usual frame rates and is what TS uses.
pub const VIDEO_TIMESCALE: u32 = 90_000;
/// `track_ID` of video in every init segment we write.
pub const VIDEO_TRACK_ID: u32 = 1;
/// `track_ID` of audio in every init segment we write, also when there is no video.
pub const AUDIO_TRACK_ID: u32 = 2;

/// The video track of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VideoTrack {
    /// RFC 6381, for instance `avc1.64001f`, `hvc1.1.6.L93.B0`, `av01.0.04M.08`.
    pub codec: String,
    pub width: u32,
    pub height: u32,
    /// Nominal frame rate as a fraction; 0/1 when the source does not say.
    pub fps_num: u32,
    pub fps_den: u32,
}

/// The audio track of a run. Its timescale is `sample_rate`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AudioTrack {
    /// RFC 6381, for instance `mp4a.40.2`, `opus`, `mp4a.6b`.
    pub codec: String,
    pub sample_rate: u32,
    pub channels: u32,
}

/// What is known of a run when it starts. Stored in SQL once and in the header of each of its blocks, so
/// that the index can be rebuilt from any one of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunInfo {
    pub id: RunId,
    pub stream: StreamId,
    /// Wall time of the run's first sample: the anchor of its clock.
    pub start: Timestamp,
    /// Counts the stream's runs from 0, never reused: `EXT-X-DISCONTINUITY-SEQUENCE`.
    pub ordinal: u64,
    pub video: Option<VideoTrack>,
    pub audio: Option<AudioTrack>,
    /// `ftyp` + `moov`, what `EXT-X-MAP` names. Not in JSON: it stands in the file before the header.
    #[serde(skip)]
    pub init: bytes::Bytes,
    /// The gaps that lie between the run before and this one, oldest first, the last one ending at `start`.
    /// They are written into the file because the index must be rebuildable from files alone.
    #[serde(default)]
    pub gaps_before: Vec<Gap>,
    /// Identity of the imported file this run came from; `None` for live runs.
    #[serde(default)]
    pub import_key: Option<String>,
}

impl RunInfo {
    /// The `CODECS` attribute: video first.
    pub fn codecs(&self) -> String {
        let v = self.video.as_ref().map(|v| v.codec.as_str());
        let a = self.audio.as_ref().map(|a| a.codec.as_str());
        v.into_iter().chain(a).collect::<Vec<_>>().join(",")
    }
    /// Whether media of `other` can follow this run's without a new decoder: same init segment.
    pub fn same_parameters(&self, other: &RunInfo) -> bool {
        self.init == other.init
    }
}
