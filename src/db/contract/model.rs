//! Random histories beside a model of one character a second.

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;

/// One step of a random history over forty seconds.
#[derive(Clone, Debug)]
enum Step {
    Index { run: u64, from: i64, len: i64 },
    Forget { nth: usize },
    Open { at: i64, paused: bool },
    Close { at: i64 },
    Add { from: i64, len: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..3, 0i64..40, 1i64..6).prop_map(|(run, from, len)| Step::Index { run, from, len }),
        2 => (0usize..8).prop_map(|nth| Step::Forget { nth }),
        2 => (0i64..44, any::<bool>()).prop_map(|(at, paused)| Step::Open { at, paused }),
        2 => (0i64..44).prop_map(|at| Step::Close { at }),
        2 => (0i64..40, 1i64..9).prop_map(|(from, len)| Step::Add { from, len }),
    ]
}

/// Footage and gaps as one character for each second, the last of which stands for all time after.
struct Model {
    seconds: Vec<char>,
    blocks: Vec<BlockInfo>,
    open_since: Option<i64>,
}

const SECONDS: i64 = 50;

impl Model {
    fn apply(&mut self, step: &Step, next: u64) -> (Vec<IndexChange>, bool) {
        match *step {
            Step::Index { run: ordinal, from, len } => {
                let info = block(&run(ordinal), from, from + len, next);
                let free = (from..from + len).all(|s| !self.seconds[s as usize].is_ascii_uppercase());
                let changes = vec![IndexChange::RunStarted(run(ordinal)), IndexChange::BlockIndexed(info.clone())];
                if free {
                    self.seconds[from as usize..(from + len) as usize].fill((b'A' + ordinal as u8) as char);
                    self.open_since = self.open_since.map(|since| if since < from + len { since.max(from + len) } else { since });
                    self.blocks.push(info);
                }
                (changes, free)
            }
            Step::Forget { nth } => {
                if nth >= self.blocks.len() {
                    return (Vec::new(), true);
                }
                let info = self.blocks.remove(nth);
                let s = info.start.micros_since(at(0)) / 1_000_000;
                self.seconds[s as usize..s as usize + info.table.len()].fill('.');
                (vec![IndexChange::BlockForgotten { block: info.id }], true)
            }
            Step::Open { at, paused } => {
                let cause = if paused { GapCause::Paused } else { GapCause::SourceEnded };
                self.open(at, if paused { 'p' } else { 's' });
                (vec![gap_opened(at, cause)], true)
            }
            Step::Close { at } => {
                if let Some(since) = self.open_since.take() {
                    self.seconds[at.max(since) as usize..].fill('.');
                }
                (vec![gap_closed(at)], true)
            }
            Step::Add { from, len } => {
                self.seconds[from as usize..(from + len) as usize].iter_mut().filter(|c| **c == '.').for_each(|c| *c = 'd');
                (vec![gap_added(from, from + len, GapCause::Damaged)], true)
            }
        }
    }

    fn open(&mut self, at: i64, c: char) {
        let footage_end = self.seconds.iter().rposition(|c| c.is_ascii_uppercase()).map_or(0, |i| i as i64 + 1);
        let gap_end = self.seconds.iter().rposition(|c| *c != '.').map_or(0, |i| i as i64 + 1);
        let start = match self.open_since {
            None => at.max(footage_end).max(gap_end),
            Some(since) if at.max(footage_end) <= since || self.seconds[since as usize] == c => since,
            Some(_) => at.max(footage_end),
        };
        self.seconds[start as usize..].fill(c);
        self.open_since = Some(start);
    }
}

pub(crate) async fn random_histories_agree_with_a_simple_model(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..40 {
        let steps = proptest::collection::vec(step(), 1..30).new_tree(&mut runner).unwrap().current();
        db.replace_footage(&[]).await.unwrap();
        let mut model = Model { seconds: vec!['.'; SECONDS as usize], blocks: Vec::new(), open_since: None };
        for (i, step) in steps.iter().enumerate() {
            let (changes, fits) = model.apply(step, i as u64);
            let done = db.commit(&changes).await;
            assert_eq!(done.is_ok(), fits, "{step:?} in {steps:?}: {done:?}");
            assert_eq!(picture(db, SECONDS).await, model.seconds.iter().collect::<String>(), "after {step:?} in {steps:?}");
        }
        let totals = db.totals(&cam()).await.unwrap();
        assert_eq!(totals.blocks, model.blocks.len() as u64);
        assert_eq!(totals.bytes, model.blocks.iter().map(|b| b.size_bytes).sum::<u64>());
        assert!(db.recount(false).await.unwrap().is_empty(), "{steps:?}");
    }
}
