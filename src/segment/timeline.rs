//! The source's timestamps made steady: wraps undone, missing ones filled in, single wrong ones mended, and
//! true jumps told apart from them.

use crate::ffmpeg::TimeBase;
use crate::media::VIDEO_TIMESCALE;

/// A decode time that lies this little before its predecessor is disorder, and moved up; more is a jump.
/// A fifth of a second covers what networks reorder; frames squeezed together for longer would be seen.
const DISORDER_TICKS: i64 = VIDEO_TIMESCALE as i64 / 5;
/// A hole up to this length stays inside the run (the last picture stands); a longer one ends it. With half
/// of it every hiccup makes a discontinuity, with double a viewer looks at a frozen picture.
const HOLE_TICKS: i64 = 3 * VIDEO_TIMESCALE as i64;
/// Sources slower than a picture in three quarters of a second may pause for this many intervals.
const HOLE_INTERVALS: i64 = 4;
/// A slower source is not believed when it says so in advance: libavformat computes rates from damaged times, too,
/// and an hour between two pictures must be a jump. A picture in ten seconds is the slowest camera we have heard of.
const INTERVAL_MAX_TICKS: i64 = 10 * VIDEO_TIMESCALE as i64;
/// So many packets must agree on a new time before it is believed: one damaged packet is no jump.
const JUMP_PACKETS: u32 = 4;
/// Composition offsets beyond this are nonsense: no decoder reorders over ten seconds.
const OFFSET_MAX_TICKS: i64 = 10 * VIDEO_TIMESCALE as i64;
/// Times are kept inside ±2^60 ticks, so sums of a few never overflow.
const SANE_TICKS: i64 = 1 << 60;

/// Undoes wrapping: each value is the one nearest to its predecessor that has the same low bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unwrap {
    bits: u32,
    last: Option<i64>,
}

impl Unwrap {
    pub(super) fn new(wrap_bits: u8) -> Self {
        Unwrap { bits: u32::from(wrap_bits), last: None }
    }
    pub(super) fn last(&self) -> Option<i64> {
        self.last
    }
    /// Continues from `at`, a value known from elsewhere.
    pub(super) fn start_near(&mut self, at: i64) {
        self.last.get_or_insert(at);
    }
    pub(super) fn next(&mut self, raw: i64) -> i64 {
        let value = match self.last {
            Some(last) => self.near(raw, last),
            None => raw.clamp(-SANE_TICKS, SANE_TICKS),
        };
        self.last = Some(value);
        value
    }
    /// `raw` as the value nearest to `to`.
    pub(super) fn near(&self, raw: i64, to: i64) -> i64 {
        if self.bits >= 62 {
            return raw.clamp(-SANE_TICKS, SANE_TICKS);
        }
        let shift = 64 - self.bits;
        // Sign-extended low bits of the difference.
        let difference = (raw.wrapping_sub(to) << shift) >> shift;
        to.saturating_add(difference).clamp(-SANE_TICKS, SANE_TICKS)
    }
}

/// `ticks` of `from`, in ticks of a whole rate, rounded to nearest.
pub(super) fn rescale(ticks: i64, from: TimeBase, rate: u32) -> i64 {
    if from.num == 1 && from.den == rate {
        return ticks;
    }
    let den = i128::from(from.den.max(1));
    let value = i128::from(ticks) * i128::from(from.num) * i128::from(rate);
    let rounded = (value + den / 2).div_euclid(den);
    i64::try_from(rounded).unwrap_or(0).clamp(-SANE_TICKS, SANE_TICKS)
}

pub(super) fn ticks_to_us(ticks: i64, rate: u32) -> i64 {
    let us = i128::from(ticks) * 1_000_000 / i128::from(rate.max(1));
    i64::try_from(us).unwrap_or(0)
}

/// Where a packet stands in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Placed {
    At(Stamp),
    /// The source's time has jumped by so many microseconds; this packet is the first of the new time.
    Jump {
        by_us: i64,
    },
    /// Cannot be placed.
    Drop,
}

/// Times in 90 kHz.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    pub dts: i64,
    pub pts: i64,
    /// What the source says or the last interval was; never 0.
    pub duration: i64,
    /// Not what the source said.
    pub mended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Suspect {
    count: u32,
    dts: i64,
}

/// Time of the track that leads: video, or audio where there is none.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    time_base: TimeBase,
    unwrap: Unwrap,
    previous: Option<i64>,
    /// Usual distance between packets.
    interval: i64,
    suspect: Option<Suspect>,
}

impl Timeline {
    /// `interval` is the nominal distance between packets in 90 kHz, 0 when unknown.
    pub(super) fn new(time_base: TimeBase, interval: i64) -> Self {
        let interval = if (1..=INTERVAL_MAX_TICKS).contains(&interval) { interval } else { i64::from(VIDEO_TIMESCALE / 25) };
        Timeline { time_base, unwrap: Unwrap::new(time_base.wrap_bits), previous: None, interval, suspect: None }
    }

    /// Forgets the past after a jump, so that the packet that showed it can be placed as a first one.
    pub(super) fn restart(&mut self) {
        self.previous = None;
        self.suspect = None;
    }

    /// The last packet's decode time, in 90 kHz.
    pub(super) fn position(&self) -> Option<i64> {
        self.previous
    }

    pub(super) fn start_near(&mut self, ticks_90k: i64) {
        let tb = self.time_base;
        let ticks = i128::from(ticks_90k) * i128::from(tb.den) / (i128::from(tb.num.max(1)) * i128::from(VIDEO_TIMESCALE));
        self.unwrap.start_near(i64::try_from(ticks).unwrap_or(0));
    }

    pub(super) fn place(&mut self, pts: Option<i64>, dts: Option<i64>, duration: i64, keyframe: bool) -> Placed {
        let duration = self.scale(duration.clamp(0, SANE_TICKS)).min(HOLE_TICKS);
        let mut mended = dts.is_none();
        let (candidate, offset) = match (dts, pts) {
            (Some(dts), pts) => {
                let d = self.unwrap.next(dts);
                let p = pts.map_or(d, |pts| self.unwrap.near(pts, d));
                let (d, p) = (self.scale(d), self.scale(p));
                (d, p - d)
            }
            (None, Some(pts)) => {
                let p = self.unwrap.next(pts);
                let p = self.scale(p);
                match self.previous {
                    // Decode times count on; presentation may lie on either side of them.
                    Some(previous) if (p - previous - self.interval).abs() <= HOLE_TICKS => {
                        let d = previous + self.interval;
                        (d, p - d)
                    }
                    _ => (p, 0),
                }
            }
            (None, None) => match self.previous {
                Some(previous) => (previous + if duration > 0 { duration } else { self.interval }, 0),
                None => return Placed::Drop,
            },
        };
        let offset = if offset.abs() > OFFSET_MAX_TICKS { 0 } else { offset };
        let Some(previous) = self.previous else { return self.accept(candidate, offset, duration, mended) };

        let delta = candidate - previous;
        let hole = HOLE_TICKS.max(self.interval.saturating_mul(HOLE_INTERVALS));
        if delta > 0 && delta <= hole {
            if delta < HOLE_TICKS * HOLE_INTERVALS {
                self.interval = (self.interval * 7 + delta) / 8;
                self.interval = self.interval.max(1);
            }
            return self.accept(candidate, offset, duration, mended);
        }
        if delta <= 0 && delta > -DISORDER_TICKS {
            // The picture keeps its place; only its turn to be decoded moves.
            let dts = previous + 1;
            return self.accept(dts, offset + candidate - dts, duration, true);
        }
        if self.is_jump(candidate, hole, keyframe) {
            return Placed::Jump { by_us: ticks_to_us(delta - self.interval, VIDEO_TIMESCALE) };
        }
        mended |= true;
        self.previous = Some(previous + self.interval);
        Placed::At(Stamp { dts: previous + self.interval, pts: previous + self.interval + offset, duration: self.interval, mended })
    }

    fn is_jump(&mut self, candidate: i64, hole: i64, keyframe: bool) -> bool {
        let count = match self.suspect {
            Some(s) if (-DISORDER_TICKS..=hole).contains(&(candidate - s.dts)) => s.count + 1,
            _ => 1,
        };
        self.suspect = Some(Suspect { count, dts: candidate });
        // A keyframe is where a new run can begin: waiting for more packets would lose it.
        keyframe || count >= JUMP_PACKETS
    }

    fn accept(&mut self, dts: i64, offset: i64, duration: i64, mended: bool) -> Placed {
        self.previous = Some(dts);
        self.suspect = None;
        // It only matters for a run's last sample; what a container claims beyond reason is not believed.
        let duration = if duration > 0 { duration.min(4 * self.interval) } else { self.interval };
        Placed::At(Stamp { dts, pts: dts + offset, duration, mended })
    }

    fn scale(&self, ticks: i64) -> i64 {
        rescale(ticks, self.time_base, VIDEO_TIMESCALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TS: TimeBase = TimeBase::new(1, 90_000, 33);

    fn dts(placed: Placed) -> i64 {
        match placed {
            Placed::At(s) => s.dts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_frame_rate_made_of_damaged_times_does_not_hide_a_jump() {
        let mut t = Timeline::new(TS, 90_000 * 2_097_153 / 25);
        t.place(Some(0), Some(0), 3600, true);
        let hour = 3600 * 90_000;
        assert_eq!(t.place(Some(hour), Some(hour), 3600, true), Placed::Jump { by_us: 3_599_960_000 });
    }

    #[test]
    fn a_wrapped_counter_goes_on() {
        let mut t = Timeline::new(TS, 3600);
        let start = (1i64 << 33) - 7200;
        let got: Vec<i64> = (0..5)
            .map(|i| (start + i * 3600) & ((1 << 33) - 1))
            .map(|raw| dts(t.place(Some(raw), Some(raw), 3600, i64::from(raw == start) == 1)))
            .collect();
        assert_eq!(got, (0..5).map(|i| start + i * 3600).collect::<Vec<_>>());
    }

    #[test]
    fn a_presentation_time_may_wrap_before_its_decode_time() {
        let mut t = Timeline::new(TS, 3600);
        let Placed::At(s) = t.place(Some(1800), Some((1 << 33) - 1800), 0, true) else { panic!() };
        assert_eq!(s.pts - s.dts, 3600);
    }

    #[test]
    fn one_damaged_time_is_mended_and_a_lasting_one_is_a_jump() {
        let mut t = Timeline::new(TS, 3600);
        for i in 0..10 {
            dts(t.place(Some(i * 3600), Some(i * 3600), 3600, false));
        }
        assert_eq!(dts(t.place(Some(99_000_000), Some(99_000_000), 0, false)), 10 * 3600);
        assert_eq!(dts(t.place(Some(11 * 3600), Some(11 * 3600), 0, false)), 11 * 3600);
        let at = |i: i64| Some(50_000_000 + i * 3600);
        for i in 0..3 {
            assert_eq!(dts(t.place(at(i), at(i), 0, false)), (12 + i) * 3600);
        }
        assert!(matches!(t.place(at(3), at(3), 0, false), Placed::Jump { by_us } if by_us > 500_000_000));
        t.restart();
        assert_eq!(dts(t.place(at(3), at(3), 0, false)), at(3).unwrap());
    }

    #[test]
    fn a_keyframe_with_a_new_time_is_believed_at_once() {
        let mut t = Timeline::new(TS, 3600);
        dts(t.place(Some(9_000_000), Some(9_000_000), 0, true));
        assert!(matches!(t.place(Some(0), Some(0), 0, true), Placed::Jump { by_us } if by_us < 0));
    }

    #[test]
    fn slow_sources_may_be_slow() {
        let mut t = Timeline::new(TS, 90_000 * 5);
        for i in 0..5 {
            let at = i * 90_000 * 5;
            assert_eq!(dts(t.place(Some(at), Some(at), 0, false)), at);
        }
    }

    #[test]
    fn missing_decode_times_count_on() {
        let mut t = Timeline::new(TimeBase::new(1, 1000, 64), 3600);
        let pts = [0, 120, 40, 80, 240, 160, 200];
        let got: Vec<(i64, i64)> = pts
            .iter()
            .map(|p| match t.place(Some(*p), None, 0, *p == 0) {
                Placed::At(s) => (s.dts, s.pts),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(got.windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!(got.iter().map(|g| g.1).collect::<Vec<_>>(), pts.map(|p| p * 90));
    }

    proptest! {
        #[test]
        fn decode_times_always_rise_and_nothing_panics(
            packets in proptest::collection::vec((any::<Option<i64>>(), any::<Option<i64>>(), any::<i64>(), any::<bool>()), 0..60),
            small in proptest::collection::vec((proptest::option::of(-9000i64..90_000), proptest::option::of(-9000i64..90_000), 0i64..9000, any::<bool>()), 0..60),
            bits in prop_oneof![Just(32u8), Just(33), Just(64)],
            den in 1u32..100_000,
        ) {
            let mut t = Timeline::new(TimeBase::new(1, den, bits), 0);
            let mut last = None;
            for (pts, dts, duration, key) in packets.into_iter().chain(small) {
                match t.place(pts, dts, duration, key) {
                    Placed::At(s) => {
                        prop_assert!(last.is_none_or(|l| s.dts > l));
                        prop_assert!(s.duration > 0);
                        last = Some(s.dts);
                    }
                    Placed::Jump { .. } => { t.restart(); last = None; }
                    Placed::Drop => {}
                }
            }
        }
    }
}
