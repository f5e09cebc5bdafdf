//! The past of the demo: filmed now, with the clock of then, and imported.
//!
//! **When it is cut off** (Ctrl-C, a kill) the next start films the same again: the camera shows the time it is told, so
//! the files have the same bytes, and the import goes on behind what it has.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{DemoCamera, MINUTE_US, stream_id};
use crate::app::{self, Opened};
use crate::config::Config;
use crate::ingest::import::{ImportRequest, StartFrom};
use crate::media::{StreamId, TimeRange, Timestamp};

/// The live recording begins about now; its first segment must not meet the history's last.
const MARGIN_US: i64 = 5_000_000;

/// The moment before which the history lies, while it is being made.
const MOMENT_FILE: &str = "moment";

/// Gives every camera without footage its history, or all of it to those that got only a part.
pub(super) async fn make(opened: &Opened, config: &Config, cameras: &[DemoCamera]) -> anyhow::Result<()> {
    let folder = config.data_dir.join("film");
    let cut_off = std::fs::read_to_string(folder.join(MOMENT_FILE)).ok();
    let cut_off = cut_off.and_then(|text| Timestamp::parse(text.trim(), opened.clock.now()).ok());
    let moment = cut_off.unwrap_or(opened.clock.now());
    let mut wanted = Vec::new();
    for camera in cameras {
        let stream = stream_id(camera);
        if cut_off.is_some() || opened.db().totals(&stream).await?.segments == 0 {
            wanted.extend(camera.history.iter().map(|(from, to)| (camera, stream.clone(), range(moment, *from, *to))));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    if std::io::stderr().is_terminal() {
        eprintln!("Filming the history, once; this takes some seconds.");
    }
    begin(&folder, moment).with_context(|| format!("make {}", folder.display()))?;
    // Filming takes a core; all at once use what there is.
    let films = wanted.into_iter().enumerate().map(|(n, (camera, stream, range))| {
        let file = folder.join(format!("{n}.ts"));
        async move {
            film(camera, range, &file).await?;
            import(opened, config, &stream, range.start(), &file).await
        }
    });
    match futures_util::future::try_join_all(films).await {
        Ok(_) => {}
        // By another version's camera, or live footage has come to lie there: what there is will do.
        Err(error) if cut_off.is_some() => tracing::warn!(error = format!("{error:#}"), "the history stays as an earlier start left it"),
        Err(error) => return Err(error),
    }
    // What is left of it is of no use; a folder that cannot be removed does no harm.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}

/// Notes the moment, whole or not at all.
fn begin(folder: &Path, moment: Timestamp) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let fresh = folder.join("moment.new");
    std::fs::write(&fresh, moment.to_rfc3339(6))?;
    std::fs::rename(fresh, folder.join(MOMENT_FILE))
}

fn range(now: Timestamp, from_minutes: i64, to_minutes: i64) -> TimeRange {
    let end = now.saturating_add_micros(-to_minutes * MINUTE_US - MARGIN_US);
    TimeRange::new(now.saturating_add_micros(-from_minutes * MINUTE_US), end).expect("the ranges of the demo are not empty")
}

/// Few and small pictures: hours of them in seconds.
///
/// The file is written here: a camera that outlives us ends at the closed pipe, instead of writing on into the file of the next start.
async fn film(camera: &DemoCamera, range: TimeRange, file: &Path) -> anyhow::Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["camera", "--label", camera.label, "--fps", "4", "--gop", "16", "--size", "480x270"])
        .args(["--start", &range.start().to_rfc3339(6), "--duration", &format!("{:.6}", range.micros() as f64 / 1e6)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut pictures = child.stdout.take().expect("stdout is piped");
    let mut written = tokio::fs::File::create(file).await.with_context(|| format!("create {}", file.display()))?;
    tokio::io::copy(&mut pictures, &mut written).await.with_context(|| format!("write {}", file.display()))?;
    written.flush().await.with_context(|| format!("write {}", file.display()))?;
    let status = child.wait().await?;
    anyhow::ensure!(status.success(), "the camera could not film the history ({status})");
    Ok(())
}

async fn import(opened: &Opened, config: &Config, stream: &StreamId, start: Timestamp, file: &Path) -> anyhow::Result<()> {
    let importer = app::importer(config, opened.index.clone(), &opened.root, opened.clock.clone())?;
    let request = ImportRequest { stream: stream.clone(), paths: vec![file.to_path_buf()], start: StartFrom::Given(start) };
    importer.import(&request, &mut |_| ()).await?;
    Ok(())
}
