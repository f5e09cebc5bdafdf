//! How much time one audio packet holds, by the codec's own rules, and the wrapping that is taken off.
//!
//! Containers round durations (a millisecond in FLV and Matroska); the codec knows them exactly.

use bytes::Bytes;

use crate::ffmpeg::{AudioCodec, AudioParams};

/// Source: ISO/IEC 14496-3 table 1.18.
const AAC_RATES: [u32; 13] = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// The fixed part of an ADTS header, ISO/IEC 14496-3 §1.A.2.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Adts {
    object_type: u8,
    rate_index: u8,
    channels: u8,
    header_bytes: u8,
    frame_bytes: u16,
}

impl Adts {
    /// The header at the start of `packet`, if that is one.
    pub(super) fn read(packet: &[u8]) -> Option<Adts> {
        let h = packet.first_chunk::<7>()?;
        if h[0] != 0xff || h[1] & 0xf6 != 0xf0 {
            return None;
        }
        let adts = Adts {
            object_type: (h[2] >> 6) + 1,
            rate_index: (h[2] >> 2) & 0x0f,
            channels: (h[2] & 1) << 2 | h[3] >> 6,
            header_bytes: if h[1] & 1 == 0 { 9 } else { 7 },
            frame_bytes: u16::from(h[3] & 3) << 11 | u16::from(h[4]) << 3 | u16::from(h[5] >> 5),
        };
        (usize::from(adts.rate_index) < AAC_RATES.len() && adts.frame_bytes > u16::from(adts.header_bytes)).then_some(adts)
    }

    /// The frame without its header.
    pub(super) fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        let end = usize::from(self.frame_bytes).min(packet.len());
        packet.get(usize::from(self.header_bytes)..end).unwrap_or(&[])
    }

    /// AudioSpecificConfig with the same meaning.
    pub(super) fn to_config(self) -> [u8; 2] {
        [self.object_type << 3 | self.rate_index >> 1, (self.rate_index & 1) << 7 | self.channels << 3]
    }

    pub(super) fn core_rate(&self) -> u32 {
        AAC_RATES[usize::from(self.rate_index)]
    }

    pub(super) fn channels(&self) -> u32 {
        match self.channels {
            7 => 8,
            n => u32::from(n),
        }
    }

    /// Whether the two announce the same decoder; the sizes differ from frame to frame.
    pub(super) fn same_decoder(&self, other: &Adts) -> bool {
        self.to_config() == other.to_config()
    }
}

/// Rate at which the AAC core runs: half the output where SBR doubles it.
pub(super) fn aac_core_rate(config: &Bytes) -> Option<u32> {
    let (a, b) = (u32::from(*config.first()?), u32::from(*config.get(1)?));
    if a >> 3 == 31 {
        return None;
    }
    AAC_RATES.get(((a & 7) << 1 | b >> 7) as usize).copied()
}

/// Samples, at the track's rate, in one packet. `None` where only the container knows.
pub(super) fn packet_samples(params: &AudioParams, core_rate: Option<u32>, data: &[u8]) -> Option<u32> {
    match params.codec {
        AudioCodec::Aac => {
            let core = core_rate?.max(1);
            // 960-sample frames exist in broadcast radio only, and their sources say so in durations alone.
            Some(u32::try_from(1024u64 * u64::from(params.sample_rate) / u64::from(core)).unwrap_or(1024).max(1))
        }
        AudioCodec::Opus => opus_samples(data).map(|s| s * (params.sample_rate / 100).max(1) / 480),
        AudioCodec::Mp3 => mp3_samples(data),
    }
}

/// Samples at 48 kHz. RFC 6716 §3.1.
fn opus_samples(data: &[u8]) -> Option<u32> {
    let toc = *data.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(*data.get(1)? & 0x3f),
    };
    // RFC 6716 §3.2.5: at most 120 ms.
    Some(frame * frames).filter(|s| (1..=5760).contains(s))
}

/// ISO/IEC 11172-3 §2.4.2.3.
fn mp3_samples(data: &[u8]) -> Option<u32> {
    let h = data.first_chunk::<4>()?;
    if h[0] != 0xff || h[1] & 0xe0 != 0xe0 {
        return None;
    }
    let is_mpeg1 = h[1] & 0x18 == 0x18;
    Some(if is_mpeg1 { 1152 } else { 576 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::TimeBase;

    fn params(codec: AudioCodec, sample_rate: u32) -> AudioParams {
        AudioParams {
            codec,
            extradata: Bytes::new(),
            sample_rate,
            channels: 2,
            time_base: TimeBase::new(1, 90_000, 33),
            recoded_from: None,
        }
    }

    #[test]
    fn adts_becomes_an_audio_specific_config() {
        // AAC-LC, 48 kHz, stereo, 16 bytes in all.
        let frame = [0xff, 0xf1, 0x4c, 0x80, 0x02, 0x1f, 0xfc, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let adts = Adts::read(&frame).unwrap();
        assert_eq!(adts.to_config(), [0x11, 0x90]);
        assert_eq!((adts.core_rate(), adts.channels()), (48_000, 2));
        assert_eq!(adts.payload(&frame), &frame[7..]);
        assert_eq!(aac_core_rate(&Bytes::from_static(&[0x11, 0x90])), Some(48_000));
        assert!(Adts::read(&[0x21, 0x10, 0, 0, 0, 0, 0]).is_none());
    }

    #[test]
    fn packets_know_their_length() {
        assert_eq!(packet_samples(&params(AudioCodec::Aac, 48_000), Some(24_000), &[]), Some(2048));
        assert_eq!(packet_samples(&params(AudioCodec::Opus, 48_000), None, &[0xfc]), Some(960));
        assert_eq!(packet_samples(&params(AudioCodec::Opus, 48_000), None, &[0xff, 3]), Some(2880));
        assert_eq!(packet_samples(&params(AudioCodec::Mp3, 44_100), None, &[0xff, 0xfb, 0x90, 0]), Some(1152));
        assert_eq!(packet_samples(&params(AudioCodec::Mp3, 22_050), None, &[0xff, 0xf3, 0x90, 0]), Some(576));
    }
}
