//! Many histories on all cores.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::history::History;
use crate::tally::Tally;
use crate::world::Template;
use crate::{Outcome, sabotage};

const TELL_EVERY: Duration = Duration::from_secs(10);

/// Kinds of things that must happen in a long run, beside a crash at each step.
const EXPECTED: [&str; 37] = [
    "block erased whole",
    "block marked",
    "block recorded",
    "block swept",
    "cap lifted",
    "cap set",
    "clock believed",
    "clock jumped backward",
    "clock jumped forward",
    "crash at deleting files",
    "crash at writing a segment",
    "crash between steps",
    "downgrade came",
    "downgrade cancelled",
    "downgrade scheduled",
    "erasure asked for",
    "erasure refused for a hold",
    "hold came too late for a block",
    "hold placed",
    "hold placed during a run",
    "hold placed over what a run was about to mark",
    "hold refused for an erasure",
    "hold: Asked",
    "hold: NeedsAnother",
    "hold: Released",
    "index rebuilt",
    "mark taken off by a hold",
    "mark taken off by a run",
    "segment erased",
    "stop confirmed",
    "stop: clock backward",
    "stop: clock forward",
    "stop: too much",
    "terms rolled over",
    "upgrade",
    "upgrade during a run",
    "waited until a hold expires",
];

pub struct Soak {
    seeds: Vec<u64>,
    telling: bool,
    demanding: bool,
    next: AtomicUsize,
    tally: Mutex<Tally>,
    failure: Mutex<Option<String>>,
}

impl Soak {
    pub fn of(seeds: Vec<u64>) -> Soak {
        let (next, tally, failure) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
        Soak { seeds, telling: false, demanding: false, next, tally, failure }
    }
    /// Says how it goes on, and what happened how often.
    pub fn telling(self) -> Soak {
        Soak { telling: true, ..self }
    }
    /// Fails when a kind of thing never happened.
    pub fn demanding_everything(self) -> Soak {
        Soak { demanding: true, ..self }
    }

    /// # Panics
    /// With the drawing of the first history that fails.
    pub fn run(self) {
        let began = Instant::now();
        let template = runtime().block_on(Template::make(History::opening())).expect("an empty database");
        let cores: Vec<Option<usize>> = cores().into_iter().take(self.seeds.len()).collect();
        std::thread::scope(|scope| {
            let (soak, template) = (&self, &template);
            let hands: Vec<_> = cores.into_iter().map(|core| scope.spawn(move || soak.work(core, template))).collect();
            if self.telling {
                self.tell(began, &hands);
            }
        });
        if let Some(failure) = lock(&self.failure).take() {
            panic!("{failure}");
        }
        if self.telling {
            let seconds = began.elapsed().as_secs_f64();
            let n = self.seeds.len();
            println!("{n} histories in {seconds:.0} s, {:.1} a second; nothing was lost or forgotten. What happened:", n as f64 / seconds);
            print!("{}", lock(&self.tally));
        }
        if self.demanding {
            let crashes: Vec<String> = sabotage::steps().map(|step| format!("crash at {step}")).collect();
            let expected: Vec<&str> = EXPECTED.into_iter().chain(crashes.iter().map(String::as_str)).collect();
            let missing = lock(&self.tally).missing(&expected);
            assert!(missing.is_empty(), "never happened, so nothing is known about it: {missing:?}");
        }
    }

    fn tell(&self, began: Instant, hands: &[std::thread::ScopedJoinHandle<'_, ()>]) {
        let mut told = Duration::ZERO;
        while !hands.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::park_timeout(Duration::from_millis(200));
            let elapsed = began.elapsed();
            if elapsed >= told + TELL_EVERY {
                told = elapsed;
                let done = self.next.load(Ordering::Relaxed).min(self.seeds.len());
                println!("{done} of {} histories, {:.1} a second", self.seeds.len(), done as f64 / elapsed.as_secs_f64());
            }
        }
    }

    fn work(&self, core: Option<usize>, template: &Template) {
        stay_on(core);
        let runtime = runtime();
        while let Some(seed) = self.seeds.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if lock(&self.failure).is_some() {
                return;
            }
            let mut history = History::new(*seed);
            let lived = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(history.live(template))));
            lock(&self.tally).merge(history.tally.clone());
            let outcome: Outcome = lived.unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked: see above")));
            if let Err(error) = outcome {
                let nth = self.next.load(Ordering::Relaxed);
                let (now, drawing) = (crate::calendar::show(history.now), history.draw());
                let failure = format!(
                    "history of seed {seed} (about the {nth}th) failed at {now}: {error:#}\n{drawing}put the seed into tests/simulation/seeds.txt"
                );
                lock(&self.failure).get_or_insert(failure);
            }
        }
    }
}

/// One thread lives a history. It needs no reactor: waking a thread that waits for one costs two system calls more.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Those we may use; `None`: any, where the system does not say which.
fn cores() -> Vec<Option<usize>> {
    let any = || vec![None; std::thread::available_parallelism().map_or(1, usize::from)];
    let Ok(ours) = sched_getaffinity(None) else { return any() };
    (0..CpuSet::MAX_CPU).filter(|core| ours.is_set(*core)).map(Some).collect()
}

/// A history and its database are threads that wait for each other a thousand times. On one core each hands over to the other; on
/// two, each has to be woken out of its sleep first, which takes several times as long.
fn stay_on(core: Option<usize>) {
    let Some(core) = core else { return };
    let mut only = CpuSet::new();
    only.set(core);
    // Where it is not allowed it is merely slower.
    let _ = sched_setaffinity(None, &only);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
