//! How a stream's thread is told to end, wherever it is waiting.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::ffmpeg::Interrupt;
use crate::ingest::protocol::PushFormat;
use crate::media::GapCause;

/// A publisher whose body waits to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publisher {
    pub socket: String,
    pub format: PushFormat,
}

#[derive(Default)]
struct Inner {
    stop: Option<GapCause>,
    publisher: Option<Publisher>,
    done: bool,
}

/// Shared between a stream's thread and the one that reads commands.
pub(super) struct Control {
    inner: Mutex<Inner>,
    wake: Condvar,
    /// Ends calls into libavformat.
    pub interrupt: Arc<Interrupt>,
}

impl Control {
    pub fn new(interrupt: Arc<Interrupt>) -> Arc<Self> {
        Arc::new(Control { inner: Mutex::default(), wake: Condvar::new(), interrupt })
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds the state")
    }

    pub fn stop(&self, cause: GapCause) {
        self.inner().stop.get_or_insert(cause);
        self.interrupt.stop();
        self.wake.notify_all();
    }
    /// The cause of the gap that begins now; `None` while the stream is wanted.
    pub fn stopped(&self) -> Option<GapCause> {
        self.inner().stop
    }
    pub fn publish(&self, publisher: Publisher) {
        self.inner().publisher = Some(publisher);
        self.wake.notify_all();
    }

    /// The thread has handed everything to its recorder.
    pub fn set_done(&self) {
        self.inner().done = true;
        self.wake.notify_all();
    }
    pub fn is_done(&self) -> bool {
        self.inner().done
    }
    /// Waits for that, at most so long. True when it came.
    pub fn wait_done(&self, most: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(self.inner(), most, |i| !i.done);
        waited.expect("nothing panics while it holds the state").0.done
    }

    /// Waits so long, or until it is told to stop: true then.
    pub fn sleep(&self, most: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(self.inner(), most, |i| i.stop.is_none());
        waited.expect("nothing panics while it holds the state").0.stop.is_some()
    }

    /// Waits for a publisher; `None` when told to stop.
    pub fn next_publisher(&self) -> Option<Publisher> {
        let waited = self.wake.wait_while(self.inner(), |i| i.stop.is_none() && i.publisher.is_none());
        let mut inner = waited.expect("nothing panics while it holds the state");
        if inner.stop.is_some() { None } else { inner.publisher.take() }
    }
}
