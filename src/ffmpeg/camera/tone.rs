//! The camera's sound: a quiet tone, with a short higher beep at the start of each second.

use ffmpeg_next as ff;
use ffmpeg_next::format::Sample;

pub(super) struct Tone {
    rate: u32,
    format: Sample,
    hertz: f64,
    position: u64,
}

impl Tone {
    pub(super) fn new(rate: u32, format: Sample, label: &str) -> Tone {
        // Two cameras side by side should not sound the same.
        let step = label.bytes().fold(0u32, |a, b| a + u32::from(b)) % 8;
        Tone { rate, format, hertz: 220.0 * 2f64.powf(f64::from(step) / 12.0), position: 0 }
    }
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }
    /// In samples: what comes then is the same again.
    pub(super) fn period(&self) -> u64 {
        u64::from(self.rate)
    }
    /// Someone else has these samples.
    pub(super) fn skip(&mut self, samples: usize) {
        self.position += samples as u64;
    }
    /// Samples made so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn frame(&mut self, samples: usize) -> ff::frame::Audio {
        let mut frame = ff::frame::Audio::new(self.format, samples, ff::ChannelLayout::MONO);
        frame.set_rate(self.rate);
        frame.set_pts(i64::try_from(self.position).ok());
        let first = self.position;
        let value = |i: usize| self.sample(first + i as u64);
        match self.format {
            Sample::F32(_) => {
                for (i, s) in frame.plane_mut::<f32>(0).iter_mut().enumerate() {
                    *s = value(i) as f32;
                }
            }
            _ => {
                for (i, s) in frame.plane_mut::<i16>(0).iter_mut().enumerate() {
                    *s = (value(i) * f64::from(i16::MAX)) as i16;
                }
            }
        }
        self.position += samples as u64;
        frame
    }

    fn sample(&self, n: u64) -> f64 {
        let in_second = (n % u64::from(self.rate)) as f64 / f64::from(self.rate);
        let (hertz, loudness) = if in_second < 0.08 { (self.hertz * 4.0, 0.20) } else { (self.hertz, 0.06) };
        // Whole periods fit a second when the frequency is whole: no click at the seam.
        (in_second * hertz.round() * std::f64::consts::TAU).sin() * loudness
    }
}
