//! What the service does once a day by itself.

use std::time::Duration;

use crate::clock::SharedClock;
use crate::db::AuditVerifier;
use crate::media::Timestamp;
use crate::retention::Retention;

const DAY_US: i64 = 86_400_000_000;
/// After the start, when recording and playback have begun.
const FIRST_AFTER: Duration = Duration::from_secs(30);
/// How often is looked whether a day is over. Half would look more often for nothing; double would show a day of storage late.
const STEP: Duration = Duration::from_secs(600);

/// Verifies the audit log a day after it was verified last.
pub async fn verify_audit(verifier: AuditVerifier, clock: SharedClock) {
    tokio::time::sleep(FIRST_AFTER).await;
    let mut every = tokio::time::interval(STEP);
    loop {
        every.tick().await;
        match verifier.state().await {
            Ok(state) if state.last.as_ref().is_none_or(|last| is_a_day_old(last.verified_at, clock.now())) => drop(verifier.begin()),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "when the audit log was verified last cannot be read");
            }
        }
    }
}

/// A clock that was set back must not keep it from being verified.
fn is_a_day_old(at: Timestamp, now: Timestamp) -> bool {
    now.micros_since(at).abs() >= DAY_US
}

/// Writes down how much was stored, as soon as a day (UTC) is over. What cannot be written is tried again.
pub async fn settle_storage(retention: Retention, clock: SharedClock) {
    tokio::time::sleep(FIRST_AFTER).await;
    let mut every = tokio::time::interval(STEP);
    let mut settled = None;
    loop {
        every.tick().await;
        let now = clock.now();
        let today = now.as_micros().div_euclid(DAY_US);
        if settled == Some(today) {
            continue;
        }
        match retention.settle_storage(now).await {
            Ok(streams) => {
                settled = Some(today);
                tracing::debug!(streams, "days of storage are written down");
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "how much was stored could not be written down; it is tried again"
                );
            }
        }
    }
}
