//! How fast an export may go: recording and playback share the disk with it, and come first.

use std::time::Duration;

use tokio::time::Instant;

/// Read and written per second by one export. An hour of a camera at 4 Mbit/s takes a minute. Half would keep people waiting for what a
/// disk does in passing; double is, with two at once, all that a disk with moving parts can do.
const BYTES_PER_S: u64 = 32 * 1024 * 1024;
/// On a disk that is slower than that, an export rests as long as it works.
const REST_MAX: Duration = Duration::from_secs(2);

/// Slows one export down.
#[derive(Debug)]
pub(super) struct Pace {
    step_began: Instant,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace { step_began: Instant::now() }
    }

    /// `bytes` have been read and written since the last call: waits until the next may be.
    pub(super) async fn rest(&mut self, bytes: usize) {
        tokio::time::sleep(rest_after(bytes, self.step_began.elapsed())).await;
        self.step_began = Instant::now();
    }
}

fn rest_after(bytes: usize, took: Duration) -> Duration {
    let due = Duration::from_secs_f64(bytes as f64 / BYTES_PER_S as f64);
    due.saturating_sub(took).max(took).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_disk_is_left_alone_most_of_the_time_and_a_slow_one_half_of_it() {
        let ms = Duration::from_millis;
        let mib = 1024 * 1024;
        assert_eq!(rest_after(32 * mib, ms(100)), ms(900));
        assert_eq!(rest_after(mib, ms(300)), ms(300));
        assert_eq!(rest_after(mib, ms(60_000)), REST_MAX);
    }
}
