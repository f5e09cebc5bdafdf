//! Many histories, on all cores or on one.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;
use crate::history::History;
use crate::tally::Tally;
use crate::world::Template;

const TELL_EVERY: Duration = Duration::from_secs(1);

pub struct Soak {
    seeds: Vec<u64>,
    next: AtomicUsize,
    tally: Mutex<Tally>,
    failure: Mutex<Option<String>>,
}

impl Soak {
    pub fn of(seeds: Vec<u64>) -> Soak {
        Soak { seeds, next: AtomicUsize::new(0), tally: Mutex::default(), failure: Mutex::default() }
    }

    /// What happened how often. `tell` is told every second how many have been begun.
    ///
    /// # Panics
    /// With the drawing of the first history that fails.
    pub fn run(self, cores: Vec<Option<usize>>, tell: impl Fn(usize)) -> Tally {
        let template = runtime().block_on(Template::make(History::opening())).expect("an empty database");
        let teller = std::thread::current();
        std::thread::scope(|scope| {
            let (soak, template, teller) = (&self, &template, &teller);
            let work = |core| {
                scope.spawn(move || {
                    soak.work(core, template);
                    teller.unpark();
                })
            };
            let hands: Vec<_> = cores.into_iter().map(work).collect();
            while !hands.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                tell(self.next.load(Ordering::Relaxed).min(self.seeds.len()));
                std::thread::park_timeout(TELL_EVERY);
            }
        });
        if let Some(failure) = lock(&self.failure).take() {
            panic!("{failure}");
        }
        std::mem::take(&mut *lock(&self.tally))
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
pub fn cores() -> Vec<Option<usize>> {
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

pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
