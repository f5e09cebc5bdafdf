//! What small pictures for scrubbing cost: the same 1080p25 footage of 4 Mbit/s imported with them and without, in turn. The difference
//! is what a camera's pictures take of a core while it records, because footage is footage: an hour has 360 of them either way.
//!
//! `RETROVIEW_BENCH_FILM` names a film to use in place of the synthetic one; it is repeated to fill the time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ingest::run_ffmpeg;
use crate::{Bench, Figure, cpu, median};

/// Pairs run. Odd, so that the median is one of them.
const ROUNDS: usize = 3;
/// Length of what is imported. Sixty pictures are enough that start-up does not count.
const MINUTES: u32 = 10;
/// What was promised, in percent: of a core, and of the footage's bytes.
const CORE_MAX: f64 = 0.5;
const BYTES_MAX: f64 = 0.2;

pub fn run(bench: &Bench) -> Vec<Figure> {
    let source = film(&bench.dir);
    let seconds = f64::from(MINUTES) * 60.0;
    let (mut core, mut share, mut rate) = (vec![], vec![], 0.0);
    for round in 0..ROUNDS {
        let (with, with_bytes) = import(bench, &source, round, true);
        let (without, without_bytes) = import(bench, &source, round, false);
        core.push((with - without) / seconds * 100.0);
        share.push((with_bytes as f64 - without_bytes as f64) / without_bytes as f64 * 100.0);
        rate = without_bytes as f64 * 8.0 / seconds / 1e6;
        eprintln!("  thumbnails round {round}: {with:.2} CPU s with, {without:.2} without, for {MINUTES} min");
    }
    let (core, share) = (median(&core), median(&share));
    vec![
        Figure {
            what: format!("small pictures, share of a core per 1080p25 stream ({rate:.1} Mbit/s)"),
            ours: format!("{core:.2} %  {:.1} s/h", core * 36.0),
            peer: format!("(≤ {CORE_MAX} %)"),
            within: Some(core <= CORE_MAX),
        },
        Figure {
            what: "small pictures, share of the footage in bytes".into(),
            ours: format!("{share:.3} %"),
            peer: format!("(≤ {BYTES_MAX} %)"),
            within: Some(share <= BYTES_MAX),
        },
    ]
}

/// Detail everywhere and noise that moves, coded as cameras do: with arithmetic coding and deblocking, unlike the film of `ingest`.
fn film(dir: &Path) -> PathBuf {
    let (part, whole) = (dir.join("detail.ts"), dir.join("detail-long.ts"));
    let mut encode = Command::new("ffmpeg");
    encode.args(["-v", "error", "-y"]);
    match std::env::var_os("RETROVIEW_BENCH_FILM") {
        Some(film) => encode.arg("-i").arg(film).arg("-an"),
        None => encode.args(["-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=25,noise=alls=8:allf=t", "-t", "10"]),
    };
    let codec = ["-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "8M"];
    run_ffmpeg(encode.args(codec).args(["-r", "25", "-pix_fmt", "yuv420p"]).arg(&part));
    let seconds = (MINUTES * 60).to_string();
    let mut repeat = Command::new("ffmpeg");
    repeat.args(["-v", "error", "-y", "-stream_loop", "-1", "-i"]).arg(&part).args(["-c", "copy", "-t", &seconds]);
    run_ffmpeg(repeat.arg(&whole));
    whole
}

/// CPU seconds of an import, and the bytes of its block files.
fn import(bench: &Bench, source: &Path, round: usize, thumbnails: bool) -> (f64, u64) {
    let data = bench.dir.join(format!("pictures-{round}-{thumbnails}"));
    let retroview = |args: &[&str]| {
        let mut c = Command::new(&bench.retroview);
        c.args(args).env("RETROVIEW_DATA_DIR", &data).env("RETROVIEW_MEDIA_THUMBNAILS", thumbnails.to_string());
        c.stdin(Stdio::null()).stdout(Stdio::null());
        c
    };
    assert!(retroview(&["streams", "add", "bench", "push:"]).status().expect("the binary starts").success());
    let source = source.to_str().expect("our own path is UTF-8");
    let cpu = cpu::of_command(&mut retroview(&["import", "bench", source, "--start", "2026-01-01T00:00:00Z"]));
    let bytes = block_bytes(&data.join("media"));
    fs::remove_dir_all(&data).expect("the scratch folder is ours");
    (cpu, bytes)
}

fn block_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |path: PathBuf| match path.is_dir() {
        true => block_bytes(&path),
        false if path.extension().is_some_and(|e| e == "mp4") => fs::metadata(&path).map_or(0, |m| m.len()),
        false => 0,
    };
    entries.map(|e| of(e.path())).sum()
}
