//! Who watched what, rolled up.
//!
//! A player fetches a segment every few seconds; a record for each would be a log nobody reads. What one person or program
//! sees of one stream is collected here, and becomes one record once they have stopped, or every ten minutes while they go
//! on: with the ranges they saw, exactly. Killed meanwhile, the service forgets what was not yet recorded, ten minutes at
//! most.
//!
//! Pure: the caller says when it is, and writes what comes out.

use std::collections::HashMap;

use serde_json::json;

use super::{Act, Event, acts};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// Nothing more for so long: they have stopped. A paused player fetches nothing either; half would make two records of a
/// pause for a coffee.
const IDLE_US: i64 = 60_000_000;
/// Who goes on watching is recorded this often.
const LONGEST_US: i64 = 600_000_000;
/// Ranges that do not touch, in one record. Scrubbing makes many; more become the next record.
const RANGES_MAX: usize = 200;
/// Viewers at once. More, and the one who has been quiet longest is recorded early.
const VIEWERS_MAX: usize = 20_000;

/// How footage was seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verb {
    /// Played.
    Watched,
    /// As a file: a clip, or a block.
    Exported,
    /// Single pictures.
    Pictured,
}

impl Verb {
    fn act(self) -> Act {
        match self {
            Verb::Watched => acts::FOOTAGE_WATCHED,
            Verb::Exported => acts::FOOTAGE_EXPORTED,
            Verb::Pictured => acts::FOOTAGE_PICTURED,
        }
    }
}

/// Somebody who sees something of a stream in one way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Viewer {
    pub account: AccountId,
    /// As in [`Event::actor`]: names session's user, token or signed address.
    pub actor: String,
    pub stream: StreamId,
    pub verb: Verb,
}

struct Seen {
    first: Timestamp,
    last: Timestamp,
    /// In time order, none touching another.
    ranges: Vec<TimeRange>,
}

/// See the module's text.
#[derive(Default)]
pub struct Views(HashMap<Viewer, Seen>);

impl Views {
    /// `viewer` sees `range` at `now`. What that makes due is given back, to be recorded.
    #[must_use]
    pub fn note(&mut self, viewer: Viewer, range: TimeRange, now: Timestamp) -> Vec<Event> {
        let mut due = Vec::new();
        if self.0.len() >= VIEWERS_MAX
            && !self.0.contains_key(&viewer)
            && let Some(quietest) = self.0.iter().min_by_key(|(_, seen)| seen.last).map(|(viewer, _)| viewer.clone())
        {
            due.extend(self.0.remove(&quietest).map(|seen| event(quietest, &seen)));
        }
        let seen = self.0.entry(viewer.clone()).or_insert_with(|| Seen { first: now, last: now, ranges: Vec::new() });
        seen.last = now;
        insert(&mut seen.ranges, range);
        if seen.ranges.len() >= RANGES_MAX {
            due.extend(self.0.remove(&viewer).map(|seen| event(viewer, &seen)));
        }
        due
    }

    /// What is to be recorded at `now`.
    #[must_use]
    pub fn due(&mut self, now: Timestamp) -> Vec<Event> {
        let is_due = |seen: &Seen| now.micros_since(seen.last) >= IDLE_US || now.micros_since(seen.first) >= LONGEST_US;
        let viewers: Vec<Viewer> = self.0.iter().filter(|(_, seen)| is_due(seen)).map(|(viewer, _)| viewer.clone()).collect();
        self.take(viewers)
    }

    /// Everything: the service ends.
    #[must_use]
    pub fn all(&mut self) -> Vec<Event> {
        let viewers = self.0.keys().cloned().collect();
        self.take(viewers)
    }

    fn take(&mut self, viewers: Vec<Viewer>) -> Vec<Event> {
        let mut events: Vec<Event> =
            viewers.into_iter().filter_map(|viewer| self.0.remove(&viewer).map(|seen| event(viewer, &seen))).collect();
        events.sort_by_key(|e| e.at);
        events
    }
}

/// Puts a range among the others, joined with those it touches.
fn insert(ranges: &mut Vec<TimeRange>, new: TimeRange) {
    let from = ranges.partition_point(|r| r.end() < new.start());
    let to = ranges.partition_point(|r| r.start() <= new.end());
    let touched = &ranges[from..to];
    let start = touched.first().map_or(new.start(), |r| r.start().min(new.start()));
    let end = touched.last().map_or(new.end(), |r| r.end().max(new.end()));
    let joined = TimeRange::new(start, end).expect("it holds the new one, which is not empty");
    ranges.splice(from..to, [joined]);
}

fn event(viewer: Viewer, seen: &Seen) -> Event {
    let ranges: Vec<[i64; 2]> = seen.ranges.iter().map(|r| [r.start().as_micros(), r.end().as_micros()]).collect();
    let event = Event::system(seen.last, viewer.verb.act()).by(viewer.actor).of_account(&viewer.account).on_stream(&viewer.stream);
    let event = event.with("from_us", seen.first.as_micros()).with("ranges_us", json!(ranges));
    match (seen.ranges.first(), seen.ranges.last()) {
        (Some(first), Some(last)) => match TimeRange::new(first.start(), last.end()) {
            Ok(hull) => event.over(hull),
            Err(_) => event,
        },
        _ => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_secs(1_777_816_800 + s)
    }
    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange::new(at(from), at(to)).unwrap()
    }
    fn viewer(actor: &str, verb: Verb) -> Viewer {
        Viewer { account: AccountId::main(), actor: actor.into(), stream: "door".parse().unwrap(), verb }
    }
    fn ranges(event: &Event) -> Vec<(i64, i64)> {
        let base = at(0).as_micros();
        let all = event.details["ranges_us"].as_array().unwrap().iter();
        all.map(|r| ((r[0].as_i64().unwrap() - base) / 1_000_000, (r[1].as_i64().unwrap() - base) / 1_000_000)).collect()
    }

    #[test]
    fn an_hour_of_watching_is_a_handful_of_records_with_exactly_what_was_seen() {
        let mut views = Views::default();
        let mut events = Vec::new();
        for i in 0..900 {
            events.extend(views.note(viewer("user a", Verb::Watched), range(4 * i, 4 * i + 4), at(10_000 + 4 * i)));
            events.extend(views.due(at(10_000 + 4 * i)));
        }
        events.extend(views.due(at(20_000)));
        assert_eq!(events.len(), 6);
        assert_eq!(ranges(&events[0]).len(), 1);
        assert_eq!(ranges(&events[0])[0].0, 0);
        assert!(events.windows(2).all(|w| ranges(&w[0])[0].1 == ranges(&w[1])[0].0), "nothing twice, nothing left out");
        assert_eq!(ranges(&events[5])[0].1, 3600);
        assert!(views.all().is_empty());
    }

    #[test]
    fn jumping_about_gives_the_ranges_apart_and_ways_of_seeing_their_own_records() {
        let mut views = Views::default();
        for (verb, from, to) in [
            (Verb::Watched, 100, 104),
            (Verb::Watched, 0, 4),
            (Verb::Pictured, 50, 51),
            (Verb::Watched, 4, 8),
            (Verb::Watched, 2, 6),
            (Verb::Exported, 0, 500),
        ] {
            assert!(views.note(viewer("user a", verb), range(from, to), at(1000)).is_empty());
        }
        assert!(views.due(at(1030)).is_empty(), "they may go on");
        let mut events = views.due(at(1060));
        events.sort_by(|a, b| a.act.cmp(&b.act));
        assert_eq!(events.iter().map(|e| e.act.as_str()).collect::<Vec<_>>(), ["footage.exported", "footage.pictured", "footage.watched"]);
        assert_eq!(ranges(&events[2]), [(0, 8), (100, 104)]);
        assert_eq!(events[2].range, Some(range(0, 104)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut views = Views::default();
        let mut recorded = 0;
        for i in 0..1000 {
            recorded += views.note(viewer("user a", Verb::Watched), range(10 * i, 10 * i + 1), at(i)).len();
        }
        assert_eq!(recorded, 5);
        let crowd: usize = (0..VIEWERS_MAX as i64 + 10)
            .map(|i| views.note(viewer(&format!("user {i}"), Verb::Watched), range(0, 1), at(2000 + i)).len())
            .sum();
        assert_eq!(crowd, 10);
    }
}
