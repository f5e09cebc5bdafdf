//! The machine itself: see [`super`]. Here its state, video, and what ends a run; audio is in [`audio_side`].

mod audio_side;

use std::time::Duration;

use super::audio::Audio;
use super::run::{Buffers, Lead, Run};
use super::timeline::{Placed, Stamp};
use super::video::Video;
use super::wall_clock::{Late, WallClock};

use super::{Arrival, ClockMode, Event, Oddities, RunEnd, SegmenterConfig, Sink, timeline};
use crate::ffmpeg::{Error, InitSegment, Media, Packet, Tracks};
use crate::media::{GapCause, Timestamp, VIDEO_TIMESCALE};

/// A finished segment waits this long for its audio. Interleaving in live sources is under a second; half of it
/// would push audio into the wrong segment, double delays the first segment of a source without any.
pub(super) const AUDIO_WAIT: Duration = Duration::from_secs(2);
/// Audio may come this far after or before its video in one burst: fragmented MP4 holds the tracks one after
/// another, and in files time of arrival says nothing.
pub(super) const INTERLEAVE_MAX_TICKS: i64 = 30 * VIDEO_TIMESCALE as i64;
/// So many finished segments may wait for audio.
const PENDING_MAX: usize = 32;
/// Audio that has been away this long is not waited for, and then the run goes on without it.
const AUDIO_GONE_TICKS: i64 = 10 * VIDEO_TIMESCALE as i64;
/// So long without any video while audio comes: the video is not coming, audio is recorded alone.
const VIDEO_WAIT: Duration = Duration::from_secs(5);
/// Audio that comes to recorded video is there when it is this near.
const AUDIO_NEAR_TICKS: i64 = 2 * VIDEO_TIMESCALE as i64;
/// Video that comes to recorded audio continues its time when it is this near.
const VIDEO_NEAR_TICKS: i64 = 5 * VIDEO_TIMESCALE as i64;
/// A segment that began without a keyframe is ended early by the next one, unless it is shorter than this.
const REPAIR_MIN_TICKS: i64 = VIDEO_TIMESCALE as i64 / 2;
/// Nothing for so long is a silence, whatever the timestamps say afterwards. Jitter of live sources is under a second.
const SILENT_US: i64 = 1_500_000;
/// Samples in one segment: 20 s of 120 fps is 2,400; only broken timestamps make more.
const SAMPLES_MAX: usize = 20_000;
/// Holes in imported media up to this long keep their length in wall time; a longer one is a damaged time.
const IMPORT_HOLE_MAX_US: i64 = 3_600_000_000;

/// What follows the end of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum After {
    /// Nothing that is known: all audio that waits belongs to the run.
    Anything,
    /// The source's time goes on: audio past the run's end belongs to the next.
    SameTime,
    /// The source's time has gone on or back by so much.
    Jump { by_us: i64 },
}

/// See the module's documentation.
pub struct Segmenter {
    config: SegmenterConfig,
    video: Option<Video>,
    audio: Option<Audio>,
    run: Option<Run>,
    buffers: Buffers,
    /// The clock of a run that continues the one before.
    next_clock: Option<WallClock>,
    not_before: Timestamp,
    /// Video packets that could not start a run, in 90 kHz, since the first of them.
    waiting_since: Option<i64>,
    /// When the first audio came after the last video.
    alone_since: Option<Arrival>,
    last_arrival: Option<Arrival>,
    oddities: Oddities,
}

impl Segmenter {
    pub fn new(config: SegmenterConfig, tracks: &Tracks) -> Self {
        let mut segmenter = Segmenter {
            config,
            video: None,
            audio: None,
            run: None,
            buffers: Buffers::default(),
            next_clock: None,
            not_before: config.not_before,
            waiting_since: None,
            alone_since: None,
            last_arrival: None,
            oddities: Oddities::default(),
        };
        segmenter.use_tracks(tracks);
        segmenter
    }

    /// The source's tracks are others from here on: ends the run, unless one has only been added.
    ///
    /// # Errors
    /// As for [`Segmenter::feed`].
    pub fn set_tracks(&mut self, tracks: &Tracks, sink: Sink<'_>) -> Result<(), Error> {
        if self.add_track(tracks) {
            return Ok(());
        }
        self.end_run(GapCause::CodecChange, "the source sends other tracks", After::Anything, sink)?;
        self.use_tracks(tracks);
        Ok(())
    }

    /// FLV names a track when its first packet comes. A run of which nothing is written yet takes it in; a later one
    /// goes on until the next keyframe, where what has come begins a new run without a gap.
    fn add_track(&mut self, tracks: &Tracks) -> bool {
        let same_video = self.video.as_ref().map(Video::declared) == tracks.video.as_ref();
        let same_audio = self.audio.as_ref().map(Audio::declared) == tracks.audio.as_ref();
        match (&tracks.video, &tracks.audio) {
            (_, Some(audio)) if same_video && self.audio.is_none() => {
                let audio = Audio::new(audio.clone());
                if let Some(run) = &mut self.run {
                    run.count_audio_from(&audio);
                }
                self.audio = Some(audio);
            }
            (Some(video), _) if same_audio && self.video.is_none() => {
                self.video = Some(Video::new(video.clone()));
                if let Some(run) = self.run.take_if(|run| !run.has_started()) {
                    self.buffers = run.into_buffers();
                }
            }
            _ => return false,
        }
        true
    }

    fn use_tracks(&mut self, tracks: &Tracks) {
        self.video = tracks.video.clone().map(Video::new);
        self.audio = tracks.audio.clone().map(Audio::new);
        self.waiting_since = None;
        self.alone_since = None;
    }

    /// Takes the next packet, which came at `arrival`; what it completes goes to `sink`.
    ///
    /// # Errors
    /// When no init segment can be made of the tracks' parameters. The source is then of no use.
    pub fn feed(&mut self, packet: &Packet<'_>, arrival: Arrival, sink: Sink<'_>) -> Result<(), Error> {
        let result = match packet.media {
            Media::Video => self.feed_video(packet, arrival, sink),
            Media::Audio => self.feed_audio(packet, arrival, sink),
        };
        self.last_arrival = Some(arrival);
        result
    }

    /// Writes what is in flight, however short, and ends the run for this reason. Packets may follow: they
    /// begin another run.
    ///
    /// # Errors
    /// As for [`Segmenter::feed`].
    pub fn finish(&mut self, cause: GapCause, detail: &'static str, sink: Sink<'_>) -> Result<(), Error> {
        self.end_run(cause, detail, After::Anything, sink)
    }

    /// The connection has broken off: the last picture may be half of one, for MPEG-TS does not say how long pictures are.
    /// Players stop at such a picture, and with them every clip that goes over it. `is_whole` is given the video in flight
    /// (init segment, fragment) and tells; a torn picture is taken back.
    pub fn drop_torn_picture(&mut self, is_whole: impl FnOnce(InitSegment, Vec<u8>) -> bool) {
        let Some(run) = &mut self.run else { return };
        if let Some((init, media)) = run.video_in_flight()
            && !is_whole(init, media)
        {
            run.drop_last_picture();
            self.oddities.dropped += 1;
        }
    }

    /// How far the recording is ahead of the clock, in microseconds: positive when the source sends faster
    /// than time passes. Who can should make it wait (stop reading).
    pub fn lead_us(&self) -> i64 {
        self.run.as_ref().map_or(0, |r| r.clock().lead_us())
    }

    /// The earliest moment at which the next segment may start: where the last one ended.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    // ---- video

    fn feed_video(&mut self, packet: &Packet<'_>, arrival: Arrival, sink: Sink<'_>) -> Result<(), Error> {
        let Some(video) = &mut self.video else { return Ok(()) };
        if let (None, Some(audio)) = (video.timeline.position(), &self.audio)
            && let Some(at) = audio.position()
        {
            video.timeline.start_near(audio.to_90k(at));
        }
        let stamp = match video.timeline.place(packet.pts, packet.dts, packet.duration_ticks, packet.keyframe) {
            Placed::At(stamp) => stamp,
            Placed::Drop => {
                self.oddities.dropped += 1;
                return Ok(());
            }
            Placed::Jump { by_us } => match self.video_jumped(packet, by_us, arrival, sink)? {
                Some(stamp) => stamp,
                None => return Ok(()),
            },
        };
        self.oddities.mended += u64::from(stamp.mended);
        self.alone_since = None;
        if packet.keyframe {
            self.at_keyframe(packet, &stamp, sink)?;
        }
        if self.run.is_none() && !self.start_with_video(packet, &stamp)? {
            self.oddities.dropped += 1;
            return Ok(());
        }
        if self.run.as_ref().is_some_and(|run| !run.is_led_by_video()) {
            // Audio is recorded alone until a keyframe comes, which ends that run.
            return Ok(());
        }
        self.cut_if_due(packet.keyframe, &stamp, arrival);
        self.append_video(packet, &stamp, arrival);
        self.emit_ready(arrival, sink)
    }

    fn video_jumped(&mut self, packet: &Packet<'_>, by_us: i64, arrival: Arrival, sink: Sink<'_>) -> Result<Option<Stamp>, Error> {
        // Video that comes back to recorded audio has only been away: the audio's time holds.
        if self.run.as_ref().is_none_or(Run::is_led_by_video) {
            let (cause, detail) = self.why_jumped(by_us, arrival);
            self.end_run(cause, detail, After::Jump { by_us }, sink)?;
            if let Some(audio) = &mut self.audio {
                audio.restart();
            }
        }
        let Some(video) = &mut self.video else { return Ok(None) };
        video.timeline.restart();
        self.waiting_since = None;
        match video.timeline.place(packet.pts, packet.dts, packet.duration_ticks, packet.keyframe) {
            Placed::At(stamp) => Ok(Some(stamp)),
            _ => Ok(None),
        }
    }

    /// A jump ahead that took as long as it says is a silence, not a jump.
    fn why_jumped(&self, by_us: i64, arrival: Arrival) -> (GapCause, &'static str) {
        let passed = self
            .last_arrival
            .map_or(0, |last| i64::try_from(arrival.monotonic.saturating_sub(last.monotonic).as_micros()).unwrap_or(i64::MAX));
        // An encoder that was started anew begins its time anew, too: what one missed is what it did not send.
        let was_away = passed >= SILENT_US;
        if was_away || (by_us > 0 && (by_us - passed).abs() < 2_000_000 + by_us / 4) {
            (GapCause::SourceSilent, "the source sent nothing for a while")
        } else {
            (GapCause::TimestampJump, "")
        }
    }

    /// What only happens at keyframes: runs end here when something has changed.
    fn at_keyframe(&mut self, packet: &Packet<'_>, stamp: &Stamp, sink: Sink<'_>) -> Result<(), Error> {
        let Some(video) = &mut self.video else { return Ok(()) };
        let mut change = video.keyframe_changes_parameters(packet.data).then_some("the source changed its video parameters");
        let Some(run) = &self.run else { return Ok(()) };
        if let Some(late) = run.late {
            let (cause, detail) = describe_late(late);
            return self.end_run(cause, detail, After::SameTime, sink);
        }
        if !run.is_led_by_video() {
            let is_near = (run.relative(stamp).1 - run.end()).abs() <= VIDEO_NEAR_TICKS;
            return if is_near {
                self.continue_in_new_run("video has come", stamp, sink)
            } else {
                self.end_run(GapCause::CodecChange, "video has come", After::Anything, sink)
            };
        }
        if let Some(audio) = &self.audio {
            if audio.change_is_pending() {
                change = Some("the source changed its audio parameters");
            }
            let behind = stamp.dts.saturating_sub(audio.position().map_or(i64::MIN, |p| audio.to_90k(p)));
            let is_due = run.segment_ticks(run.relative(stamp).1) >= self.cut_ticks();
            match run.has_audio() {
                Some(true) if behind > AUDIO_GONE_TICKS && is_due => change = Some("the source's audio has stopped"),
                Some(false) if !audio.is_empty() && behind < AUDIO_NEAR_TICKS && is_due && audio.init_params().is_some() => {
                    change = Some("audio has come");
                }
                _ => {}
            }
        }
        match change {
            Some(detail) => self.continue_in_new_run(detail, stamp, sink),
            None => Ok(()),
        }
    }

    /// Ends the run at this keyframe; the next one follows it without a gap.
    fn continue_in_new_run(&mut self, detail: &'static str, stamp: &Stamp, sink: Sink<'_>) -> Result<(), Error> {
        let Some(run) = &mut self.run else { return Ok(()) };
        let (decode, end) = run.relative(stamp);
        // A keyframe shown before pictures that came earlier is no clean seam: keep all of them.
        let end = end.max(run.end());
        run.emit_all(self.audio.as_mut(), sink)?;
        if has_content(run, self.audio.as_ref()) {
            let audio_until = audio_until(run, self.audio.as_ref(), end);
            run.cut(end, decode, audio_until, None);
            run.emit_all(self.audio.as_mut(), sink)?;
        }
        self.close_run(GapCause::CodecChange, detail, sink);
        self.next_clock = Some(WallClock::starting_at(self.not_before, self.is_exact()));
        Ok(())
    }

    fn start_with_video(&mut self, packet: &Packet<'_>, stamp: &Stamp) -> Result<bool, Error> {
        let Some(video) = &mut self.video else { return Ok(false) };
        let since = *self.waiting_since.get_or_insert(stamp.dts);
        let waited_us = timeline::ticks_to_us(stamp.dts.saturating_sub(since), VIDEO_TIMESCALE);
        let has_waited = waited_us >= i64::from(self.config.max_us);
        if !packet.keyframe && !has_waited {
            return Ok(false);
        }
        let Some(params) = video.init_params(packet.data) else {
            return if has_waited { Err(Error::Invalid("the video's parameters cannot be read")) } else { Ok(false) };
        };
        if let Some(audio) = &mut self.audio {
            audio.adopt_change();
        }
        let clock = self.clock_for_run();
        let buffers = std::mem::take(&mut self.buffers);
        let zero_audio = self.audio.as_ref().map_or(0, |a| a.to_samples(stamp.pts));
        self.waiting_since = None;
        self.run = Some(Run::new(Lead::Video(Box::new(params)), clock, *stamp, zero_audio, buffers));
        Ok(true)
    }

    fn clock_for_run(&mut self) -> WallClock {
        match (self.next_clock.take(), self.config.clock) {
            (Some(clock), _) => clock,
            (None, ClockMode::Live) => WallClock::live(self.not_before),
            (None, ClockMode::Exact { start }) => WallClock::starting_at(start.max(self.not_before), true),
        }
    }

    /// Segments may end a little before the target: keyframes every 4 s come at 3.999 as well as at 4.001.
    fn cut_ticks(&self) -> i64 {
        us_to_ticks(self.config.target_us - self.config.target_us / 32)
    }

    fn cut_if_due(&mut self, keyframe: bool, stamp: &Stamp, arrival: Arrival) {
        let (cut_ticks, max_ticks) = (self.cut_ticks(), us_to_ticks(self.config.max_us));
        let Some(run) = &mut self.run else { return };
        if run.segment_samples() == 0 {
            return;
        }
        let (decode, presentation) = run.relative(stamp);
        let length = run.segment_ticks(presentation);
        let at_keyframe = keyframe && (length >= cut_ticks || (!run.segment_is_independent() && length >= REPAIR_MIN_TICKS));
        let is_full =
            run.segment_ticks(decode) >= max_ticks || run.segment_bytes() >= self.config.max_bytes || run.segment_samples() >= SAMPLES_MAX;
        if !at_keyframe && !is_full {
            return;
        }
        let end = if keyframe { presentation } else { decode };
        let audio_until = audio_until(run, self.audio.as_ref(), end);
        run.cut(end, decode, audio_until, Some(arrival));
    }

    fn append_video(&mut self, packet: &Packet<'_>, stamp: &Stamp, arrival: Arrival) {
        let (Some(run), Some(video)) = (&mut self.run, &mut self.video) else { return };
        let (decode, presentation) = run.relative(stamp);
        run.arrived(decode, arrival);
        // Pictures that lead the run's first keyframe need others that are not there.
        if presentation < 0 {
            self.oddities.dropped += 1;
            return;
        }
        let begin = run.buffer_mut().len();
        if video.append(packet.data, packet.keyframe, run.buffer_mut()) {
            run.push(stamp, begin, packet.keyframe);
        } else {
            self.oddities.dropped += 1;
        }
    }

    // ---- writing

    /// Writes finished segments whose audio is complete, or has had its time.
    fn emit_ready(&mut self, arrival: Arrival, sink: Sink<'_>) -> Result<(), Error> {
        while self.is_oldest_ready(arrival) {
            let Some(run) = &mut self.run else { return Ok(()) };
            run.emit(self.audio.as_mut(), sink)?;
        }
        Ok(())
    }

    fn is_oldest_ready(&self, arrival: Arrival) -> bool {
        let Some(run) = &self.run else { return false };
        let Some(cut) = run.pending() else { return false };
        let Some(audio) = self.audio.as_ref().filter(|_| run.has_audio() != Some(false)) else { return true };
        let missing = cut.audio_until.saturating_sub(audio.position().unwrap_or(i64::MIN));
        missing <= 0
            || (run.has_started() && audio.to_90k(missing) > AUDIO_GONE_TICKS + INTERLEAVE_MAX_TICKS)
            || run.end() - cut.end > INTERLEAVE_MAX_TICKS
            || run.pending_count() > PENDING_MAX
            || run.total_bytes() > self.config.max_bytes
            || self.has_passed(cut.arrival, AUDIO_WAIT, arrival)
    }

    /// Writes everything that is left and closes the run.
    fn end_run(&mut self, cause: GapCause, detail: &'static str, after: After, sink: Sink<'_>) -> Result<(), Error> {
        let Some(run) = &mut self.run else { return Ok(()) };
        run.emit_all(self.audio.as_mut(), sink)?;
        if has_content(run, self.audio.as_ref()) {
            let end = run.end();
            let audio_until = if after == After::SameTime { audio_until(run, self.audio.as_ref(), end) } else { i64::MAX };
            run.cut(end, end, audio_until, None);
            run.emit(self.audio.as_mut(), sink)?;
        }
        self.close_run(cause, detail, sink);
        if let (After::Jump { by_us }, true) = (after, self.is_exact()) {
            let hole = if (0..=IMPORT_HOLE_MAX_US).contains(&by_us) { by_us } else { 0 };
            let start = self.not_before.saturating_add_micros(hole);
            self.next_clock = Some(WallClock::starting_at(start, true));
        }
        Ok(())
    }

    fn is_exact(&self) -> bool {
        matches!(self.config.clock, ClockMode::Exact { .. })
    }

    fn close_run(&mut self, cause: GapCause, detail: &'static str, sink: Sink<'_>) {
        let Some(run) = self.run.take() else { return };
        if let Some(end) = run.clock().segment_start() {
            self.not_before = self.not_before.max(end);
        }
        if run.has_started() {
            sink(Event::RunEnded(RunEnd { end: self.not_before, cause, detail }));
        }
        self.buffers = run.into_buffers();
    }
}

fn describe_late(late: Late) -> (GapCause, &'static str) {
    match late {
        Late::ClockWasSet => (GapCause::ClockJump, "the machine's clock was set forward"),
        Late::SourcePaused => (GapCause::SourceSilent, "the source's own time stood still"),
    }
}

fn us_to_ticks(us: u32) -> i64 {
    i64::from(us) * i64::from(VIDEO_TIMESCALE) / 1_000_000
}

/// Whether the segment in flight would hold anything.
fn has_content(run: &Run, audio: Option<&Audio>) -> bool {
    run.segment_samples() > 0 || (!run.is_led_by_video() && audio.is_some_and(|a| !a.is_empty()))
}

/// Audio before presentation time `end` of the run, in samples of the source's time.
fn audio_until(run: &Run, audio: Option<&Audio>, end: i64) -> i64 {
    audio.map_or(i64::MAX, |a| run.zero_audio().saturating_add(a.to_samples(end)))
}
