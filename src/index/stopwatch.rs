//! How long the index takes, for `/metrics`.

use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::telemetry::metric;

pub(super) struct Stopwatch(Duration);

impl Stopwatch {
    pub(super) fn start() -> Stopwatch {
        Stopwatch(SystemClock.monotonic())
    }
    fn elapsed_s(&self) -> f64 {
        SystemClock.monotonic().saturating_sub(self.0).as_secs_f64()
    }
    /// `kind`: `cached`, `rows` or `coverage`.
    pub(super) fn lookup(self, kind: &'static str) {
        metrics::histogram!(metric::INDEX_LOOKUP_SECONDS, "kind" => kind).record(self.elapsed_s());
    }
    pub(super) fn commit(self) {
        metrics::histogram!(metric::INDEX_COMMIT_SECONDS).record(self.elapsed_s());
    }
}
