//! A long soak, in a process for each core.
//!
//! Threads of one process would do if it were not for SQLite, which counts its memory under one lock: two cores that share it
//! live half as many histories as two that do not.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sabotage;
use crate::soak::{Soak, cores, lock};
use crate::tally::Tally;

/// Says to a process that it is one of several: which, of how many.
const PART: &str = "RETROVIEW_PART";
/// The first seed that is not a kept one, the same for all parts.
const FIRST: &str = "RETROVIEW_FIRST";
const TELL_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);

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

/// Lives through the seeds that `seeds` makes of the first one, and fails when a kind of thing never happened.
pub fn soak(seeds: impl Fn(u64) -> Vec<u64>, first: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    match (number(PART), number(FIRST)) {
        (Some(part), Some(first)) => live_part(usize::try_from(part).expect("a small number"), seeds(first)),
        _ => Parts::new(first, seeds(first).len()).run(),
    }
}

/// One of the processes: every so manyth seed, and lines that the one above reads.
fn live_part(part: usize, seeds: Vec<u64>) {
    let cores = cores();
    let mine = seeds.into_iter().skip(part).step_by(cores.len()).collect();
    // What the test harness has written is a line without an end.
    println!();
    let tally = Soak::of(mine).run(vec![cores[part]], |begun| println!("begun {begun}"));
    tally.iter().for_each(|(what, n)| println!("tally {n} {what}"));
}

/// The one above.
struct Parts {
    first: u64,
    histories: usize,
    /// By part.
    begun: Vec<AtomicUsize>,
    tally: Mutex<Tally>,
    failed: AtomicBool,
}

impl Parts {
    fn new(first: u64, histories: usize) -> Parts {
        let begun = cores().iter().map(|_| AtomicUsize::new(0)).collect();
        Parts { first, histories, begun, tally: Mutex::default(), failed: AtomicBool::new(false) }
    }

    fn run(self) {
        let began = Instant::now();
        let mut children: Vec<Child> = (0..self.begun.len()).map(|part| self.start(part)).collect();
        let outputs: Vec<ChildStdout> = children.iter_mut().map(|c| c.stdout.take().expect("it is piped")).collect();
        std::thread::scope(|scope| {
            let parts = &self;
            outputs.into_iter().enumerate().for_each(|(part, output)| drop(scope.spawn(move || parts.listen(part, output))));
            self.wait(&mut children, began);
        });
        assert!(!self.failed.load(Ordering::Relaxed), "a history failed: see above");
        self.conclude(began);
    }

    fn start(&self, part: usize) -> Child {
        let mut command = Command::new(std::env::current_exe().expect("we were started from a file"));
        command.args(["--ignored", "--nocapture", "--exact", "soak"]).stdout(Stdio::piped());
        command.env(PART, part.to_string()).env(FIRST, self.first.to_string()).spawn().expect("another of us can be started")
    }

    fn listen(&self, part: usize, output: ChildStdout) {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("begun", n)) => self.begun[part].store(n.parse().unwrap_or(0), Ordering::Relaxed),
                Some(("tally", counted)) => {
                    let (n, what) = counted.split_once(' ').expect("a number and what it counts");
                    lock(&self.tally).add(what, n.parse().expect("a number"));
                }
                _ => {}
            }
        }
    }

    /// Until all have come to their end; when one fails, the others need not.
    fn wait(&self, children: &mut [Child], began: Instant) {
        let mut told = Duration::ZERO;
        loop {
            let ended: Vec<_> = children.iter_mut().map(|c| c.try_wait().expect("it is our child")).collect();
            if ended.iter().flatten().any(|status| !status.success()) {
                self.failed.store(true, Ordering::Relaxed);
                // One that has ended meanwhile need not be.
                children.iter_mut().for_each(|c| drop(c.kill().and_then(|()| c.wait())));
                return;
            }
            if ended.iter().all(Option::is_some) {
                return;
            }
            std::thread::park_timeout(LOOK_EVERY);
            if began.elapsed() >= told + TELL_EVERY {
                told = began.elapsed();
                let begun: usize = self.begun.iter().map(|n| n.load(Ordering::Relaxed)).sum();
                println!("{begun} of {} histories, {:.1} a second", self.histories, begun as f64 / told.as_secs_f64());
            }
        }
    }

    fn conclude(&self, began: Instant) {
        let (n, seconds, tally) = (self.histories, began.elapsed().as_secs_f64(), lock(&self.tally));
        println!("{n} histories in {seconds:.0} s, {:.1} a second; nothing was lost or forgotten. What happened:", n as f64 / seconds);
        print!("{tally}");
        let crashes: Vec<String> = sabotage::steps().map(|step| format!("crash at {step}")).collect();
        let expected: Vec<&str> = EXPECTED.into_iter().chain(crashes.iter().map(String::as_str)).collect();
        let missing = tally.missing(&expected);
        assert!(missing.is_empty(), "never happened, so nothing is known about it: {missing:?}");
    }
}
