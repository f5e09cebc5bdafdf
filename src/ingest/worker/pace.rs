//! Reading a file no faster than it would have come live.

use std::time::Duration;

/// A step in media time beyond this is a jump, not a pause to be waited for.
const JUMP_US: i64 = 5_000_000;

/// Tells how long to wait before a packet. Pure.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    /// Monotonic time and media time that belong together.
    anchor: Option<(Duration, i64)>,
    last_us: i64,
    lag: Duration,
}

impl Pacer {
    /// The first packets were due so long ago: a file that begins again goes on where it ended.
    pub fn late_by(lag: Duration) -> Self {
        Pacer { lag, ..Pacer::default() }
    }

    /// The wait before a packet of media time `at_us`, when it is `now`.
    pub fn wait(&mut self, at_us: i64, now: Duration) -> Duration {
        let jumped = at_us.saturating_sub(self.last_us).saturating_abs() > JUMP_US;
        let (since, zero_us) = match self.anchor {
            Some(anchor) if !jumped => anchor,
            // After a jump go on from here, a frame or so after the packet before.
            Some(_) => *self.anchor.insert((now, at_us)),
            None => *self.anchor.insert((now.saturating_sub(self.lag), at_us)),
        };
        self.last_us = at_us;
        let due = since + Duration::from_micros(u64::try_from(at_us.saturating_sub(zero_us)).unwrap_or(0));
        due.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn packets_are_let_through_when_they_are_due() {
        let mut p = Pacer::default();
        assert_eq!(p.wait(7_000_000, ms(100)), ms(0));
        assert_eq!(p.wait(7_040_000, ms(100)), ms(40));
        assert_eq!(p.wait(7_080_000, ms(500)), ms(0), "late: no wait");
        assert_eq!(p.wait(7_030_000, ms(100)), ms(30), "a little back, as with two tracks");
    }

    #[test]
    fn a_file_that_begins_again_catches_up() {
        let mut p = Pacer::late_by(ms(100));
        assert_eq!(p.wait(0, ms(1000)), ms(0));
        assert_eq!(p.wait(80_000, ms(1000)), ms(0));
        assert_eq!(p.wait(120_000, ms(1000)), ms(20));
    }

    #[test]
    fn a_jump_is_not_waited_for() {
        let mut p = Pacer::default();
        p.wait(0, ms(0));
        assert_eq!(p.wait(3_600_000_000, ms(40)), ms(0));
        assert_eq!(p.wait(3_600_040_000, ms(40)), ms(40));
        assert_eq!(p.wait(0, ms(80)), ms(0), "the file begins again");
    }
}
