//! One connection: from an opened source to its end.

use std::sync::Arc;
use std::time::Duration;

use super::outlet::Outlet;
use super::pace::Pacer;
use super::stop::Control;
use crate::clock::SharedClock;
use crate::ffmpeg::{self, Input, Media, Packet, Read, Tracks};
use crate::ingest::protocol::StreamState;
use crate::media::{GapCause, Timestamp};
use crate::segment::{Arrival, Segmenter, SegmenterConfig};

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub cause: GapCause,
    pub detail: String,
    /// Something was recorded: the source works, so the next try comes soon.
    pub recorded: bool,
    /// Nothing may start before this.
    pub not_before: Timestamp,
}

/// How a source's time is kept to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// It comes when it comes.
    Live,
    /// It can send faster than time passes, and is then made to wait.
    HoldBack,
    /// A file, read as if it came live.
    AsRecorded,
    /// As fast as it goes; wall time is media time.
    FullSpeed,
}

/// A sender may be ahead of the clock by so much: bursts of keyframe caches and playlists fit, an hour sent in
/// a second does not.
const LEAD_MAX: Duration = Duration::from_secs(3);
/// How long a sender that is ahead waits at a time. Short, because it also delays a stop.
const WAIT_STEP: Duration = Duration::from_millis(200);

/// What a session needs to know.
pub(super) struct SessionConfig {
    pub segmenter: SegmenterConfig,
    pub pace: Pace,
    pub silence: Duration,
}

/// A file that begins again within this joins its own end. Longer, and something was wrong.
const SEAM_MAX: Duration = Duration::from_secs(2);
/// So much more than the time lost, so that the seam is closed whatever the jitter of waking up.
const SEAM_SLACK: Duration = Duration::from_millis(20);

/// How late the first packets of a file are that continues what was recorded.
fn lag(config: &SessionConfig, now: Timestamp) -> Duration {
    let since = now.micros_since(config.segmenter.not_before);
    match u64::try_from(since).map(Duration::from_micros) {
        Ok(since) if config.pace == Pace::AsRecorded && since < SEAM_MAX => since + SEAM_SLACK,
        _ => Duration::ZERO,
    }
}

/// Reads `input` to its end, or until told to stop.
pub(super) fn run(input: Input, config: &SessionConfig, control: &Control, clock: &SharedClock, outlet: &mut Outlet) -> Ended {
    let tracks = input.tracks();
    let segmenter = SegmenterConfig { tracks_may_come: input.names_tracks_late(), ..config.segmenter };
    let segmenter = Segmenter::new(segmenter, &tracks);
    let now = clock.monotonic();
    let mut session = Session {
        config,
        control,
        clock: clock.clone(),
        outlet,
        segmenter,
        tracks,
        pacer: Pacer::late_by(lag(config, clock.now())),
        announced: false,
        last_output: now,
        first_segment: 0,
    };
    session.first_segment = session.outlet.segments();
    session.read_all(input)
}

struct Session<'a> {
    config: &'a SessionConfig,
    control: &'a Control,
    clock: SharedClock,
    outlet: &'a mut Outlet,
    segmenter: Segmenter,
    tracks: Tracks,
    pacer: Pacer,
    announced: bool,
    /// When something last came out that can be kept.
    last_output: Duration,
    first_segment: u64,
}

impl Session<'_> {
    fn read_all(mut self, mut input: Input) -> Ended {
        let interrupt = Arc::clone(&self.control.interrupt);
        let (cause, detail) = loop {
            if let Some(cause) = self.control.stopped() {
                break (cause, String::new());
            }
            interrupt.set_deadline(self.config.silence);
            let step = match input.read() {
                Ok(Read::Packet(packet)) => self.packet(&packet),
                Ok(Read::TracksChanged) => {
                    let tracks = input.tracks();
                    self.tracks_changed(tracks)
                }
                Ok(Read::End) => break (GapCause::SourceEnded, "the source ended the connection".into()),
                Err(e) => Err(self.explain(&e)),
            };
            if let Err(end) = step {
                break end;
            }
        };
        interrupt.clear_deadline();
        self.end(cause, detail)
    }

    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), (GapCause, String)> {
        self.hold_back(packet);
        let arrival = Arrival { wall: self.clock.now(), monotonic: self.clock.monotonic() };
        let before = self.outlet.segments();
        let outlet = &mut *self.outlet;
        let fed = self.segmenter.feed(packet, arrival, &mut |event| outlet.event(event));
        fed.map_err(|e| (e.cause(), e.to_string()))?;
        if !self.announced && (packet.keyframe || self.tracks.video.is_none()) {
            self.announced = true;
            self.outlet.state(StreamState::Recording, describe(&self.tracks));
        }
        if self.outlet.segments() > before {
            self.last_output = arrival.monotonic;
        }
        self.check_progress(arrival.monotonic)
    }

    /// Packets alone are no footage: without keyframes, or all damaged, they lead nowhere.
    fn check_progress(&self, now: Duration) -> Result<(), (GapCause, String)> {
        let longest = Duration::from_micros(u64::from(self.config.segmenter.max_us)) * 2 + self.config.silence;
        if self.config.pace == Pace::FullSpeed {
            // The file is there to be read again: nothing may be left out of it.
            return self.outlet.trouble().map_or(Ok(()), |why| Err((GapCause::WriteFailed, why)));
        }
        if now.saturating_sub(self.last_output) < longest {
            return Ok(());
        }
        let oddities = self.segmenter.oddities();
        let detail = format!("packets come, but nothing that can be played ({} left out); check the source's encoder", oddities.dropped);
        Err((GapCause::SourceInvalid, detail))
    }

    fn tracks_changed(&mut self, tracks: Tracks) -> Result<(), (GapCause, String)> {
        let outlet = &mut *self.outlet;
        let changed = self.segmenter.set_tracks(&tracks, &mut |event| outlet.event(event));
        self.tracks = tracks;
        self.announced = false;
        changed.map_err(|e| (e.cause(), e.to_string()))
    }

    /// Waits where the source is faster than time. Not reading is how it is told.
    fn hold_back(&mut self, packet: &Packet<'_>) {
        match self.config.pace {
            Pace::Live | Pace::FullSpeed => {}
            Pace::AsRecorded => {
                if let Some(at_us) = self.media_time_us(packet) {
                    let wait = self.pacer.wait(at_us, self.clock.monotonic());
                    if !wait.is_zero() {
                        self.control.sleep(wait);
                    }
                }
            }
            Pace::HoldBack => {
                let lead = Duration::from_micros(u64::try_from(self.segmenter.lead_us()).unwrap_or(0));
                let mut excess = lead.saturating_sub(LEAD_MAX);
                while !excess.is_zero() {
                    let step = excess.min(WAIT_STEP);
                    if self.control.sleep(step) {
                        return;
                    }
                    excess -= step;
                }
            }
        }
    }

    fn media_time_us(&self, packet: &Packet<'_>) -> Option<i64> {
        let base = match packet.media {
            Media::Video => self.tracks.video.as_ref()?.time_base,
            Media::Audio => self.tracks.audio.as_ref()?.time_base,
        };
        let ticks = i128::from(packet.dts.or(packet.pts)?);
        i64::try_from(ticks * i128::from(base.num) * 1_000_000 / i128::from(base.den.max(1))).ok()
    }

    fn explain(&self, error: &ffmpeg::Error) -> (GapCause, String) {
        if let Some(cause) = self.control.stopped() {
            return (cause, String::new());
        }
        match error {
            ffmpeg::Error::TimedOut { .. } => (GapCause::SourceSilent, format!("nothing came for {} s", self.config.silence.as_secs_f32())),
            // While connected, a code that would mean "unreachable" on connecting means that the connection broke.
            e => match e.cause() {
                GapCause::SourceUnreachable | GapCause::SourceRefused => (GapCause::SourceEnded, format!("the connection broke: {e}")),
                cause => (cause, e.to_string()),
            },
        }
    }

    /// Writes what is in flight and closes the run.
    fn end(mut self, cause: GapCause, detail: String) -> Ended {
        if self.control.stopped().is_none() {
            self.segmenter.drop_torn_picture(|init, media| ffmpeg::last_picture_is_whole(init.bytes, media.into()));
        }
        self.outlet.set_end_detail(Some(detail.clone()));
        let outlet = &mut *self.outlet;
        // A segment in flight that cannot be described cannot be kept; the reason for the end is what counts.
        let _ = self.segmenter.finish(cause, "", &mut |event| outlet.event(event));
        self.outlet.set_end_detail(None);
        Ended { cause, detail, recorded: self.outlet.segments() > self.first_segment, not_before: self.segmenter.not_before() }
    }
}

fn describe(tracks: &Tracks) -> String {
    let video = tracks.video.as_ref().map(|v| format!("{:?} {}x{}", v.codec, v.width, v.height));
    let audio = tracks.audio.as_ref().map(|a| match a.recoded_from {
        Some(from) => format!("{from} recoded to {:?}", a.codec),
        None => format!("{:?}", a.codec),
    });
    video.into_iter().chain(audio).collect::<Vec<_>>().join(", ").to_uppercase()
}
