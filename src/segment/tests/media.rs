//! Real media, made by the ffmpeg command, recorded, and read back by it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::SystemClock;
use crate::ffmpeg::{Input, Interrupt, OpenOptions, Read};
use crate::media::{GapCause, Timestamp};
use crate::segment::{Arrival, Event, RunStart, Segmenter, SegmenterConfig};

/// One run as it would lie on disk.
pub(crate) struct Recorded {
    pub start: RunStart,
    pub bytes: Vec<u8>,
    pub segments: Vec<Seg>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seg {
    pub start: Timestamp,
    pub wall_us: u32,
    pub media_us: u32,
    pub keyframe_bytes: u32,
    pub independent: bool,
    pub video: Vec<u8>,
    pub audio: Vec<u8>,
}

pub(crate) fn ffmpeg(args: &[&str]) {
    let out = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(args).output().expect("ffmpeg is installed");
    assert!(out.status.success(), "ffmpeg {args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

pub(crate) fn probe(path: &Path, what: &str, extra: &[&str]) -> String {
    let out =
        Command::new("ffprobe").args(["-v", "error", "-of", "csv=p=0", "-show_entries", what]).args(extra).arg(path).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "ffprobe {what}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

pub(crate) fn open(path: &Path, format: Option<&'static str>) -> Input {
    let options = OpenOptions { format, options: Vec::new() };
    Input::open(path.to_str().unwrap(), &options, Interrupt::new(Arc::new(SystemClock))).unwrap()
}

pub(crate) fn record(mut input: Input, config: SegmenterConfig) -> Vec<Recorded> {
    let mut segmenter = Segmenter::new(config, &input.tracks());
    let mut runs: Vec<Recorded> = Vec::new();
    let mut sink = |event: Event<'_>| match event {
        Event::RunStarted(start) => runs.push(Recorded { bytes: start.init.bytes.to_vec(), start, segments: Vec::new() }),
        Event::Segment(s) => {
            let run = runs.last_mut().expect("a run comes before its segments");
            let (video, audio) = (s.video().concat(), s.audio().concat());
            run.bytes.extend_from_slice(&video);
            run.bytes.extend_from_slice(&audio);
            run.segments.push(Seg {
                start: s.start,
                wall_us: s.wall_us,
                media_us: s.media_us,
                keyframe_bytes: s.keyframe_bytes,
                independent: s.independent,
                video,
                audio,
            });
        }
        Event::RunEnded(_) => {}
    };
    let arrival = Arrival { wall: Timestamp(0), monotonic: Duration::ZERO };
    loop {
        let changed = match input.read().unwrap() {
            Read::Packet(packet) => {
                segmenter.feed(&packet, arrival, &mut sink).unwrap();
                false
            }
            Read::TracksChanged => true,
            Read::End => break,
        };
        if changed {
            segmenter.set_tracks(&input.tracks(), &mut sink).unwrap();
        }
    }
    segmenter.finish(GapCause::SourceEnded, "", &mut sink).unwrap();
    runs
}

pub(crate) const START: Timestamp = Timestamp(1_777_816_800_000_000);

/// Records `path` and writes each run to a file of its own.
fn record_to_files(path: &Path, format: Option<&'static str>) -> Vec<(PathBuf, Recorded)> {
    let runs = record(open(path, format), SegmenterConfig::exact(START));
    let name = |i: usize| path.with_file_name(format!("run{i}.mp4"));
    runs.into_iter()
        .enumerate()
        .map(|(i, run)| {
            std::fs::write(name(i), &run.bytes).unwrap();
            (name(i), run)
        })
        .collect()
}

fn frame_hashes(path: &Path, kind: &str) -> Vec<String> {
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i", path.to_str().unwrap(), "-map", &format!("0:{kind}:0"), "-f", "framemd5", "-"])
        .output()
        .unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter(|l| !l.starts_with('#')).map(|l| l.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// `seconds` of test picture and tone with these encoder options, in a container of this extension.
fn make(dir: &Path, seconds: u32, video: &[&str], audio: &[&str], extension: &str) -> PathBuf {
    let path = dir.join(format!("source.{extension}"));
    let (picture, tone) = (format!("testsrc2=s=320x180:r=25:d={seconds}"), format!("sine=f=440:r=48000:d={seconds}"));
    let mut args: Vec<&str> = Vec::new();
    if !video.is_empty() {
        args.extend(["-f", "lavfi", "-i", &picture]);
    }
    if !audio.is_empty() {
        args.extend(["-f", "lavfi", "-i", &tone]);
    }
    args.extend(video);
    args.extend(audio);
    args.push(path.to_str().unwrap());
    ffmpeg(&args);
    path
}

const X264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"];
const AAC: &[&str] = &["-c:a", "aac", "-b:a", "64k"];

fn with<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<&'a str> {
    [a, b].concat()
}

/// Everything that must hold for a recording of one run.
fn check_run(run: &Recorded, file: &Path) {
    let mut expected = START;
    for s in &run.segments {
        assert_eq!(s.start, expected, "segments are contiguous");
        assert!(s.wall_us > 0 && s.wall_us == s.media_us, "media time is exact");
        assert!(!s.video.is_empty() || !s.audio.is_empty());
        assert!(s.independent);
        assert!(s.keyframe_bytes as usize <= s.video.len());
        expected = s.start.saturating_add_micros(i64::from(s.wall_us));
    }
    let total_us = expected.micros_since(START);
    let probed: f64 = probe(file, "format=duration", &[]).parse().unwrap();
    assert!((probed - total_us as f64 / 1e6).abs() < 0.2, "{probed} s in the file, {total_us} us by the index");
}

fn check_codec(video: &[&str], audio: &[&str], extension: &str, codecs: (&str, &str)) {
    let dir = tempfile::tempdir().unwrap();
    let source = make(dir.path(), 9, video, audio, extension);
    let runs = record_to_files(&source, None);
    assert_eq!(runs.len(), 1);
    let (file, run) = &runs[0];
    let codec = |c: Option<&str>| c.unwrap_or("").to_owned();
    assert_eq!(codec(run.start.init.video.as_ref().map(|v| v.codec.as_str())), codecs.0);
    assert_eq!(codec(run.start.init.audio.as_ref().map(|a| a.codec.as_str())), codecs.1);
    check_run(run, file);
    if !video.is_empty() {
        let track = run.start.init.video.as_ref().unwrap();
        assert_eq!((track.width, track.height, track.fps_num / track.fps_den.max(1)), (320, 180, 25));
        assert_eq!(run.segments.len(), 3, "nine seconds with keyframes every two, cut at four");
        assert_eq!(frame_hashes(file, "v"), frame_hashes(&source, "v"), "every picture is there, in order");
    }
    if !audio.is_empty() && run.start.init.audio.as_ref().unwrap().codec != "mp4a.40.2" {
        // Priming that an edit list or a container's own field hides may add or take a packet.
        let (ours, theirs) = (frame_hashes(file, "a").len(), frame_hashes(&source, "a").len());
        assert!(ours.abs_diff(theirs) <= 1, "{ours} audio frames of {theirs}");
    }
}

#[test]
fn h264_and_aac_from_mpeg_ts() {
    check_codec(X264, AAC, "ts", ("avc1.42c00c", "mp4a.40.2"));
}

#[test]
fn h264_with_b_frames_from_mp4() {
    let video = with(X264, &["-preset", "fast", "-bf", "3", "-b_strategy", "0"]);
    check_codec(&video, AAC, "mp4", ("avc1.64000c", "mp4a.40.2"));
}

#[test]
fn h264_with_b_frames_from_mpeg_ts() {
    let video = with(X264, &["-preset", "fast", "-bf", "2"]);
    check_codec(&video, AAC, "ts", ("avc1.64000c", "mp4a.40.2"));
}

#[test]
fn h264_from_flv_and_matroska() {
    check_codec(X264, AAC, "flv", ("avc1.42c00c", "mp4a.40.2"));
    check_codec(X264, &["-c:a", "libopus"], "mkv", ("avc1.42c00c", "opus"));
}

#[test]
fn h265_from_mpeg_ts_and_mp4() {
    let video = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=none:keyint=50:min-keyint=50:scenecut=0",
        "-pix_fmt",
        "yuv420p",
    ];
    check_codec(&video, AAC, "ts", ("hvc1.1.6.L60.90", "mp4a.40.2"));
    check_codec(&with(&video, &["-tag:v", "hvc1"]), &["-c:a", "libmp3lame"], "mp4", ("hvc1.1.6.L60.90", "mp4a.6B"));
}

#[test]
fn av1_from_mp4_and_matroska() {
    let video = ["-c:v", "libaom-av1", "-cpu-used", "8", "-g", "50", "-keyint_min", "50", "-pix_fmt", "yuv420p", "-usage", "realtime"];
    check_codec(&video, &["-c:a", "libopus"], "mp4", ("av01.0.00M.08", "opus"));
    check_codec(&video, &[], "mkv", ("av01.0.00M.08", ""));
}

#[test]
fn video_alone_and_audio_alone() {
    check_codec(X264, &[], "ts", ("avc1.42c00c", ""));
    for (audio, extension, codec) in [
        (AAC, "ts", "mp4a.40.2"),
        (AAC, "m4a", "mp4a.40.2"),
        (&["-c:a", "libopus"][..], "ogg", "opus"),
        (&["-c:a", "libmp3lame"], "mp3", "mp4a.6B"),
        (&["-c:a", "libmp3lame", "-ar", "22050"], "mp3", "mp4a.69"),
    ] {
        check_codec(&[], audio, extension, ("", codec));
    }
}

#[test]
fn telephone_audio_becomes_aac_and_keeps_its_time() {
    for (audio, extension) in [
        (&["-c:a", "pcm_alaw", "-ar", "8000"][..], "mkv"),
        (&["-c:a", "pcm_mulaw", "-ar", "8000"], "mov"),
        (&["-c:a", "pcm_s16le"], "mkv"),
        (&["-c:a", "mp2"], "ts"),
    ] {
        check_codec(X264, audio, extension, ("avc1.42c00c", "mp4a.40.2"));
    }
}
