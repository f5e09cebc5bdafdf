//! The gaps since the last footage of one stream: what the next run's header will list. Pure.

use crate::media::{Gap, GapCause, Timestamp};

/// More gaps than this become one with the last: a source that flaps between causes for weeks must not fill
/// block headers.
pub const GAPS_MAX: usize = 32;

/// Closed gaps that follow one another, and the one that lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GapList {
    pub closed: Vec<Gap>,
    pub open: Option<Gap>,
}

impl GapList {
    /// Nothing comes from `start` on. An open gap ends there; at its own start, or later with the same cause,
    /// it only gets the new words.
    pub fn open(&mut self, start: Timestamp, cause: GapCause, detail: &str) {
        if self.open.as_ref().is_some_and(|g| g.start != start) {
            self.close(start);
        }
        self.open = Some(Gap { start, end: None, cause, detail: detail.into() });
    }

    pub fn close(&mut self, end: Timestamp) {
        let Some(gap) = self.open.take() else { return };
        if end <= gap.start {
            return;
        }
        let full = self.closed.len() >= GAPS_MAX;
        match self.closed.last_mut().filter(|_| full) {
            Some(last) => last.end = Some(end),
            None => self.closed.push(Gap { end: Some(end), ..gap }),
        }
    }

    /// Footage begins at `start`: closes what is open and hands over all gaps before it.
    pub fn take_for_run(&mut self, start: Timestamp) -> Vec<Gap> {
        self.close(start);
        std::mem::take(&mut self.closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn gaps_follow_one_another_without_holes() {
        let mut list = GapList::default();
        list.open(t(100), GapCause::SourceEnded, "");
        list.open(t(100), GapCause::SourceSilent, "same start: only the cause changes");
        list.open(t(130), GapCause::SourceRefused, "");
        list.close(t(150));
        let drawn: Vec<_> = list.closed.iter().map(|g| (g.start, g.end, g.cause)).collect();
        assert_eq!(drawn, [(t(100), Some(t(130)), GapCause::SourceSilent), (t(130), Some(t(150)), GapCause::SourceRefused)]);
        list.close(t(160));
        assert_eq!(list.closed.len(), 2, "closing twice changes nothing");
    }

    #[test]
    fn a_source_that_flaps_for_weeks_keeps_a_short_list() {
        let mut list = GapList::default();
        for i in 0..1000 {
            list.open(t(i), if i % 2 == 0 { GapCause::SourceRefused } else { GapCause::SourceUnreachable }, "");
        }
        let gaps = list.take_for_run(t(1000));
        assert_eq!(gaps.len(), GAPS_MAX);
        assert_eq!(gaps.last().unwrap().end, Some(t(1000)));
        assert!(gaps.windows(2).all(|w| w[0].end == Some(w[1].start)));
        assert_eq!(list, GapList::default());
    }
}
