//! What the running service tells commands on the same machine: where it answers, and what each stream is doing.
//!
//! A small file in the run directory, replaced when something has changed. Rows say what is wanted of a stream; only the
//! service knows what comes of it, and a command must not need a token to show that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DataDirLock, StartError};
use crate::config::Config;
use crate::ingest::SupervisorHandle;

const FILE: &str = "service.json";
/// Half looks twice as often for nothing; double lets `streams show` lag behind what one has just done.
const STEP: Duration = Duration::from_secs(1);

/// What a stream is doing, as the service saw it a second ago at most.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StreamNews {
    /// As `/v1/streams` has it: `recording`, `backing_off`, …
    pub state: String,
    /// One sentence; may be empty.
    pub detail: String,
}

/// The file's content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Announcement {
    /// Address of page and API, without a slash at the end.
    pub url: String,
    pub streams: BTreeMap<String, StreamNews>,
}

impl Announcement {
    /// What the service of this data directory says; `None` when none runs.
    pub fn read(config: &Config) -> Option<Announcement> {
        match DataDirLock::take(&config.lock_path()) {
            Err(StartError::InUse { .. }) => {}
            _ => return None,
        }
        let text = std::fs::read(config.run_dir().join(FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// Keeps the file up to date until the service ends.
pub(super) async fn keep(run_dir: PathBuf, url: String, supervisor: SupervisorHandle) {
    let mut written = None;
    loop {
        let streams = supervisor.statuses().into_iter().map(|(id, status)| {
            let state = serde_json::to_value(status.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
            (id.to_string(), StreamNews { state, detail: status.detail })
        });
        let now = Announcement { url: url.clone(), streams: streams.collect() };
        if written.as_ref() != Some(&now) {
            match write(&run_dir, &now) {
                Ok(()) => written = Some(now),
                // A full disk: commands do without, and the next step tries again.
                Err(error) => tracing::debug!(%error, "cannot tell commands what streams are doing"),
            }
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Under another name first: who reads never sees half of it.
fn write(run_dir: &Path, announcement: &Announcement) -> std::io::Result<()> {
    let fresh = run_dir.join(format!("{FILE}.new"));
    std::fs::write(&fresh, serde_json::to_vec(announcement)?)?;
    std::fs::rename(fresh, run_dir.join(FILE))
}
