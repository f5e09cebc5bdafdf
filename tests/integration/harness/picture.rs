//! What the burned-in clock of a picture says.

use std::path::Path;
use std::process::{Command, Stdio};

use retroview::ffmpeg::camera::clock_row;

/// The time in a JPEG, in milliseconds since the epoch.
pub fn clock_of_jpeg(jpeg: &[u8]) -> Option<i64> {
    let dir = tempfile::tempdir().expect("the temporary folder is writable");
    let file = dir.path().join("frame.jpg");
    std::fs::write(&file, jpeg).expect("as above");
    clocks_of(&file, &[]).first().copied()?
}

/// The times in all pictures of a file or URL, in the order they are shown; `None` where a picture has no clock.
pub fn clocks_of(input: impl AsRef<std::ffi::OsStr>, options: &[&str]) -> Vec<Option<i64>> {
    let input = input.as_ref();
    let size = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0:nk=1"])
        .args(options)
        .arg(input)
        .stdin(Stdio::null())
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8_lossy(&size.stdout).into_owned();
    let numbers: Vec<usize> = text.lines().next().unwrap_or("").split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let [width, height] = numbers[..] else { panic!("no picture in {}: {text}", Path::new(input).display()) };
    let raw = Command::new("ffmpeg")
        .args(["-v", "error"])
        .args(options)
        .arg("-i")
        .arg(input)
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is installed");
    assert!(raw.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&raw.stderr));
    raw.stdout.chunks_exact(width * height).map(|luma| clock_row::read(luma, width, width, height)).collect()
}
