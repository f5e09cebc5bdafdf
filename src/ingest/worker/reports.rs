//! What the worker says to its supervisor.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::ingest::frame;
use crate::ingest::protocol::{FromWorker, LogLevel};
use crate::media::StreamId;

/// Where reports go. Everything reported is durable on disk by then.
pub trait ReportSink: Send {
    fn send(&mut self, report: FromWorker);
}

/// Reports to the supervisor over standard output, shared by all threads. Blocks while the supervisor does not
/// read; ends the process when the supervisor is gone, because then nobody owns what is written.
#[derive(Clone)]
pub struct Reports(Arc<Mutex<Box<dyn Write + Send>>>);

impl Reports {
    pub fn new(to: impl Write + Send + 'static) -> Self {
        Reports(Arc::new(Mutex::new(Box::new(to))))
    }

    pub fn say(&self, report: &FromWorker) {
        // A thread that panicked while writing has left half a message: nothing can follow it.
        let written = self.0.lock().map_err(|_| ()).and_then(|mut to| frame::write(&mut **to, report).map_err(|_| ()));
        if written.is_err() {
            std::process::exit(super::EXIT_ORPHANED);
        }
    }

    pub fn log(&self, level: LogLevel, stream: Option<&StreamId>, message: impl Into<String>) {
        self.say(&FromWorker::Log { level, stream: stream.cloned(), message: message.into() });
    }
}

impl ReportSink for Reports {
    fn send(&mut self, report: FromWorker) {
        self.say(&report);
    }
}
