//! The camera is recorded; the clock in the decoded picture must be the one asked for.

use std::io::{Cursor, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::clock::SystemClock;
use crate::ffmpeg::camera::{self, CameraFormat, CameraOptions, CameraOutput, CameraVideo};
use crate::ffmpeg::{Input, OpenOptions, Read as Step};
use crate::media::{GapCause, Timestamp};
use crate::segment::{Arrival, Event, Segmenter, SegmenterConfig};

const START: Timestamp = Timestamp(1_777_816_800_000_000);

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

/// Init segment and segments (start after the recording's, media) of what the camera sends.
pub(super) fn recorded(options: &CameraOptions, format: &'static str) -> (Bytes, Vec<(i64, Bytes)>) {
    let buffer = Buffer::default();
    camera::run(options, CameraOutput::Stream(Box::new(buffer.clone())), &SystemClock, &AtomicBool::new(false)).unwrap();
    let bytes = std::mem::take(&mut *buffer.0.lock().unwrap());
    let open = OpenOptions { format: Some(format), options: Vec::new() };
    let mut input = Input::open_reader(Box::new(Cursor::new(bytes)), &open, Interrupt::new(Arc::new(SystemClock))).unwrap();
    let mut segmenter = Segmenter::new(SegmenterConfig::exact(START), &input.tracks());
    let (mut init, mut segments) = (Bytes::new(), Vec::new());
    let mut sink = |event: Event<'_>| match event {
        Event::RunStarted(run) => init = run.init.bytes,
        Event::Segment(s) => segments.push((s.start.micros_since(START), [s.video().concat(), s.audio().concat()].concat().into())),
        Event::RunEnded(_) => {}
    };
    let arrival = Arrival { wall: START, monotonic: Duration::ZERO };
    while let Step::Packet(packet) = input.read().unwrap() {
        segmenter.feed(&packet, arrival, &mut sink).unwrap();
    }
    segmenter.finish(GapCause::SourceEnded, "", &mut sink).unwrap();
    (init, segments)
}

fn check_clock(options: &CameraOptions, format: &'static str) {
    let (init, segments) = recorded(options, format);
    assert!(segments.len() >= 2);
    let frame_us = 1_000_000 / i64::from(options.fps);
    for (start_us, media) in &segments {
        for offset_us in [0, 1, frame_us - 1, frame_us, frame_us * 3 / 2, 1_000_000, 1_999_999, 2_345_678] {
            let jpeg = decode_frame(init.clone(), media.clone(), offset_us, 320).unwrap();
            assert_eq!((jpeg.width, jpeg.height), (320, 180));
            let expected = offset_us / frame_us * frame_us;
            assert!((jpeg.at_offset_us - expected).abs() <= 12, "asked {offset_us}, got {}", jpeg.at_offset_us);
            let clock = camera::read_clock(&jpeg.bytes).unwrap().expect("a clock is in the picture");
            assert_eq!(clock * 1000, START.as_micros() + start_us + expected, "offset {offset_us} in the segment at {start_us}");
        }
    }
}

fn options(video: CameraVideo, b_frames: u32) -> CameraOptions {
    let format = if video == CameraVideo::Av1 { CameraFormat::FragmentedMp4 } else { CameraFormat::MpegTs };
    CameraOptions { start: START, duration: Some(Duration::from_secs(8)), video: Some(video), b_frames, format, ..Default::default() }
}

pub(super) fn h264_options(b_frames: u32) -> CameraOptions {
    options(CameraVideo::H264, b_frames)
}

#[test]
fn the_picture_shows_the_time_asked_for() {
    check_clock(&options(CameraVideo::H264, 0), "mpegts");
    check_clock(&options(CameraVideo::H264, 3), "mpegts");
}

#[test]
fn the_picture_shows_the_time_asked_for_in_h265() {
    check_clock(&options(CameraVideo::H265, 2), "mpegts");
}

#[test]
fn the_picture_shows_the_time_asked_for_in_av1() {
    check_clock(&CameraOptions { fps: 10, gop: 20, ..options(CameraVideo::Av1, 0) }, "mp4");
}

#[test]
fn a_time_past_the_end_gives_the_last_picture() {
    let (init, segments) = recorded(&options(CameraVideo::H264, 2), "mpegts");
    let jpeg = decode_frame(init, segments[0].1.clone(), i64::MAX / 2, 0).unwrap();
    assert_eq!((jpeg.width, jpeg.height), (640, 360));
    assert_eq!(camera::read_clock(&jpeg.bytes).unwrap(), Some(START.as_micros() / 1000 + 4000 - 40));
}

#[test]
fn damaged_media_gives_an_error_or_a_picture_but_no_crash() {
    let (init, segments) = recorded(&options(CameraVideo::H264, 2), "mpegts");
    let media = &segments[0].1;
    for i in 0..60usize {
        let mut damaged = media.to_vec();
        for k in 0..20 {
            let at = (i * 7919 + k * 104_729) % damaged.len();
            damaged[at] ^= 1 << (k % 8);
        }
        damaged.truncate(damaged.len() * (60 - i) / 60);
        let _ = decode_frame(init.clone(), damaged.into(), 1_000_000, 320);
    }
    assert!(decode_frame(init.clone(), Bytes::new(), 0, 0).is_err());
    assert!(decode_frame(Bytes::new(), media.clone(), 0, 0).is_err());
    assert!(decode_frame(init.slice(..100), media.clone(), 0, 0).is_err());
}

#[test]
fn a_small_picture_is_made_of_what_there_is_of_a_segment_or_not_at_all() {
    let (init, segments) = recorded(&h264_options(2), "mpegts");
    let media = &segments[0].1;
    let small = |media: Bytes| decode_small(init.clone(), media, 160);
    let whole = small(media.clone()).unwrap();
    assert_eq!((whole.width, whole.height), (160, 90));
    let markers = whole.bytes.windows(2).filter(|w| w[0] == 0xff && (0xd0..=0xd7).contains(&w[1])).count();
    assert_eq!(markers, 5, "one between two rows of MCUs");
    assert_eq!(small(media.slice(..media.len() / 2)).unwrap(), whole, "the first picture is all it needs");
    for i in 0..40usize {
        let mut damaged = media.to_vec();
        for k in 0..20 {
            let at = (i * 7919 + k * 104_729) % (damaged.len() / 8);
            damaged[at] ^= 1 << (k % 8);
        }
        let _ = small(damaged.into());
    }
    assert!(small(Bytes::new()).is_err() && small(media.slice(..300)).is_err());
}
