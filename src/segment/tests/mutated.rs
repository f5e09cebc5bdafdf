//! Damaged media: whatever the demuxer makes of it, recording goes on or ends with an error, never with a panic
//! or an overlap.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use super::media::{camera_bytes, options};
use crate::clock::SystemClock;
use crate::ffmpeg::camera::{CameraFormat, CameraVideo};
use crate::ffmpeg::{Error, Input, Interrupt, OpenOptions, Read};
use crate::media::{GapCause, Timestamp};
use crate::segment::{Arrival, Event, Segmenter, SegmenterConfig};

/// A small generator: the cases are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn mutate(good: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut bytes = good.to_vec();
    for _ in 0..1 + random.below(40) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(256) as u8,
            2 => {
                let end = (at + random.below(2000)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let end = (at + random.below(400)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => {
                let end = (at + random.below(60)).min(bytes.len());
                bytes[at..end].fill(0xff * (random.below(2) as u8));
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    if random.below(4) == 0 {
        let end = random.below(bytes.len());
        bytes.truncate(end);
    }
    bytes
}

/// Reads to the end; gives the number of segments.
fn read_all(bytes: Vec<u8>, format: &'static str) -> Result<usize, Error> {
    let open = OpenOptions { format: Some(format), options: Vec::new() };
    let mut input = Input::open_reader(Box::new(Cursor::new(bytes)), &open, Interrupt::new(Arc::new(SystemClock)))?;
    let mut segmenter = Segmenter::new(SegmenterConfig::live(Timestamp(0)), &input.tracks());
    let (mut segments, mut end) = (0, 0);
    let mut sink = |event: Event<'_>| {
        if let Event::Segment(s) = event {
            assert!(s.start.0 >= end && s.wall_us > 0);
            end = s.start.0 + i64::from(s.wall_us);
            segments += 1;
        }
    };
    let arrival = Arrival { wall: Timestamp(1_777_816_800_000_000), monotonic: Duration::ZERO };
    loop {
        match input.read()? {
            Read::Packet(packet) => segmenter.feed(&packet, arrival, &mut sink)?,
            Read::TracksChanged => segmenter.set_tracks(&input.tracks(), &mut sink)?,
            Read::End => break,
        }
    }
    segmenter.finish(GapCause::SourceEnded, "", &mut sink)?;
    Ok(segments)
}

fn check(format: CameraFormat, video: CameraVideo, demuxer: &'static str, cases: u64) {
    let good = camera_bytes(&options(format, video));
    assert!(read_all(good.clone(), demuxer).unwrap() > 0);
    let recorded = (0..cases).filter(|seed| read_all(mutate(&good, *seed), demuxer).is_ok_and(|n| n > 0)).count();
    assert!(recorded > 0, "some of it can still be recorded");
}

#[test]
fn damaged_mpeg_ts_is_recorded_as_far_as_it_goes() {
    check(CameraFormat::MpegTs, CameraVideo::H264, "mpegts", 150);
    check(CameraFormat::MpegTs, CameraVideo::H265, "mpegts", 50);
}

#[test]
fn damaged_fragmented_mp4_is_recorded_as_far_as_it_goes() {
    check(CameraFormat::FragmentedMp4, CameraVideo::H264, "mp4", 150);
    check(CameraFormat::FragmentedMp4, CameraVideo::Av1, "mp4", 50);
}
