//! How long to wait before trying again.

use std::time::Duration;

/// Exponential backoff with full jitter on the upper half: each wait is between half and all of
/// `min · 2^attempt`, capped at `max`. A hundred cameras that vanish with one switch do not come back in step,
/// and none waits less than half of what it should.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    attempt: u32,
}

impl Backoff {
    pub fn new(min: Duration, max: Duration) -> Self {
        Backoff { min, max: max.max(min), attempt: 0 }
    }

    /// Tries since the last success.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The source worked: start small again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// The next wait. `random` is any number; all its values must be equally likely.
    pub fn next(&mut self, random: u32) -> Duration {
        let full = self.min.saturating_mul(1u32.checked_shl(self.attempt).unwrap_or(u32::MAX)).min(self.max);
        self.attempt = self.attempt.saturating_add(1);
        let half = full / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_over_after_success() {
        let mut b = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let full: Vec<u64> = (0..9).map(|_| b.next(u32::MAX).as_millis() as u64).collect();
        assert_eq!(full, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        assert_eq!(b.attempt(), 9);
        b.reset();
        assert_eq!(b.next(u32::MAX), Duration::from_millis(500));
    }

    #[test]
    fn jitter_takes_at_most_half() {
        let mut b = Backoff::new(Duration::from_secs(2), Duration::from_secs(2));
        assert_eq!(b.next(0), Duration::from_secs(1));
        assert!((1.49..1.51).contains(&b.next(u32::MAX / 2).as_secs_f64()));
    }

    #[test]
    fn a_year_of_failures_neither_overflows_nor_exceeds_the_cap() {
        let mut b = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        b.attempt = u32::MAX - 1;
        assert_eq!(b.next(u32::MAX), Duration::from_secs(60));
        assert_eq!(b.next(u32::MAX), Duration::from_secs(60));
    }
}
