//! What of a stream is there to be seen at a moment.
//!
//! The window moves with the clock, holds and erasures come and go; whoever asks for footage asks here first, with the moment.
//! Who decides it all is `retention`; this room only says what follows for the one who asks.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::db::{Db, DbResult};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// No segment is longer, because no block is. One that ends inside the window may begin so much before it.
const SEGMENT_US_MAX: i64 = 3_600_000_000;

/// Why footage is not shown any more. Reads what retention's rules say of themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Limit {
    /// The plan's window has passed over it.
    Plan { months: u32 },
    /// The stream's own limit has.
    Cap { hours: u32 },
    /// Somebody had it erased.
    Erased,
    /// By a rule of another version.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Plan { months } => {
                write!(f, "this footage has left the plan's window ({months} {})", plural(*months, "month", "months"))
            }
            Limit::Cap { hours } => {
                write!(f, "this footage has left the stream's own window ({hours} {})", plural(*hours, "hour", "hours"))
            }
            Limit::Erased => f.write_str("this footage was erased"),
            Limit::Unknown => f.write_str("this footage is gone"),
        }
    }
}

fn plural(n: u32, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

/// What of a stream is shown at a moment, to anyone at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visible {
    pub stream: StreamId,
    /// Whose stream it is.
    pub account: AccountId,
    /// What ends at this moment or before has left the window, and why; `None`: nothing leaves.
    pub from: Option<(Timestamp, Limit)>,
    /// Holds, margins included: footage that one touches stays to be seen by those who may see holds.
    pub held: Arc<[TimeRange]>,
    /// Being erased: shown to nobody.
    pub erasing: Arc<[TimeRange]>,
}

impl Visible {
    /// All of a stream.
    pub fn all(stream: StreamId, account: AccountId) -> Visible {
        Visible { stream, account, from: None, held: [].into(), erasing: [].into() }
    }

    pub fn window_start(&self) -> Option<Timestamp> {
        self.from.as_ref().map(|(from, _)| *from)
    }

    /// Why footage that is stored is not shown.
    pub fn why_not(&self, erasing: bool) -> Option<Limit> {
        if erasing { Some(Limit::Erased) } else { self.from.as_ref().map(|(_, limit)| limit.clone()) }
    }

    /// Whether footage over `range`, a whole segment, is shown to whoever may watch the stream.
    pub fn shows_anyone(&self, range: TimeRange) -> bool {
        self.shows(range, false)
    }

    /// Whether footage over `range`, a whole segment, is shown.
    pub(super) fn shows(&self, range: TimeRange, with_held: bool) -> bool {
        let touched = |ranges: &[TimeRange]| ranges.iter().any(|r| r.overlaps(range));
        let in_window = self.window_start().is_none_or(|from| range.end() > from);
        (in_window || (with_held && touched(&self.held))) && !touched(&self.erasing)
    }

    /// What need be looked at of `asked`: nothing before it is shown. `None`: nothing of it can be.
    pub(super) fn reach(&self, asked: TimeRange, with_held: bool) -> Option<TimeRange> {
        let Some(from) = self.window_start().filter(|from| asked.start() < *from) else { return Some(asked) };
        // Where all of `asked` lies before the window, a segment may still begin in it and end inside.
        let first = if asked.end() > from { from } else { from.saturating_add_micros(-SEGMENT_US_MAX) };
        let held = self.held.iter().filter(|h| with_held && h.overlaps(asked)).map(|h| h.start().saturating_add_micros(-SEGMENT_US_MAX));
        let start = held.fold(first, Timestamp::min).max(asked.start());
        TimeRange::new(start, asked.end()).ok()
    }

    /// The parts of `range` in which footage is shown, in time order.
    pub(super) fn parts(&self, range: TimeRange, with_held: bool) -> Vec<TimeRange> {
        let window = match self.window_start() {
            Some(from) => TimeRange::new(from, Timestamp::MAX).ok(),
            None => Some(TimeRange::ALL),
        };
        let held = self.held.iter().copied().filter(|_| with_held);
        let shown = TimeRange::merged(window.into_iter().chain(held).filter_map(|r| r.intersection(range)).collect());
        let hidden = TimeRange::merged(self.erasing.to_vec());
        shown.into_iter().flat_map(|part| without(part, &hidden)).collect()
    }
}

/// What is left of `part` without `hidden`, which are in order.
fn without(part: TimeRange, hidden: &[TimeRange]) -> Vec<TimeRange> {
    let mut left = Vec::new();
    let mut from = part.start();
    for hole in hidden.iter().filter(|h| h.overlaps(part)) {
        left.extend(TimeRange::new(from, hole.start()));
        from = from.max(hole.end());
    }
    left.extend(TimeRange::new(from, part.end()));
    left
}

/// Knows what of each stream is to be seen.
#[async_trait]
pub trait Windows: Send + Sync {
    /// `None`: there is no such stream. Asked with every segment: what does not change from one moment to the next is to be
    /// remembered.
    ///
    /// # Errors
    /// The rows cannot be read.
    async fn visible(&self, stream: &StreamId, now: Timestamp) -> DbResult<Option<Arc<Visible>>>;
}

/// Everything that is stored is to be seen: for tests and tools that have no plans.
pub struct Everything(pub Db);

#[async_trait]
impl Windows for Everything {
    async fn visible(&self, stream: &StreamId, _: Timestamp) -> DbResult<Option<Arc<Visible>>> {
        Ok(self.0.stream(stream).await?.map(|row| Arc::new(Visible::all(row.id, row.account))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start_s: i64, end_s: i64) -> TimeRange {
        TimeRange::new(Timestamp::from_secs(start_s), Timestamp::from_secs(end_s)).unwrap()
    }

    /// The window begins at 100 000 s.
    fn visible(held: &[(i64, i64)], erasing: &[(i64, i64)]) -> Visible {
        let ranges = |list: &[(i64, i64)]| list.iter().map(|(a, b)| range(*a, *b)).collect::<Arc<[_]>>();
        Visible {
            from: Some((Timestamp::from_secs(100_000), Limit::Cap { hours: 1 })),
            held: ranges(held),
            erasing: ranges(erasing),
            ..Visible::all("cam1".parse().unwrap(), AccountId::main())
        }
    }

    #[test]
    fn a_segment_is_shown_while_its_end_is_inside_the_window() {
        let v = visible(&[], &[]);
        assert!(!v.shows(range(99_996, 100_000), true));
        assert!(v.shows(range(99_997, 100_001), false), "it straddles the start");
    }

    #[test]
    fn held_segments_are_shown_to_those_who_may_see_holds() {
        let v = visible(&[(50_000, 50_010)], &[]);
        let segment = range(49_998, 50_002);
        assert!(v.shows(segment, true) && !v.shows(segment, false));
        assert!(!v.shows(range(50_010, 50_014), true));
    }

    #[test]
    fn what_is_being_erased_is_shown_to_nobody() {
        let v = visible(&[(50_000, 50_010)], &[(50_000, 50_001), (200_000, 200_001)]);
        assert!(!v.shows(range(49_998, 50_002), true) && !v.shows(range(199_998, 200_002), true));
        assert_eq!(v.parts(range(0, 300_000), true), [range(50_001, 50_010), range(100_000, 200_000), range(200_001, 300_000)]);
        assert_eq!(v.parts(range(0, 300_000), false), [range(100_000, 200_000), range(200_001, 300_000)]);
    }

    #[test]
    fn only_what_may_hold_something_is_looked_at() {
        let v = visible(&[(50_000, 50_010)], &[]);
        assert_eq!(v.reach(range(0, 200_000), false), Some(range(100_000, 200_000)));
        assert_eq!(v.reach(range(0, 200_000), true), Some(range(46_400, 200_000)));
        assert_eq!(v.reach(range(99_999, 100_000), false), Some(range(99_999, 100_000)), "its segment may end later");
        assert_eq!(v.reach(range(0, 90_000), false), None);
        assert_eq!(v.reach(range(150_000, 160_000), false), Some(range(150_000, 160_000)));
        assert_eq!(Visible::all("a".parse().unwrap(), AccountId::main()).reach(TimeRange::ALL, false), Some(TimeRange::ALL));
    }
}
