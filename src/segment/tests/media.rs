//! Real media, made by the ffmpeg command, recorded, and read back by it.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::SystemClock;
use crate::ffmpeg::camera::{self, CameraFormat, CameraOptions, CameraOutput, CameraVideo};
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

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Six seconds of a small, slow camera.
pub(crate) fn options(format: CameraFormat, video: CameraVideo) -> CameraOptions {
    let duration = Some(Duration::from_secs(6));
    CameraOptions { start: START, duration, fps: 10, gop: 10, width: 160, height: 90, format, video: Some(video), ..Default::default() }
}

pub(crate) fn camera_bytes(options: &CameraOptions) -> Vec<u8> {
    let buffer = Buffer::default();
    camera::run(options, CameraOutput::Stream(Box::new(buffer.clone())), &SystemClock, &AtomicBool::new(false)).unwrap();
    std::mem::take(&mut *buffer.0.lock().unwrap())
}

fn record_bytes(bytes: Vec<u8>, format: &'static str) -> Vec<Recorded> {
    let open = OpenOptions { format: Some(format), options: Vec::new() };
    let input = Input::open_reader(Box::new(Cursor::new(bytes)), &open, Interrupt::new(Arc::new(SystemClock))).unwrap();
    record(input, SegmenterConfig::exact(START))
}

fn seconds(run: &Recorded) -> f64 {
    run.segments.iter().map(|s| f64::from(s.wall_us)).sum::<f64>() / 1e6
}

/// Each run decodes without a complaint.
fn check_decodes(runs: &[Recorded]) {
    let dir = tempfile::tempdir().unwrap();
    for run in runs {
        let file = dir.path().join("run.mp4");
        std::fs::write(&file, &run.bytes).unwrap();
        assert!(!frame_hashes(&file, if run.start.init.video.is_some() { "v" } else { "a" }).is_empty());
    }
}

#[test]
fn pushed_bodies_are_recorded_whole() {
    for (format, demuxer) in [(CameraFormat::MpegTs, "mpegts"), (CameraFormat::FragmentedMp4, "mp4")] {
        let runs = record_bytes(camera_bytes(&options(format, CameraVideo::H264)), demuxer);
        assert_eq!(runs.len(), 1);
        assert!((seconds(&runs[0]) - 6.0).abs() < 0.05);
        assert!(runs[0].segments.iter().all(|s| !s.video.is_empty() && !s.audio.is_empty()));
        check_decodes(&runs);
    }
}

#[test]
fn a_codec_or_size_that_changes_in_the_stream_begins_a_run() {
    let small = options(CameraFormat::MpegTs, CameraVideo::H264);
    let large = CameraOptions { width: 320, height: 180, ..small.clone() };
    let other = options(CameraFormat::MpegTs, CameraVideo::H265);
    let runs = record_bytes([camera_bytes(&small), camera_bytes(&large), camera_bytes(&other)].concat(), "mpegts");
    let shapes: Vec<_> = runs.iter().map(|r| r.start.init.video.as_ref().map(|v| (v.codec[..4].to_owned(), v.width))).collect();
    let shape = |codec: &str, width| Some((codec.to_owned(), width));
    assert_eq!(shapes, [shape("avc1", 160), shape("avc1", 320), shape("hvc1", 160)]);
    // A codec takes a moment to be noticed, another size none.
    let lengths: Vec<f64> = runs.iter().map(seconds).collect();
    assert!((lengths[0] - 6.0).abs() < 0.2 && (lengths[1] - 6.0).abs() < 0.6 && lengths[2] > 3.0, "{lengths:?}");
    check_decodes(&runs);
}

#[test]
fn a_counter_that_wraps_in_a_real_stream_is_nothing_special() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("wrap.ts");
    let path = source.to_str().unwrap();
    // 2^33 ticks of 90 kHz are 95,443.7 s.
    let mut args = vec!["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=12", "-f", "lavfi", "-i", "sine=d=12"];
    args.extend(with(X264, AAC));
    args.extend(["-output_ts_offset", "95438", path]);
    ffmpeg(&args);
    for config in [SegmenterConfig::exact(START), SegmenterConfig::live(Timestamp(0))] {
        let runs = record(open(&source, Some("mpegts")), config);
        assert_eq!(runs.len(), 1);
        assert!((seconds(&runs[0]) - 12.0).abs() < 0.1);
        check_decodes(&runs);
    }
}

#[test]
fn lost_packets_leave_the_rest_in_place() {
    let good = camera_bytes(&options(CameraFormat::MpegTs, CameraVideo::H264));
    // Every hundredth TS packet is lost on the way.
    let lossy: Vec<u8> = good.chunks(188).enumerate().filter(|(i, _)| i % 100 != 50).flat_map(|(_, p)| p).copied().collect();
    let runs = record_bytes(lossy, "mpegts");
    assert!((runs.iter().map(seconds).sum::<f64>() - 6.0).abs() < 1.2);
}

#[test]
fn what_cannot_be_recorded_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.avi");
    ffmpeg(&["-f", "lavfi", "-i", "testsrc2=s=160x90:d=1", "-c:v", "mjpeg", path.to_str().unwrap()]);
    let error = Input::open(path.to_str().unwrap(), &OpenOptions::default(), Interrupt::new(Arc::new(SystemClock))).err().unwrap();
    assert!(error.to_string().contains("mjpeg video"), "{error}");
    // With a track that can be: that one is recorded.
    let path = dir.path().join("half.avi");
    ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=160x90:d=6",
        "-f",
        "lavfi",
        "-i",
        "sine=d=6",
        "-c:v",
        "mjpeg",
        "-c:a",
        "libmp3lame",
        path.to_str().unwrap(),
    ]);
    let runs = record(open(&path, None), SegmenterConfig::exact(START));
    assert_eq!(runs[0].start.init.video, None);
    assert!((seconds(&runs[0]) - 6.0).abs() < 0.1);
}
