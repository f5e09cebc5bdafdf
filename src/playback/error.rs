//! Why something cannot be played.

use crate::db::DbError;
use crate::entitlement::{EntitlementError, Limit};
use crate::media::{BlockId, EmptyRange, RunId, StreamId, Timestamp};
use crate::store::StoreError;

/// Why something cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    #[error("there is no footage here{}", nearest(*previous_end, *next_start))]
    NoFootage { previous_end: Option<Timestamp>, next_start: Option<Timestamp> },
    /// There was footage, and it is not shown any more.
    #[error("{limit}{}", before(*window_start, limit))]
    Gone { limit: Limit, window_start: Option<Timestamp> },
    #[error("there is no stream `{0}`")]
    UnknownStream(StreamId),
    #[error("there is no run `{0}` of this stream")]
    UnknownRun(RunId),
    #[error("there is no block `{0}` of this stream")]
    UnknownBlock(BlockId),
    #[error("no segment of this stream starts at {0}")]
    UnknownSegment(Timestamp),
    #[error("there is sound here, but no picture")]
    NoPicture,
    #[error("no such small pictures are kept of this block; `thumbnails.json` says what there is")]
    NoThumbnails,
    #[error(transparent)]
    EmptyRange(#[from] EmptyRange),
    #[error("the range holds more than {segments_max} segments; ask for a shorter one")]
    RangeTooLong { segments_max: usize },
    #[error("give `start` and `end`")]
    MissingRange,
    #[error("the playlist asked for is more than two segments ahead of the newest")]
    TooFarAhead,
    #[error("too many pictures are being decoded at this moment; try again shortly")]
    Busy,
    /// Asking again gives the same.
    #[error("the picture at this time cannot be decoded")]
    Undecodable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The next try may succeed.
    #[error("decode a picture")]
    Decoder(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    NotPermitted(#[from] EntitlementError),
    #[error("look up footage")]
    Db(#[from] DbError),
    #[error("read footage")]
    Store(#[from] StoreError),
    #[error("stored footage is damaged: {what}")]
    Damaged { what: String },
}

fn before(window_start: Option<Timestamp>, limit: &Limit) -> String {
    let from = window_start.filter(|_| *limit != Limit::Erased);
    from.map_or_else(String::new, |from| format!("; what ended before {} is not served", from.to_rfc3339(0)))
}

fn nearest(previous_end: Option<Timestamp>, next_start: Option<Timestamp>) -> String {
    match (previous_end, next_start) {
        (None, None) => ", and nothing has been recorded yet".to_owned(),
        (Some(end), None) => format!("; the last ends at {}", end.to_rfc3339(0)),
        (None, Some(start)) => format!("; the first begins at {}", start.to_rfc3339(0)),
        (Some(end), Some(start)) => {
            format!("; the nearest ends at {} and begins at {}", end.to_rfc3339(0), start.to_rfc3339(0))
        }
    }
}
