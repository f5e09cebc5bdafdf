//! A look at a source that nobody records yet, by a process made for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::protocol::{FromWorker, LogLevel, LookJob, NoSight, Sight, ToWorker, WorkerConfig};
use super::source::SourceSpec;
use super::supervisor::WorkerProgram;
use super::supervisor::placement::WorkerId;
use super::supervisor::process::{ProcessEvent, Spawner};

/// Looks at a time. Each is a process; two people who set cameras up fit, a script that scans a network does not.
const LOOKS_MAX: usize = 3;
/// From connecting to the first picture. Cameras send a keyframe every 1 to 10 s.
const LOOK_MAX: Duration = Duration::from_secs(13);
/// A process that hangs in a library (a name server that does not answer cannot be interrupted) is killed then.
const PROCESS_MAX: Duration = Duration::from_secs(15);
/// Of the picture: it is looked at beside a form.
const PICTURE_WIDTH: u32 = 640;

/// Why there was no look at a source, or nothing to be seen.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error("{}", .0.detail)]
    NoSight(NoSight),
    #[error("nothing was to be seen within {} s", PROCESS_MAX.as_secs())]
    TimedOut,
    #[error("other sources are being looked at")]
    Busy,
    /// What the source sends broke the process that read it.
    #[error("the process that looked at it {0}")]
    Died(String),
    #[error("start a process that looks at it")]
    Start(#[source] std::io::Error),
}

/// Looks at sources. Cheap to clone.
#[derive(Clone)]
pub struct Looker {
    spawner: Spawner,
    program: WorkerProgram,
    worker: Arc<WorkerConfig>,
    turns: Arc<Semaphore>,
}

impl Looker {
    /// For a process without a supervisor.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(program: WorkerProgram, worker: WorkerConfig) -> std::io::Result<Self> {
        Ok(Self::new(Spawner::start()?, program, worker))
    }

    pub(in crate::ingest) fn new(spawner: Spawner, program: WorkerProgram, worker: WorkerConfig) -> Self {
        // Not one of the service's workers: nothing waits for its end.
        let worker = WorkerConfig { lock_file: None, ..worker };
        Looker { spawner, program, worker: Arc::new(worker), turns: Arc::new(Semaphore::new(LOOKS_MAX)) }
    }

    /// Connects as a recording would, under the same policy. Dropping the future ends the process.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn look(&self, source: &SourceSpec) -> Result<Sight, LookError> {
        let _turn = self.turns.try_acquire().map_err(|_| LookError::Busy)?;
        let (to, mut events) = mpsc::channel(16);
        let process = self.spawner.spawn(WorkerId(0), &self.program, to).await.map_err(LookError::Start)?;
        process.send(ToWorker::Configure((*self.worker).clone()));
        process.send(ToWorker::Look(LookJob {
            source: source.to_string(),
            credentials: source.credentials_text(),
            limit_us: i64::try_from(LOOK_MAX.as_micros()).unwrap_or(i64::MAX),
            width: PICTURE_WIDTH,
        }));
        let outcome = tokio::time::timeout(PROCESS_MAX, answer(&mut events)).await;
        process.kill();
        outcome.map_err(|_| LookError::TimedOut)?
    }
}

async fn answer(events: &mut mpsc::Receiver<(WorkerId, ProcessEvent)>) -> Result<Sight, LookError> {
    while let Some((_, event)) = events.recv().await {
        match event {
            ProcessEvent::Report(report) => match *report {
                FromWorker::Looked { outcome } => return outcome.map_err(LookError::NoSight),
                FromWorker::Log { level: LogLevel::Error, message, .. } => return Err(LookError::Died(format!("says: {message}"))),
                _ => {}
            },
            ProcessEvent::Gone(gone) => return Err(LookError::Died(gone.words)),
        }
    }
    Err(LookError::Died("is gone".into()))
}
