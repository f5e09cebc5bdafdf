//! `retroview streams probe`: a source is tried before it is recorded.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::app;
use crate::ingest::protocol::{SeenAudio, SeenVideo, Sight};
use crate::ingest::{SourcePolicy, SourceSpec};

use super::context::{Database, start_failure};
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// As for `streams add`
    source: String,
    /// Where to put its first picture, a JPEG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(database: &Database, args: ProbeArgs) -> anyhow::Result<Exit> {
    let wrong = |e: String| Failure::new(Exit::Usage, e).hint("retroview streams probe --help");
    let source = SourceSpec::parse(&args.source).map_err(|e| wrong(e.to_string()))?;
    let ingest = &database.config.ingest;
    let policy = SourcePolicy::new(&ingest.forbidden_networks, &ingest.file_roots).map_err(|e| wrong(e.to_string()))?;
    policy.check(&source).map_err(|e| wrong(e.to_string()))?;
    let (_, root) = app::open_index(&database.config).await.map_err(start_failure)?;
    let looker = app::looker(&database.config, &root).map_err(start_failure)?;
    let looked = looker.look(&source).await;
    let sight =
        looked.map_err(|e| Failure::new(Exit::Failed, e.to_string()).hint("the address, its user and password, and whether it is on"))?;
    if let (Some(path), Some(picture)) = (&args.picture, &sight.picture) {
        let cannot = |e: std::io::Error| Failure::new(Exit::Failed, format!("cannot write {}: {e}", path.display())).hint("another path");
        std::fs::write(path, &picture.jpeg).map_err(cannot)?;
    }
    if args.json {
        output::print_json(&json!({
            "codecs": sight.codecs, "video": sight.video, "audio": sight.audio, "why_no_picture": sight.why_no_picture,
        }))?;
    } else {
        lines(&sight).iter().for_each(|line| output::print_line(line));
    }
    Ok(Exit::Ok)
}

fn lines(sight: &Sight) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(sight.video.as_ref().map(video));
    lines.extend(sight.audio.as_ref().map(audio));
    if sight.video.as_ref().is_some_and(|v| v.codec == "h265") {
        lines.push("note: many browsers cannot play H.265; it can be recorded, downloaded, and watched in player apps".into());
    }
    lines.extend(sight.why_no_picture.as_ref().map(|why| format!("note: no picture could be made of its video: {why}")));
    lines
}

fn video(seen: &SeenVideo) -> String {
    let fps = if seen.fps_num > 0 {
        format!(", {:.3} frames a second", f64::from(seen.fps_num) / f64::from(seen.fps_den.max(1)))
    } else {
        String::new()
    };
    format!("video: {} {}x{}{fps}", seen.codec, seen.width, seen.height)
}

fn audio(seen: &SeenAudio) -> String {
    let recoded = seen.recoded_from.as_ref().map_or_else(String::new, |from| format!(", recoded from {from}"));
    format!("audio: {}, {} Hz, {} channels{recoded}", seen.codec, seen.sample_rate, seen.channels)
}
