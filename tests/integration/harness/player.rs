//! ffmpeg as a player.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// What a player saw.
#[derive(Debug)]
pub struct Played {
    pub video_frames: u64,
    pub seconds: f64,
    /// What it complained about; empty for a clean run.
    pub complaints: String,
}

/// Decodes everything to the end.
pub fn ffmpeg_plays(input: impl AsRef<OsStr>, options: &[&str]) -> Played {
    let out = Command::new("ffmpeg")
        .args(["-v", "warning", "-progress", "pipe:1", "-nostats"])
        .args(options)
        .arg("-i")
        .arg(input)
        .args(["-f", "null", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is installed");
    let progress = String::from_utf8_lossy(&out.stdout).into_owned();
    let last = |key: &str| progress.lines().rev().find_map(|l| l.strip_prefix(key)).map(str::trim).unwrap_or("0").to_owned();
    let complaints = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "ffmpeg could not play it: {complaints}");
    Played {
        video_frames: last("frame=").parse().unwrap_or(0),
        seconds: last("out_time_us=").parse::<f64>().unwrap_or(0.0) / 1e6,
        complaints,
    }
}

/// What ffprobe says of a file or URL.
pub fn ffprobe_json(input: impl AsRef<OsStr>, options: &[&str]) -> serde_json::Value {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-show_format", "-show_streams", "-of", "json"])
        .args(options)
        .arg(input)
        .stdin(Stdio::null())
        .output()
        .expect("ffprobe is installed");
    assert!(out.status.success(), "ffprobe: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("ffprobe prints JSON")
}
