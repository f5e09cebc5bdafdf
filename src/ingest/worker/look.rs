//! A look at a source before anybody records it: does it answer, what does it send, what does it show?
//!
//! Nothing is written. It reads just as a recording would, up to the first picture, and decodes that here: this
//! process was made for this one source, so what its bytes break is this look alone.

use std::time::Duration;

use bytes::Bytes;

use super::Shared;
use super::reader::explain_opening;
use crate::ffmpeg::{self, Input, Interrupt, OpenOptions, Packet, Read, Tracks, decode_frame};
use crate::ingest::protocol::{FromWorker, LookJob, NoSight, SeenAudio, SeenPicture, SeenVideo, Sight, WhyNoSight};
use crate::ingest::source::{SourceKind, SourceSpec};
use crate::media::GapCause;
use crate::segment::{Arrival, ClockMode, Event, Segmenter, SegmenterConfig};

/// Pictures after the keyframe that are taken in before it is decoded. One is enough for a decoder; those that follow give the
/// segment a length, and an encoder that sends its parameters late the time to send them.
const PICTURES_AFTER: u32 = 3;

/// Opens the source, and looks until there is a picture or the time is up.
pub(super) fn look(shared: &Shared, job: &LookJob) -> FromWorker {
    let limit = Duration::from_micros(u64::try_from(job.limit_us).unwrap_or(0));
    let looked = Look { shared, interrupt: Interrupt::new(shared.clock.clone()), began: shared.clock.monotonic(), limit, job };
    FromWorker::Looked { outcome: looked.at_source() }
}

struct Look<'a> {
    shared: &'a Shared,
    interrupt: std::sync::Arc<Interrupt>,
    began: Duration,
    limit: Duration,
    job: &'a LookJob,
}

impl Look<'_> {
    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.shared.clock.monotonic().saturating_sub(self.began))
    }

    fn at_source(&self) -> Result<Sight, NoSight> {
        let refused = |detail: String| NoSight { why: WhyNoSight::NotAllowed, detail };
        let source = SourceSpec::stored(&self.job.source, self.job.credentials.as_deref()).map_err(|e| refused(e.to_string()))?;
        if source.kind() == SourceKind::Push {
            return Err(refused("`push:` waits for its sender: there is nothing to connect to".into()));
        }
        let plan = source.open_plan(&self.shared.policy, self.limit, self.limit).map_err(|e| refused(e.to_string()))?;
        let options = OpenOptions { format: plan.format, options: plan.options.clone() };
        self.interrupt.set_deadline(self.limit);
        let scrub = |no: NoSight| NoSight { detail: plan.scrub(&no.detail), ..no };
        let mut input = Input::open(&plan.url, &options, self.interrupt.clone()).map_err(|e| scrub(no_sight(&e, self.limit)))?;
        Ok(self.at_input(&mut input))
    }

    fn at_input(&self, input: &mut Input) -> Sight {
        let (seen, why_no_picture) = match self.first_picture(input) {
            Ok(seen) => (Some(seen), None),
            Err(why) => (None, why),
        };
        let tracks = input.tracks();
        Sight {
            codecs: seen.as_ref().map(|s| s.codecs.clone()),
            picture: seen.and_then(|s| s.picture),
            why_no_picture,
            video: tracks.video.as_ref().map(|v| SeenVideo {
                codec: v.codec.name().into(),
                width: v.width,
                height: v.height,
                fps_num: v.fps_num,
                fps_den: v.fps_den,
            }),
            audio: tracks.audio.as_ref().map(|a| SeenAudio {
                codec: a.codec.name().into(),
                sample_rate: a.sample_rate,
                channels: a.channels,
                recoded_from: a.recoded_from.map(Into::into),
            }),
        }
    }

    /// The error: why there is none; `None` where there is no video to make one of.
    fn first_picture(&self, input: &mut Input) -> Result<Seen, Option<String>> {
        let mut taker = Taker::new(self.shared, input);
        while !self.left().is_zero() {
            self.interrupt.set_deadline(self.left());
            let step = match input.read() {
                Ok(Read::Packet(packet)) => taker.packet(&packet),
                Ok(Read::TracksChanged) => {
                    taker.start_over(input.tracks());
                    Ok(())
                }
                Ok(Read::End) => break,
                Err(_) if self.left().is_zero() => break,
                Err(e) => Err(e),
            };
            step.map_err(|e| Some(e.to_string()))?;
            if taker.has_enough() {
                if let Some(seen) = taker.finish(self.job.width)? {
                    return Ok(seen);
                }
                taker.start_over(input.tracks());
            }
        }
        match taker.finish(self.job.width)? {
            Some(seen) => Ok(seen),
            None if input.tracks().video.is_none() => Err(None),
            None => Err(Some(format!("no keyframe came within {} s", self.limit.as_secs()))),
        }
    }
}

/// What the first segment said.
struct Seen {
    codecs: String,
    picture: Option<SeenPicture>,
}

/// Takes packets in until they make a segment.
struct Taker<'a> {
    shared: &'a Shared,
    segmenter: Segmenter,
    tracks: Tracks,
    /// Video packets since the first keyframe, itself included.
    pictures: u32,
    caught: Caught,
}

#[derive(Default)]
struct Caught {
    init: Bytes,
    codecs: String,
    media: Option<Bytes>,
}

impl<'a> Taker<'a> {
    fn new(shared: &'a Shared, input: &Input) -> Self {
        let tracks = input.tracks();
        Taker { shared, segmenter: segmenter(shared, &tracks), tracks, pictures: 0, caught: Caught::default() }
    }

    fn start_over(&mut self, tracks: Tracks) {
        self.segmenter = segmenter(self.shared, &tracks);
        self.tracks = tracks;
        self.pictures = 0;
    }

    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), ffmpeg::Error> {
        let clock = &self.shared.clock;
        let arrival = Arrival { wall: clock.now(), monotonic: clock.monotonic() };
        let caught = &mut self.caught;
        self.segmenter.feed(packet, arrival, &mut |event| caught.take(event))?;
        let counts = match &self.tracks.video {
            Some(_) => packet.media == ffmpeg::Media::Video && (packet.keyframe || self.pictures > 0),
            None => true,
        };
        self.pictures += u32::from(counts);
        Ok(())
    }

    fn has_enough(&self) -> bool {
        self.caught.media.is_some() || self.pictures > PICTURES_AFTER
    }

    /// `None`: what was taken in makes no segment.
    fn finish(&mut self, width: u32) -> Result<Option<Seen>, Option<String>> {
        let caught = &mut self.caught;
        let finished = self.segmenter.finish(GapCause::SourceEnded, "", &mut |event| caught.take(event));
        finished.map_err(|e| Some(e.to_string()))?;
        let Caught { init, codecs, media } = std::mem::take(&mut self.caught);
        let Some(media) = media else { return Ok(None) };
        if self.tracks.video.is_none() {
            return Ok(Some(Seen { codecs, picture: None }));
        }
        let jpeg = decode_frame(init, media, 0, width).map_err(|e| Some(e.to_string()))?;
        let picture = SeenPicture { jpeg: jpeg.bytes, width: jpeg.width, height: jpeg.height };
        Ok(Some(Seen { codecs, picture: Some(picture) }))
    }
}

fn segmenter(shared: &Shared, tracks: &Tracks) -> Segmenter {
    let now = shared.clock.now();
    Segmenter::new(SegmenterConfig { clock: ClockMode::Exact { start: now }, ..SegmenterConfig::live(now) }, tracks)
}

impl Caught {
    /// Of several segments the first.
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::RunStarted(run) if self.media.is_none() => {
                let (video, audio) = (run.init.video.map(|v| v.codec), run.init.audio.map(|a| a.codec));
                self.codecs = video.into_iter().chain(audio).collect::<Vec<_>>().join(",");
                self.init = run.init.bytes;
            }
            Event::Segment(s) if self.media.is_none() => self.media = Some([s.video().concat(), s.audio().concat()].concat().into()),
            _ => {}
        }
    }
}

fn no_sight(error: &ffmpeg::Error, waited: Duration) -> NoSight {
    if error.is_unauthorized() {
        return NoSight { why: WhyNoSight::Unauthorized, detail: "the source does not accept this user and password".into() };
    }
    if let ffmpeg::Error::Forbidden { .. } = error {
        return NoSight { why: WhyNoSight::NotAllowed, detail: error.to_string() };
    }
    let (cause, detail) = explain_opening(error, waited);
    let why = match cause {
        GapCause::SourceUnreachable => WhyNoSight::Unreachable,
        GapCause::SourceInvalid => WhyNoSight::NoMedia,
        _ => WhyNoSight::Refused,
    };
    NoSight { why, detail }
}
