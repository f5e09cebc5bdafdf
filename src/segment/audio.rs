//! The audio of a source: its packets as samples, waiting for the segment their time belongs to.

use bytes::Bytes;

use super::audio_timeline::{AudioPlaced, AudioTimeline};
use super::fragment::Sample;
use super::frame_length::{Adts, aac_core_rate, is_torn, packet_samples};
use super::timeline::rescale;
use super::video::grow;
use crate::ffmpeg::{AudioCodec, AudioParams, Packet, TimeBase};
use crate::media::VIDEO_TIMESCALE;

/// The largest audio packet any codec we take makes, with room to spare.
const PACKET_MAX_BYTES: usize = 64 << 10;
/// Before a run begins at least so much is kept: fragmented MP4 may bring ten seconds of audio before the video.
const EARLY_S: i64 = 15;
/// One damaged ADTS header is no new decoder: so many in a row are.
const CHANGE_PACKETS: u32 = 4;

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// In samples of the source's time.
    at: i64,
    samples: u32,
    size: u32,
}

pub(super) struct Audio {
    /// As the source said.
    declared: AudioParams,
    /// As they turned out to be.
    params: AudioParams,
    timeline: AudioTimeline,
    core_rate: Option<u32>,
    adts: Option<Adts>,
    /// A differing header and how often it has come.
    new_adts: Option<(Adts, u32)>,
    waiting: Vec<Waiting>,
    bytes: Vec<u8>,
    /// Nothing may be placed before this: it has been written.
    written_until: i64,
    /// Where the packet goes that showed a jump.
    jumped: Option<(i64, u32)>,
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    Queued,
    Dropped,
    /// The audio's own time has jumped: [`Audio::take_jumped`] takes the packet, when what was queued before has
    /// been dealt with.
    Jumped,
    /// The audio's parameters are others now; the packet is not taken.
    Changed,
}

/// Samples taken out for one fragment; their bytes are the first of the buffer.
pub(super) struct Batch {
    pub samples: Vec<Sample>,
    pub decode_time: u64,
    pub bytes: usize,
}

impl Audio {
    pub(super) fn new(params: AudioParams) -> Self {
        let core_rate = aac_core_rate(&params.extradata);
        Audio {
            timeline: AudioTimeline::new(params.time_base, params.sample_rate.max(1)),
            core_rate,
            adts: None,
            new_adts: None,
            waiting: Vec::new(),
            bytes: Vec::new(),
            written_until: i64::MIN,
            jumped: None,
            declared: params.clone(),
            params,
        }
    }

    pub(super) fn declared(&self) -> &AudioParams {
        &self.declared
    }

    /// Parameters for an init segment; `None` while they are not known.
    pub(super) fn init_params(&self) -> Option<AudioParams> {
        let p = &self.params;
        let is_known = p.sample_rate > 0 && p.channels > 0 && (p.codec != AudioCodec::Aac || !p.extradata.is_empty());
        is_known.then(|| p.clone())
    }

    pub(super) fn rate(&self) -> u32 {
        self.params.sample_rate.max(1)
    }

    /// `ticks_90k` of the source's time in samples.
    pub(super) fn to_samples(&self, ticks_90k: i64) -> i64 {
        rescale(ticks_90k, TimeBase::new(1, VIDEO_TIMESCALE, 64), self.rate())
    }

    pub(super) fn to_90k(&self, samples: i64) -> i64 {
        rescale(samples, TimeBase::new(1, self.rate(), 64), VIDEO_TIMESCALE)
    }

    /// Takes a packet. `video` is the position of the video in 90 kHz.
    pub(super) fn take(&mut self, packet: &Packet<'_>, video: Option<i64>) -> Taken {
        let Some(data) = self.unwrap_adts(packet.data) else { return Taken::Changed };
        if data.is_empty() || data.len() > PACKET_MAX_BYTES || is_torn(self.params.codec, data) {
            return Taken::Dropped;
        }
        let samples = packet_samples(&self.params, self.core_rate, data).unwrap_or_else(|| self.duration(packet));
        let video = video.map(|v| self.to_samples(v));
        match self.timeline.place(packet.pts.or(packet.dts), samples, video) {
            AudioPlaced::At(at) => self.push(at, samples, data),
            AudioPlaced::SetBack(at) => {
                self.jumped = Some((at, samples));
                Taken::Jumped
            }
            AudioPlaced::Drop => Taken::Dropped,
        }
    }

    /// Takes the packet that showed a jump. `in_run`: what is queued for the same run after its time is out of
    /// date; otherwise a new run begins with it.
    pub(super) fn take_jumped(&mut self, packet: &Packet<'_>, in_run: bool) -> Taken {
        let Some((at, samples)) = self.jumped.take() else { return Taken::Dropped };
        let Some(data) = self.unwrap_adts(packet.data) else { return Taken::Dropped };
        if in_run {
            self.forget_from(at);
        } else {
            self.clear();
            self.written_until = i64::MIN;
        }
        self.push(at, samples, data)
    }

    fn push(&mut self, at: i64, samples: u32, data: &[u8]) -> Taken {
        if at < self.written_until {
            return Taken::Dropped;
        }
        grow(&mut self.bytes, data.len());
        self.bytes.extend_from_slice(data);
        self.waiting.push(Waiting { at, samples, size: data.len() as u32 });
        Taken::Queued
    }

    /// The packet without ADTS header; `None` when the header says that the parameters have changed.
    fn unwrap_adts<'a>(&mut self, data: &'a [u8]) -> Option<&'a [u8]> {
        if self.params.codec != AudioCodec::Aac || (self.adts.is_none() && !self.params.extradata.is_empty()) {
            return Some(data);
        }
        // Without extradata every packet must bring its header.
        let Some(header) = Adts::read(data) else { return Some(&[]) };
        let Some(known) = self.adts else {
            self.adopt(header);
            return Some(header.payload(data));
        };
        if header.same_decoder(&known) {
            self.new_adts = None;
            return Some(header.payload(data));
        }
        let count = match self.new_adts {
            Some((new, count)) if new.same_decoder(&header) => count + 1,
            _ => 1,
        };
        self.new_adts = Some((header, count));
        if count < CHANGE_PACKETS { Some(&[]) } else { None }
    }

    fn adopt(&mut self, header: Adts) {
        let before = self.core_rate.unwrap_or(header.core_rate()).max(1);
        let rate = u64::from(self.params.sample_rate) * u64::from(header.core_rate()) / u64::from(before);
        if self.adts.is_some() {
            self.params.sample_rate = u32::try_from(rate).unwrap_or(header.core_rate());
        }
        if self.params.sample_rate == 0 {
            self.params.sample_rate = header.core_rate();
        }
        if header.channels() > 0 && (self.adts.is_some() || self.params.channels == 0) {
            self.params.channels = header.channels();
        }
        self.params.extradata = Bytes::copy_from_slice(&header.to_config());
        self.core_rate = Some(header.core_rate());
        self.adts = Some(header);
    }

    /// Makes the parameters that [`Taken::Changed`] announced the current ones, for a new run.
    pub(super) fn adopt_change(&mut self) {
        if let Some((header, count)) = self.new_adts.take()
            && count >= CHANGE_PACKETS
        {
            self.adopt(header);
            self.clear();
            self.timeline = AudioTimeline::new(self.params.time_base, self.rate());
            self.written_until = i64::MIN;
        }
    }

    pub(super) fn change_is_pending(&self) -> bool {
        self.new_adts.is_some_and(|(_, count)| count >= CHANGE_PACKETS)
    }

    fn duration(&self, packet: &Packet<'_>) -> u32 {
        let samples = rescale(packet.duration_ticks, self.params.time_base, self.rate());
        u32::try_from(samples.clamp(1, i64::from(self.rate()))).unwrap_or(1024)
    }

    /// Where the next packet is expected, in samples of the source's time.
    pub(super) fn position(&self) -> Option<i64> {
        self.timeline.position()
    }

    pub(super) fn first_waiting(&self) -> Option<i64> {
        self.waiting.first().map(|w| w.at)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether anything is waiting that starts before `at`.
    pub(super) fn has_before(&self, at: i64) -> bool {
        self.first_waiting().is_some_and(|first| first < at)
    }

    /// How much is waiting, in samples.
    pub(super) fn waiting_span(&self) -> i64 {
        match (self.waiting.first(), self.waiting.last()) {
            (Some(first), Some(last)) => last.at + i64::from(last.samples) - first.at,
            _ => 0,
        }
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn waiting_packets(&self) -> usize {
        self.waiting.len()
    }

    /// After a jump of the video.
    pub(super) fn restart(&mut self) {
        self.clear();
        self.timeline.restart();
        self.written_until = i64::MIN;
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes.clear();
    }

    fn forget_from(&mut self, at: i64) {
        let keep = self.waiting.partition_point(|w| w.at < at);
        let bytes: usize = self.waiting[keep..].iter().map(|w| w.size as usize).sum();
        self.waiting.truncate(keep);
        self.bytes.truncate(self.bytes.len() - bytes);
    }

    /// Drops what starts before `at`.
    pub(super) fn forget_before(&mut self, at: i64) {
        let drop = self.waiting.partition_point(|w| w.at < at);
        self.remove_first(drop);
    }

    /// Outside a run with audio: keeps only what the next run may need.
    pub(super) fn forget_early(&mut self) {
        if self.waiting_span() > 2 * EARLY_S * i64::from(self.rate()) {
            let end = self.waiting.last().map_or(0, |w| w.at);
            self.forget_before(end - EARLY_S * i64::from(self.rate()));
        }
    }

    fn remove_first(&mut self, count: usize) {
        let bytes: usize = self.waiting[..count].iter().map(|w| w.size as usize).sum();
        self.waiting.drain(..count);
        self.bytes.drain(..bytes);
    }

    /// The samples before `until`, for a fragment of a run that began at `zero`. [`Self::remove`] them when
    /// they have been written.
    pub(super) fn batch(&self, zero: i64, until: i64) -> Option<Batch> {
        let count = self.waiting.partition_point(|w| w.at < until);
        let first = self.waiting[..count].first()?;
        let mut samples = Vec::with_capacity(count);
        let mut bytes = 0;
        for (i, w) in self.waiting[..count].iter().enumerate() {
            let duration_ticks = u32::try_from(self.end_of(i) - w.at).unwrap_or(w.samples).max(1);
            samples.push(Sample { size: w.size, duration_ticks, offset_ticks: 0, sync: true });
            bytes += w.size as usize;
        }
        Some(Batch { samples, decode_time: u64::try_from(first.at - zero).unwrap_or(0), bytes })
    }

    /// Where the sample at this place ends: where the next one starts or is expected.
    fn end_of(&self, place: usize) -> i64 {
        let w = self.waiting[place];
        match (self.waiting.get(place + 1), self.timeline.position()) {
            (Some(next), _) => next.at,
            (None, Some(expected)) if expected > w.at => expected.min(w.at + i64::from(w.samples)),
            _ => w.at + i64::from(w.samples),
        }
    }

    pub(super) fn batch_bytes(&self, batch: &Batch) -> &[u8] {
        &self.bytes[..batch.bytes]
    }

    pub(super) fn remove(&mut self, batch: &Batch) {
        let count = batch.samples.len();
        if count > 0 {
            self.written_until = self.end_of(count - 1);
        }
        self.remove_first(count);
    }
}
