//! Which stream is read by which worker, and what follows when a worker dies. Pure: no process, no clock.
//!
//! A dead worker does not say whose bytes killed it. The first death of a shared worker proves nothing: all
//! its streams go into its successor. When that dies too within [`WINDOW`], its streams are split into two
//! workers, and each half that dies again is split again, so a hundred streams find the culprit in seven
//! more deaths while every innocent loses seconds. A stream that kills a worker it had for itself is
//! quarantined: alone, and tried again after [`QUARANTINE_MIN`], then after twice as long each time.
//!
//! **Invariant.** Every placed stream is in exactly one worker, and a worker without streams does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::media::StreamId;

/// Deaths closer together than this are taken for one cause. Hostile input kills within seconds of
/// connecting; half of this would let a stream with a long first segment through, double would blame more
/// streams for unrelated deaths.
pub const WINDOW: Duration = Duration::from_secs(60);
/// First wait of a stream that has killed a worker of its own twice.
pub const QUARANTINE_MIN: Duration = Duration::from_secs(10);
/// Longest wait: a camera repaired by its owner is back within this.
pub const QUARANTINE_MAX: Duration = Duration::from_secs(600);
/// A stream alone that lives so long is believed again.
pub const REHABILITATION: Duration = Duration::from_secs(600);
/// Deaths by a signal that only people and the kernel's memory killer send count as the stream's fault after
/// so many within [`WINDOW`]: a stream that eats all memory.
const OUTSIDE_MAX: usize = 5;

/// Names one worker for the life of the service; a successor of a dead one has a new one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WorkerId(pub u64);

/// How a worker died, as far as blame goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// A crash: the streams it had may be the reason.
    Crash,
    /// Killed from outside (SIGKILL, SIGTERM).
    Outside,
}

/// What to do after a death: start these workers with these streams.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Successors {
    pub workers: Vec<(WorkerId, Vec<StreamId>)>,
    /// Wait before the first try; only a quarantined stream waits.
    pub delay: Duration,
    /// The stream is the culprit.
    pub quarantined: bool,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    streams: BTreeSet<StreamId>,
    /// Deaths of this line of workers, oldest first, only those within the window.
    deaths: Vec<(Duration, Death)>,
    /// Under suspicion since: the next death splits at once.
    suspect_since: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Deaths of workers this stream had for itself.
    strikes: u32,
    last: Duration,
}

#[derive(Debug)]
pub struct Placement {
    slots: BTreeMap<WorkerId, Slot>,
    records: BTreeMap<StreamId, Record>,
    /// Shared workers to spread streams over.
    shared_max: usize,
    next: u64,
}

impl Placement {
    pub fn new(workers: usize) -> Self {
        Placement { slots: BTreeMap::new(), records: BTreeMap::new(), shared_max: workers.max(1), next: 0 }
    }

    pub fn worker_of(&self, stream: &StreamId) -> Option<WorkerId> {
        self.slots.iter().find(|(_, slot)| slot.streams.contains(stream)).map(|(id, _)| *id)
    }
    /// Puts the stream into the emptiest worker, or into a new one while there are fewer than wanted.
    pub fn place(&mut self, stream: &StreamId) -> WorkerId {
        if let Some(worker) = self.worker_of(stream) {
            return worker;
        }
        // A stream with strikes comes back alone.
        if self.records.get(stream).is_some_and(|r| r.strikes > 0) {
            return self.open(vec![stream.clone()], Slot { suspect_since: Some(Duration::ZERO), ..Slot::default() });
        }
        let shared = || self.slots.iter().filter(|(_, slot)| slot.suspect_since.is_none());
        let emptiest = shared().min_by_key(|(_, slot)| slot.streams.len()).map(|(id, _)| *id);
        match emptiest.filter(|_| shared().count() >= self.shared_max) {
            Some(worker) => {
                self.slots.get_mut(&worker).expect("just found").streams.insert(stream.clone());
                worker
            }
            None => self.open(vec![stream.clone()], Slot::default()),
        }
    }

    /// The stream is no longer recorded. Gives the worker that has nothing left to do.
    pub fn remove(&mut self, stream: &StreamId) -> Option<WorkerId> {
        let worker = self.worker_of(stream)?;
        let slot = self.slots.get_mut(&worker)?;
        slot.streams.remove(stream);
        if !slot.streams.is_empty() {
            return None;
        }
        self.slots.remove(&worker);
        Some(worker)
    }

    /// The stream's record is wiped: an operator changed it, so it deserves a new start.
    pub fn forgive(&mut self, stream: &StreamId) {
        self.records.remove(stream);
    }

    /// A worker died at `now`. Its id is gone; the answer says who takes over.
    pub fn died(&mut self, worker: WorkerId, death: Death, now: Duration) -> Successors {
        let Some(mut slot) = self.slots.remove(&worker) else { return Successors::default() };
        slot.deaths.retain(|(at, _)| now.saturating_sub(*at) < WINDOW);
        slot.deaths.push((now, death));
        let outside = slot.deaths.iter().filter(|(_, d)| *d == Death::Outside).count();
        let blamed = death == Death::Crash || outside > OUTSIDE_MAX;
        let streams: Vec<StreamId> = std::mem::take(&mut slot.streams).into_iter().collect();
        if !blamed || streams.is_empty() {
            return self.together(streams, slot);
        }
        if let [stream] = &streams[..] {
            return self.strike(stream.clone(), slot, now);
        }
        let crashes = slot.deaths.iter().filter(|(_, d)| *d == Death::Crash).count();
        if slot.suspect_since.is_none() && crashes < 2 && outside <= OUTSIDE_MAX {
            return self.together(streams, slot);
        }
        let half = Slot { suspect_since: Some(now), ..Slot::default() };
        let (a, b) = streams.split_at(streams.len() / 2);
        let workers = [a, b].map(|half_of| (self.open(half_of.to_vec(), half.clone()), half_of.to_vec()));
        Successors { workers: workers.into(), ..Successors::default() }
    }

    fn together(&mut self, streams: Vec<StreamId>, slot: Slot) -> Successors {
        if streams.is_empty() {
            return Successors::default();
        }
        let worker = self.open(streams.clone(), slot);
        Successors { workers: vec![(worker, streams)], ..Successors::default() }
    }

    fn strike(&mut self, stream: StreamId, slot: Slot, now: Duration) -> Successors {
        let record = self.records.entry(stream.clone()).or_default();
        if now.saturating_sub(record.last) > REHABILITATION.saturating_add(QUARANTINE_MAX) {
            record.strikes = 0;
        }
        record.strikes = record.strikes.saturating_add(1);
        record.last = now;
        let strikes = record.strikes;
        let slot = Slot { suspect_since: Some(now), ..slot };
        let mut successors = self.together(vec![stream], slot);
        if strikes >= 2 {
            successors.quarantined = true;
            let doublings = 2u32.checked_pow(strikes - 2).unwrap_or(u32::MAX);
            successors.delay = QUARANTINE_MIN.saturating_mul(doublings).min(QUARANTINE_MAX);
        }
        successors
    }

    /// Lifts suspicion from workers that have lived long enough. Streams stay where they are: moving one
    /// would cost a gap.
    pub fn settle(&mut self, now: Duration) {
        for slot in self.slots.values_mut() {
            let Some(since) = slot.suspect_since else { continue };
            let last_strike = slot.streams.iter().filter_map(|s| self.records.get(s)).map(|r| r.last).max();
            let needed = if last_strike.is_some() { REHABILITATION } else { WINDOW };
            if now.saturating_sub(last_strike.unwrap_or(since).max(since)) >= needed {
                slot.suspect_since = None;
                for stream in &slot.streams {
                    self.records.remove(stream);
                }
            }
        }
    }

    fn open(&mut self, streams: Vec<StreamId>, slot: Slot) -> WorkerId {
        let id = WorkerId(self.next);
        self.next += 1;
        self.slots.insert(id, Slot { streams: streams.into_iter().collect(), ..slot });
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Placement {
        fn workers(&self) -> Vec<WorkerId> {
            self.slots.keys().copied().collect()
        }
        fn streams_of(&self, worker: WorkerId) -> Vec<StreamId> {
            self.slots[&worker].streams.iter().cloned().collect()
        }
    }

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn id(name: &str) -> StreamId {
        name.parse().unwrap()
    }

    fn placed(workers: usize, names: &str) -> Placement {
        let mut p = Placement::new(workers);
        for name in names.split(' ') {
            p.place(&id(name));
        }
        p
    }

    /// Who is with whom: `ac bd`.
    fn drawn(p: &Placement) -> String {
        let mut all: Vec<String> = p.workers().into_iter().map(|w| p.streams_of(w).iter().map(ToString::to_string).collect()).collect();
        all.sort();
        all.join(" ")
    }

    /// Lets the worker of `culprit` die at `now`, as that stream would make it.
    fn kill(p: &mut Placement, culprit: &str, now: u64) -> Successors {
        let worker = p.worker_of(&id(culprit)).unwrap();
        p.died(worker, Death::Crash, secs(now))
    }

    #[test]
    fn streams_are_spread_evenly() {
        let mut p = placed(2, "a b c d e");
        assert_eq!(drawn(&p), "ace bd");
        assert_eq!(p.remove(&id("a")), None);
        p.place(&id("f"));
        p.place(&id("g"));
        assert_eq!(p.workers().len(), 2);
        assert_eq!(p.streams_of(p.worker_of(&id("b")).unwrap()).len(), 3);
    }

    #[test]
    fn a_worker_without_streams_ends() {
        let mut p = placed(2, "a b");
        let worker = p.worker_of(&id("a")).unwrap();
        assert_eq!(p.remove(&id("a")), Some(worker));
        assert_eq!(p.remove(&id("a")), None);
        assert_eq!(drawn(&p), "b");
    }

    #[test]
    fn one_crash_blames_nobody() {
        let mut p = placed(2, "a b c d");
        let next = kill(&mut p, "a", 10);
        assert_eq!((next.workers.len(), next.delay, next.quarantined), (1, secs(0), false));
        assert_eq!(drawn(&p), "ac bd");
        kill(&mut p, "a", 10 + 61);
        assert_eq!(drawn(&p), "ac bd", "two crashes far apart are two accidents");
    }

    #[test]
    fn a_stream_that_keeps_killing_its_worker_is_found_and_the_others_are_left_alone() {
        let mut p = placed(1, "a b c d e f g h");
        kill(&mut p, "f", 1);
        assert_eq!(drawn(&p), "abcdefgh");
        kill(&mut p, "f", 2);
        assert_eq!(drawn(&p), "abcd efgh");
        kill(&mut p, "f", 3);
        assert_eq!(drawn(&p), "abcd ef gh");
        kill(&mut p, "f", 4);
        assert_eq!(drawn(&p), "abcd e f gh");
        let next = kill(&mut p, "f", 5);
        assert!(!next.quarantined, "alone for the first time: one more chance");
        let next = kill(&mut p, "f", 6);
        assert!(next.quarantined);
        assert_eq!(next.delay, QUARANTINE_MIN);
        let delays: Vec<u64> = (0..8).map(|i| kill(&mut p, "f", 20 + i * 700).delay.as_secs()).collect();
        assert_eq!(delays, [20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(drawn(&p), "abcd e f gh");
    }

    #[test]
    fn suspicion_ends_when_nothing_happens() {
        let mut p = placed(1, "a b c d");
        kill(&mut p, "a", 1);
        kill(&mut p, "a", 2);
        assert_eq!(drawn(&p), "ab cd");
        p.settle(secs(61));
        kill(&mut p, "a", 62);
        assert_eq!(drawn(&p), "a b cd", "still within the window");
        p.settle(secs(200));
        kill(&mut p, "c", 201);
        assert_eq!(drawn(&p), "a b cd", "believed again, so one death is an accident");
    }

    #[test]
    fn a_quarantined_stream_that_behaves_is_believed_again() {
        let mut p = placed(1, "a b");
        for t in 1..=5 {
            kill(&mut p, "a", t);
        }
        p.settle(secs(300));
        assert!(kill(&mut p, "a", 301).quarantined);
        p.settle(secs(301 + 600));
        assert!(!kill(&mut p, "a", 302 + 600).quarantined);
    }

    #[test]
    fn killing_from_outside_is_not_the_streams_fault_unless_it_never_ends() {
        let mut p = placed(1, "a b");
        let mut outcomes = Vec::new();
        for t in 1..=6 {
            let worker = p.worker_of(&id("a")).unwrap();
            p.died(worker, Death::Outside, secs(t));
            outcomes.push(drawn(&p));
        }
        assert_eq!(outcomes[..5], ["ab"; 5]);
        assert_eq!(outcomes[5], "a b");
    }

    #[test]
    fn a_stream_with_a_record_comes_back_alone_until_it_is_forgiven() {
        let mut p = placed(1, "a b");
        for t in 1..=4 {
            kill(&mut p, "a", t);
        }
        p.remove(&id("a"));
        p.place(&id("a"));
        assert_eq!(drawn(&p), "a b");
        p.remove(&id("a"));
        p.forgive(&id("a"));
        p.settle(secs(100));
        p.place(&id("a"));
        assert_eq!(drawn(&p), "ab");
    }
}
