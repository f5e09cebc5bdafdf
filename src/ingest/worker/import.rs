//! Reading one file whole, as fast as it goes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Shared;
use super::lane::lock;
use super::outlet::Outlet;
use super::recorder::{Recorder, RecorderConfig, SyncPolicy, Timeline};
use super::session::{self, Pace, SessionConfig};
use super::stop::Control;
use crate::ffmpeg::{Input, Interrupt, OpenOptions};
use crate::ingest::protocol::{FromWorker, ImportJob};
use crate::ingest::source::OpenPlan;
use crate::media::{GapCause, TimeRange};
use crate::segment::{ClockMode, SegmenterConfig};

/// A file on a network that stops answering is given up after this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Written between two syncs: enough to keep the disk streaming, little to read again after a kill.
const SYNC_BYTES: u64 = 32 << 20;

fn open(shared: &Shared, path: &str, control: &Control) -> Result<Input, String> {
    let plan = OpenPlan::for_file(&shared.policy, path.as_ref()).map_err(|e| e.to_string())?;
    let options = OpenOptions { format: plan.format, options: plan.options };
    control.interrupt.set_deadline(PATIENCE);
    Input::open(&plan.url, &options, control.interrupt.clone()).map_err(|e| e.to_string())
}

/// Looks at a file's container.
pub(super) fn probe(shared: &Shared, path: &str) -> FromWorker {
    let control = Control::new(Interrupt::new(shared.clock.clone()));
    match open(shared, path, &control) {
        Ok(input) => FromWorker::Probed { duration_us: input.duration_us(), creation_time: input.creation_time(), error: None },
        Err(error) => FromWorker::Probed { duration_us: None, creation_time: None, error: Some(error) },
    }
}

/// Imports a file. What is not between `not_before` and `not_after` is left out.
pub(super) fn import(shared: &Arc<Shared>, job: ImportJob) -> FromWorker {
    let control = Control::new(Interrupt::new(shared.clock.clone()));
    let w = &shared.config;
    let config = RecorderConfig {
        block_max_us: w.block_max_us,
        block_max_bytes: w.block_max_bytes,
        min_free_bytes: w.min_free_bytes,
        sync: SyncPolicy { interval: Duration::MAX, bytes: SYNC_BYTES },
        import_key: Some(job.key.clone()),
    };
    let timeline =
        Timeline { end: job.not_before, next_run_ordinal: job.next_run_ordinal, next_sequence: job.next_sequence, ..Timeline::default() };
    let who = (job.account.clone(), job.stream.clone());
    let recorder = Recorder::new(shared.root.clone(), who, config, timeline, shared.clock.clone(), Box::new(shared.reports.clone()));
    // A file can wait, and is read once.
    let recorder = recorder.with_pictures(shared.pictures.patient());
    let recorder = Arc::new(Mutex::new(recorder));
    let error = read(shared, &job, &control, Outlet::new(recorder.clone(), None));
    let mut recorder = lock(&recorder);
    recorder.finish(job.not_before, GapCause::NotImported, "");
    let (segments, bytes) = recorder.written();
    let error = error.or_else(|| recorder.trouble());
    FromWorker::Imported { stream: job.stream, segments, bytes, error }
}

fn read(shared: &Arc<Shared>, job: &ImportJob, control: &Control, mut outlet: Outlet) -> Option<String> {
    let input = match open(shared, &job.path, control) {
        Ok(input) => input,
        Err(error) => return Some(error),
    };
    outlet.set_limits(TimeRange::new(job.not_before, job.not_after).ok());
    let w = &shared.config;
    let segmenter = SegmenterConfig {
        target_us: w.segment_target_us,
        max_us: w.segment_max_us,
        clock: ClockMode::Exact { start: job.start },
        ..SegmenterConfig::exact(job.start)
    };
    let config = SessionConfig { segmenter, pace: Pace::FullSpeed, silence: PATIENCE };
    let ended = session::run(input, &config, control, &shared.clock, &mut outlet);
    match ended.cause {
        // Going on behind what is there, nothing may be left to do.
        GapCause::SourceEnded if ended.recorded || job.not_before > job.start => None,
        GapCause::SourceEnded => Some("it holds nothing that can be recorded".into()),
        _ => Some(ended.detail),
    }
}
