//! The only place that asks the time.
//!
//! Everything else is handed a [`Clock`] or a `now`, so tests can set it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::media::Timestamp;

/// A source of wall time and of a steady count that no setting of the system clock moves.
pub trait Clock: Send + Sync + Debug {
    fn now(&self) -> Timestamp;
    /// Time since an arbitrary fixed moment; never goes backward.
    fn monotonic(&self) -> Duration;
}

pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Before 1970 only when the machine's clock is unset: then everything is at the epoch.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
    fn monotonic(&self) -> Duration {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap_or(0))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    now_us: AtomicI64,
    monotonic_us: AtomicI64,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(ManualClock { now_us: AtomicI64::new(now.as_micros()), monotonic_us: AtomicI64::new(0) })
    }
    /// Time passes: both clocks move.
    pub fn advance(&self, by: Duration) {
        let us = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.now_us.fetch_add(us, Ordering::SeqCst);
        self.monotonic_us.fetch_add(us, Ordering::SeqCst);
    }
    /// Somebody sets the clock: only wall time moves.
    pub fn set(&self, now: Timestamp) {
        self.now_us.store(now.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_us.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic_us.load(Ordering::SeqCst).unsigned_abs())
    }
}
