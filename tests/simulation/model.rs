//! What should be there, in the plainest words: lists of blocks, holds, caps and plans, gone through from end to end.
//!
//! Nothing here asks the judge, the database or the enforcer. What the model cannot know, whether a run that was cut short
//! got as far as a block, it keeps as two answers: what may have happened, and what surely has.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use retroview::media::{AccountId, BlockId, StreamId, TimeRange, Timestamp};

use crate::calendar::{self, DAY_US, HOUR_US};

/// A window's length; `None`: unlimited.
pub type Months = Option<u32>;

pub struct Customer {
    pub id: AccountId,
    pub zone: TimeZone,
    pub start: Timestamp,
    /// The latest moment up to which terms may have been written down.
    pub settled: Timestamp,
    pub term_months: u32,
    /// Releasing a hold takes two people.
    pub two_people: bool,
    /// From when on which window held, oldest first.
    pub plans: Vec<(Timestamp, Months)>,
    pub scheduled: Option<(Timestamp, Months)>,
}

impl Customer {
    pub fn months_at(&self, t: Timestamp) -> Months {
        let scheduled = self.scheduled.filter(|(from, _)| *from <= t);
        let latest = self.plans.iter().rev().find(|(from, _)| *from <= t).copied();
        scheduled.or(latest).and_then(|(_, months)| months)
    }
    pub fn window_start(&self, t: Timestamp) -> Option<Timestamp> {
        Some(calendar::window_start(self.months_at(t)?, &self.zone, t))
    }
    /// When the term that `t` lies in ends.
    pub fn term_end(&self, t: Timestamp) -> Timestamp {
        let mut ends = (1..).map(|n| calendar::months_after(self.start, n * self.term_months, &self.zone));
        ends.find(|end| *end > t).expect("terms follow one another without end")
    }
    /// What was scheduled and has come is history.
    pub fn settle(&mut self, now: Timestamp) {
        if let Some(due) = self.scheduled.take_if(|(from, _)| *from <= now) {
            self.plans.push(due);
        }
    }
    /// The moment before which nothing more can be decided: the clock went back.
    pub fn decided_until(&self) -> Timestamp {
        self.plans.iter().map(|(from, _)| *from).max().unwrap_or(Timestamp::MIN)
    }
}

pub struct Stream {
    pub id: StreamId,
    pub customer: usize,
    /// From when on which cap, in hours.
    pub caps: Vec<(Timestamp, Option<u32>)>,
    /// Where its footage ends.
    pub end: Timestamp,
    pub next_run: u64,
    pub next_sequence: u64,
}

impl Stream {
    fn cap_start(&self, t: Timestamp) -> Option<Timestamp> {
        let (_, hours) = self.caps.iter().filter(|(from, _)| *from <= t).max_by_key(|(from, _)| *from)?;
        hours.map(|hours| t.saturating_add_micros(-i64::from(hours) * HOUR_US))
    }
}

pub struct Hold {
    pub id: i64,
    pub customer: usize,
    pub streams: Vec<usize>,
    /// With its margins.
    pub start: Timestamp,
    pub end: Timestamp,
    pub placed: Timestamp,
    pub expires: Option<Timestamp>,
    pub asked_by: Option<usize>,
    pub released: Option<Timestamp>,
}

impl Hold {
    fn lies_over(&self, streams: &[usize], start: Timestamp, end: Timestamp) -> bool {
        streams.iter().any(|s| self.streams.contains(s)) && self.start < end && start < self.end
    }
    fn touches(&self, block: &Block) -> bool {
        self.lies_over(&[block.stream], block.range.start(), block.range.end())
    }
    /// Whether it protects at `now`.
    fn protects(&self, now: Timestamp) -> bool {
        self.released.is_none() && self.expires.is_none_or(|at| now < at)
    }
    /// Whether it counts for a decision dated `now`: where the clock has gone back, one that was released later still does.
    fn counts(&self, now: Timestamp) -> bool {
        let over = [self.released, self.expires].into_iter().flatten().min();
        self.placed <= now && over.is_none_or(|at| now < at)
    }
}

/// Whether somebody had a segment erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Erased {
    No,
    /// It was asked for, and is under way.
    Maybe,
    Yes,
}

pub struct Segment {
    pub start: Timestamp,
    pub end: Timestamp,
    pub erased: Erased,
    /// What a player gets.
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is there, whole.
    Kept,
    /// A sweep that had the right to has begun to delete it, and did not finish.
    Taken,
    /// A sweep has deleted it.
    Gone,
    /// All of it was erased on request.
    Erased,
}

pub struct Block {
    pub id: BlockId,
    pub stream: usize,
    pub path: PathBuf,
    pub range: TimeRange,
    pub segments: Vec<Segment>,
    pub fate: Fate,
    /// Its sweep was under way when the index was lost, and what it had deleted then is in no receipt.
    pub unreceipted: bool,
    /// Of a block that is taken: its file was there when it was last looked at.
    pub whole: bool,
    /// The first run that may have marked it, and no run since has found it to stay.
    pub maybe_marked: Option<Timestamp>,
    /// A run that is under way has judged it, and something has changed since: it may mark what is to stay. The next run sees.
    pub judged_before: Option<Timestamp>,
    /// The first run that surely has.
    pub surely_marked: Option<Timestamp>,
}

impl Block {
    /// Somebody asked to erase all that is left of it.
    pub fn all_asked_for(&self) -> bool {
        self.segments.iter().all(|s| s.erased != Erased::No)
    }
    pub fn is_there(&self) -> bool {
        matches!(self.fate, Fate::Kept | Fate::Taken)
    }
}

pub struct Erasure {
    pub id: i64,
    pub streams: Vec<usize>,
    pub start: Timestamp,
    pub end: Timestamp,
    /// The latest that the clock showed when something was done about it: what is dated later is not due yet.
    pub latest: Timestamp,
    pub finished: bool,
}

impl Erasure {
    pub fn touches(&self, block: &Block, segment: &Segment) -> bool {
        self.streams.contains(&block.stream) && self.start < segment.end && segment.start < self.end
    }
}

/// What applies to a block at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Outside the window of plan and cap.
    pub outside: bool,
    /// A hold protects it.
    pub protected: bool,
    /// The judge has to say that it goes: where the clock has gone back behind it, a hold is not there yet.
    pub judged_out: bool,
    /// It has to go.
    pub prunable: bool,
}

#[derive(Default)]
pub struct Model {
    pub customers: Vec<Customer>,
    pub streams: Vec<Stream>,
    pub holds: Vec<Hold>,
    pub erasures: Vec<Erasure>,
    pub blocks: Vec<Block>,
    pub grace_us: i64,
    pub last_run: Option<Timestamp>,
}

impl Model {
    /// What is outside begins to be so where the window starts, for each stream.
    pub fn window_starts(&self, now: Timestamp) -> Vec<Option<Timestamp>> {
        let plans: Vec<_> = self.customers.iter().map(|c| c.window_start(now)).collect();
        self.streams.iter().map(|s| plans[s.customer].max(s.cap_start(now))).collect()
    }

    pub fn standing(&self, block: &Block, starts: &[Option<Timestamp>], now: Timestamp) -> Standing {
        let outside = starts[block.stream].is_some_and(|start| block.range.end() <= start);
        let touching = || self.holds.iter().filter(|h| h.touches(block));
        let protected = touching().any(|h| h.protects(now));
        let judged_out = outside && !touching().any(|h| h.counts(now));
        Standing { outside, protected, judged_out, prunable: judged_out && !protected }
    }

    /// Whether a run at `now` has to stop because of the clock.
    pub fn clock_jumped(&self, now: Timestamp) -> bool {
        self.last_run.is_some_and(|last| !(0..=DAY_US).contains(&now.micros_since(last)))
    }

    /// A run came to its end.
    pub fn ran(&mut self, now: Timestamp) {
        let starts = self.window_starts(now);
        for i in 0..self.blocks.len() {
            let standing = self.standing(&self.blocks[i], &starts, now);
            let grace_us = self.grace_us;
            let block = &mut self.blocks[i];
            match block.fate {
                Fate::Gone | Fate::Erased => {}
                // What had not been deleted yet, and is to stay now, is let go again.
                Fate::Taken if block.whole && !standing.prunable => {
                    (block.fate, block.maybe_marked, block.surely_marked) = (Fate::Kept, None, None);
                }
                Fate::Taken => block.fate = Fate::Gone,
                Fate::Kept if standing.prunable => {
                    block.maybe_marked.get_or_insert(now);
                    let since = *block.surely_marked.get_or_insert(now);
                    if since.saturating_add_micros(grace_us) <= now {
                        block.fate = Fate::Gone;
                    }
                }
                Fate::Kept => {
                    block.maybe_marked = block.judged_before.take();
                    block.surely_marked = None;
                }
            }
        }
        self.blocks.iter_mut().for_each(|b| b.judged_before = None);
        self.last_run = Some(now);
    }

    /// A run was cut short, or stopped: it may have got as far as any block, or not.
    pub fn ran_in_part(&mut self, now: Timestamp) {
        let starts = self.window_starts(now);
        for i in 0..self.blocks.len() {
            let prunable = self.standing(&self.blocks[i], &starts, now).prunable;
            let block = &mut self.blocks[i];
            if prunable {
                block.maybe_marked.get_or_insert(now);
            } else {
                block.surely_marked = None;
            }
        }
    }

    /// A run is under way, and has judged what there is.
    pub fn judged(&mut self, now: Timestamp) {
        let starts = self.window_starts(now);
        for i in 0..self.blocks.len() {
            if self.standing(&self.blocks[i], &starts, now).prunable {
                self.blocks[i].judged_before = Some(now);
            }
        }
    }

    /// A hold takes marks off at once.
    pub fn hold_placed(&mut self, hold: Hold) {
        for block in self.blocks.iter_mut().filter(|b| hold.touches(b)) {
            (block.maybe_marked, block.surely_marked) = (None, None);
        }
        self.holds.push(hold);
    }

    /// Whether a hold protects a segment that an erasure would take, and so it must be refused; `None`: none does, but one lies
    /// over the same time, and it may be.
    pub fn is_held(&self, asked: &Erasure, now: Timestamp) -> Option<bool> {
        let (mut start, mut end) = (asked.start, asked.end);
        let there = self.blocks.iter().filter(|b| b.is_there());
        for (block, segment) in there.flat_map(|b| b.segments.iter().filter(|s| asked.touches(b, s)).map(move |s| (b, s))) {
            (start, end) = (start.min(segment.start), end.max(segment.end));
            let whole = block.fate == Fate::Kept && segment.erased == Erased::No;
            if whole && self.holds.iter().any(|h| h.protects(now) && h.lies_over(&[block.stream], segment.start, segment.end)) {
                return Some(true);
            }
        }
        let near = self.holds.iter().any(|h| h.protects(now) && h.lies_over(&asked.streams, start, end));
        if near { None } else { Some(false) }
    }

    /// Whether a hold that was placed beside the erasure's range touches a segment that the range touches too: it waits.
    pub fn is_held_at_its_edge(&self, erasure: &Erasure, now: Timestamp) -> bool {
        let touched = self.blocks.iter().flat_map(|b| b.segments.iter().filter(|s| erasure.touches(b, s)).map(move |s| (b.stream, s)));
        let held = |stream, s: &Segment| self.holds.iter().any(|h| h.protects(now) && h.lies_over(&[stream], s.start, s.end));
        touched.into_iter().any(|(stream, s)| held(stream, s))
    }

    pub fn erasure_asked(&mut self, asked: Erasure) {
        for block in self.blocks.iter_mut().filter(|b| b.is_there()) {
            let stream = block.stream;
            for segment in block.segments.iter_mut().filter(|s| s.erased == Erased::No) {
                if asked.streams.contains(&stream) && asked.start < segment.end && segment.start < asked.end {
                    segment.erased = Erased::Maybe;
                }
            }
        }
        self.erasures.push(asked);
    }

    /// The erasure is over: how many segments, and how many whole blocks, it has surely taken.
    pub fn erasure_finished(&mut self, id: i64) -> (u64, u64) {
        let (mut segments, mut whole) = (0, 0);
        let Some(done) = self.erasures.iter_mut().find(|e| e.id == id) else { return (0, 0) };
        done.finished = true;
        let (streams, start, end) = (&done.streams, done.start, done.end);
        for block in self.blocks.iter_mut().filter(|b| b.is_there() && streams.contains(&b.stream)) {
            for segment in block.segments.iter_mut().filter(|s| s.erased == Erased::Maybe && start < s.end && s.start < end) {
                segment.erased = Erased::Yes;
                segments += 1;
            }
            if block.segments.iter().all(|s| s.erased == Erased::Yes) {
                block.fate = Fate::Erased;
                whole += 1;
            }
        }
        (segments, whole)
    }

    /// The index was made anew: marks are not in the files.
    pub fn marks_lost(&mut self) {
        for block in &mut self.blocks {
            (block.maybe_marked, block.surely_marked) = (None, None);
            if block.fate == Fate::Taken {
                // What is left of its file is footage again.
                (block.fate, block.unreceipted) = if block.path.exists() { (Fate::Kept, false) } else { (Fate::Gone, true) };
            }
        }
    }

    /// Whether a sweep at `now` has the right to take the block.
    pub fn may_be_swept(&self, block: &Block, starts: &[Option<Timestamp>], now: Timestamp) -> bool {
        let waited = block.maybe_marked.is_some_and(|since| since.saturating_add_micros(self.grace_us) <= now);
        waited && self.standing(block, starts, now).prunable
    }

    /// The first moment from `now` on at which the block is outside; `None`: not within a year.
    pub fn leaves(&self, block: &Block, now: Timestamp) -> Option<Timestamp> {
        let outside = |t: Timestamp| self.standing(block, &self.window_starts(t), t).outside;
        let (mut inside, mut out) = (now, now.saturating_add_micros(366 * DAY_US));
        if outside(inside) || !outside(out) {
            return None;
        }
        while out.micros_since(inside) > 1 {
            let middle = inside.saturating_add_micros(out.micros_since(inside) / 2);
            if outside(middle) { out = middle } else { inside = middle }
        }
        Some(out)
    }
}
