//! Waiting for what must come to be, with a deadline instead of a guess.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Long, because machines that run tests are busy;
/// no test ever waits it out when it passes.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// Looks until `probe` gives something.
///
/// # Panics
/// When [`PATIENCE`] is over, naming `what`.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {} s", PATIENCE.as_secs());
        tokio::time::sleep(INTERVAL).await;
    }
}
