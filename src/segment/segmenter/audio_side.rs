//! Audio beside video, and audio alone.

use std::time::Duration;

use super::{After, INTERLEAVE_MAX_TICKS, SAMPLES_MAX, Segmenter, VIDEO_WAIT, describe_late, us_to_ticks};
use crate::ffmpeg::{Error, Packet};
use crate::media::GapCause;
use crate::segment::audio::Taken;
use crate::segment::run::{Lead, Run};
use crate::segment::timeline::Stamp;
use crate::segment::wall_clock::WallClock;
use crate::segment::{Arrival, Sink};

impl Segmenter {
    pub(super) fn feed_audio(&mut self, packet: &Packet<'_>, arrival: Arrival, sink: Sink<'_>) -> Result<(), Error> {
        let leads = self.run.as_ref().is_some_and(|run| !run.is_led_by_video());
        self.alone_since.get_or_insert(arrival);
        let video_is_gone = self.video_is_gone(arrival);
        let Some(audio) = &mut self.audio else { return Ok(()) };
        let video_at = self.video.as_ref().and_then(|v| v.timeline.position()).filter(|_| !leads && !video_is_gone);
        match audio.take(packet, video_at) {
            Taken::Queued => {}
            Taken::Dropped => {
                self.oddities.dropped += 1;
                return Ok(());
            }
            Taken::Jumped => {
                self.oddities.mended += 1;
                if leads {
                    self.end_run(GapCause::TimestampJump, "", After::Anything, sink)?;
                }
                if let Some(audio) = &mut self.audio {
                    audio.take_jumped(packet, !leads);
                }
                if leads {
                    return self.start_with_audio(arrival, sink);
                }
            }
            Taken::Changed => {
                self.oddities.dropped += 1;
                if leads || self.run.is_none() {
                    self.end_run(GapCause::CodecChange, "the source changed its audio parameters", After::Anything, sink)?;
                    if let Some(audio) = &mut self.audio {
                        audio.adopt_change();
                    }
                }
                return Ok(());
            }
        }
        if leads {
            return self.lead_with_audio(arrival, sink);
        }
        if self.run.is_none() {
            return self.start_with_audio(arrival, sink);
        }
        if self.video_is_gone(arrival) {
            self.end_run(GapCause::CodecChange, "the source's video has stopped", After::SameTime, sink)?;
            self.next_clock = Some(WallClock::starting_at(self.not_before, self.is_exact()));
            return self.start_with_audio(arrival, sink);
        }
        if let Some(audio) = &mut self.audio
            && self.run.as_ref().is_some_and(|run| run.has_audio() == Some(false))
        {
            audio.forget_early();
        }
        self.emit_ready(arrival, sink)
    }

    /// Whether there is no video to wait for.
    fn video_is_gone(&self, arrival: Arrival) -> bool {
        let (Some(video), Some(audio)) = (&self.video, &self.audio) else { return self.video.is_none() };
        let ahead = match (video.timeline.position(), audio.position()) {
            (Some(video), Some(position)) => audio.to_90k(position).saturating_sub(video),
            _ => audio.to_90k(audio.waiting_span()),
        };
        ahead > INTERLEAVE_MAX_TICKS || (ahead > 0 && self.has_passed(self.alone_since, VIDEO_WAIT, arrival))
    }

    /// Whether so much time has passed, in live recording.
    pub(super) fn has_passed(&self, since: Option<Arrival>, wait: Duration, now: Arrival) -> bool {
        !self.is_exact() && since.is_some_and(|since| now.monotonic.saturating_sub(since.monotonic) > wait)
    }

    fn start_with_audio(&mut self, arrival: Arrival, sink: Sink<'_>) -> Result<(), Error> {
        if !self.video_is_gone(arrival) {
            if let Some(audio) = &mut self.audio {
                audio.forget_early();
            }
            return Ok(());
        }
        let Some((first, is_known)) = self.audio.as_ref().and_then(|a| Some((a.first_waiting()?, a.init_params().is_some()))) else {
            return Ok(());
        };
        if !is_known {
            return Err(Error::Invalid("the audio's parameters are not known"));
        }
        let clock = self.clock_for_run();
        let buffers = std::mem::take(&mut self.buffers);
        let Some(audio) = &self.audio else { return Ok(()) };
        let at = audio.to_90k(first);
        let stamp = Stamp { dts: at, pts: at, duration: 1, mended: false };
        self.run = Some(Run::new(Lead::Audio, clock, stamp, first, buffers));
        self.lead_with_audio(arrival, sink)
    }

    /// Audio is recorded alone: it is cut by its own time.
    fn lead_with_audio(&mut self, arrival: Arrival, sink: Sink<'_>) -> Result<(), Error> {
        let (target, max_bytes) = (us_to_ticks(self.config.target_us), self.config.max_bytes);
        let (Some(run), Some(audio)) = (&mut self.run, &mut self.audio) else { return Ok(()) };
        let Some(end) = audio.position() else { return Ok(()) };
        let reached = audio.to_90k(end - run.zero_audio());
        run.audio_reaches(reached);
        run.arrived(reached, arrival);
        if let Some(late) = run.late {
            let (cause, detail) = describe_late(late);
            return self.end_run(cause, detail, After::Anything, sink);
        }
        let is_full = audio.waiting_bytes() >= max_bytes || audio.waiting_packets() >= SAMPLES_MAX;
        if run.segment_ticks(reached) < target && !is_full {
            return Ok(());
        }
        run.cut(reached, reached, end, None);
        run.emit_all(Some(audio), sink)
    }
}
