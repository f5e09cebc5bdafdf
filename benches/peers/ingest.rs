//! A 1080p 4 Mbit/s transport stream at full speed: our import (checksums, index and a sync per segment
//! included) beside `ffmpeg -c copy` into 4 s fMP4 HLS, and into one fragmented MP4.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Bench, Figure, cpu, median};

/// Pairs run. Odd, so that the median is one of them.
const ROUNDS: usize = 5;
/// Length of the file. 15 minutes are about 480 MB: long enough that start-up does not count.
const MINUTES: u32 = 15;

pub fn run(bench: &Bench) -> Vec<Figure> {
    let source = transport_stream(&bench.dir, MINUTES);
    let gb = fs::metadata(&source).expect("just written").len() as f64 / 1e9;
    let (mut ours, mut hls, mut one, mut ratio) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let a = import(bench, &source, round) / gb;
        let b =
            ffmpeg(bench, &source, &["-f", "hls", "-hls_time", "4", "-hls_segment_type", "fmp4", "-hls_list_size", "0"], "index.m3u8") / gb;
        let c = ffmpeg(bench, &source, &["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof"], "one.mp4") / gb;
        eprintln!("  ingest round {round}: retroview {a:.2}, ffmpeg hls {b:.2}, ffmpeg one file {c:.2} CPU s/GB");
        ours.push(a);
        hls.push(b);
        one.push(c);
        ratio.push(a / b);
    }
    let r = median(&ratio);
    vec![
        Figure {
            what: "ingest, CPU s/GB, beside ffmpeg -c copy to 4 s fMP4 HLS".into(),
            ours: format!("{:.2}", median(&ours)),
            peer: format!("{:.2}  ratio {r:.2} (≤ 1.00)", median(&hls)),
            within: Some(r <= 1.0),
        },
        Figure {
            what: "ingest, CPU s/GB, beside ffmpeg -c copy to one fMP4".into(),
            ours: format!("{:.2}", median(&ours)),
            peer: format!("{:.2}  ratio {:.2}", median(&one), median(&ours) / median(&one)),
            within: None,
        },
    ]
}

/// A transport stream of the given length: one minute encoded, the rest copies of it with running timestamps.
pub fn transport_stream(dir: &Path, minutes: u32) -> PathBuf {
    let (minute, whole) = (dir.join("minute.ts"), dir.join(format!("source-{minutes}.ts")));
    if whole.exists() {
        return whole;
    }
    let encode =
        ["-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=25,noise=alls=12:allf=t", "-f", "lavfi", "-i", "sine=440:r=48000", "-t", "60"];
    let codec =
        ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M", "-pix_fmt", "yuv420p"];
    run_ffmpeg(
        Command::new("ffmpeg").args(["-v", "error", "-y"]).args(encode).args(codec).args(["-c:a", "aac", "-b:a", "128k"]).arg(&minute),
    );
    let repeats = (minutes - 1).to_string();
    run_ffmpeg(
        Command::new("ffmpeg").args(["-v", "error", "-y", "-stream_loop", &repeats, "-i"]).arg(&minute).args(["-c", "copy"]).arg(&whole),
    );
    whole
}

pub fn run_ffmpeg(command: &mut Command) {
    let status = command.stdin(Stdio::null()).status().expect("ffmpeg is installed");
    assert!(status.success(), "{command:?} ended with {status}");
}

fn import(bench: &Bench, source: &Path, round: usize) -> f64 {
    let data = bench.dir.join(format!("import-{round}"));
    let retroview = |args: &[&str]| {
        let mut c = Command::new(&bench.retroview);
        c.args(args).env("RETROVIEW_DATA_DIR", &data).stdin(Stdio::null()).stdout(Stdio::null());
        // The peer makes none; what they cost is a section of its own.
        c.env("RETROVIEW_MEDIA_THUMBNAILS", "false");
        c
    };
    assert!(retroview(&["streams", "add", "bench", "push:"]).status().expect("the binary starts").success());
    let source = source.to_str().expect("our own path is UTF-8");
    let cpu = cpu::of_command(&mut retroview(&["import", "bench", source, "--start", "2026-01-01T00:00:00Z"]));
    fs::remove_dir_all(&data).expect("the scratch folder is ours");
    cpu
}

fn ffmpeg(bench: &Bench, source: &Path, format: &[&str], name: &str) -> f64 {
    let out = bench.dir.join("peer");
    fs::create_dir_all(&out).expect("the scratch folder is ours");
    let mut c = Command::new("ffmpeg");
    // Transport streams carry AAC with ADTS headers, which MP4 does not.
    c.args(["-v", "error", "-y", "-i"])
        .arg(source)
        .args(["-c", "copy", "-bsf:a", "aac_adtstoasc"])
        .args(format)
        .arg(out.join(name))
        .stdin(Stdio::null());
    let cpu = cpu::of_command(&mut c);
    fs::remove_dir_all(&out).expect("the scratch folder is ours");
    cpu
}
