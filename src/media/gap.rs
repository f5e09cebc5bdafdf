//! Time in which nothing playable is stored, and why.

use serde::{Deserialize, Serialize};

use super::{TimeRange, Timestamp};

/// Why nothing was recorded. Stored in block files as its code: never renumber, only add.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum GapCause {
    /// Nobody knows: the index was rebuilt and the files do not say.
    Unknown = 0,
    /// The source could not be reached (name, route, time-out on connecting).
    SourceUnreachable = 1,
    /// The source answered and said no (connection refused, bad credentials, not found).
    SourceRefused = 2,
    /// The connection stood but nothing came.
    SourceSilent = 3,
    /// The source closed the connection, or the connection broke.
    SourceEnded = 4,
    /// What came could not be understood or played.
    SourceInvalid = 5,
    /// The source's own timestamps jumped.
    TimestampJump = 6,
    /// Our clock was set.
    ClockJump = 7,
    /// Codec or picture size changed; the new run began a little later.
    CodecChange = 8,
    /// The disk was full, or below the reserve the operator set.
    DiskFull = 9,
    /// Writing failed for another reason.
    WriteFailed = 10,
    /// More came than could be written; whole segments were dropped.
    Overload = 11,
    /// The process reading this source crashed.
    WorkerCrashed = 12,
    /// The service was stopped.
    ServiceStopped = 13,
    /// The service was killed or the machine lost power.
    ServiceKilled = 14,
    /// An operator paused the stream.
    Paused = 15,
    /// A pushing sender was not there.
    NoPublisher = 16,
    /// Between imported recordings.
    NotImported = 17,
    /// Bytes that were stored are lost or damaged; found by a check.
    Damaged = 18,
    /// The stream did not exist yet, or had been removed.
    Removed = 19,
    /// Footage was here and was erased because somebody asked for it.
    Erased = 20,
}

impl GapCause {
    pub const ALL: [GapCause; 21] = [
        GapCause::Unknown,
        GapCause::SourceUnreachable,
        GapCause::SourceRefused,
        GapCause::SourceSilent,
        GapCause::SourceEnded,
        GapCause::SourceInvalid,
        GapCause::TimestampJump,
        GapCause::ClockJump,
        GapCause::CodecChange,
        GapCause::DiskFull,
        GapCause::WriteFailed,
        GapCause::Overload,
        GapCause::WorkerCrashed,
        GapCause::ServiceStopped,
        GapCause::ServiceKilled,
        GapCause::Paused,
        GapCause::NoPublisher,
        GapCause::NotImported,
        GapCause::Damaged,
        GapCause::Removed,
        GapCause::Erased,
    ];

    pub fn code(self) -> u8 {
        self as u8
    }
    /// The cause with this code; [`GapCause::Unknown`] for a code written by a later version.
    pub fn from_code(code: u8) -> GapCause {
        Self::ALL.get(usize::from(code)).copied().unwrap_or(GapCause::Unknown)
    }
    /// The stable name used in JSON, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            GapCause::Unknown => "unknown",
            GapCause::SourceUnreachable => "source_unreachable",
            GapCause::SourceRefused => "source_refused",
            GapCause::SourceSilent => "source_silent",
            GapCause::SourceEnded => "source_ended",
            GapCause::SourceInvalid => "source_invalid",
            GapCause::TimestampJump => "timestamp_jump",
            GapCause::ClockJump => "clock_jump",
            GapCause::CodecChange => "codec_change",
            GapCause::DiskFull => "disk_full",
            GapCause::WriteFailed => "write_failed",
            GapCause::Overload => "overload",
            GapCause::WorkerCrashed => "worker_crashed",
            GapCause::ServiceStopped => "service_stopped",
            GapCause::ServiceKilled => "service_killed",
            GapCause::Paused => "paused",
            GapCause::NoPublisher => "no_publisher",
            GapCause::NotImported => "not_imported",
            GapCause::Damaged => "damaged",
            GapCause::Removed => "removed",
            GapCause::Erased => "erased",
        }
    }
}

/// A gap of one stream. `end` is `None` while it lasts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gap {
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub cause: GapCause,
    /// One sentence for people; empty when the cause says it all. Never holds credentials.
    #[serde(default)]
    pub detail: String,
}

impl Gap {
    /// The part of the gap inside `range`, an unfinished gap reaching to `range`'s end.
    pub fn within(&self, range: TimeRange) -> Option<TimeRange> {
        let end = self.end.unwrap_or(range.end());
        TimeRange::new(self.start, end).ok()?.intersection(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_names_and_json_agree() {
        for cause in GapCause::ALL {
            assert_eq!(GapCause::from_code(cause.code()), cause);
            assert_eq!(serde_json::to_string(&cause).unwrap(), format!("\"{}\"", cause.as_str()));
        }
        assert_eq!(GapCause::from_code(250), GapCause::Unknown);
    }
}
