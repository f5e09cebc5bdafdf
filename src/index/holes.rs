//! Why nothing is recorded between two neighbouring blocks, as their files tell it. Pure.
//!
//! A run's header carries the gaps before it, and the trailer of its last block says why it ended. What both
//! leave open was footage once: it is lost, and the gap says [`GapCause::Damaged`].

use crate::media::{Gap, GapCause, RunId, RunInfo, TimeRange, Timestamp};
use crate::store::RunEnd;

/// The end of a block, seen from the next one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct BlockEnd {
    pub at: Timestamp,
    pub run: RunId,
    pub run_ordinal: u64,
    pub imported: bool,
    /// Why nothing follows here; `None` when the run goes on in another block, or when the file does not say.
    pub run_end: Option<RunEnd>,
    /// Why the last live run before this end ended.
    pub live_end: Option<RunEnd>,
}

impl BlockEnd {
    /// `told` is what the trailer says; `before` is the block before this one, where it is known.
    ///
    /// The end of an imported file says nothing about the time behind it: an import lies inside a gap that a live
    /// run left, which goes on behind it, or in time of which nothing was imported.
    pub(super) fn new(before: Option<&BlockEnd>, run: &RunInfo, at: Timestamp, told: Option<RunEnd>) -> BlockEnd {
        let imported = run.import_key.is_some();
        let live_end = if imported { before.and_then(|b| b.live_end.clone()) } else { told.clone() };
        let not_imported = || RunEnd { cause: GapCause::NotImported, detail: String::new() };
        let run_end = if imported { told.map(|_| live_end.clone().unwrap_or_else(not_imported)) } else { told };
        BlockEnd { at, run: run.id, run_ordinal: run.ordinal, imported, run_end, live_end }
    }

    /// Why nothing follows the last block of a stream. A live run that does not say was killed between two blocks;
    /// behind imports alone nothing was to come.
    pub(super) fn trailing_gap(&self) -> Option<RunEnd> {
        let killed = || RunEnd { cause: GapCause::ServiceKilled, detail: String::new() };
        self.live_end.clone().or_else(|| (!self.imported).then(killed))
    }
}

/// The gaps between `before` and a block of `run` that begins at `start`, oldest first. Time before the first
/// footage of a stream is a gap only when the first run says so.
pub(super) fn gaps_between(before: Option<&BlockEnd>, run: &RunInfo, start: Timestamp) -> Vec<Gap> {
    let told = run.gaps_before.iter().map(|gap| Gap { end: Some(gap.end.unwrap_or(run.start)), ..gap.clone() });
    let Some(before) = before else {
        // Blocks before this one may have been pruned on purpose: then nothing is missing.
        return if start == run.start { told.collect() } else { Vec::new() };
    };
    let Ok(hole) = TimeRange::new(before.at, start) else { return Vec::new() };
    if before.run == run.id {
        return vec![lost(hole)];
    }
    let mut gaps = Vec::new();
    let mut cursor = hole.start();
    for gap in told {
        let Some(range) = gap.within(hole).and_then(|r| TimeRange::new(r.start().max(cursor), r.end()).ok()) else { continue };
        gaps.extend(untold(before, run, cursor, range.start()));
        cursor = range.end();
        gaps.push(Gap { start: range.start(), end: Some(range.end()), ..gap });
    }
    gaps.extend(untold(before, run, cursor, hole.end()));
    gaps
}

/// What no header speaks of: the end of the run before accounts for it, unless footage lay there.
fn untold(before: &BlockEnd, run: &RunInfo, from: Timestamp, to: Timestamp) -> Vec<Gap> {
    // Live runs are numbered in time order, so a number left out is a run whose files are gone. An imported run
    // has a number of its import's time and says nothing here.
    let run_lost = run.import_key.is_none() && run.ordinal > before.run_ordinal + 1;
    let Some(end) = before.run_end.as_ref().filter(|_| !run_lost) else {
        let live = !before.imported && run.import_key.is_none();
        let cause = if run_lost || live { GapCause::Damaged } else { GapCause::Unknown };
        return TimeRange::new(from, to).ok().map(|hole| Gap { cause, ..lost(hole) }).into_iter().collect();
    };
    // From the run's start on there was footage: its first blocks are gone.
    let ended = TimeRange::new(from, to.min(run.start.max(from))).ok();
    let ended = ended.map(|r| Gap { start: r.start(), end: Some(r.end()), cause: end.cause, detail: end.detail.clone() });
    let head = TimeRange::new(from.max(run.start), to).ok().map(lost);
    ended.into_iter().chain(head).collect()
}

fn lost(range: TimeRange) -> Gap {
    Gap { start: range.start(), end: Some(range.end()), cause: GapCause::Damaged, detail: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_777_816_800_000_000);

    fn t(s: i64) -> Timestamp {
        T0.saturating_add_micros(s * 1_000_000)
    }

    fn run(ordinal: u64, start: i64, gaps_before: Vec<Gap>) -> RunInfo {
        let id = RunId::new(t(start), u128::from(ordinal));
        let (video, audio) = (None, None);
        RunInfo {
            id,
            stream: "cam".parse().unwrap(),
            start: t(start),
            ordinal,
            video,
            audio,
            init: bytes::Bytes::new(),
            gaps_before,
            import_key: None,
        }
    }

    fn gap(from: i64, to: i64, cause: GapCause) -> Gap {
        Gap { start: t(from), end: Some(t(to)), cause, detail: String::new() }
    }

    fn end(at: i64, of: &RunInfo, cause: Option<GapCause>) -> BlockEnd {
        BlockEnd::new(None, of, t(at), cause.map(|cause| RunEnd { cause, detail: String::new() }))
    }

    #[test]
    fn the_header_of_the_next_run_tells_what_lay_before_it() {
        let told = vec![gap(10, 12, GapCause::SourceEnded), gap(12, 20, GapCause::Paused)];
        let (a, b) = (run(0, 0, vec![]), run(1, 20, told.clone()));
        assert_eq!(gaps_between(Some(&end(10, &a, Some(GapCause::SourceEnded))), &b, t(20)), told);
        assert_eq!(gaps_between(None, &b, t(20)), told, "also before the first footage");
        assert_eq!(gaps_between(None, &b, t(24)), [], "but not when older blocks of its run were pruned");
    }

    #[test]
    fn without_a_gap_there_is_none() {
        let a = run(0, 0, vec![]);
        assert_eq!(gaps_between(Some(&end(10, &a, None)), &a, t(10)), []);
        assert_eq!(gaps_between(None, &a, t(0)), []);
    }

    #[test]
    fn what_a_header_leaves_open_is_why_the_run_before_ended() {
        let (a, b) = (run(0, 0, vec![]), run(1, 20, vec![gap(15, 20, GapCause::Paused)]));
        let before = end(10, &a, Some(GapCause::DiskFull));
        assert_eq!(gaps_between(Some(&before), &b, t(20)), [gap(10, 15, GapCause::DiskFull), gap(15, 20, GapCause::Paused)]);
        let imported = RunInfo { import_key: Some("x".into()), ..run(9, 20, vec![]) };
        assert_eq!(gaps_between(Some(&before), &imported, t(20)), [gap(10, 20, GapCause::DiskFull)]);
        let other = RunInfo { import_key: Some("y".into()), ..run(10, 40, vec![]) };
        assert_eq!(gaps_between(Some(&end(30, &imported, None)), &other, t(40)), [gap(30, 40, GapCause::Unknown)]);
        let ended = end(30, &imported, Some(GapCause::SourceEnded));
        assert_eq!(gaps_between(Some(&ended), &other, t(40)), [gap(30, 40, GapCause::NotImported)], "the end of a file is no cause");
        assert_eq!(ended.trailing_gap(), None, "behind imports alone nothing was to come");
        let inside = BlockEnd::new(Some(&before), &imported, t(30), ended.run_end);
        assert_eq!(gaps_between(Some(&inside), &other, t(40)), [gap(30, 40, GapCause::DiskFull)], "the gap of the live run goes on");
        assert_eq!(inside.trailing_gap().map(|e| e.cause), Some(GapCause::DiskFull));
    }

    #[test]
    fn lost_footage_is_a_gap_that_says_so() {
        let (a, b) = (run(0, 0, vec![]), run(1, 20, vec![gap(15, 20, GapCause::Paused)]));
        let inside = gaps_between(Some(&end(10, &a, None)), &a, t(14));
        assert_eq!(inside, [gap(10, 14, GapCause::Damaged)], "a block inside a run");
        let tail = gaps_between(Some(&end(10, &a, None)), &b, t(20));
        assert_eq!(tail, [gap(10, 15, GapCause::Damaged), gap(15, 20, GapCause::Paused)], "the last block of a run");
        let head = gaps_between(Some(&end(15, &a, Some(GapCause::Paused))), &b, t(24));
        assert_eq!(head, [gap(15, 20, GapCause::Paused), gap(20, 24, GapCause::Damaged)], "the first block of a run");
        let c = run(2, 40, vec![gap(30, 40, GapCause::SourceEnded)]);
        let whole = gaps_between(Some(&end(10, &a, Some(GapCause::Paused))), &c, t(40));
        assert_eq!(whole, [gap(10, 30, GapCause::Damaged), gap(30, 40, GapCause::SourceEnded)], "a whole run");
    }
}
