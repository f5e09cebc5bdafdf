//! A stream's thread: connect, record, wait, connect again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::outlet::Outlet;
use super::push::{self, Body};
use super::session::{self, Ended, Pace, SessionConfig};
use super::stop::{Control, Publisher};
use crate::ffmpeg::{self, Input, OpenOptions};
use crate::ingest::backoff::Backoff;
use crate::ingest::protocol::{FromWorker, LogLevel, StreamJob, StreamState};
use crate::ingest::source::{SourceKind, SourceSpec};
use crate::media::{GapCause, Timestamp};
use crate::segment::{ClockMode, SegmenterConfig};

/// Recorded at least this long, a source is taken to work, and the wait before the next try is short again.
const WORKED: Duration = Duration::from_secs(10);

/// Reads one stream until it is told to stop, or the source is over for good: then the answer says why.
/// Everything it made has gone to the outlet when it returns.
pub(super) fn run(shared: &Arc<Shared>, job: StreamJob, control: &Arc<Control>, outlet: Outlet) -> String {
    let not_before = job.open_gap.as_ref().map_or(job.not_before, |g| g.start.max(job.not_before));
    let mut reader = Reader {
        shared,
        control,
        outlet,
        not_before,
        backoff: Backoff::new(us(shared.config.backoff_min_us), us(shared.config.backoff_max_us)),
        job,
    };
    let (cause, detail) = reader.run();
    let at = shared.clock.now();
    reader.outlet.finish(at, cause, detail.clone());
    detail
}

fn us(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}

struct Reader<'a> {
    shared: &'a Arc<Shared>,
    control: &'a Arc<Control>,
    outlet: Outlet,
    not_before: Timestamp,
    backoff: Backoff,
    job: StreamJob,
}

impl Reader<'_> {
    fn run(&mut self) -> (GapCause, String) {
        if self.job.delay_us > 0 && self.control.sleep(us(self.job.delay_us)) {
            return self.stopped();
        }
        let source = match SourceSpec::stored(&self.job.source, self.job.credentials.as_deref()) {
            Ok(source) => source,
            Err(e) => return self.wait_for_stop(&e.to_string()),
        };
        match source.kind() {
            SourceKind::Push => self.serve_publishers(),
            _ => self.keep_connecting(&source),
        }
    }

    fn stopped(&self) -> (GapCause, String) {
        (self.control.stopped().unwrap_or(GapCause::ServiceStopped), String::new())
    }

    /// Nothing will ever come of it until an operator changes it.
    fn wait_for_stop(&mut self, why: &str) -> (GapCause, String) {
        self.outlet.gap(self.shared.clock.now(), GapCause::SourceInvalid, why);
        self.outlet.state(StreamState::BackingOff, why);
        while !self.control.sleep(Duration::from_secs(3600)) {}
        self.stopped()
    }

    // ---- pulling

    fn keep_connecting(&mut self, source: &SourceSpec) -> (GapCause, String) {
        loop {
            self.outlet.state(StreamState::Connecting, "");
            let began = self.shared.clock.monotonic();
            let ended = self.connect(source);
            if self.control.stopped().is_some() {
                return self.stopped();
            }
            if source.kind() == SourceKind::File && ended.cause == GapCause::SourceEnded {
                if !source.repeats() {
                    return (GapCause::SourceEnded, "the file has been read to its end".into());
                }
                if ended.recorded {
                    continue;
                }
            }
            let lasted = self.shared.clock.monotonic().saturating_sub(began);
            if ended.recorded && lasted >= WORKED {
                self.backoff.reset();
            }
            if self.back_off(&ended) {
                return self.stopped();
            }
        }
    }

    fn connect(&mut self, source: &SourceSpec) -> Ended {
        let config = &self.shared.config;
        let (connect, silence) = (us(config.connect_timeout_us), us(config.silence_timeout_us));
        let plan = match source.open_plan(&self.shared.policy, connect, silence) {
            Ok(plan) => plan,
            Err(e) => return self.failed(GapCause::SourceRefused, e.to_string()),
        };
        let options = OpenOptions { format: plan.format, options: plan.options.clone() };
        self.control.interrupt.set_deadline(connect);
        match Input::open(&plan.url, &options, self.control.interrupt.clone()) {
            Ok(input) => {
                let pace = match source.kind() {
                    SourceKind::File => Pace::AsRecorded,
                    SourceKind::HttpTs | SourceKind::Hls => Pace::HoldBack,
                    _ => Pace::Live,
                };
                let mut ended = self.record(input, pace);
                ended.detail = plan.scrub(&ended.detail);
                ended
            }
            Err(e) => {
                let (cause, detail) = explain_opening(&e, connect);
                self.failed(cause, plan.scrub(&detail))
            }
        }
    }

    fn failed(&self, cause: GapCause, detail: String) -> Ended {
        Ended { cause, detail, recorded: false, not_before: self.not_before }
    }

    fn record(&mut self, input: Input, pace: Pace) -> Ended {
        let w = &self.shared.config;
        let segmenter = SegmenterConfig {
            target_us: w.segment_target_us,
            max_us: w.segment_max_us,
            clock: ClockMode::Live,
            ..SegmenterConfig::live(self.not_before)
        };
        let config = SessionConfig { segmenter, pace, silence: us(w.silence_timeout_us) };
        let ended = session::run(input, &config, self.control, &self.shared.clock, &mut self.outlet);
        self.not_before = self.not_before.max(ended.not_before);
        ended
    }

    /// True when told to stop meanwhile.
    fn back_off(&mut self, ended: &Ended) -> bool {
        self.open_gap(ended.cause, &ended.detail);
        let attempt = self.backoff.attempt();
        let wait = self.backoff.next(super::recorder::random() as u32);
        let stream = self.job.stream.clone();
        self.shared.reports.log(LogLevel::Warn, Some(&stream), format!("{}; trying again in {:.1} s", ended.detail, wait.as_secs_f32()));
        self.outlet.state(StreamState::BackingOff, ended.detail.clone());
        let delay_us = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        self.shared.reports.say(&FromWorker::Reconnecting { stream, attempt, delay_us });
        self.control.sleep(wait)
    }

    fn open_gap(&mut self, cause: GapCause, detail: &str) {
        let now = self.shared.clock.now();
        self.outlet.gap(now, cause, detail);
        // The gap may have been split here: the next footage must not begin before.
        self.not_before = self.not_before.max(now);
    }

    // ---- being pushed to

    fn serve_publishers(&mut self) -> (GapCause, String) {
        loop {
            const WAITING: &str = "waiting for a sender";
            self.open_gap(GapCause::NoPublisher, WAITING);
            self.outlet.state(StreamState::Connecting, WAITING);
            let Some(publisher) = self.control.next_publisher() else { return self.stopped() };
            let (segments, bytes) = super::lane::lock(self.outlet.recorder()).written();
            let ended = self.receive(&publisher);
            let after = super::lane::lock(self.outlet.recorder()).written();
            self.shared.reports.say(&FromWorker::PublishEnded {
                stream: self.job.stream.clone(),
                segments: after.0 - segments,
                bytes: after.1 - bytes,
                cause: ended.cause,
                detail: ended.detail,
            });
            if self.control.stopped().is_some() {
                return self.stopped();
            }
        }
    }

    fn receive(&mut self, publisher: &Publisher) -> Ended {
        let w = &self.shared.config;
        let (connect, silence) = (us(w.connect_timeout_us), us(w.silence_timeout_us));
        let (body, read) = match Body::connect(publisher) {
            Ok(body) => body,
            Err(e) => return self.failed(GapCause::NoPublisher, format!("the sender went away: {e}")),
        };
        let options = match SourceSpec::push().open_plan(&self.shared.policy, connect, silence) {
            Ok(plan) => push::open_options(publisher.format, plan.options),
            Err(e) => return self.failed(GapCause::SourceRefused, e.to_string()),
        };
        self.control.interrupt.set_deadline(connect);
        let mut ended = match Input::open_reader(Box::new(body), &options, self.control.interrupt.clone()) {
            Ok(input) => self.record(input, Pace::HoldBack),
            Err(e) => {
                let (cause, detail) = explain_opening(&e, connect);
                match (read.load(Ordering::Relaxed), cause) {
                    (0, _) => self.failed(GapCause::NoPublisher, "the sender sent nothing".into()),
                    (_, GapCause::SourceRefused | GapCause::SourceEnded) => {
                        self.failed(GapCause::SourceInvalid, "what was sent holds nothing that can be recorded".into())
                    }
                    _ => self.failed(cause, detail),
                }
            }
        };
        if ended.cause == GapCause::SourceEnded {
            ended.cause = GapCause::NoPublisher;
        }
        if !ended.recorded {
            self.open_gap(ended.cause, &ended.detail);
        }
        ended
    }
}

/// What a failure to open means, in words for the operator. No URL is in them.
pub(super) fn explain_opening(error: &ffmpeg::Error, waited: Duration) -> (GapCause, String) {
    match error {
        ffmpeg::Error::TimedOut { .. } => {
            (GapCause::SourceUnreachable, format!("no answer within {} s; is the address right, and the source on?", waited.as_secs_f32()))
        }
        ffmpeg::Error::Library { .. } => {
            let text = error.to_string();
            // The library's own words, without our step.
            let words = text.split_once(": ").map_or(text.as_str(), |(_, words)| words);
            if words == "Address already in use" {
                return (GapCause::SourceUnreachable, "its port on this machine is used by another program or stream".into());
            }
            match error.cause() {
                GapCause::SourceUnreachable => (GapCause::SourceUnreachable, format!("the source cannot be reached ({words})")),
                // Closed right after connecting.
                GapCause::SourceRefused | GapCause::SourceEnded => {
                    (GapCause::SourceRefused, format!("the source refuses the connection ({words})"))
                }
                GapCause::SourceInvalid => (GapCause::SourceInvalid, format!("what the source sends cannot be understood ({words})")),
                cause => (cause, text),
            }
        }
        e => (e.cause(), e.to_string()),
    }
}
