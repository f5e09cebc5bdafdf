//! The worker process: reads sources, writes blocks, reports.
//!
//! It is the supervisor's child, because libavformat reads hostile bytes: when it dies, nothing else does. It has
//! no database. Commands come on standard input, reports go to standard output ([`super::protocol`]).
//!
//! | thread | does |
//! |---|---|
//! | main | reads commands |
//! | one per stream | waits for packets in libavformat, cuts segments |
//! | four lanes | write and sync segments of live sources |
//! | pictures | has a keyframe decoded now and then, by a child process |
//!
//! **Invariants.** A segment is reported after it is durable. The process never outlives its supervisor: it ends
//! when standard input does, when a report cannot be written, and by the kernel's hand when the parent dies;
//! and while it lives it holds a shared lock that the next supervisor waits for.

mod import;
mod lane;
mod look;
mod outlet;
mod pace;
mod pictures;
mod push;
mod reader;
mod recorder;
pub(in crate::ingest) mod reports;
mod session;
mod stop;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::frame;
use super::gap_list::GapList;
use super::protocol::{FromWorker, ImportJob, LogLevel, LookJob, StreamJob, ToWorker, WorkerConfig};
use super::source::{SourceKind, SourcePolicy, SourceSpec};
use crate::clock::{SharedClock, SystemClock};
use crate::ffmpeg::{self, Interrupt};
use crate::media::{GapCause, StreamId};
use crate::store::MediaRoot;
use lane::{Lanes, SharedRecorder, lock};
use outlet::Outlet;
use pictures::Pictures;
use recorder::{Recorder, RecorderConfig, SyncPolicy, Timeline};
use reports::Reports;
use stop::{Control, Publisher};

/// Exit code of a worker whose supervisor is gone.
pub const EXIT_ORPHANED: i32 = 70;
/// Exit code of a worker that cannot work at all; it has said why in a log report.
pub const EXIT_UNFIT: i32 = 71;

/// Probing and TLS in libavformat use some 100 KiB; only what is touched takes memory.
const STREAM_STACK_BYTES: usize = 1 << 20;
/// The same, and libavcodec decodes a picture on it.
const LOOK_STACK_BYTES: usize = 4 << 20;
/// How long streams have to finish their segments at shutdown. The supervisor allows a little more.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(900);
/// The same for one stream that is stopped alone: nobody waits for it.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What all threads of a worker share.
struct Shared {
    pub config: WorkerConfig,
    pub policy: SourcePolicy,
    pub root: MediaRoot,
    pub clock: SharedClock,
    pub reports: Reports,
    pub lanes: Lanes,
    pub pictures: Pictures,
}

/// The hidden subcommand `retroview worker`.
pub fn main() -> ! {
    // Also when the supervisor is killed in a way that leaves pipes open in some other process.
    let died = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    abort_on_panic();
    ffmpeg::init();
    ffmpeg::die_of_crash_signals();
    let reports = Reports::new(io::stdout());
    if let Err(e) = died {
        reports.log(LogLevel::Warn, None, format!("the kernel does not end this worker with its supervisor: {e}"));
    }
    let code = run(&mut io::stdin().lock(), &reports).unwrap_or_else(|message| {
        reports.log(LogLevel::Error, None, message);
        EXIT_UNFIT
    });
    std::process::exit(code)
}

/// Reads commands until the supervisor says or shows that it is over. Gives the exit code.
pub(in crate::ingest) fn run(commands: &mut impl Read, reports: &Reports) -> Result<i32, String> {
    let config = match frame::read(commands) {
        Ok(Some(ToWorker::Configure(config))) => config,
        Ok(Some(other)) => return Err(format!("expected Configure, got {other:?}")),
        Ok(None) => return Ok(EXIT_ORPHANED),
        Err(e) => return Err(format!("read a command: {e}")),
    };
    let _alive = hold_lock(config.lock_file.as_deref())?;
    let mut worker = Worker::new(config, reports.clone())?;
    reports.say(&FromWorker::Ready { pid: std::process::id() });
    loop {
        match frame::read(commands) {
            Ok(Some(ToWorker::Shutdown)) => {
                worker.shutdown();
                return Ok(0);
            }
            Ok(Some(command)) => worker.command(command),
            // The supervisor is gone: whatever is written now belongs to nobody. Blocks stay recoverable.
            Ok(None) => return Ok(EXIT_ORPHANED),
            Err(e) => return Err(format!("read a command: {e}")),
        }
    }
}

/// A thread that panics leaves its stream unread and its locks poisoned: the worker starts anew instead.
fn abort_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tell(info);
        std::process::abort();
    }));
}

/// A shared lock held for life. The next supervisor takes it alone before it recovers, so no orphan still writes.
fn hold_lock(path: Option<&str>) -> Result<Option<File>, String> {
    let Some(path) = path else { return Ok(None) };
    let file = File::open(path).map_err(|e| format!("open {path}: {e}"))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockShared).map_err(|e| format!("lock {path}: {e}"))?;
    Ok(Some(file))
}

struct Running {
    control: Arc<Control>,
    recorder: SharedRecorder,
}

struct Worker {
    shared: Arc<Shared>,
    streams: HashMap<StreamId, Running>,
}

impl Worker {
    fn new(config: WorkerConfig, reports: Reports) -> Result<Self, String> {
        let policy = SourcePolicy::new(&config.forbidden_networks, &config.file_roots).map_err(|e| e.to_string())?;
        ffmpeg::guard::install(policy.forbidden().to_vec());
        let root = MediaRoot::open(Path::new(&config.media_root), None).map_err(|e| e.to_string())?;
        let lanes = Lanes::start().map_err(|e| format!("start the writer threads: {e}"))?;
        let clock: SharedClock = Arc::new(SystemClock);
        let pictures = match config.thumbnails.then(|| Pictures::start(root.clone(), clock.clone())) {
            None => Pictures::none(),
            Some(Ok(pictures)) => pictures,
            Some(Err(e)) => {
                reports.log(LogLevel::Warn, None, format!("no small pictures for scrubbing are made: {e}"));
                Pictures::none()
            }
        };
        let shared = Shared { config, policy, root, clock, reports, lanes, pictures };
        Ok(Worker { shared: Arc::new(shared), streams: HashMap::new() })
    }

    fn command(&mut self, command: ToWorker) {
        match command {
            ToWorker::Start(job) => self.start(job),
            ToWorker::Stop { stream, cause } => self.stop(&stream, cause),
            ToWorker::Publish { stream, socket, format } => match self.streams.get(&stream) {
                Some(running) => running.control.publish(Publisher { socket, format }),
                // The supervisor sees that nobody connects.
                None => self.shared.reports.log(LogLevel::Warn, Some(&stream), "a sender came for a stream that is not here"),
            },
            ToWorker::Probe { path } => self.shared.reports.say(&import::probe(&self.shared, &path)),
            ToWorker::Import(job) => self.import(job),
            ToWorker::Look(job) => self.look(job),
            ToWorker::Configure(_) => self.shared.reports.log(LogLevel::Error, None, "configured twice"),
            ToWorker::Shutdown => {}
        }
    }

    fn start(&mut self, job: StreamJob) {
        let stream = job.stream.clone();
        if self.streams.get(&stream).is_some_and(|running| !running.control.is_done()) {
            self.shared.reports.log(LogLevel::Error, Some(&stream), "started twice");
            return;
        }
        let recorder = Arc::new(Mutex::new(self.recorder_for(&job)));
        let control = Control::new(Interrupt::new(self.shared.clock.clone()));
        let running = Running { control: control.clone(), recorder: recorder.clone() };
        // Only sources that cannot wait need a thread between them and the disk.
        let can_wait = SourceSpec::stored(&job.source, None).is_ok_and(|s| matches!(s.kind(), SourceKind::File | SourceKind::Push));
        let outlet = Outlet::new(recorder, (!can_wait).then_some(&self.shared.lanes));
        let (shared, mine) = (self.shared.clone(), control.clone());
        let thread = std::thread::Builder::new().name(stream.to_string()).stack_size(STREAM_STACK_BYTES);
        let spawned = thread.spawn(move || {
            let stream = job.stream.clone();
            let detail = reader::run(&shared, job, &mine, outlet);
            mine.set_done();
            if mine.stopped().is_none() {
                shared.reports.say(&FromWorker::Stopped { stream, detail });
            }
        });
        match spawned {
            Ok(_) => drop(self.streams.insert(stream, running)),
            Err(e) => {
                let detail = format!("no thread for this stream: {e}");
                self.shared.reports.log(LogLevel::Error, Some(&stream), detail.as_str());
                self.shared.reports.say(&FromWorker::Stopped { stream, detail });
            }
        }
    }

    /// In a thread of its own, so that the end of the commands is seen meanwhile.
    fn import(&self, job: ImportJob) {
        let shared = self.shared.clone();
        let work = move || shared.reports.say(&import::import(&shared, job));
        if let Err(e) = std::thread::Builder::new().name("import".into()).stack_size(STREAM_STACK_BYTES).spawn(work) {
            self.shared.reports.log(LogLevel::Error, None, format!("no thread to import a file: {e}"));
        }
    }

    /// In a thread of its own, for the same reason.
    fn look(&self, job: LookJob) {
        let shared = self.shared.clone();
        let work = move || shared.reports.say(&look::look(&shared, &job));
        if let Err(e) = std::thread::Builder::new().name("look".into()).stack_size(LOOK_STACK_BYTES).spawn(work) {
            self.shared.reports.log(LogLevel::Error, None, format!("no thread to look at a source: {e}"));
        }
    }

    fn recorder_for(&self, job: &StreamJob) -> Recorder {
        let w = &self.shared.config;
        let config = RecorderConfig {
            block_max_us: w.block_max_us,
            block_max_bytes: w.block_max_bytes,
            min_free_bytes: w.reserve_bytes(&job.stream),
            sync: SyncPolicy { interval: Duration::from_micros(u64::try_from(w.sync_interval_us).unwrap_or(0)), bytes: u64::MAX },
            import_key: None,
        };
        let timeline = Timeline {
            end: job.not_before,
            next_run_ordinal: job.next_run_ordinal,
            next_sequence: job.next_sequence,
            gaps: GapList { closed: job.gaps_before.clone(), open: job.open_gap.clone() },
        };
        let reports = Box::new(self.shared.reports.clone());
        Recorder::new(
            self.shared.root.clone(),
            (job.account.clone(), job.stream.clone()),
            config,
            timeline,
            self.shared.clock.clone(),
            reports,
        )
        .with_pictures(self.shared.pictures.clone())
    }

    /// Stops one stream; a helper thread waits for it, so that other commands do not.
    fn stop(&mut self, stream: &StreamId, cause: GapCause) {
        let Some(running) = self.streams.remove(stream) else {
            self.shared.reports.say(&FromWorker::Stopped { stream: stream.clone(), detail: String::new() });
            return;
        };
        running.control.stop(cause);
        let (shared, stream) = (self.shared.clone(), stream.clone());
        let wait = move || close(&shared, &stream, &running, cause, STOP_GRACE);
        if let Err(e) = std::thread::Builder::new().name("stop".into()).stack_size(256 << 10).spawn(wait) {
            self.shared.reports.log(LogLevel::Error, None, format!("no thread to stop a stream: {e}"));
        }
    }

    fn shutdown(&mut self) {
        let cause = GapCause::ServiceStopped;
        for running in self.streams.values() {
            running.control.stop(cause);
        }
        let began = self.shared.clock.monotonic();
        for (stream, running) in std::mem::take(&mut self.streams) {
            let left = SHUTDOWN_GRACE.saturating_sub(self.shared.clock.monotonic().saturating_sub(began));
            close(&self.shared, &stream, &running, cause, left);
        }
        self.shared.lanes.close();
    }
}

/// Waits for a stopped stream's thread and its recorder, and closes the recorder over the head of a thread that
/// hangs in a library (a name server that does not answer cannot be interrupted).
fn close(shared: &Shared, stream: &StreamId, running: &Running, cause: GapCause, most: Duration) {
    let began = shared.clock.monotonic();
    let left = || most.saturating_sub(shared.clock.monotonic().saturating_sub(began));
    if running.control.wait_done(most) {
        // What it left in its lane is written soon.
        while !lock(&running.recorder).is_finished() && !left().is_zero() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    lock(&running.recorder).finish(shared.clock.now(), cause, "");
    shared.reports.say(&FromWorker::Stopped { stream: stream.clone(), detail: String::new() });
}
