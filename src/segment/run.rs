//! A run in flight: the samples that are not written yet, and where it will be cut.

use std::collections::VecDeque;

use super::audio::Audio;
use super::fragment::{self, Sample};
use super::timeline::{Stamp, ticks_to_us};
use super::wall_clock::{Late, WallClock};
use super::{Arrival, Event, FinishedSegment, RunStart, Sink};
use crate::ffmpeg::{AudioParams, Error, InitSegment, VideoParams, init_segment};
use crate::media::{AUDIO_TRACK_ID, VIDEO_TIMESCALE, VIDEO_TRACK_ID};

#[derive(Clone, Copy, Debug)]
struct VideoSample {
    /// Decode time from the run's start, 90 kHz.
    decode: i64,
    offset: i32,
    size: u32,
    sync: bool,
}

/// The end of a segment, decided but not yet written: its audio may still come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    samples: usize,
    bytes: usize,
    /// Presentation time of its end from the run's start, 90 kHz.
    pub end: i64,
    /// Decode time of the sample after it.
    next_decode: i64,
    /// Audio before this time of the source is part of it.
    pub audio_until: i64,
    /// When it was made.
    pub arrival: Option<Arrival>,
    start: crate::media::Timestamp,
    wall_us: u32,
    media_us: u32,
    independent: bool,
}

/// What leads: by whose time segments are cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Lead {
    Video(Box<VideoParams>),
    Audio,
}

pub(super) struct Run {
    pub lead: Lead,
    clock: WallClock,
    /// The run's start in the source's time, 90 kHz, and in audio samples.
    zero: i64,
    zero_audio: i64,
    /// Added to decode times, so that the first one equals its presentation time.
    shift: i64,
    /// Set once the first segment is written; whether it then had audio.
    started: Option<bool>,
    /// Why the run is to end at the next keyframe.
    pub late: Option<Late>,
    segment_start: i64,
    /// Presentation end of the latest sample.
    end: i64,
    samples: Vec<VideoSample>,
    bytes: Vec<u8>,
    /// Oldest first.
    cuts: VecDeque<Cut>,
    fragments: u32,
    moofs: [Vec<u8>; 2],
}

impl Run {
    /// `first` is where the leading track begins, `zero_audio` the same moment in samples.
    pub(super) fn new(lead: Lead, clock: WallClock, first: Stamp, zero_audio: i64, buffers: Buffers) -> Self {
        Run {
            lead,
            clock,
            zero: first.pts,
            zero_audio,
            shift: first.pts - first.dts,
            started: None,
            late: None,
            segment_start: 0,
            end: 0,
            samples: buffers.samples,
            bytes: buffers.bytes,
            cuts: VecDeque::new(),
            fragments: 0,
            moofs: buffers.moofs,
        }
    }

    /// Hands the emptied buffers on to the next run.
    pub(super) fn into_buffers(mut self) -> Buffers {
        self.samples.clear();
        self.bytes.clear();
        Buffers { samples: self.samples, bytes: self.bytes, moofs: self.moofs }
    }

    pub(super) fn is_led_by_video(&self) -> bool {
        self.lead != Lead::Audio
    }
    pub(super) fn has_started(&self) -> bool {
        self.started.is_some()
    }
    /// `None` while it is not decided.
    pub(super) fn has_audio(&self) -> Option<bool> {
        self.started
    }
    pub(super) fn clock(&self) -> &WallClock {
        &self.clock
    }
    pub(super) fn buffer_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
    pub(super) fn zero_audio(&self) -> i64 {
        self.zero_audio
    }
    /// Audio has come to a run that had none: its start in the audio's samples.
    pub(super) fn count_audio_from(&mut self, audio: &Audio) {
        self.zero_audio = audio.to_samples(self.zero);
        for cut in &mut self.cuts {
            cut.audio_until = self.zero_audio.saturating_add(audio.to_samples(cut.end));
        }
    }

    /// Decode and presentation time from the run's start.
    pub(super) fn relative(&self, stamp: &Stamp) -> (i64, i64) {
        (stamp.dts + self.shift - self.zero, stamp.pts - self.zero)
    }

    pub(super) fn arrived(&mut self, decode: i64, arrival: Arrival) {
        if let Some(late) = self.clock.arrived(ticks_to_us(decode, VIDEO_TIMESCALE), arrival) {
            self.late = Some(late);
        }
    }

    /// The sample whose bytes have just been appended to the buffer, from `begin` on.
    pub(super) fn push(&mut self, stamp: &Stamp, begin: usize, sync: bool) {
        let (decode, presentation) = self.relative(stamp);
        let size = u32::try_from(self.bytes.len() - begin).unwrap_or(0);
        let offset = i32::try_from(presentation - decode).unwrap_or(0);
        self.samples.push(VideoSample { decode, offset, size, sync });
        self.end = self.end.max(presentation + stamp.duration);
    }

    /// The leading audio reaches to here, 90 kHz from the run's start.
    pub(super) fn audio_reaches(&mut self, end: i64) {
        self.end = self.end.max(end);
    }

    /// Presentation time in the segment in flight, were it cut at `at`.
    pub(super) fn segment_ticks(&self, at: i64) -> i64 {
        at - self.segment_start
    }
    pub(super) fn segment_bytes(&self) -> usize {
        self.bytes.len() - self.cuts.iter().map(|c| c.bytes).sum::<usize>()
    }
    pub(super) fn segment_samples(&self) -> usize {
        self.samples.len() - self.cut_samples()
    }
    /// Whether the segment in flight begins with a keyframe.
    pub(super) fn segment_is_independent(&self) -> bool {
        self.samples.get(self.cut_samples()).is_none_or(|s| s.sync)
    }
    pub(super) fn end(&self) -> i64 {
        self.end
    }
    /// What all segments that are not written yet hold.
    pub(super) fn total_bytes(&self) -> usize {
        self.bytes.len()
    }
    fn cut_samples(&self) -> usize {
        self.cuts.iter().map(|c| c.samples).sum()
    }
    /// The oldest segment that is not written yet.
    pub(super) fn pending(&self) -> Option<&Cut> {
        self.cuts.front()
    }
    pub(super) fn pending_count(&self) -> usize {
        self.cuts.len()
    }

    /// The video of the segment in flight as a file of its own: init segment, then the fragment. `None` when it does not
    /// begin with a keyframe, or has none.
    pub(super) fn video_in_flight(&self) -> Option<(InitSegment, Vec<u8>)> {
        let Lead::Video(params) = &self.lead else { return None };
        let samples = &self.samples[self.cut_samples()..];
        if !samples.first()?.sync {
            return None;
        }
        let init = init_segment(Some(params), None).ok()?;
        let next = |i: usize| samples.get(i + 1).map_or(self.end, |s| s.decode);
        let table: Vec<Sample> = samples
            .iter()
            .enumerate()
            .map(|(i, s)| Sample {
                size: s.size,
                duration_ticks: u32::try_from((next(i) - s.decode).max(1)).unwrap_or(1),
                offset_ticks: s.offset,
                sync: s.sync,
            })
            .collect();
        let mut media = Vec::new();
        fragment::write(&mut media, 1, VIDEO_TRACK_ID, 0, &table);
        media.extend_from_slice(&self.bytes[self.bytes.len() - self.segment_bytes()..]);
        Some((init, media))
    }

    /// Takes back the picture that came last.
    pub(super) fn drop_last_picture(&mut self) {
        if self.segment_samples() == 0 {
            return;
        }
        let Some(dropped) = self.samples.pop() else { return };
        self.bytes.truncate(self.bytes.len() - dropped.size as usize);
        let presentation = |s: &VideoSample| s.decode + i64::from(s.offset);
        let begins = presentation(&dropped);
        // Where it was the last to be shown, the run ends where it would have begun.
        if self.samples[self.cut_samples()..].iter().all(|s| presentation(s) < begins) {
            self.end = begins;
        }
    }

    /// Ends the segment in flight at presentation time `end`; the sample to come has decode time
    /// `next_decode`.
    pub(super) fn cut(&mut self, end: i64, next_decode: i64, audio_until: i64, arrival: Option<Arrival>) {
        let end = end.max(self.segment_start + 1);
        // Differences of running positions: rounding never adds up.
        let us = |ticks| ticks_to_us(ticks, VIDEO_TIMESCALE);
        let media_us = u32::try_from((us(end) - us(self.segment_start)).max(1)).unwrap_or(u32::MAX / 2);
        let (start, wall_us) = self.clock.end_segment(media_us);
        self.cuts.push_back(Cut {
            samples: self.segment_samples(),
            bytes: self.segment_bytes(),
            end,
            next_decode,
            audio_until,
            arrival,
            start,
            wall_us,
            media_us,
            independent: self.segment_is_independent(),
        });
        self.segment_start = end;
    }

    /// Writes all segments that were cut.
    pub(super) fn emit_all(&mut self, mut audio: Option<&mut Audio>, sink: Sink<'_>) -> Result<(), Error> {
        while !self.cuts.is_empty() {
            self.emit(audio.as_deref_mut(), sink)?;
        }
        Ok(())
    }

    /// Writes the oldest segment that was cut, and before it, if it is the run's first, announces the run.
    pub(super) fn emit(&mut self, mut audio: Option<&mut Audio>, sink: Sink<'_>) -> Result<(), Error> {
        let Some(cut) = self.cuts.pop_front() else { return Ok(()) };
        if let Some(audio) = &mut audio
            && self.started.is_none()
        {
            audio.forget_before(self.zero_audio);
        }
        if cut.samples == 0 && !audio.as_ref().is_some_and(|a| a.has_before(cut.audio_until)) {
            return Ok(());
        }
        let has_audio = match self.started {
            Some(has_audio) => has_audio,
            None => self.announce(&cut, audio.as_deref(), sink)?,
        };
        let audio = audio.filter(|_| has_audio);
        let batch = audio.as_ref().and_then(|a| a.batch(self.zero_audio, cut.audio_until));
        let mut keyframe_bytes = 0;
        let samples = self.fragment_samples(&cut);
        if let Some(first) = samples.first() {
            self.fragments += 1;
            let decode_time = u64::try_from(self.samples[0].decode).unwrap_or(0);
            fragment::write(&mut self.moofs[0], self.fragments, VIDEO_TRACK_ID, decode_time, &samples);
            keyframe_bytes = self.moofs[0].len() as u32 + first.size;
        }
        if let Some(batch) = &batch {
            self.fragments += 1;
            fragment::write(&mut self.moofs[1], self.fragments, AUDIO_TRACK_ID, batch.decode_time, &batch.samples);
        }
        if !samples.is_empty() || batch.is_some() {
            let video = if samples.is_empty() { [&[][..], &[]] } else { [&self.moofs[0][..], &self.bytes[..cut.bytes]] };
            let audio_parts = match (&batch, &audio) {
                (Some(batch), Some(audio)) => [&self.moofs[1][..], audio.batch_bytes(batch)],
                _ => [&[][..], &[]],
            };
            sink(Event::Segment(FinishedSegment {
                start: cut.start,
                wall_us: cut.wall_us,
                media_us: cut.media_us,
                keyframe_bytes,
                independent: cut.independent,
                video,
                audio: audio_parts,
            }));
        }
        if let (Some(batch), Some(audio)) = (&batch, audio) {
            audio.remove(batch);
        }
        self.samples.drain(..cut.samples);
        self.bytes.drain(..cut.bytes);
        self.give_back_memory(cut.bytes);
        Ok(())
    }

    fn announce(&mut self, cut: &Cut, audio: Option<&Audio>, sink: Sink<'_>) -> Result<bool, Error> {
        let audio = audio.filter(|a| !a.is_empty()).and_then(Audio::init_params);
        let init = self.make_init(audio.as_ref())?;
        let has_audio = init.audio.is_some();
        sink(Event::RunStarted(RunStart { start: cut.start, init }));
        self.started = Some(has_audio);
        Ok(has_audio)
    }

    /// Audio that cannot be described is no reason to lose the video.
    fn make_init(&self, audio: Option<&AudioParams>) -> Result<InitSegment, Error> {
        let Lead::Video(video) = &self.lead else { return init_segment(None, audio) };
        match init_segment(Some(video), audio) {
            Err(_) if audio.is_some() => init_segment(Some(video), None),
            result => result,
        }
    }

    fn fragment_samples(&self, cut: &Cut) -> Vec<Sample> {
        let samples = &self.samples[..cut.samples];
        let next = |i: usize| samples.get(i + 1).map_or(cut.next_decode, |s| s.decode);
        let sample = |(i, s): (usize, &VideoSample)| Sample {
            size: s.size,
            duration_ticks: u32::try_from((next(i) - s.decode).max(1)).unwrap_or(u32::MAX),
            offset_ticks: s.offset,
            sync: s.sync,
        };
        samples.iter().enumerate().map(sample).collect()
    }

    /// One large segment must not hold its memory for ever.
    fn give_back_memory(&mut self, written: usize) {
        const SLACK_BYTES: usize = 4 << 20;
        let wanted = written.max(self.bytes.len()) * 2 + SLACK_BYTES;
        if self.bytes.capacity() > 2 * wanted {
            self.bytes.shrink_to(wanted);
        }
    }
}

/// Memory that outlives a run.
#[derive(Default)]
pub(super) struct Buffers {
    samples: Vec<VideoSample>,
    bytes: Vec<u8>,
    moofs: [Vec<u8>; 2],
}
