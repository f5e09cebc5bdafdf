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

    /// The frame without its header; nothing when a part of it is missing.
    pub(super) fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(usize::from(self.header_bytes)..usize::from(self.frame_bytes)).unwrap_or(&[])
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

/// Whether the packet is known to be shorter than its frame: the connection broke off inside it.
pub(super) fn is_torn(codec: AudioCodec, data: &[u8]) -> bool {
    codec == AudioCodec::Mp3 && mp3_frame_bytes(data).is_some_and(|bytes| data.len() < bytes)
}

/// Of Layer III: ISO/IEC 11172-3 §2.4.1.3 and 13818-3 §2.4.2.3.
fn mp3_frame_bytes(data: &[u8]) -> Option<usize> {
    const KBITS: [[usize; 14]; 2] =
        [[32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320], [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]];
    const RATES: [usize; 3] = [44_100, 48_000, 32_000];
    let h = data.first_chunk::<4>()?;
    let is_layer_iii = h[0] == 0xff && h[1] & 0xe6 == 0xe2;
    // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5.
    let version = h[1] >> 3 & 3;
    let is_mpeg1 = version == 3;
    let kbits = KBITS[usize::from(!is_mpeg1)].get(usize::from(h[2] >> 4).checked_sub(1)?)?;
    let rate = RATES.get(usize::from(h[2] >> 2 & 3))?
        >> match version {
            3 => 0,
            2 => 1,
            _ => 2,
        };
    let bytes_per_bit_rate = if is_mpeg1 { 144_000 } else { 72_000 };
    is_layer_iii.then_some(bytes_per_bit_rate * kbits / rate + usize::from(h[2] >> 1 & 1))
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
        assert!(adts.payload(&frame[..15]).is_empty(), "torn");
        assert_eq!(aac_core_rate(&Bytes::from_static(&[0x11, 0x90])), Some(48_000));
        assert!(Adts::read(&[0x21, 0x10, 0, 0, 0, 0, 0]).is_none());
    }

    #[test]
    fn an_mp3_frame_that_is_cut_off_is_known() {
        // 128 kbit/s at 44.1 kHz with and without padding, and 64 kbit/s at 22.05 kHz.
        for (header, bytes) in [([0xff, 0xfb, 0x92, 0], 418), ([0xff, 0xfb, 0x90, 0], 417), ([0xff, 0xf3, 0x80, 0], 208)] {
            let mut frame = vec![0; bytes];
            frame[..4].copy_from_slice(&header);
            assert!(!is_torn(AudioCodec::Mp3, &frame), "{header:?}");
            assert!(is_torn(AudioCodec::Mp3, &frame[..bytes - 1]), "{header:?}");
        }
        assert!(!is_torn(AudioCodec::Mp3, &[1, 2, 3]) && !is_torn(AudioCodec::Aac, &[0xff, 0xfb, 0x90, 0]));
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
