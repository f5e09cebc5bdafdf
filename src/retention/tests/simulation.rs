//! Random histories of recording, plans, holds, caps, clocks that jump and crashes, beside a simple model.
//!
//! Claims: nothing inside the window or a hold is lost; what is outside goes with the first run after its grace, which
//! began with the first run that found it outside; the audit chain verifies.

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::db::IndexChange;
use crate::index::Index;
use crate::media::{BlockId, BlockState, RunInfo};
use crate::store::testing::{append, run_info};

const BLOCK_S: u32 = 600;
const GRACE: Duration = Duration::from_secs(7 * 86_400);

#[derive(Clone, Debug)]
enum Step {
    Record {
        blocks: u8,
    },
    /// Hours pass, with a run at the end of each day.
    Wait {
        hours: u16,
    },
    Plan {
        months: u32,
    },
    Cap {
        hours: Option<u32>,
    },
    Hold {
        back_h: u16,
        hours: u16,
        expires_h: Option<u16>,
    },
    Release {
        nth: usize,
    },
    ClockJumps {
        hours: i32,
    },
    /// A sweep is begun; of what it takes so many files, and so many rows, are deleted. Then the process dies.
    Crash {
        files: usize,
        rows: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1u8..6).prop_map(|blocks| Step::Record { blocks }),
        6 => (1u16..600).prop_map(|hours| Step::Wait { hours }),
        1 => (0u32..4).prop_map(|months| Step::Plan { months }),
        1 => proptest::option::of(24u32..1500).prop_map(|hours| Step::Cap { hours }),
        2 => (0u16..1500, 1u16..300, proptest::option::of(1u16..900))
            .prop_map(|(back_h, hours, expires_h)| Step::Hold { back_h, hours, expires_h }),
        1 => (0usize..4).prop_map(|nth| Step::Release { nth }),
        1 => prop_oneof![-400i32..0, 25i32..2000].prop_map(|hours| Step::ClockJumps { hours }),
        2 => (0usize..6, 0usize..6).prop_map(|(files, rows)| Step::Crash { files, rows }),
    ]
}

/// One recorded block as the model sees it.
struct Known {
    id: BlockId,
    path: std::path::PathBuf,
    range: TimeRange,
    /// The first run that found it outside, and all since.
    out_since: Option<Timestamp>,
    /// A sweep that had the right to has taken it.
    taken: bool,
}

struct Simulation {
    scene: Scene,
    now: Timestamp,
    run: RunInfo,
    sequence: u64,
    blocks: Vec<Known>,
    holds: Vec<i64>,
}

impl Simulation {
    async fn new() -> Simulation {
        let careful = Settings { grace: GRACE, share_percent: 100, sweep_max: 3, rest: Duration::ZERO, erase: EraseSettings::alone() };
        let scene = Scene::with("", careful).await;
        let run = run_info(&cam(), at(0), 0);
        scene.archive.index.commit(vec![IndexChange::RunStarted(run.clone())]).await.unwrap();
        let mut s = Simulation { scene, now: at(0), run, sequence: 0, blocks: Vec::new(), holds: Vec::new() };
        s.enforce().await;
        s
    }

    async fn take(&mut self, step: &Step) {
        let db = self.scene.archive.db.clone();
        match *step {
            Step::Record { blocks } => {
                // A run at least once a day, as life has it.
                self.enforce().await;
                for _ in 0..blocks {
                    self.record().await;
                }
            }
            Step::Wait { hours } => {
                let mut left = hours;
                while left > 0 {
                    let part = left.min(23);
                    left -= part;
                    self.now = self.now + HOUR * u32::from(part);
                    self.enforce().await;
                }
            }
            Step::Plan { months } => {
                let window = if months == 0 { Window::Unlimited } else { Window::Months(months) };
                self.scene.plans.change(self.now, window);
            }
            Step::Cap { hours } => db.set_cap(&cam(), hours, "user admin", self.now, event("stream.capped")).await.unwrap(),
            Step::Hold { back_h, hours, expires_h } => {
                let start = self.now - HOUR * u32::from(back_h);
                let range = TimeRange::new(start, start + HOUR * u32::from(hours)).unwrap();
                let expires_at = expires_h.map(|h| self.now + HOUR * u32::from(h));
                let hold = NewHold { expires_at, margin_before_us: 1_000_000, ..hold_over(range) };
                self.holds.push(db.place_hold(&hold, self.now, event("hold.placed")).await.unwrap().row.id);
            }
            Step::Release { nth } => {
                if let Some(id) = self.holds.get(nth) {
                    db.release_hold(*id, "user b", false, self.now, event("hold.released")).await.unwrap();
                }
            }
            Step::ClockJumps { hours } => self.jump(hours).await,
            Step::Crash { files, rows } => self.crash(files, rows).await,
        }
        self.look().await;
        // Reads the chain to its end.
        self.scene.acts().await;
    }

    async fn record(&mut self) {
        let (mut w, mut info) = self.scene.archive.writer(&self.run, self.now, self.sequence);
        info.table.push(append(&mut w, BLOCK_S));
        let sealed = w.seal(None).unwrap();
        (info.size_bytes, info.checksum, info.state) = (sealed.size_bytes, Some(sealed.checksum), BlockState::Sealed);
        self.now = info.end();
        self.sequence += 1;
        let path = self.scene.archive.root.file(&info.path());
        self.blocks.push(Known { id: info.id, path, range: info.range().unwrap(), out_since: None, taken: false });
        self.scene.enforcer.index().commit(vec![IndexChange::BlockIndexed(info)]).await.unwrap();
    }

    /// Which blocks have no right to stay, said in the plainest words.
    async fn out(&self) -> Vec<bool> {
        let db = &self.scene.archive.db;
        let holds: Vec<_> = db.holds_on(&cam()).await.unwrap().into_iter().filter(|h| h.active_at(self.now)).collect();
        let rules = self.scene.plans.rules(&AccountId::main()).await.unwrap();
        let plan = window_start(rules.history.window_at(self.now), &rules.zone, self.now);
        let hours = db.caps(&cam()).await.unwrap().last().and_then(|c| c.hours);
        let starts = [plan, hours.map(|h| self.now - HOUR * h)];
        let held = |range| holds.iter().any(|h| h.kept().overlaps(range));
        let out = |range: TimeRange| starts.iter().flatten().any(|start| range.end() <= *start);
        self.blocks.iter().map(|b| out(b.range) && !held(b.range)).collect()
    }

    async fn enforce(&mut self) {
        // Who was outside before and has come back starts anew.
        self.look().await;
        let out = self.out().await;
        for (known, out) in self.blocks.iter_mut().zip(out) {
            if out && known.out_since.is_none() {
                known.out_since = Some(self.now);
            }
            known.taken |= known.out_since.is_some_and(|since| since + GRACE <= self.now);
        }
        let report = self.scene.run(self.now).await;
        assert_eq!(report.stopped, None, "at {}", self.now);
        for known in &self.blocks {
            let stored = self.scene.archive.db.block(known.id).await.unwrap().is_some();
            assert_eq!(stored, !known.taken, "{:?} outside since {:?}, now {}", known.range, known.out_since, self.now);
            assert_eq!(known.path.exists(), stored);
        }
    }

    /// What is not taken and inside again has not been outside; and it is there.
    async fn look(&mut self) {
        let out = self.out().await;
        for (known, out) in self.blocks.iter_mut().zip(out).filter(|(known, _)| !known.taken) {
            if !out {
                known.out_since = None;
            }
            assert!(known.path.exists() && self.scene.archive.db.block(known.id).await.unwrap().is_some(), "{:?} is lost", known.range);
        }
    }

    async fn jump(&mut self, hours: i32) {
        let there = self.now.saturating_add_micros(i64::from(hours) * 3_600_000_000);
        self.enforce().await;
        let report = self.scene.run(there).await;
        assert!(report.stopped.is_some() && report.marked.is_empty() && report.swept.is_empty());
        assert!(self.scene.run(self.now).await.stopped.is_some(), "until somebody has looked");
        assert!(self.scene.archive.db.confirm_retention(event("retention.confirmed")).await.unwrap());
        self.enforce().await;
    }

    async fn crash(&mut self, files: usize, rows: usize) {
        let db = self.scene.archive.db.clone();
        if let Some((sweep, taken)) = db.begin_sweep(self.now, 5).await.unwrap() {
            for mark in &taken {
                let known = self.blocks.iter_mut().find(|k| k.id == mark.block.id).unwrap();
                let since = known.out_since.expect("only what is outside is taken");
                assert!(since + GRACE <= self.now);
                known.taken = true;
            }
            let files = files.min(taken.len());
            for mark in &taken[..files] {
                let known = self.blocks.iter().find(|k| k.id == mark.block.id).unwrap();
                std::fs::remove_file(&known.path).unwrap();
            }
            let blocks = taken[..rows.min(files)].iter().map(|m| m.block.id).collect();
            let event = Box::new(event("retention.swept"));
            db.commit(&[IndexChange::BlocksSwept { sweep: sweep.id, blocks, finished: None, event }]).await.unwrap();
        }
        let root = self.scene.archive.root.clone();
        self.scene.enforcer = self.scene.enforcer.restarted(Index::new(db, root));
    }
}

/// Histories in a usual test run: some seconds. `RETROVIEW_HISTORIES` sets another number.
const HISTORIES: usize = 6;

#[tokio::test]
async fn random_histories_lose_nothing_and_forget_nothing() {
    let histories = std::env::var("RETROVIEW_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(HISTORIES);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..histories {
        let steps = proptest::collection::vec(step(), 5..40).new_tree(&mut runner).unwrap().current();
        let mut simulation = Simulation::new().await;
        for (i, step) in steps.iter().enumerate() {
            eprintln!("{i} of {}: {step:?}", steps.len());
            simulation.take(step).await;
        }
    }
}
