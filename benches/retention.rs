//! Judging a million blocks: forty streams of six months, an account with five plans behind it, a thousand holds a stream.
//!
//! `cargo bench --bench retention`. The promise is at most one second of CPU.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;

use retroview::media::{PlanHistory, PlanSpan, TimeRange, Timestamp, Window};
use retroview::retention::{AccountRules, Cap, Held, HeldRange, Judge};

const JUDGE_MAX: Duration = Duration::from_secs(1);
const STREAMS: i64 = 40;
const BLOCKS: i64 = 25_000;
const BLOCK_US: i64 = 600_000_000;
const NOW: Timestamp = Timestamp(1_777_816_800_000_000);

fn block(n: i64) -> TimeRange {
    let start = NOW.saturating_add_micros((n - BLOCKS) * BLOCK_US);
    TimeRange::new(start, start.saturating_add_micros(BLOCK_US)).expect("ten minutes")
}

fn benches(c: &mut Criterion) {
    let windows = [Window::Months(3), Window::Unlimited, Window::Months(6), Window::Unlimited, Window::Months(3)];
    let span = |(i, window)| PlanSpan { from: Timestamp(i as i64 * 1000), plan: "plan".into(), version: 1, window };
    let history = PlanHistory::new(windows.into_iter().enumerate().map(span).collect());
    let rules = AccountRules { zone: TimeZone::get("Europe/Paris").expect("a zone"), history };
    let holds = || Held::new((0..1000).map(|i| HeldRange { hold: i, range: block(i * 25) }).collect());
    let judged = |held: Vec<Held>| {
        let judges = held.into_iter().map(|held| Judge::at(NOW, &rules, Some(Cap { hours: 24 * 80 }), held));
        let kept: usize = judges.map(|judge| (0..BLOCKS).filter(|n| judge.judge(block(*n)).keeps()).count()).sum();
        assert!((400_000..600_000).contains(&kept), "{kept}");
        black_box(kept)
    };
    let all_holds = || (0..STREAMS).map(|_| holds()).collect::<Vec<_>>();
    let (held, began) = (all_holds(), Instant::now());
    judged(held);
    let took = began.elapsed();
    println!("a million blocks judged in {took:.2?} (≤ {JUDGE_MAX:?}: {})", if took <= JUDGE_MAX { "within" } else { "beyond" });
    c.bench_function("judge 1M blocks", |b| {
        b.iter_batched(all_holds, judged, BatchSize::SmallInput);
    });
}

criterion_group! {
    name = retention;
    config = Criterion::default().sample_size(10);
    targets = benches
}
criterion_main!(retention);
