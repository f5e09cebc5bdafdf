//! What of a range is recorded, in a bounded answer at any zoom.
//!
//! Entries shorter than the resolution are merged with their neighbours. A merged stretch is shown as what most
//! of it is: recorded when at least half of it is, with no single run to name; otherwise a gap with the cause
//! that has the longest share. So a short gap is no entry of its own in a wide view, and is one again on looking closer; how
//! much of a merged stretch is missing, and why most of it is, goes with it.

use super::Index;
use super::stopwatch::Stopwatch;
use crate::db::DbResult;
use crate::media::{Gap, GapCause, RunId, StreamId, TimeRange, Timestamp};

/// No answer has more entries, whatever resolution was asked for: two for each pixel of a wide time bar.
pub const ENTRIES_MAX: usize = 2000;
/// Without a resolution, wide ranges are merged to about so many entries, which keeps the answer below 50 KB of JSON.
const ENTRIES_DEFAULT: usize = 500;
/// Rows read at a time.
const BATCH: u32 = 4096;

/// Recorded footage. `run` is `None` where several were merged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunSpan {
    pub range: TimeRange,
    pub run: Option<RunId>,
    /// Gaps inside that were merged into it.
    pub missing: Option<Missing>,
}

/// What of a merged stretch is not recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing {
    pub micros: i64,
    /// Of the longest share of it.
    pub cause: GapCause,
}

/// A gap, cut to the range asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GapSpan {
    pub range: TimeRange,
    pub cause: GapCause,
    pub detail: String,
    /// It lasts still; `range` ends now.
    pub ongoing: bool,
}

/// Runs and gaps over a range. Time before the first footage or gap and after now is neither.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoverageAnswer {
    pub range: TimeRange,
    /// Entries shorter than this have been merged; 0: nothing was.
    pub resolution_us: i64,
    pub runs: Vec<RunSpan>,
    pub gaps: Vec<GapSpan>,
}

impl CoverageAnswer {
    /// Leaves out what lies outside `parts`, which are in order and do not touch.
    pub fn keep_within(&mut self, parts: &[TimeRange]) {
        fn cut<T: Clone>(spans: &mut Vec<T>, parts: &[TimeRange], range: impl Fn(&mut T) -> &mut TimeRange) {
            let inside = |span: T| {
                let pieces = parts.iter().filter_map(|part| part.intersection(*range(&mut span.clone())));
                let piece = |piece| {
                    let mut span = span.clone();
                    *range(&mut span) = piece;
                    span
                };
                pieces.map(piece).collect::<Vec<T>>()
            };
            *spans = std::mem::take(spans).into_iter().flat_map(inside).collect();
        }
        cut(&mut self.runs, parts, |span| &mut span.range);
        cut(&mut self.gaps, parts, |span| &mut span.range);
    }
}

impl Index {
    /// Coverage of `range`. `resolution_us` 0: as fine as a bounded answer allows.
    ///
    /// Where neither footage nor a gap is known although there is footage before and after, a gap of cause
    /// [`GapCause::Unknown`] is shown: time is never just empty.
    ///
    /// # Errors
    /// [`crate::db::DbError`].
    pub async fn coverage(&self, stream: &StreamId, range: TimeRange, resolution_us: i64, now: Timestamp) -> DbResult<CoverageAnswer> {
        let began = Stopwatch::start();
        let resolution_us = resolution_us.clamp(0, range.micros());
        let totals = self.db().totals(stream).await?;
        let first = totals.first_start.into_iter().chain(totals.first_gap).min();
        let known = first.and_then(|first| TimeRange::new(first, now.max(totals.last_end.unwrap_or(first))).ok());
        let Some(wanted) = known.and_then(|k| k.intersection(range)) else {
            return Ok(CoverageAnswer { range, resolution_us, runs: Vec::new(), gaps: Vec::new() });
        };
        let last_end = totals.last_end.unwrap_or(wanted.end());
        let mut items = Items::new(self, stream, wanted, last_end);
        // First as it is; when that is too much, merged while reading on.
        let limit = if resolution_us == 0 { ENTRIES_DEFAULT } else { ENTRIES_MAX };
        let mut merger = Merger::new(resolution_us);
        let mut head = Vec::new();
        while let Some(item) = items.next().await? {
            head.push(item);
            if head.len() > limit && merger.resolution_us < finest(range, limit) {
                merger.resolution_us = finest(range, limit);
            }
            if merger.resolution_us > 0 {
                head.drain(..).for_each(|item| merger.push(item));
            }
        }
        head.drain(..).for_each(|item| merger.push(item));
        let answer = merger.finish(range, limit);
        began.lookup("coverage");
        Ok(answer)
    }
}

/// The resolution at which `range` cannot give more than `limit` entries: each stands for a stretch at least as
/// long as the resolution, except one before each entry that is long by itself.
fn finest(range: TimeRange, limit: usize) -> i64 {
    range.micros() / (limit as i64 / 2 - 2) + 1
}

/// One stretch of time.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Item {
    range: TimeRange,
    what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    Run(RunId),
    Merged(Option<Missing>),
    Gap { cause: GapCause, detail: String, ongoing: bool },
}

/// Extents and gaps of a range as one sequence in time order, without holes, read in batches.
struct Items<'a> {
    index: &'a Index,
    stream: &'a StreamId,
    range: TimeRange,
    last_end: Timestamp,
    /// All before it has been given out.
    cursor: Timestamp,
    runs: Batch,
    gaps: Batch,
}

#[derive(Default)]
struct Batch {
    items: std::collections::VecDeque<Item>,
    /// Where the next batch begins; `None`: there is no more.
    next: Option<Timestamp>,
}

impl<'a> Items<'a> {
    fn new(index: &'a Index, stream: &'a StreamId, range: TimeRange, last_end: Timestamp) -> Self {
        let batch = || Batch { next: Some(range.start()), ..Batch::default() };
        Items { index, stream, range, last_end, cursor: range.start(), runs: batch(), gaps: batch() }
    }

    async fn next(&mut self) -> DbResult<Option<Item>> {
        self.fill().await?;
        let run_first = match (self.runs.items.front(), self.gaps.items.front()) {
            (Some(r), Some(g)) => r.range.start() <= g.range.start(),
            (r, _) => r.is_some(),
        };
        let batch = if run_first { &mut self.runs } else { &mut self.gaps };
        let start = batch.items.front().map_or(self.range.end().min(self.last_end), |i| i.range.start());
        if let Ok(hole) = TimeRange::new(self.cursor, start) {
            self.cursor = start;
            let what = What::Gap { cause: GapCause::Unknown, detail: String::new(), ongoing: false };
            return Ok(Some(Item { range: hole, what }));
        }
        let Some(item) = batch.items.pop_front() else { return Ok(None) };
        // Rows that overlap (see `check`) must not make time run backward here.
        let Ok(range) = TimeRange::new(self.cursor, item.range.end()) else { return Box::pin(self.next()).await };
        self.cursor = range.end();
        Ok(Some(Item { range, ..item }))
    }

    async fn fill(&mut self) -> DbResult<()> {
        let db = self.index.db();
        if self.runs.items.is_empty()
            && let Some(from) = self.runs.next.take()
            && let Ok(rest) = TimeRange::new(from, self.range.end())
        {
            let extents = db.run_extents(self.stream, rest, BATCH).await?;
            self.runs.next = (extents.len() == BATCH as usize).then(|| extents.last().map(|e| e.range.end())).flatten();
            let cut = extents.into_iter().filter_map(|e| Some(Item { range: e.range.intersection(self.range)?, what: What::Run(e.run) }));
            self.runs.items.extend(cut);
        }
        if self.gaps.items.is_empty()
            && let Some(from) = self.gaps.next.take()
            && let Ok(rest) = TimeRange::new(from, self.range.end())
        {
            let gaps = db.gaps_in(self.stream, rest, BATCH).await?;
            self.gaps.next = (gaps.len() == BATCH as usize).then(|| gaps.last().and_then(|g| g.end)).flatten();
            self.gaps.items.extend(gaps.into_iter().filter_map(|g| gap_item(g, self.range)));
        }
        Ok(())
    }
}

fn gap_item(gap: Gap, range: TimeRange) -> Option<Item> {
    let cut = gap.within(range)?;
    Some(Item { range: cut, what: What::Gap { cause: gap.cause, detail: gap.detail, ongoing: gap.end.is_none() } })
}

/// Merges what is shorter than the resolution.
struct Merger {
    resolution_us: i64,
    out: Vec<Item>,
    /// Short neighbours not yet long enough to stand alone.
    cluster: Vec<Item>,
}

impl Merger {
    fn new(resolution_us: i64) -> Self {
        Merger { resolution_us, out: Vec::new(), cluster: Vec::new() }
    }

    fn push(&mut self, item: Item) {
        if item.range.micros() >= self.resolution_us {
            self.close_cluster();
            self.out.push(item);
            return;
        }
        self.cluster.push(item);
        let (first, last) = (&self.cluster[0], &self.cluster[self.cluster.len() - 1]);
        if last.range.end().micros_since(first.range.start()) >= self.resolution_us {
            self.close_cluster();
        }
    }

    fn close_cluster(&mut self) {
        let cluster = std::mem::take(&mut self.cluster);
        let Some(item) = merge(&cluster) else { return };
        // Merged neighbours of one kind are one.
        match self.out.last_mut().and_then(|last| Some((joined(last, &item)?, last))) {
            Some((joined, last)) => *last = joined,
            None => self.out.push(item),
        }
    }

    fn finish(mut self, range: TimeRange, limit: usize) -> CoverageAnswer {
        self.close_cluster();
        if self.out.len() > limit {
            // The head was taken in before there were too many: once more, coarser.
            let mut again = Merger::new(finest(range, limit).max(self.resolution_us * 2));
            self.out.into_iter().for_each(|item| again.push(item));
            return again.finish(range, limit);
        }
        let mut answer = CoverageAnswer { range, resolution_us: self.resolution_us, runs: Vec::new(), gaps: Vec::new() };
        for Item { range, what } in self.out {
            match what {
                What::Run(run) => answer.runs.push(RunSpan { range, run: Some(run), missing: None }),
                What::Merged(missing) => answer.runs.push(RunSpan { range, run: None, missing }),
                What::Gap { cause, detail, ongoing } => answer.gaps.push(GapSpan { range, cause, detail, ongoing }),
            }
        }
        answer
    }
}

/// One item for several that follow one another; `None` for none.
fn merge(cluster: &[Item]) -> Option<Item> {
    let (first, last) = (cluster.first()?, cluster.last()?);
    if cluster.len() == 1 {
        return Some(first.clone());
    }
    let range = TimeRange::new(first.range.start(), last.range.end()).ok()?;
    let mut shares: Vec<(GapCause, i64)> = Vec::new();
    for (cause, micros) in cluster.iter().filter_map(missing_of) {
        match shares.iter_mut().find(|(c, _)| *c == cause) {
            Some((_, share)) => *share += micros,
            None => shares.push((cause, micros)),
        }
    }
    let micros: i64 = shares.iter().map(|(_, share)| share).sum();
    let most = shares.into_iter().max_by_key(|(_, share)| *share);
    if micros * 2 <= range.micros() {
        return Some(Item { range, what: What::Merged(most.map(|(cause, _)| Missing { micros, cause })) });
    }
    let (cause, _) = most?;
    let ongoing = matches!(last.what, What::Gap { ongoing: true, .. });
    Some(Item { range, what: What::Gap { cause, detail: String::new(), ongoing } })
}

fn missing_of(item: &Item) -> Option<(GapCause, i64)> {
    match item.what {
        What::Run(_) => None,
        What::Merged(missing) => missing.map(|m| (m.cause, m.micros)),
        What::Gap { cause, .. } => Some((cause, item.range.micros())),
    }
}

/// Merged stretches of which about as much is missing are told apart in so many steps.
const SHADES: i64 = 16;

/// Two neighbours as one, where they tell the same.
fn joined(last: &Item, next: &Item) -> Option<Item> {
    let what = match (&last.what, &next.what) {
        (What::Merged(None), What::Merged(None)) => What::Merged(None),
        (What::Merged(Some(a)), What::Merged(Some(b))) if a.cause == b.cause && shade(last, a) == shade(next, b) => {
            What::Merged(Some(Missing { micros: a.micros + b.micros, cause: a.cause }))
        }
        (What::Gap { .. }, what) if last.what == *what => what.clone(),
        _ => return None,
    };
    let range = (last.range.end() == next.range.start()).then(|| TimeRange::new(last.range.start(), next.range.end()).ok())??;
    Some(Item { range, what })
}

fn shade(item: &Item, missing: &Missing) -> i64 {
    (i128::from(missing.micros) * i128::from(SHADES) / i128::from(item.range.micros().max(1))) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    /// Draws time: a letter is a run, `.` and `x` are gaps of two causes; one character is one second.
    fn items(drawing: &str) -> Vec<Item> {
        let chars: Vec<char> = drawing.chars().collect();
        let mut out: Vec<Item> = Vec::new();
        for (i, c) in chars.iter().enumerate() {
            let gap = |cause| What::Gap { cause, detail: String::new(), ongoing: false };
            let what = match c {
                '.' => gap(GapCause::Paused),
                'x' => gap(GapCause::SourceEnded),
                c => What::Run(RunId::from_bytes([*c as u8; 16])),
            };
            let range = TimeRange::new(t(i as i64), t(i as i64 + 1)).unwrap();
            match out.last_mut().filter(|last| last.what == what) {
                Some(last) => last.range = TimeRange::new(last.range.start(), range.end()).unwrap(),
                None => out.push(Item { range, what }),
            }
        }
        out
    }

    fn draw(answer: &CoverageAnswer, len: usize) -> String {
        let mut out = vec![' '; len];
        let mut fill = |range: TimeRange, c: char| {
            let at = |t: Timestamp| (t.as_micros() / 1_000_000) as usize;
            out[at(range.start())..at(range.end())].fill(c);
        };
        for r in &answer.runs {
            fill(r.range, r.run.map_or('*', |id| id.to_bytes()[0] as char));
        }
        for g in &answer.gaps {
            fill(g.range, if g.cause == GapCause::Paused { '.' } else { 'x' });
        }
        out.into_iter().collect()
    }

    fn merged(drawing: &str, resolution_s: i64) -> String {
        let mut merger = Merger::new(resolution_s * 1_000_000);
        items(drawing).into_iter().for_each(|i| merger.push(i));
        draw(&merger.finish(TimeRange::new(t(0), t(drawing.len() as i64)).unwrap(), 2000), drawing.len())
    }

    #[test]
    fn what_is_finer_than_the_resolution_is_merged() {
        assert_eq!(merged("AAAAA..BBBBBB", 1), "AAAAA..BBBBBB");
        assert_eq!(merged("AAAAAA.BBBBBB", 3), "AAAAAA.BBBBBB", "alone between long ones it stays what it is");
        assert_eq!(merged("AAAAAA.B.CCCCCC", 3), "AAAAAAxxxCCCCCC".replace('x', "."));
        assert_eq!(merged("A.BCD.EF", 4), "********");
        assert_eq!(merged("A..xxxxB........", 8), "xxxxxxxx........");
    }

    #[test]
    fn a_merged_stretch_tells_how_much_of_it_is_missing_and_why() {
        let told = |drawing: &str, resolution_s: i64| -> Vec<(i64, Option<(i64, GapCause)>)> {
            let mut merger = Merger::new(resolution_s * 1_000_000);
            items(drawing).into_iter().for_each(|i| merger.push(i));
            let answer = merger.finish(TimeRange::new(t(0), t(drawing.len() as i64)).unwrap(), 2000);
            let missing = |r: &RunSpan| r.missing.map(|m| (m.micros / 1_000_000, m.cause));
            answer.runs.iter().map(|r| (r.range.micros() / 1_000_000, missing(r))).collect()
        };
        assert_eq!(told("AAxBB..CCC", 10), [(10, Some((3, GapCause::Paused)))]);
        assert_eq!(told("ABCD", 4), [(4, None)]);
        assert_eq!(told("AAAAAAAA", 4), [(8, None)]);
        // What is missing alike is one stretch, otherwise it would be an average that nobody saw.
        assert_eq!(told("ABC.DEF.", 4), [(8, Some((2, GapCause::Paused)))]);
        assert_eq!(told("ABC.D..E", 4), [(4, Some((1, GapCause::Paused))), (4, Some((2, GapCause::Paused)))]);
    }

    proptest! {
        #[test]
        fn merging_keeps_every_moment_and_stays_bounded(
            lengths in proptest::collection::vec((1i64..200, 0u8..5), 1..400),
            resolution in 0i64..600,
            limit in 10usize..100,
        ) {
            let mut at = 0;
            let mut merger = Merger::new(resolution * 1_000_000);
            for (len, kind) in lengths {
                let what = match kind {
                    0 | 1 => What::Gap { cause: GapCause::ALL[usize::from(kind)], detail: String::new(), ongoing: false },
                    k => What::Run(RunId::from_bytes([k; 16])),
                };
                merger.push(Item { range: TimeRange::new(t(at), t(at + len)).unwrap(), what });
                at += len;
            }
            let range = TimeRange::new(t(0), t(at)).unwrap();
            let answer = merger.finish(range, limit);
            for run in &answer.runs {
                let missing = run.missing.map_or(0, |m| m.micros);
                prop_assert!(missing * 2 <= run.range.micros() && (missing == 0 || run.run.is_none()));
            }
            prop_assert!(answer.runs.len() + answer.gaps.len() <= limit);
            let mut spans: Vec<TimeRange> = answer.runs.iter().map(|r| r.range).chain(answer.gaps.iter().map(|g| g.range)).collect();
            spans.sort_by_key(|r| r.start());
            prop_assert_eq!(spans.first().map(|r| r.start()), Some(t(0)));
            prop_assert_eq!(spans.last().map(|r| r.end()), Some(t(at)));
            prop_assert!(spans.windows(2).all(|w| w[0].end() == w[1].start()));
        }
    }
}
