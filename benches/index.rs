//! The index with a million blocks: forty streams, six months each, blocks of ten minutes with 150 segments.
//!
//! `cargo bench --bench index`. The database (2.5 GB) is made once, in `target/bench-index`, by inserting rows
//! of the shape that recording leaves; it is made again when the folder is removed.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use sqlx::{Connection, SqliteConnection};

use retroview::db::sqlite;
use retroview::db::{IndexChange, NewStream};
use retroview::index::{Index, recover};
use retroview::media::{
    AccountId, BlockId, BlockInfo, BlockState, RunId, RunInfo, SegmentEntry, SegmentTable, StreamId, TimeRange, Timestamp,
};
use retroview::playback::Slice;
use retroview::store::MediaRoot;

const STREAMS: i64 = 40;
const BLOCKS: i64 = 1_000_000;
const BLOCK_S: i64 = 600;
/// A new run each day, ten seconds after the one before.
const BLOCKS_PER_RUN: i64 = 144;
/// 2026-01-01.
const START_S: i64 = 1_767_225_600;
/// This stream reconnects at every block: a camera on a bad line.
const FLAPPING: i64 = 7;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-index")
}

fn stream(n: i64) -> StreamId {
    format!("cam{n}").parse().expect("a slug")
}

fn start_s(block: i64) -> i64 {
    START_S + block * BLOCK_S + block / BLOCKS_PER_RUN * 10
}

fn hour(block: i64) -> TimeRange {
    let start = Timestamp::from_secs(start_s(block) + 17);
    TimeRange::new(start, start.saturating_add_micros(3_600_000_000)).expect("an hour")
}

/// A block as recording leaves it: segments of about 4 s and 2 MB.
fn table() -> SegmentTable {
    let entry = |i: u32| SegmentEntry {
        wall_us: 4_000_000 + i % 3 * 40_000 - 40_000,
        media_us: 4_000_000 + i % 3 * 40_000 - 40_013,
        video_bytes: 1_900_000 + i * 997,
        audio_bytes: 64_000 + i % 90,
        keyframe_bytes: 90_000 + i * 31,
        independent: true,
        erased: false,
    };
    SegmentTable::from_entries((0..150).map(entry).collect())
}

async fn made() -> PathBuf {
    let path = folder().join("retroview.db");
    if path.exists() {
        return path;
    }
    let began = Instant::now();
    std::fs::create_dir_all(folder()).expect("create the folder");
    let building = folder().join("building.db");
    let _ = std::fs::remove_file(&building);
    let db = sqlite::open(&building).await.expect("a fresh database");
    for n in 0..STREAMS {
        let new = NewStream { id: stream(n), account: AccountId::main(), title: String::new(), source: "push:".into(), credentials: None };
        db.add_stream(&new, Timestamp::from_secs(START_S)).await.expect("add a stream");
    }
    // One real run, for its init segment to be referred to.
    let run = RunInfo {
        id: RunId::from_bytes([1; 16]),
        stream: stream(0),
        start: Timestamp::from_secs(START_S),
        ordinal: 0,
        video: None,
        audio: None,
        init: vec![7; 1200].into(),
        gaps_before: Vec::new(),
        import_key: None,
    };
    db.commit(&[IndexChange::RunStarted(run)]).await.expect("store a run");
    drop(db);
    insert(&building).await.expect("insert the rows");
    std::fs::rename(&building, &path).expect("put the database in place");
    eprintln!("made a database of {BLOCKS} blocks in {:.1} s", began.elapsed().as_secs_f64());
    path
}

/// In the order of time, as streams record side by side.
async fn insert(path: &Path) -> sqlx::Result<()> {
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
    let packed = table().pack();
    let wall_us = table().wall_us();
    sqlx::query("PRAGMA synchronous = OFF").execute(&mut conn).await?;
    let mut tx = conn.begin().await?;
    // n: block number of the stream; s: stream. Runs: one a day, or one a block for the flapping stream.
    let numbers = "WITH RECURSIVE i(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM i WHERE i + 1 < ?1),
                   b AS (SELECT i, i % ?2 AS s, i / ?2 AS n FROM i),
                   c AS (SELECT *, iif(s = ?4, n, n / ?3) AS r, (?5 + n * ?6 + n / ?3 * 10) * 1000000 AS start_us FROM b)";
    for statement in [
        "INSERT INTO runs (id, stream_key, start_us, ordinal, init)
         SELECT CAST(printf('R%05d%010d', s, r) AS BLOB), s + 1, min(start_us), r, (SELECT sha256 FROM inits) FROM c GROUP BY s, r
         HAVING ?7 > 0 AND ?8 > 0",
        "INSERT INTO blocks (id, stream_key, run, start_us, end_us, state, first_offset, first_sequence, size_bytes, checksum,
                             segment_count, segments)
         SELECT CAST(printf('B%015d', i) AS BLOB), s + 1, CAST(printf('R%05d%010d', s, r) AS BLOB), start_us, start_us + ?8, 1,
                2500, n * 150, 300000000, i, 150, ?7 FROM c",
        "INSERT INTO extents (stream_key, start_us, end_us, run)
         SELECT s + 1, min(start_us), max(start_us) + ?8, CAST(printf('R%05d%010d', s, r) AS BLOB) FROM c GROUP BY s, r HAVING ?7 > 0",
        "INSERT INTO gaps (stream_key, start_us, end_us, cause, detail)
         SELECT s + 1, min(start_us) - 10000000, min(start_us), 4, 'connection reset' FROM c WHERE s != ?4 GROUP BY s, r
         HAVING r > 0 AND ?7 > 0 AND ?8 > 0",
    ] {
        let text = format!("{numbers} {statement}");
        sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(BLOCKS)
            .bind(STREAMS)
            .bind(BLOCKS_PER_RUN)
            .bind(FLAPPING)
            .bind(START_S)
            .bind(BLOCK_S)
            .bind(&packed)
            .bind(wall_us)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("UPDATE streams SET blocks = ?1, segments = ?1 * 150, bytes = ?1 * 300000000, next_sequence = ?1 * 150")
        .bind(BLOCKS / STREAMS)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await?;
    conn.close().await
}

fn benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let path = runtime.block_on(made());
    let root = MediaRoot::open_or_create(&folder().join("media"), None).expect("a media folder");
    let per_stream = BLOCKS / STREAMS;

    // What `serve` does before it is ready: open, recover, look at every stream.
    c.bench_function("open and recover, 1M blocks", |b| {
        b.to_async(&runtime).iter(|| async {
            let db = sqlite::open(&path).await.expect("it opens");
            let index = Index::new(db, root.clone());
            let report = recover(&index, &root).await.expect("it recovers");
            black_box(report)
        });
    });

    let db = runtime.block_on(sqlite::open(&path)).expect("it opens");
    let index = Index::rows_only(db.clone());
    let mut n = 0i64;
    let mut anywhere = move || {
        // A stride without a common divisor visits all places.
        n += 7919;
        (stream(n % STREAMS), hour(n * 31 % (per_stream - 7)))
    };
    c.bench_function("one hour, from the rows", |b| {
        b.to_async(&runtime).iter_batched(
            &mut anywhere,
            |(stream, range)| {
                let db = db.clone();
                async move {
                    let blocks = db.blocks_in(&stream, range, 1000).await.expect("it is found");
                    assert!(blocks.len() >= 6);
                    blocks
                }
            },
            criterion::BatchSize::SmallInput,
        );
    });
    let (cam, range) = (stream(3), hour(12_345));
    c.bench_function("one hour, cached: blocks", |b| {
        b.to_async(&runtime).iter(|| async { black_box(index.blocks(&cam, range, 1000).await.expect("it is found")) });
    });
    // As playlists and clips walk over them: `Index::segments`, which makes a list with a block for each, is for tests.
    c.bench_function("one hour, cached: walk over 900 segments", |b| {
        b.to_async(&runtime).iter(|| async {
            let blocks = index.blocks(&cam, range, 1000).await.expect("it is found");
            let slices: Vec<Slice> = blocks.iter().flat_map(|block| Slice::of(block, range)).collect();
            let (count, last) = slices.iter().flat_map(Slice::segments).fold((0, None), |(n, _), s| (n + 1, Some(s)));
            assert!((900..=902).contains(&count));
            black_box(last)
        });
    });
    c.bench_function("one segment by its start, cached", |b| {
        let start = runtime.block_on(index.segments(&cam, range, 500)).expect("it is found")[450].segment.start;
        b.to_async(&runtime).iter(|| async { black_box(index.segment_at(&cam, start).await.expect("it is found")) });
    });
    let whole = TimeRange::new(Timestamp::from_secs(START_S), Timestamp::from_secs(start_s(per_stream))).expect("six months");
    c.bench_function("coverage of six months, a run a day", |b| {
        b.to_async(&runtime).iter(|| async { black_box(index.coverage(&cam, whole, 0, whole.end()).await.expect("it is told")) });
    });
    let flapping = stream(FLAPPING);
    c.bench_function("coverage of six months, 25,000 runs", |b| {
        b.to_async(&runtime).iter(|| async { black_box(index.coverage(&flapping, whole, 0, whole.end()).await.expect("it is told")) });
    });
}

/// Commits, on a copy of nothing: a fresh database on the same disk.
fn commits(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir_in(folder()).expect("a folder");
    let index = runtime.block_on(async {
        let db = sqlite::open(&dir.path().join("retroview.db")).await.expect("a fresh database");
        let index = Index::rows_only(db);
        for n in 0..200 {
            let new =
                NewStream { id: stream(n), account: AccountId::main(), title: String::new(), source: String::new(), credentials: None };
            index.db().add_stream(&new, Timestamp::from_secs(START_S)).await.expect("add a stream");
        }
        index
    });
    let mut generation = 0i64;
    for (name, streams) in
        [("commit of one segment", 1i64), ("commit of 50 streams' segments", 50), ("commit of 200 streams' segments", 200)]
    {
        // A fresh block for each measurement, so that its row has a usual size.
        c.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                let mut total = std::time::Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let rounds = left.min(150);
                    left -= rounds;
                    generation += 1;
                    let ids = runtime.block_on(open_blocks(&index, streams, generation));
                    let began = Instant::now();
                    for i in 0..rounds {
                        let entry = table().entries()[i as usize];
                        let changes = ids.iter().map(|&block| IndexChange::SegmentAppended { block, entry }).collect();
                        runtime.block_on(index.commit(changes)).expect("it commits");
                    }
                    total += began.elapsed();
                }
                total
            });
        });
    }
}

async fn open_blocks(index: &Index, streams: i64, generation: i64) -> Vec<BlockId> {
    let mut ids = Vec::new();
    let mut changes = Vec::new();
    for n in 0..streams {
        let start = Timestamp::from_secs(START_S + generation * 1000);
        let id = BlockId::new(start, (generation as u128) << 32 | n as u128);
        let run = RunInfo {
            id: RunId::from_bytes(id.to_bytes()),
            stream: stream(n),
            start,
            ordinal: generation as u64,
            video: None,
            audio: None,
            init: vec![7; 1200].into(),
            gaps_before: Vec::new(),
            import_key: None,
        };
        changes.push(IndexChange::RunStarted(run.clone()));
        changes.push(IndexChange::BlockOpened(BlockInfo {
            id,
            account: AccountId::main(),
            stream: stream(n),
            run: run.id,
            start,
            state: BlockState::Open,
            first_offset: 2500,
            first_sequence: generation as u64 * 1000,
            size_bytes: 2500,
            checksum: None,
            table: SegmentTable::default(),
        }));
        ids.push(id);
    }
    index.commit(changes).await.expect("it commits");
    ids
}

criterion_group! {
    name = index;
    config = Criterion::default().sample_size(30).warm_up_time(std::time::Duration::from_secs(1)).measurement_time(std::time::Duration::from_secs(4));
    targets = benches, commits
}
criterion_main!(index);
