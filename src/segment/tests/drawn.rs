//! Packet streams drawn by hand: what is cut where, what ends a run, and that nothing ever overlaps.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::ffmpeg::{AudioCodec, AudioParams, Error, Media, Packet, TimeBase, Tracks, VideoCodec, VideoParams};
use crate::media::fragment::{DECODE_TIME_AT, SEQUENCE_AT, TRUN_AT};
use crate::media::{GapCause, Timestamp};
use crate::segment::{Arrival, Event, RunEnd, Segmenter, SegmenterConfig};

const T0: i64 = 1_777_816_800_000_000;
const TS: TimeBase = TimeBase::new(1, 90_000, 33);
/// 320x180 and 640x360 of x264, with the picture set both share.
const SPS: [&[u8]; 2] = [
    &[0x67, 0x42, 0xc0, 0x0c, 0xda, 0x05, 0x06, 0x7e, 0x7c, 0x04, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 0x83, 0xc5, 0x0a, 0xa8],
    &[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xc8, 0x3c, 0x58, 0xba, 0x80],
];
const PPS: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];
/// A slice header that says IDR, and one that does not.
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x3f, 0xab, 0xcd];
const PICTURE: &[u8] = &[0x41, 0x9a, 0x24, 0x6c];

fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|u| [&[0, 0, 0, 1], *u].concat()).collect()
}

fn tracks(video: bool, audio: bool) -> Tracks {
    let video = video.then(|| VideoParams {
        codec: VideoCodec::H264,
        extradata: annex_b(&[SPS[0], PPS]).into(),
        width: 320,
        height: 180,
        aspect_num: 0,
        aspect_den: 1,
        fps_num: 25,
        fps_den: 1,
        time_base: TS,
    });
    let audio = audio.then(|| AudioParams {
        codec: AudioCodec::Aac,
        extradata: Bytes::from_static(&[0x11, 0x90]),
        sample_rate: 48_000,
        channels: 2,
        time_base: TS,
        recoded_from: None,
    });
    Tracks { video, audio }
}

/// One segment as it came out.
#[derive(Debug, Clone)]
struct Seg {
    start: i64,
    wall_us: i64,
    media_us: i64,
    independent: bool,
    keyframe_bytes: usize,
    video: Vec<u8>,
    audio: Vec<u8>,
}

#[derive(Debug, Default)]
struct Run {
    start: i64,
    has_video: bool,
    has_audio: bool,
    size: (u32, u32),
    segments: Vec<Seg>,
    end: Option<RunEnd>,
}

/// Collects events and checks on the way what must always hold.
#[derive(Default)]
struct Output {
    runs: Vec<Run>,
    end: i64,
    fragments: u32,
    /// Where each track's decode time must go on.
    decode: [u64; 2],
}

impl Output {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::RunStarted(run) => {
                assert!(self.runs.last().is_none_or(|r| r.end.is_some()), "the run before has ended");
                assert!(run.start.0 >= self.end, "runs do not overlap");
                let v = run.init.video.as_ref();
                self.runs.push(Run {
                    start: run.start.0,
                    has_video: v.is_some(),
                    has_audio: run.init.audio.is_some(),
                    size: v.map_or((0, 0), |v| (v.width, v.height)),
                    ..Run::default()
                });
                (self.end, self.fragments, self.decode) = (run.start.0, 0, [0, 0]);
            }
            Event::Segment(s) => {
                let seg = Seg {
                    start: s.start.0,
                    wall_us: i64::from(s.wall_us),
                    media_us: i64::from(s.media_us),
                    independent: s.independent,
                    keyframe_bytes: s.keyframe_bytes as usize,
                    video: s.video().concat(),
                    audio: s.audio().concat(),
                };
                self.check(&seg);
                self.runs.last_mut().expect("a run comes before its segments").segments.push(seg);
            }
            Event::RunEnded(end) => {
                assert_eq!(end.end.0, self.end);
                self.runs.last_mut().expect("a run ends that began").end = Some(end);
            }
        }
    }

    fn check(&mut self, s: &Seg) {
        let run = self.runs.last().expect("a run comes before its segments");
        assert!(run.end.is_none());
        assert_eq!(s.start, self.end, "segments are contiguous");
        assert!(s.wall_us > 0);
        assert!((s.wall_us - s.media_us).abs() <= s.media_us / 2000 + 1, "at most 500 ppm");
        self.end += s.wall_us;
        assert!(!s.video.is_empty() || !s.audio.is_empty());
        assert!(s.keyframe_bytes <= s.video.len());
        assert!((s.video.is_empty() || run.has_video) && (s.audio.is_empty() || run.has_audio));
        for (track, bytes) in [&s.video, &s.audio].into_iter().enumerate() {
            if bytes.is_empty() {
                continue;
            }
            let moof = Moof::read(bytes);
            self.fragments += 1;
            assert_eq!(moof.sequence, self.fragments);
            assert!(moof.decode_time >= self.decode[track], "decode times rise");
            assert!(moof.durations.iter().all(|d| *d > 0));
            self.decode[track] = moof.decode_time + moof.durations.iter().map(|d| u64::from(*d)).sum::<u64>();
        }
    }

    fn only_run(&self) -> &Run {
        assert_eq!(self.runs.len(), 1, "{:?}", self.runs.iter().map(|r| &r.end).collect::<Vec<_>>());
        &self.runs[0]
    }
    fn walls_ms(&self) -> Vec<i64> {
        self.runs.iter().flat_map(|r| &r.segments).map(|s| s.wall_us / 1000).collect()
    }
    fn causes(&self) -> Vec<GapCause> {
        self.runs.iter().filter_map(|r| r.end.as_ref()).map(|e| e.cause).collect()
    }
}

struct Moof {
    sequence: u32,
    decode_time: u64,
    durations: Vec<u32>,
    offsets: Vec<i32>,
}

impl Moof {
    fn read(bytes: &[u8]) -> Moof {
        let u32_at = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let moof = u32_at(0) as usize;
        assert_eq!((&bytes[4..8], &bytes[moof + 4..moof + 8]), (&b"moof"[..], &b"mdat"[..]));
        assert_eq!(moof + u32_at(moof) as usize, bytes.len());
        let (flags, count) = (u32_at(TRUN_AT + 8) & 0xff_ffff, u32_at(TRUN_AT + 12) as usize);
        let mut at = TRUN_AT + 20 + if flags & 4 != 0 { 4 } else { 0 };
        let (mut durations, mut offsets, mut size) = (Vec::new(), Vec::new(), 0);
        for _ in 0..count {
            let mut next = |present: bool| present.then(|| (u32_at(at), at += 4).0);
            durations.push(next(flags & 0x100 != 0).unwrap_or(u32_at(52)));
            size += next(flags & 0x200 != 0).unwrap() as usize;
            next(flags & 0x400 != 0);
            offsets.push(next(flags & 0x800 != 0).unwrap_or(0) as i32);
        }
        assert_eq!((at, moof + 8 + size), (moof, bytes.len()), "the table fills its box, and names every byte");
        Moof {
            sequence: u32_at(SEQUENCE_AT.start),
            decode_time: u64::from_be_bytes(bytes[DECODE_TIME_AT].try_into().unwrap()),
            durations,
            offsets,
        }
    }
}

/// A source whose media time and arrival can be moved apart. 25 pictures a second, AAC at 48 kHz.
struct Source {
    segmenter: Segmenter,
    out: Output,
    /// Microseconds since the source began.
    now: i64,
    pictures: i64,
    /// Added to timestamps, in 90 kHz.
    shift: i64,
    /// Added to the wall clock, in microseconds.
    clock: i64,
    gop: i64,
    sps: usize,
    video: bool,
    audio: bool,
    audio_until: i64,
    /// All arrives at this moment instead of in its time.
    burst_at: Option<i64>,
    may_be_nonsense: bool,
}

impl Source {
    fn new(tracks: &Tracks, config: SegmenterConfig) -> Self {
        Source {
            segmenter: Segmenter::new(config, tracks),
            out: Output::default(),
            now: 0,
            pictures: 0,
            shift: 0,
            clock: 0,
            gop: 50,
            sps: 0,
            video: tracks.video.is_some(),
            audio: tracks.audio.is_some(),
            audio_until: 0,
            burst_at: None,
            may_be_nonsense: false,
        }
    }
    fn live(video: bool, audio: bool) -> Self {
        Self::new(&tracks(video, audio), SegmenterConfig::live(Timestamp(0)))
    }

    fn arrival(&self) -> Arrival {
        let now = self.burst_at.unwrap_or(self.now);
        Arrival { wall: Timestamp(T0 + now + self.clock), monotonic: Duration::from_micros(now as u64) }
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let (arrival, out) = (self.arrival(), &mut self.out);
        match self.segmenter.feed(packet, arrival, &mut |e| out.take(e)) {
            Ok(()) => {}
            // Nothing but nonsense has come since the run ended.
            Err(Error::Invalid(_)) if self.may_be_nonsense => {}
            Err(e) => panic!("{e}"),
        }
    }

    fn picture(&mut self, keyframe: bool, pts: i64, dts: i64) {
        let data = if keyframe { annex_b(&[SPS[self.sps], PPS, IDR]) } else { annex_b(&[PICTURE]) };
        let wrap = |t: i64| Some((t + self.shift) & ((1 << 33) - 1));
        let (pts, dts) = (wrap(pts), wrap(dts));
        self.send(&Packet { media: Media::Video, pts, dts, duration_ticks: 3600, keyframe, data: &data });
    }

    fn sound(&mut self, ticks: i64) {
        let pts = Some((ticks + self.shift) & ((1 << 33) - 1));
        self.send(&Packet { media: Media::Audio, pts, dts: pts, duration_ticks: 1920, keyframe: true, data: &[0x21, 0x10, 4, 5] });
    }

    /// Time passes and the source sends.
    fn play(&mut self, seconds: f64) -> &mut Self {
        let pictures = (seconds * 25.0) as i64;
        for _ in 0..pictures {
            let ticks = self.now * 9 / 100;
            if self.video {
                self.picture(self.gop > 0 && self.pictures % self.gop == 0, ticks, ticks);
            }
            self.pictures += 1;
            self.now += 40_000;
            if self.audio {
                // After a rest: what was not sent meanwhile never comes.
                self.audio_until = self.audio_until.max(ticks - 90_000);
            }
            while self.audio && self.audio_until < self.now * 9 / 100 {
                self.sound(self.audio_until);
                self.audio_until += 1920;
            }
        }
        self
    }

    /// Time passes in silence.
    fn rest(&mut self, seconds: i64) -> &mut Self {
        self.now += seconds * 1_000_000;
        self
    }

    fn finish(&mut self) -> &Output {
        let out = &mut self.out;
        self.segmenter.finish(GapCause::SourceEnded, "", &mut |e| out.take(e)).unwrap();
        &self.out
    }
}

#[test]
fn segments_end_at_the_first_keyframe_at_or_after_the_target() {
    for (gop, walls) in [(50, vec![4000, 4000, 2000]), (25, vec![4000, 4000, 2000]), (75, vec![6000, 4000]), (99, vec![3960, 3960, 2080])] {
        let mut s = Source::live(true, true);
        s.gop = gop;
        assert_eq!(s.play(10.0).finish().walls_ms(), walls, "keyframe every {gop}");
        let run = s.out.only_run();
        assert!(run.segments.iter().all(|s| s.independent && !s.audio.is_empty()));
        assert_eq!(run.start, T0);
    }
}

#[test]
fn a_source_without_keyframes_is_cut_at_the_upper_bound_and_says_so() {
    let mut s = Source::live(true, false);
    s.play(2.0).gop = 0;
    assert_eq!(s.play(48.0).finish().walls_ms(), [20_000, 20_000, 10_000]);
    assert_eq!(s.out.only_run().segments.iter().map(|s| s.independent).collect::<Vec<_>>(), [true, false, false]);
    s.gop = 50;
    s.play(8.0).finish();
}

#[test]
fn a_keyframe_ends_a_segment_that_began_without_one() {
    let mut s = Source::live(true, false);
    s.play(2.0).gop = 0;
    s.play(21.0).gop = 25;
    s.play(9.0);
    let out = s.finish();
    let first: Vec<_> = out.only_run().segments.iter().map(|s| (s.wall_us / 1000, s.independent)).collect();
    assert_eq!(first[..3], [(20_000, true), (3_000, false), (4_000, true)]);
}

#[test]
fn a_run_waits_for_its_first_keyframe_but_not_for_ever() {
    let mut s = Source::live(true, true);
    s.pictures = 20;
    assert_eq!(s.play(9.0).finish().only_run().start, T0 + 30 * 40_000);
    let mut s = Source::live(true, false);
    s.gop = 0;
    let run = s.play(30.0).finish().only_run();
    assert_eq!((run.start, run.segments[0].independent), (T0 + 20_000_000, false));
}

#[test]
fn decode_times_begin_at_zero_and_leading_pictures_are_left_out() {
    let mut s = Source::live(true, false);
    // Decoding order I B B P B B P …, as an open group begins: two pictures lead the first keyframe.
    let order = [(3, 0, true), (1, 1, false), (2, 2, false), (6, 3, false), (4, 4, false), (5, 5, false), (9, 6, false)];
    for (pts, dts, keyframe) in order {
        s.picture(keyframe, pts * 3600, dts * 3600);
        s.now += 40_000;
    }
    let out = s.finish();
    let moof = Moof::read(&out.only_run().segments[0].video);
    assert_eq!((moof.decode_time, moof.offsets[0], moof.durations.len()), (0, 0, 5));
    let mut at = 0i64;
    let shown: Vec<i64> = moof.durations.iter().zip(&moof.offsets).map(|(d, o)| (at + i64::from(*o), at += i64::from(*d)).0).collect();
    assert_eq!(shown, [0, 3 * 3600, 3600, 2 * 3600, 6 * 3600], "presentation times count from the first keyframe");
}

#[test]
fn audio_lies_in_the_segment_of_its_time() {
    let mut s = Source::live(true, true);
    let out = s.play(12.0).finish();
    for (i, seg) in out.only_run().segments.iter().enumerate() {
        let moof = Moof::read(&seg.audio);
        let begin = i as u64 * 4 * 48_000;
        assert!(moof.decode_time >= begin && moof.decode_time < begin + 1024, "segment {i} begins at {}", moof.decode_time);
    }
}

#[test]
fn tracks_that_come_one_after_the_other_in_bursts_find_together() {
    // Fragmented MP4 with fragments of ten seconds, either track first.
    for audio_first in [false, true] {
        let mut s = Source::live(true, true);
        for burst in 1..=3 {
            s.burst_at = Some(burst * 10_000_000);
            let now = s.now;
            (s.video, s.audio) = (!audio_first, audio_first);
            s.play(10.0);
            (s.video, s.audio) = (audio_first, !audio_first);
            (s.now, s.pictures) = (now, 0);
            s.play(10.0);
        }
        let out = s.finish();
        let run = out.only_run();
        assert_eq!(out.walls_ms().iter().map(|ms| (ms + 20) / 1000).collect::<Vec<_>>(), [4, 4, 4, 4, 4, 4, 4, 2]);
        for (i, seg) in run.segments.iter().enumerate() {
            assert!(!seg.audio.is_empty(), "segment {i} has no audio, audio first: {audio_first}");
            let at = Moof::read(&seg.audio).decode_time;
            assert!(at.abs_diff(i as u64 * 4 * 48_000) <= 1024, "segment {i}: audio at {at}, audio first: {audio_first}");
        }
    }
}

#[test]
fn a_track_that_never_comes_is_not_announced() {
    let mut s = Source::live(true, true);
    s.audio = false;
    let out = s.play(13.0).finish();
    assert!(out.only_run().has_video && !out.only_run().has_audio);
    let mut s = Source::live(true, true);
    s.video = false;
    let out = s.play(20.0).finish();
    assert!(!out.only_run().has_video && out.only_run().has_audio);
    let span: i64 = out.only_run().segments.iter().map(|s| s.wall_us).sum();
    assert!(span > 19_900_000, "what came while video was waited for is kept: {span} us");
}

#[test]
fn a_track_that_comes_or_goes_begins_a_run_without_a_gap() {
    let mut s = Source::live(true, true);
    s.audio = false;
    s.play(12.0).audio = true;
    let out = s.play(12.0).finish();
    assert_eq!(out.runs.iter().map(|r| r.has_audio).collect::<Vec<_>>(), [false, true]);
    assert_eq!(out.runs[1].start, out.runs[0].end.as_ref().unwrap().end.0);

    let mut s = Source::live(true, true);
    s.play(12.0).audio = false;
    let out = s.play(60.0).finish();
    assert_eq!(out.runs.iter().map(|r| r.has_audio).collect::<Vec<_>>(), [true, false]);
    assert_eq!(out.runs[1].start, out.runs[0].end.as_ref().unwrap().end.0);

    let mut s = Source::live(true, true);
    s.play(12.0).video = false;
    s.play(20.0).video = true;
    s.pictures = 0;
    let out = s.play(12.0).finish();
    assert_eq!(out.runs.iter().map(|r| (r.has_video, r.has_audio)).collect::<Vec<_>>(), [(true, true), (false, true), (true, true)]);
    assert_eq!(out.runs[1].start, out.runs[0].end.as_ref().unwrap().end.0);
    assert_eq!(out.runs[2].start, out.runs[1].end.as_ref().unwrap().end.0);
    assert!((out.end - T0 - 44_000_000).abs() < 200_000, "all of it is kept: {} us", out.end - T0);
}

#[test]
fn a_wrapped_clock_is_nothing_special() {
    let mut s = Source::live(true, true);
    s.shift = (1 << 33) - 5 * 90_000;
    assert_eq!(s.play(12.0).finish().walls_ms(), [4000, 4000, 4000]);
    s.out.only_run();
}

#[test]
fn a_jump_ends_the_run_and_names_the_cause() {
    for shift in [-3_000_000, 90_000 * 3600, -90_000] {
        let mut s = Source::live(true, true);
        s.shift = 1 << 32;
        s.play(6.0).shift += shift;
        s.play(6.0).finish();
        assert_eq!(s.out.causes(), [GapCause::TimestampJump, GapCause::SourceEnded], "by {shift}");
        let total: i64 = s.out.runs.iter().flat_map(|r| &r.segments).map(|s| s.wall_us).sum();
        assert_eq!(total, 12_000_000, "nothing is lost");
        assert!(s.out.runs[1].has_audio);
    }
}

#[test]
fn silence_ends_the_run_and_names_the_cause() {
    let mut s = Source::live(true, true);
    s.play(6.0).rest(30).play(6.0).finish();
    assert_eq!(s.out.causes(), [GapCause::SourceSilent, GapCause::SourceEnded]);
    assert_eq!(s.out.runs[1].start, T0 + 36_000_000);
}

#[test]
fn a_short_hole_stays_inside_the_run() {
    let mut s = Source::live(true, true);
    assert_eq!(s.play(6.0).rest(2).play(6.0).finish().walls_ms().iter().sum::<i64>(), 14_000);
    s.out.only_run();
}

#[test]
fn a_clock_set_forward_begins_a_run_and_one_set_back_does_not() {
    let mut s = Source::live(true, true);
    s.play(20.0).clock = 3_600_000_000;
    s.play(30.0).finish();
    assert_eq!(s.out.causes(), [GapCause::ClockJump, GapCause::SourceEnded]);
    assert!(s.out.runs[1].start > T0 + 3_600_000_000);

    let mut s = Source::live(true, true);
    s.play(20.0).clock = -3_600_000_000;
    s.play(30.0).finish();
    assert_eq!(s.out.causes(), [GapCause::SourceEnded]);
    assert!(s.segmenter.lead_us() <= 0);
}

#[test]
fn new_parameters_begin_a_run_that_follows_without_a_gap() {
    let mut s = Source::live(true, true);
    s.play(6.0).sps = 1;
    let out = s.play(6.0).finish();
    assert_eq!(out.causes(), [GapCause::CodecChange, GapCause::SourceEnded]);
    assert_eq!(out.runs.iter().map(|r| r.size).collect::<Vec<_>>(), [(320, 180), (640, 360)]);
    assert_eq!(out.runs[1].start, T0 + 6_000_000);
    assert!(out.runs.iter().flat_map(|r| &r.segments).all(|s| !s.audio.is_empty()));
}

#[test]
fn a_track_that_is_named_late_joins_the_run_of_which_nothing_is_written() {
    for first in [tracks(true, false), tracks(false, true)] {
        let mut s = Source::new(&first, SegmenterConfig::live(Timestamp(0)));
        s.play(1.0);
        let out = &mut s.out;
        s.segmenter.set_tracks(&tracks(true, true), &mut |e| out.take(e)).unwrap();
        (s.video, s.audio) = (true, true);
        s.pictures = 0;
        let out = s.play(12.0).finish();
        assert!(out.only_run().has_video && out.only_run().has_audio);
    }
}

#[test]
fn where_tracks_come_late_the_first_segments_wait_for_them() {
    let config = SegmenterConfig { target_us: 1_000_000, tracks_may_come: true, ..SegmenterConfig::live(Timestamp(0)) };
    let mut s = Source::new(&tracks(true, false), config);
    s.gop = 25;
    s.play(2.5);
    let out = &mut s.out;
    s.segmenter.set_tracks(&tracks(true, true), &mut |e| out.take(e)).unwrap();
    s.audio = true;
    let out = s.play(6.0).finish();
    assert!(out.only_run().has_audio, "it has come in time");
    // The sound of the first second was never sent.
    assert!(out.only_run().segments[1..].iter().all(|s| !s.audio.is_empty()), "each segment has its own sound");

    let mut s = Source::new(&tracks(true, false), config);
    s.gop = 25;
    let out = s.play(9.0).finish();
    assert!(!out.only_run().has_audio, "nothing is waited for for ever");
}

#[test]
fn a_track_that_is_named_later_than_that_begins_a_run_without_a_gap() {
    let mut s = Source::live(true, false);
    s.play(9.0);
    let out = &mut s.out;
    s.segmenter.set_tracks(&tracks(true, true), &mut |e| out.take(e)).unwrap();
    s.audio = true;
    let out = s.play(12.0).finish();
    assert_eq!(out.runs.iter().map(|r| r.has_audio).collect::<Vec<_>>(), [false, true]);
    assert_eq!(out.runs[1].start, out.runs[0].end.as_ref().unwrap().end.0);
}

#[test]
fn new_tracks_begin_a_run() {
    let mut s = Source::live(true, true);
    s.play(6.0);
    let out = &mut s.out;
    s.segmenter.set_tracks(&tracks(true, false), &mut |e| out.take(e)).unwrap();
    s.audio = false;
    s.play(6.0).finish();
    assert_eq!(s.out.runs.iter().map(|r| r.has_audio).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn nothing_starts_before_the_end_of_what_is_there() {
    let config = SegmenterConfig::live(Timestamp(T0 + 7_000_000));
    let mut s = Source::new(&tracks(true, true), config);
    assert_eq!(s.play(6.0).finish().only_run().start, T0 + 7_000_000);
    // A little less: the run's clock is ahead of ours and is let fall back.
    let end = s.segmenter.not_before();
    assert!((12_995_000..=13_000_000).contains(&(end.0 - T0)));
    s.rest(1).play(3.0).finish();
    assert_eq!(s.out.runs[1].start, end.0);
}

#[test]
fn files_keep_media_time_exactly_and_their_holes() {
    let mut s = Source::new(&tracks(true, true), SegmenterConfig::exact(Timestamp(T0)));
    s.play(6.0).rest(60).play(6.0).finish();
    assert_eq!(s.out.walls_ms(), [4000, 2000, 4000, 2000]);
    assert_eq!(s.out.runs[1].start, T0 + 66_000_000);
    let mut s = Source::new(&tracks(true, false), SegmenterConfig::exact(Timestamp(T0)));
    s.shift = 1 << 32;
    s.play(6.0).shift = 90_000;
    s.play(6.0).finish();
    assert_eq!(s.out.runs[1].start, T0 + 6_000_000);
}

#[test]
fn what_is_in_flight_at_the_end_is_kept_however_short() {
    let mut s = Source::live(true, true);
    assert_eq!(s.play(0.04).finish().walls_ms(), [40]);
    let mut s = Source::live(false, true);
    assert!(s.play(1.0).finish().walls_ms()[0] > 900);
}

#[test]
fn audio_alone_is_cut_by_time() {
    let mut s = Source::live(false, true);
    let out = s.play(10.0).finish();
    assert_eq!(out.only_run().segments.len(), 3);
    assert!(out.only_run().segments.iter().all(|s| s.independent && s.video.is_empty() && s.keyframe_bytes == 0));
}

#[test]
fn one_damaged_timestamp_or_packet_changes_nothing_else() {
    let mut s = Source::live(true, true);
    s.play(3.0);
    let at = s.now * 9 / 100;
    s.picture(false, at + (1 << 30), at + (1 << 30));
    s.now += 40_000;
    s.send(&Packet { media: Media::Video, pts: None, dts: None, duration_ticks: 0, keyframe: false, data: b"garbage" });
    s.pictures += 1;
    assert_eq!(s.play(8.0).finish().walls_ms().iter().sum::<i64>(), 11_040);
    s.out.only_run();
    assert_eq!(s.segmenter.oddities().dropped, 1);
}

#[derive(Clone, Debug)]
enum Step {
    Play { pictures: u8 },
    Rest { ms: u32 },
    Shift { ticks: i64 },
    SetClock { us: i64 },
    Gop(u8),
    Parameters(u8),
    Tracks(bool, bool),
    Raw { video: bool, pts: Option<i64>, dts: Option<i64>, duration: i64, keyframe: bool, data: Vec<u8> },
    Finish,
}

fn step() -> impl Strategy<Value = Step> {
    let near = prop_oneof![-900_000i64..900_000, any::<i64>()];
    prop_oneof![
        8 => (1u8..120).prop_map(|pictures| Step::Play { pictures }),
        1 => (0u32..40_000).prop_map(|ms| Step::Rest { ms }),
        1 => prop_oneof![-20_000_000i64..20_000_000, any::<i64>().prop_map(|t| t >> 20)].prop_map(|ticks| Step::Shift { ticks }),
        1 => (-7_200_000_000i64..7_200_000_000).prop_map(|us| Step::SetClock { us }),
        1 => prop_oneof![Just(0u8), 1u8..120].prop_map(Step::Gop),
        1 => (0u8..2).prop_map(Step::Parameters),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(v, a)| Step::Tracks(v, a)),
        2 => (any::<bool>(), proptest::option::of(near.clone()), proptest::option::of(near), any::<i64>(), any::<bool>(),
              proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..40))
            .prop_map(|(video, pts, dts, duration, keyframe, data)| Step::Raw { video, pts, dts, duration, keyframe, data }),
        1 => Just(Step::Finish),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_nothing_overlaps_and_nothing_panics(
        steps in proptest::collection::vec(step(), 1..25),
        has in prop_oneof![Just((true, true)), Just((true, false)), Just((false, true))],
        exact in any::<bool>(),
        max_bytes in prop_oneof![Just(256usize << 20), 200usize..4000],
    ) {
        let config = if exact { SegmenterConfig::exact(Timestamp(T0)) } else { SegmenterConfig::live(Timestamp(T0 - 1)) };
        let mut s = Source::new(&tracks(has.0, has.1), SegmenterConfig { max_bytes, ..config });
        s.may_be_nonsense = true;
        for step in steps {
            match step {
                Step::Play { pictures } => { s.play(f64::from(pictures) / 25.0); }
                Step::Rest { ms } => s.now += i64::from(ms) * 1000,
                Step::Shift { ticks } => s.shift = s.shift.wrapping_add(ticks) & ((1 << 33) - 1),
                Step::SetClock { us } => s.clock = us,
                Step::Gop(gop) => s.gop = i64::from(gop),
                Step::Parameters(sps) => s.sps = usize::from(sps),
                Step::Tracks(video, audio) => (s.video, s.audio) = (video && has.0, audio && has.1),
                Step::Raw { video, pts, dts, duration, keyframe, data } => {
                    let media = if video { Media::Video } else { Media::Audio };
                    s.send(&Packet { media, pts, dts, duration_ticks: duration, keyframe, data: &data });
                }
                Step::Finish => { s.finish(); }
            }
        }
        s.finish();
    }
}
