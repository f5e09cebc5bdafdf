//! Random histories of recording, plans, holds, caps, clocks that jump, crashes and restarts over simulated years, each from
//! one seed, beside a model that does its sums in the plainest way.
//!
//! Claims, looked at after every step:
//! - nothing inside a window or a hold is lost: its row, its bytes, and every segment through the index;
//! - everything else goes with the first complete run after its grace, which began with the first run that found it
//!   outside; not before;
//! - bytes go before rows; every block that is gone is in a receipt and in the audit log, whose chain verifies after every
//!   crash; sums and extents are what the blocks add up to;
//! - a clock that jumps stops everything until an operator confirms, and then it goes on.
//!
//! A usual test run takes the seeds that ever failed and some more. `script/soak-retention` takes many.
//! `RETROVIEW_SEED` runs a single one.

mod calendar;
mod camera;
mod dice;
mod draw;
mod history;
mod look;
mod model;
mod parts;
#[path = "../integration/random.rs"]
mod random;
mod sabotage;
mod soak;
mod steps;
mod tally;
mod world;

pub type Outcome<T = ()> = anyhow::Result<T>;

use history::SECOND_COURSE;
use soak::Soak;

/// Seeds that ever failed, one a line, each with what it found.
const KEPT: &str = include_str!("seeds.txt");
/// In a usual test run, of each course: some seconds.
const HISTORIES: u64 = 40;

fn kept_seeds() -> Vec<u64> {
    let seeds = KEPT.lines().filter_map(|line| line.split_whitespace().next()).filter(|word| !word.starts_with('#'));
    seeds.map(|seed| seed.parse().expect("a line begins with a seed")).collect()
}

fn usual_seeds() -> Vec<u64> {
    let few = (0..HISTORIES).flat_map(|i| [i, SECOND_COURSE + i]);
    kept_seeds().into_iter().chain(few).collect()
}

#[test]
fn random_histories_lose_nothing_and_forget_nothing() {
    let single = std::env::var("RETROVIEW_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = single.map_or_else(usual_seeds, |seed| vec![seed]);
    Soak::of(seeds).run(soak::cores(), |_| {});
}

/// See `script/soak-retention`: `RETROVIEW_HISTORIES` says how many.
#[test]
#[ignore = "takes minutes; script/soak-retention runs it"]
fn soak() {
    let wanted: u64 = std::env::var("RETROVIEW_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    // Another part of all histories each time.
    let first = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), wanted) >> 2;
    parts::soak(|first| kept_seeds().into_iter().chain((0..wanted).map(|i| SECOND_COURSE + first + i)).collect(), first);
}
