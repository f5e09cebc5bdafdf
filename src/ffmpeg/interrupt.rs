//! How a blocking call into libavformat is ended from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use libc::{c_int, c_void};

use crate::clock::SharedClock;

/// Why a call was ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InterruptReason {
    Stopped,
    TimedOut,
}

/// Shared between the thread that reads and whoever may end it. libavformat asks at least every 100 ms
/// while it waits on a socket.
#[derive(Debug)]
pub struct Interrupt {
    stop: AtomicBool,
    /// Monotonic microseconds; `i64::MAX` when there is none.
    deadline_us: AtomicI64,
    clock: SharedClock,
}

impl Interrupt {
    pub fn new(clock: SharedClock) -> Arc<Self> {
        Arc::new(Interrupt { stop: AtomicBool::new(false), deadline_us: AtomicI64::new(i64::MAX), clock })
    }
    /// Ends the call under way and every later one. Cannot be taken back.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
    /// Calls that last beyond `after` from now are ended. Replaces the deadline before.
    pub fn set_deadline(&self, after: Duration) {
        let at = self.clock.monotonic().saturating_add(after);
        self.deadline_us.store(i64::try_from(at.as_micros()).unwrap_or(i64::MAX), Ordering::Release);
    }
    pub fn clear_deadline(&self) {
        self.deadline_us.store(i64::MAX, Ordering::Release);
    }
    /// The state now: a call that failed while this is `Some` failed because of it, whatever its code says.
    pub fn reason(&self) -> Option<InterruptReason> {
        if self.is_stopped() {
            return Some(InterruptReason::Stopped);
        }
        let deadline = self.deadline_us.load(Ordering::Acquire);
        if deadline == i64::MAX {
            return None;
        }
        let now = i64::try_from(self.clock.monotonic().as_micros()).unwrap_or(i64::MAX);
        (now >= deadline).then_some(InterruptReason::TimedOut)
    }
}

/// `AVIOInterruptCB.callback`; `opaque` is an [`Interrupt`] kept alive by the `Input` that registered it.
pub(super) unsafe extern "C" fn interrupt_callback(opaque: *mut c_void) -> c_int {
    // SAFETY: see above; `reason` takes `&self` and does not panic.
    let interrupt = unsafe { &*opaque.cast::<Interrupt>() };
    c_int::from(interrupt.reason().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::media::Timestamp;

    #[test]
    fn a_deadline_passes_with_the_monotonic_clock_only() {
        let clock = ManualClock::at(Timestamp::from_secs(1000));
        let interrupt = Interrupt::new(clock.clone());
        assert_eq!(interrupt.reason(), None);
        interrupt.set_deadline(Duration::from_secs(5));
        clock.set(Timestamp::from_secs(9000));
        assert_eq!(interrupt.reason(), None);
        clock.advance(Duration::from_secs(5));
        assert_eq!(interrupt.reason(), Some(InterruptReason::TimedOut));
        interrupt.clear_deadline();
        assert_eq!(interrupt.reason(), None);
        interrupt.stop();
        assert_eq!(interrupt.reason(), Some(InterruptReason::Stopped));
    }
}
