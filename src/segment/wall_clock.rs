//! Wall time of a run: anchored to arrival at its start, then led by media time.
//!
//! Delay on the way only ever makes packets late, so the *smallest* arrival-minus-media over a stretch is the
//! nearest to the truth. The first segment's minimum is the anchor; each later segment's tells how far the
//! source's clock has drifted from ours, and the segment is made longer or shorter by at most 500 ppm.

use std::time::Duration;

use crate::media::Timestamp;

/// When a packet arrived, by both clocks of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    pub wall: Timestamp,
    /// Steady: tells a clock that was set from a source that paused.
    pub monotonic: Duration,
}

/// A run whose packets come this much later than its clock says, for [`LATE_FOR_US`] on end, is over.
const LATE_US: i64 = 5_000_000;
/// Longer than a stalled connection takes to catch up by a burst.
const LATE_FOR_US: i64 = 10_000_000;
/// Correction of wall time against media time: 500 ppm is ten times what a bad quartz is off.
const CORRECTION_MAX_PPM: i64 = 500;
/// Offsets below this are network jitter, not drift.
const DEADBAND_US: i64 = 50_000;
/// The offset is made up for over so many segments.
const CORRECTION_SEGMENTS: i64 = 8;
/// A difference of our two clocks beyond this means that the wall clock was set.
const CLOCK_SET_US: i64 = 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Late {
    /// Our clock was set forward.
    ClockWasSet,
    /// The source's time stood still.
    SourcePaused,
}

/// The clock of one run.
#[derive(Clone, Debug)]
pub(super) struct WallClock {
    /// Files: media time is exact and the start is given.
    exact: Option<Timestamp>,
    not_before: Timestamp,
    /// Start of the segment in flight; `None` during a live run's first.
    segment_start: Option<Timestamp>,
    segment_media_us: i64,
    /// Smallest `arrival - media` of the segment in flight.
    smallest_us: Option<i64>,
    /// Smoothed drift.
    offset_us: i64,
    late_since: Option<Duration>,
    first: Option<Arrival>,
    lead_us: i64,
}

impl WallClock {
    pub(super) fn live(not_before: Timestamp) -> Self {
        WallClock {
            exact: None,
            not_before,
            segment_start: None,
            segment_media_us: 0,
            smallest_us: None,
            offset_us: 0,
            late_since: None,
            first: None,
            lead_us: 0,
        }
    }
    /// The run's start is already known: an import, or a run that continues the one before.
    pub(super) fn starting_at(start: Timestamp, exact: bool) -> Self {
        let mut clock = Self::live(start);
        clock.segment_start = Some(start);
        clock.exact = exact.then_some(start);
        clock
    }

    /// A packet of media time `media_us` (from the run's start) arrived.
    pub(super) fn arrived(&mut self, media_us: i64, arrival: Arrival) -> Option<Late> {
        if self.exact.is_some() {
            return None;
        }
        let first = *self.first.get_or_insert(arrival);
        let zero = arrival.wall.as_micros().saturating_sub(media_us);
        self.smallest_us = Some(self.smallest_us.map_or(zero, |s| s.min(zero)));
        let expected_zero = match self.segment_start {
            Some(start) => start.as_micros().saturating_sub(self.segment_media_us),
            // Before the anchor is fixed, against the best guess so far.
            None => self.smallest_us.unwrap_or(zero).max(self.not_before.as_micros()),
        };
        let late_us = zero.saturating_sub(expected_zero);
        self.lead_us = -late_us;
        if late_us <= LATE_US {
            self.late_since = None;
            return None;
        }
        let since = *self.late_since.get_or_insert(arrival.monotonic);
        if arrival.monotonic.saturating_sub(since) < Duration::from_micros(LATE_FOR_US.unsigned_abs()) {
            return None;
        }
        let wall_passed = arrival.wall.micros_since(first.wall);
        let time_passed = i64::try_from(arrival.monotonic.saturating_sub(first.monotonic).as_micros()).unwrap_or(i64::MAX);
        Some(if wall_passed.saturating_sub(time_passed) > CLOCK_SET_US { Late::ClockWasSet } else { Late::SourcePaused })
    }

    /// How far the run's clock is ahead of ours: positive when the source sends faster than time passes.
    pub(super) fn lead_us(&self) -> i64 {
        self.lead_us
    }

    /// Start of the segment in flight, if it is fixed already.
    pub(super) fn segment_start(&self) -> Option<Timestamp> {
        self.segment_start
    }

    /// Ends the segment in flight, which held `media_us` of media; gives its start and its wall duration,
    /// which is positive.
    pub(super) fn end_segment(&mut self, media_us: u32) -> (Timestamp, u32) {
        let start = self.segment_start.unwrap_or_else(|| {
            let anchor = self.smallest_us.unwrap_or(0).max(0);
            Timestamp(anchor.saturating_add(self.segment_media_us)).max(self.not_before)
        });
        let wall_us = match (self.exact, self.segment_start, self.smallest_us) {
            (None, Some(start), Some(smallest)) => {
                let offset = smallest.saturating_add(self.segment_media_us).saturating_sub(start.as_micros());
                self.offset_us += (offset.saturating_sub(self.offset_us)) / 4;
                i64::from(media_us) + self.correction(media_us)
            }
            _ => i64::from(media_us),
        };
        let wall_us = u32::try_from(wall_us.max(1)).unwrap_or(u32::MAX);
        self.segment_start = Some(start.saturating_add_micros(i64::from(wall_us)));
        self.segment_media_us += i64::from(media_us);
        self.smallest_us = None;
        (start, wall_us)
    }

    fn correction(&self, media_us: u32) -> i64 {
        if self.offset_us.abs() <= DEADBAND_US {
            return 0;
        }
        let most = i64::from(media_us) * CORRECTION_MAX_PPM / 1_000_000;
        (self.offset_us / CORRECTION_SEGMENTS).clamp(-most, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_777_816_800_000_000;

    fn arrival(wall_us: i64, monotonic_us: i64) -> Arrival {
        Arrival { wall: Timestamp(T0 + wall_us), monotonic: Duration::from_micros(monotonic_us as u64) }
    }

    /// Feeds 4 s segments of 25 packets a second, arriving by `wall(media)`; gives starts and wall durations.
    fn run(clock: &mut WallClock, segments: i64, wall: impl Fn(i64) -> i64) -> Vec<(i64, u32)> {
        (0..segments)
            .map(|s| {
                for f in 0..100 {
                    let media = s * 4_000_000 + f * 40_000;
                    assert_eq!(clock.arrived(media, arrival(wall(media), wall(media))), None);
                }
                let (start, wall) = clock.end_segment(4_000_000);
                (start.0 - T0, wall)
            })
            .collect()
    }

    #[test]
    fn a_steady_source_is_not_corrected() {
        let mut clock = WallClock::live(Timestamp(0));
        let got = run(&mut clock, 20, |m| m + (m / 40_000 % 7) * 4_000);
        assert!(got.iter().enumerate().all(|(i, g)| *g == (i as i64 * 4_000_000, 4_000_000)), "{got:?}");
    }

    #[test]
    fn a_burst_at_the_start_puts_the_anchor_back() {
        let mut clock = WallClock::live(Timestamp(0));
        // Two seconds of pictures come at once, then live ones.
        let got = run(&mut clock, 2, |m| (m - 2_000_000).max(0));
        assert_eq!(got[0].0, -2_000_000 + 40_000 - 40_000);
    }

    #[test]
    fn nothing_starts_before_what_is_already_there() {
        let mut clock = WallClock::live(Timestamp(T0 + 500_000));
        assert_eq!(run(&mut clock, 1, |m| m)[0].0, 500_000);
    }

    #[test]
    fn a_slow_clock_is_followed_within_its_limit() {
        let mut clock = WallClock::live(Timestamp(0));
        let got = run(&mut clock, 1000, |m| m + m / 5000);
        assert!(got.iter().all(|g| (3_998_000..=4_002_000).contains(&g.1)));
        let last = got.last().unwrap();
        let truth = 999 * 4_000_000i64 * 5001 / 5000;
        assert!((last.0 - truth).abs() < 200_000, "off by {} us", last.0 - truth);
    }

    #[test]
    fn a_clock_set_forward_is_noticed_and_one_set_back_is_not_followed() {
        let mut clock = WallClock::live(Timestamp(0));
        run(&mut clock, 3, |m| m);
        let late = |clock: &mut WallClock, media: i64, by: i64| clock.arrived(media, arrival(media + by, media));
        let hour = 3_600_000_000;
        assert_eq!(late(&mut clock, 12_000_000, hour), None);
        assert_eq!(late(&mut clock, 21_000_000, hour), None);
        assert_eq!(late(&mut clock, 22_000_000, hour), Some(Late::ClockWasSet));
        let mut clock = WallClock::live(Timestamp(0));
        run(&mut clock, 3, |m| m);
        assert_eq!(late(&mut clock, 60_000_000, -hour), None);
        let (start, wall) = clock.end_segment(4_000_000);
        assert_eq!((start.0 - T0, wall), (12_000_000, 3_998_000));
    }

    #[test]
    fn a_source_that_paused_is_told_from_a_clock_that_was_set() {
        let mut clock = WallClock::live(Timestamp(0));
        run(&mut clock, 3, |m| m);
        let after = |clock: &mut WallClock, media: i64| clock.arrived(media, arrival(media + 30_000_000, media + 30_000_000));
        assert_eq!(after(&mut clock, 12_000_000), None);
        assert_eq!(after(&mut clock, 22_000_000), Some(Late::SourcePaused));
    }

    #[test]
    fn a_stall_that_is_caught_up_changes_nothing() {
        let mut clock = WallClock::live(Timestamp(0));
        let stalled = |m: i64| {
            if (8_000_000..38_000_000).contains(&m) {
                38_000_000 + (m - 8_000_000) / 20
            } else {
                m.max(39_500_000 * i64::from(m >= 38_000_000))
            }
        };
        let got = run(&mut clock, 20, stalled);
        assert!(got.iter().all(|g| (3_998_000..=4_002_000).contains(&g.1)));
    }
}
