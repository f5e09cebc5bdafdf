//! Every day a signed checkpoint of the audit log, as a file where the operator says.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::audit::{Checkpoint, KEY_BYTES};
use crate::clock::SharedClock;
use crate::db::{self, Db};
use crate::media::Timestamp;

/// How often is looked whether the day has its checkpoint. Half would look more often for nothing; double would leave a day
/// that a service ran for an hour without one.
const STEP: Duration = Duration::from_secs(1800);

/// Writes `checkpoint-<day>.json`, UTC, for each day on which the service runs. One that cannot be written is tried again, and
/// said each time.
pub async fn keep(folder: PathBuf, db: Db, clock: SharedClock) {
    let mut every = tokio::time::interval(STEP);
    loop {
        every.tick().await;
        let now = clock.now();
        let day = now.to_rfc3339(0);
        let path = folder.join(format!("checkpoint-{}.json", &day[..10]));
        if path.exists() {
            continue;
        }
        let written = async { write(&path, &sign(&db, "system", now).await?) };
        if let Err(error) = written.await {
            tracing::error!(
                error = &*error as &dyn std::error::Error,
                path = %path.display(),
                "the day's checkpoint of the audit log could not be written; set `audit.checkpoints` to a folder that can be"
            );
        }
    }
}

/// Signs how far the audit log reaches.
///
/// # Errors
/// The database does not take it, or the system has no random numbers.
pub async fn sign(db: &Db, by: &str, now: Timestamp) -> anyhow::Result<Checkpoint> {
    let mut fresh = [0; KEY_BYTES];
    getrandom::fill(&mut fresh).map_err(|e| anyhow::anyhow!("random numbers: {e}"))?;
    Ok(db::sign_checkpoint(db, &fresh, by, now).await?)
}

/// Under another name first: a half-written checkpoint would be taken for a forged one.
fn write(path: &Path, checkpoint: &Checkpoint) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let half = path.with_extension("half");
    let mut file = std::fs::File::create(&half)?;
    writeln!(file, "{}", checkpoint.to_json())?;
    file.sync_all()?;
    std::fs::rename(&half, path)?;
    Ok(())
}
