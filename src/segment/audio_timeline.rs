//! Audio time beside video: counted in samples, held to the source's timestamps.
//!
//! Inside its tolerance the count wins, so that rounded container timestamps do not make durations jitter;
//! beyond it the source wins. Audio never ends a run: when its time is elsewhere for good it is set anew.

use super::timeline::{Unwrap, rescale};
use crate::ffmpeg::TimeBase;

/// How far timestamps may stray from the count, in milliseconds: above what containers round, below what one
/// sees between lips and voice.
const TOLERANCE_MS: i64 = 25;
/// A step back of up to this is disorder, a step ahead of up to [`HOLE_MS`] a hole. Beyond: suspect.
const DISORDER_MS: i64 = 200;
const HOLE_MS: i64 = 3000;
/// Audio this far from video is not of the same time: other base, or left over from before a jump. More than
/// fragmented MP4 and HLS put between their tracks.
const SKEW_MAX_MS: i64 = 35_000;
/// So many packets must agree on a new time (about half a second of AAC).
const JUMP_PACKETS: u32 = 20;

#[derive(Clone, Debug)]
pub(super) struct AudioTimeline {
    time_base: TimeBase,
    rate: u32,
    unwrap: Unwrap,
    /// Where the next packet is expected.
    next: Option<i64>,
    /// Added to the source's times where its audio has another base than its video.
    shift: i64,
    suspect: Option<(u32, i64)>,
}

/// Where an audio packet goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AudioPlaced {
    /// At this time, in samples of the source's time.
    At(i64),
    /// The same, and whatever was placed at or after it before is out of date.
    SetBack(i64),
    Drop,
}

impl AudioTimeline {
    pub(super) fn new(time_base: TimeBase, rate: u32) -> Self {
        AudioTimeline { time_base, rate, unwrap: Unwrap::new(time_base.wrap_bits), next: None, shift: 0, suspect: None }
    }

    /// After a jump of the video: what comes is judged by the video's new time.
    pub(super) fn restart(&mut self) {
        (self.next, self.suspect, self.shift) = (None, None, 0);
    }

    pub(super) fn position(&self) -> Option<i64> {
        self.next
    }

    /// `video` is the video's position in samples of this track, where there is one.
    pub(super) fn place(&mut self, pts: Option<i64>, samples: u32, video: Option<i64>) -> AudioPlaced {
        let samples = i64::from(samples.max(1));
        let Some(raw) = pts else {
            return match self.next {
                Some(at) => self.accept(at, samples),
                None => AudioPlaced::Drop,
            };
        };
        if let (None, Some(video)) = (self.unwrap.last(), video) {
            self.unwrap.start_near(self.to_source(video));
        }
        let source = self.unwrap.next(raw);
        let at = rescale(source, self.time_base, self.rate).saturating_add(self.shift);
        let is_near_video = video.is_none_or(|v| (at - v).abs() <= self.ms(SKEW_MAX_MS));
        match self.next {
            Some(next) if is_near_video && (at - next).abs() <= self.ms(TOLERANCE_MS) => self.accept(next, samples),
            Some(next) if is_near_video && at > next && at - next <= self.ms(HOLE_MS) => self.accept(at, samples),
            // The count runs ahead of the source's clock: the packet is held shorter, never dropped.
            Some(next) if is_near_video && at < next && next - at <= self.ms(DISORDER_MS) => {
                self.accept(next, samples - (next - at).min(samples / 2))
            }
            None if is_near_video => self.accept(at, samples),
            _ => self.suspect(at, samples, video, is_near_video),
        }
    }

    fn suspect(&mut self, at: i64, samples: i64, video: Option<i64>, is_near_video: bool) -> AudioPlaced {
        let count = match self.suspect {
            Some((count, expected)) if (at - expected).abs() <= self.ms(DISORDER_MS) => count + 1,
            _ => 1,
        };
        self.suspect = Some((count, at + samples));
        if count < JUMP_PACKETS {
            return AudioPlaced::Drop;
        }
        let mut target = at;
        if let (false, Some(video)) = (is_near_video, video) {
            self.shift = self.shift.saturating_add(video - at);
            target = video;
        }
        self.accept(target, samples);
        AudioPlaced::SetBack(target)
    }

    fn accept(&mut self, at: i64, samples: i64) -> AudioPlaced {
        self.next = Some(at + samples);
        self.suspect = None;
        AudioPlaced::At(at)
    }

    fn ms(&self, ms: i64) -> i64 {
        i64::from(self.rate) * ms / 1000
    }

    fn to_source(&self, samples: i64) -> i64 {
        let tb = self.time_base;
        let ticks = i128::from(samples) * i128::from(tb.den) / (i128::from(tb.num.max(1)) * i128::from(self.rate.max(1)));
        i64::try_from(ticks).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flv() -> AudioTimeline {
        AudioTimeline::new(TimeBase::new(1, 1000, 64), 44_100)
    }

    #[test]
    fn millisecond_timestamps_do_not_jitter() {
        let mut t = flv();
        for i in 0..1000 {
            let ms = i * 1024 * 1000 / 44_100;
            assert_eq!(t.place(Some(ms), 1024, None), AudioPlaced::At(i * 1024));
        }
    }

    #[test]
    fn a_hole_is_kept() {
        let mut t = flv();
        t.place(Some(0), 1024, None);
        assert_eq!(t.place(Some(1000), 1024, None), AudioPlaced::At(44_100));
    }

    #[test]
    fn audio_with_another_base_is_set_beside_the_video() {
        let mut t = flv();
        let video = 44_100 * 1000;
        let mut got = AudioPlaced::Drop;
        for i in 0..20 {
            assert_eq!(got, AudioPlaced::Drop);
            got = t.place(Some(i * 1024 * 1000 / 44_100), 1024, Some(video));
        }
        assert_eq!(got, AudioPlaced::SetBack(video));
        assert_eq!(t.place(Some(20 * 1024 * 1000 / 44_100), 1024, Some(video)), AudioPlaced::At(video + 1024));
    }

    #[test]
    fn the_first_audio_is_unwrapped_towards_the_video() {
        let mut t = AudioTimeline::new(TimeBase::new(1, 90_000, 33), 48_000);
        let video_90k = (1i64 << 33) + 90_000;
        let video = video_90k * 48_000 / 90_000;
        assert_eq!(t.place(Some(90_000), 1024, Some(video)), AudioPlaced::At(video));
    }

    proptest! {
        #[test]
        fn without_a_set_back_time_only_rises(packets in proptest::collection::vec((any::<Option<i64>>(), 0u32..6000, any::<Option<i64>>()), 0..80)) {
            let mut t = flv();
            let mut last = i64::MIN;
            for (pts, samples, video) in packets {
                match t.place(pts, samples, video.map(|v| v >> 8)) {
                    AudioPlaced::At(at) => { prop_assert!(at > last); last = at; }
                    AudioPlaced::SetBack(at) => last = at,
                    AudioPlaced::Drop => {}
                }
            }
        }
    }
}
