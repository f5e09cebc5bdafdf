//! The process that reads one file.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::{ImportError, Importer};
use crate::ingest::protocol::{FromWorker, ImportJob, LogLevel, ToWorker};
use crate::ingest::supervisor::placement::WorkerId;
use crate::ingest::supervisor::process::{Process, ProcessEvent, Spawner};

/// Reports that wait to be committed; a process that is faster than the database waits.
const REPORTS_MAX: usize = 256;

/// What a look at a file gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub duration_us: Option<i64>,
    pub creation_time: Option<String>,
}

pub(super) struct Child {
    process: Process,
    events: mpsc::Receiver<(WorkerId, ProcessEvent)>,
    path: PathBuf,
}

impl Child {
    /// Starts a process that may read this file and nothing else.
    pub async fn start(importer: &Importer, path: &Path) -> Result<Child, ImportError> {
        let wrong = |source| ImportError::Child { path: path.to_path_buf(), source };
        let (to, events) = mpsc::channel(REPORTS_MAX);
        let process = Spawner::start().map_err(wrong)?.spawn(WorkerId(0), &importer.program, to).await.map_err(wrong)?;
        let config = super::WorkerConfig {
            file_roots: vec![path.display().to_string()],
            // Not one of the service's workers: it must not wait for this one.
            lock_file: None,
            ..importer.worker.clone()
        };
        process.send(ToWorker::Configure(config));
        Ok(Child { process, events, path: path.to_path_buf() })
    }

    pub fn import(&self, job: ImportJob) {
        self.process.send(ToWorker::Import(job));
    }

    pub async fn probe(&mut self, path: &str) -> Result<Probe, ImportError> {
        self.process.send(ToWorker::Probe { path: path.into() });
        loop {
            if let Some(FromWorker::Probed { duration_us, creation_time, error }) = self.next(true).await? {
                return match error {
                    Some(why) => Err(ImportError::Failed { path: self.path.clone(), why }),
                    None => Ok(Probe { duration_us, creation_time }),
                };
            }
        }
    }

    /// The next report that matters. With `wait` it waits for one; without, `None` when there is none yet.
    pub async fn next(&mut self, wait: bool) -> Result<Option<FromWorker>, ImportError> {
        loop {
            let event = match self.events.try_recv() {
                Ok(event) => Some(event),
                Err(mpsc::error::TryRecvError::Empty) if !wait => return Ok(None),
                Err(_) => self.events.recv().await,
            };
            match event.map(|(_, event)| event) {
                Some(ProcessEvent::Report(report)) => match *report {
                    FromWorker::Log { level: LogLevel::Error, message, .. } => {
                        return Err(ImportError::Failed { path: self.path.clone(), why: message });
                    }
                    FromWorker::Log { .. } | FromWorker::Ready { .. } | FromWorker::State { .. } => {}
                    report => return Ok(Some(report)),
                },
                Some(ProcessEvent::Gone(gone)) => {
                    return Err(ImportError::ChildDied { path: self.path.clone(), words: gone.words });
                }
                None => return Err(ImportError::ChildDied { path: self.path.clone(), words: "is gone".into() }),
            }
        }
    }
}
