//! The past of the demo: filmed now, with the clock of then, and imported.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::Command;

use super::{DemoCamera, MINUTE_US, stream_id};
use crate::app::{self, Opened};
use crate::config::Config;
use crate::ingest::import::{ImportRequest, StartFrom};
use crate::media::{StreamId, TimeRange, Timestamp};

/// The live recording begins about now; its first segment must not meet the history's last.
const MARGIN_US: i64 = 5_000_000;

/// Gives every camera without footage its history.
pub(super) async fn make(opened: &Opened, config: &Config, cameras: &[DemoCamera]) -> anyhow::Result<()> {
    let now = opened.clock.now();
    let mut wanted = Vec::new();
    for camera in cameras {
        let stream = stream_id(camera);
        if opened.db().totals(&stream).await?.segments == 0 {
            wanted.extend(camera.history.iter().map(|(from, to)| (camera, stream.clone(), range(now, *from, *to))));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    if std::io::stderr().is_terminal() {
        eprintln!("Filming the history, once; this takes some seconds.");
    }
    let folder = config.data_dir.join("film");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    // Filming takes a core; all at once use what there is.
    let films = wanted.into_iter().enumerate().map(|(n, (camera, stream, range))| {
        let file = folder.join(format!("{n}.ts"));
        async move {
            film(camera, range, &file).await?;
            import(opened, config, &stream, range.start(), &file).await
        }
    });
    let made = futures_util::future::try_join_all(films).await;
    // What is left of it is of no use; a folder that cannot be removed does no harm.
    let _ = std::fs::remove_dir_all(&folder);
    made.map(drop)
}

fn range(now: Timestamp, from_minutes: i64, to_minutes: i64) -> TimeRange {
    let end = now.saturating_add_micros(-to_minutes * MINUTE_US - MARGIN_US);
    TimeRange::new(now.saturating_add_micros(-from_minutes * MINUTE_US), end).expect("the ranges of the demo are not empty")
}

/// Few and small pictures: hours of them in seconds.
async fn film(camera: &DemoCamera, range: TimeRange, file: &Path) -> anyhow::Result<()> {
    let status = Command::new(std::env::current_exe()?)
        .args(["camera", "--label", camera.label, "--fps", "4", "--gop", "16", "--size", "480x270"])
        .args(["--start", &range.start().to_rfc3339(6), "--duration", &format!("{:.6}", range.micros() as f64 / 1e6)])
        .arg("--output")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await?;
    anyhow::ensure!(status.success(), "the camera could not film the history ({status})");
    Ok(())
}

async fn import(opened: &Opened, config: &Config, stream: &StreamId, start: Timestamp, file: &Path) -> anyhow::Result<()> {
    let importer = app::importer(config, opened.index.clone(), &opened.root, opened.clock.clone())?;
    let request = ImportRequest { stream: stream.clone(), paths: vec![file.to_path_buf()], start: StartFrom::Given(start) };
    importer.import(&request, &mut |_| ()).await?;
    Ok(())
}
