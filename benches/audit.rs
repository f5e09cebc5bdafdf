//! The audit log: what a record costs, and how long a million of them take to verify.
//!
//! `cargo bench --bench audit`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};

use retroview::audit::{Act, Chain, CheckpointKey, Event, KEY_BYTES, Record, Verifier};
use retroview::db::{NewStream, sqlite};
use retroview::media::{AccountId, StreamId, Timestamp};

/// The most a million records may take.
const VERIFY_MAX: Duration = Duration::from_secs(5);
/// The most a record may add to the transaction it rides in.
const APPEND_MAX: Duration = Duration::from_micros(100);
/// Changes measured with a record and without.
const PAIRS: usize = 500;
const RECORDS: u64 = 1_000_000;

fn event(i: u64) -> Event {
    let stream: StreamId = "door".parse().expect("a name");
    let at = Timestamp::from_micros(1_777_816_800_000_000 + i as i64);
    Event::system(at, Act("stream.paused")).by("user admin").of_account(&AccountId::main()).on_stream(&stream).with("i", i)
}

fn lines() -> (Vec<String>, Chain) {
    let mut before = Chain::default();
    let lines = (0..RECORDS)
        .map(|i| {
            let record = Record::append((before.n, before.hash), event(i));
            before = Chain { n: record.n, hash: record.hash };
            record.to_line()
        })
        .collect();
    (lines, before)
}

fn verify(c: &mut Criterion) {
    let (lines, head) = lines();
    let checkpoint = CheckpointKey::new(&[7; KEY_BYTES]).sign(head, Timestamp::from_micros(0));
    let began = Instant::now();
    let mut verifier = Verifier::new(vec![checkpoint]);
    lines.iter().for_each(|line| verifier.line(line).expect("the chain is whole"));
    assert_eq!(verifier.end().expect("nothing is cut off").n, RECORDS);
    let took = began.elapsed();
    let verdict = if took <= VERIFY_MAX { "within" } else { "beyond" };
    println!("a million records verified in {took:.2?} (≤ {VERIFY_MAX:?}: {verdict})");

    let line = &lines[500];
    let record = Record::from_line(line).expect("a record");
    c.bench_function("audit: hash one record", |b| b.iter(|| black_box(&record).computed_hash()));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn append(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let dir = tempfile::tempdir().expect("a folder");
    let stream: StreamId = "door".parse().expect("a name");
    let db = runtime.block_on(async {
        let db = sqlite::open(&dir.path().join("retroview.db")).await.expect("a database");
        let new =
            NewStream { id: stream.clone(), account: AccountId::main(), title: "door".into(), source: "push:".into(), credentials: None };
        db.add_stream(&new, Timestamp::from_micros(0)).await.expect("a stream");
        db
    });
    let mut i = 0;
    // In turn, so that both meet the same disk.
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        for (record, times) in [(false, &mut without), (true, &mut with)] {
            i += 1;
            let on = if record { db.recording(event(i)) } else { db.clone() };
            let began = Instant::now();
            runtime.block_on(on.set_stream_paused(&stream, i % 2 == 0)).expect("a change");
            times.push(began.elapsed());
        }
    }
    let more = median(with).saturating_sub(median(without));
    println!("a record adds {more:.1?} to its change (≤ {APPEND_MAX:?}: {})", if more <= APPEND_MAX { "within" } else { "beyond" });

    let mut group = c.benchmark_group("audit: a change of a stream");
    group.bench_function("without a record", |b| {
        b.iter(|| {
            i += 1;
            runtime.block_on(db.set_stream_paused(&stream, i % 2 == 0)).expect("a change");
        });
    });
    group.bench_function("with its record", |b| {
        b.iter(|| {
            i += 1;
            runtime.block_on(db.recording(event(i)).set_stream_paused(&stream, i % 2 == 0)).expect("a change");
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4)).without_plots();
    targets = verify, append
}
criterion_main!(benches);
