//! Block files: appending and reading. `cargo bench --bench store`; files go below `target/`, so on the disk that
//! the build is on.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use retroview::media::{AccountId, BlockId, BlockInfo, BlockState, RunId, RunInfo, Timestamp};
use retroview::store::{BlockCache, BlockWriter, MediaRoot, NewBlock, NewSegment, read_sealed, recover, scan};

/// Segments of one block, each as of 4 s at 4 Mbit/s.
const SEGMENTS: u64 = 40;
const FRAMES: usize = 100;
const FRAME_BYTES: usize = 20_000;

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(8 + body.len() as u32).to_be_bytes()[..], kind, body].concat()
}

fn run() -> RunInfo {
    RunInfo {
        id: RunId::from_bytes([1; 16]),
        stream: "cam".parse().expect("a slug"),
        start: Timestamp::from_secs(1_777_816_800),
        ordinal: 0,
        video: None,
        audio: None,
        init: [boxed(b"ftyp", b"iso5\0\0\0\0"), boxed(b"moov", &[0; 1100])].concat().into(),
        gaps_before: Vec::new(),
        import_key: None,
    }
}

/// Writes a block; answers with its row and how long appending and syncing took.
fn write_block(root: &MediaRoot, number: u64, frames: &[Vec<u8>], sync: bool) -> (BlockInfo, Duration) {
    let run = run();
    let id = BlockId::new(run.start, u128::from(number));
    let new = NewBlock { account: AccountId::main(), id, start: run.start, first_sequence: 0, run: &run };
    let mut writer = BlockWriter::create(root, &new).expect("a new block");
    let video: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let began = Instant::now();
    for sequence in 0..SEGMENTS {
        writer
            .append(&NewSegment {
                start: writer.next_start(),
                wall_us: 4_000_000,
                media_us: 4_000_000,
                keyframe_bytes: FRAME_BYTES as u32,
                independent: true,
                sequence,
                video: &video,
                audio: &[],
            })
            .expect("it is appended");
        if sync {
            writer.sync().expect("it is synced");
        }
    }
    let took = began.elapsed();
    let mut info = writer.block_info(&AccountId::main(), id, &run);
    let sealed = writer.seal(None).expect("it is sealed");
    info.state = BlockState::Sealed;
    info.size_bytes = sealed.size_bytes;
    (info, took)
}

fn store(c: &mut Criterion) {
    let dir = tempfile::tempdir_in(Path::new(env!("CARGO_MANIFEST_DIR")).join("target")).expect("a folder");
    let root = MediaRoot::open_or_create(&dir.path().join("media"), None).expect("a media folder");
    let frames: Vec<Vec<u8>> = (0..FRAMES).map(|i| vec![i as u8; FRAME_BYTES]).collect();
    let bytes = SEGMENTS * (FRAMES * FRAME_BYTES) as u64;
    let mut number = 0;

    let mut group = c.benchmark_group("append");
    group.throughput(Throughput::Bytes(bytes));
    for (name, sync) in [("40 segments of 2 MB, no sync", false), ("40 segments of 2 MB, each synced", true)] {
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                let mut total = Duration::ZERO;
                for _ in 0..n {
                    number += 1;
                    let (info, took) = write_block(&root, number, &frames, sync);
                    total += took;
                    std::fs::remove_file(root.file(&info.path())).expect("it is removed");
                }
                total
            });
        });
    }
    group.finish();

    let (info, _) = write_block(&root, 0, &frames, false);
    let path = root.file(&info.path());
    let mut group = c.benchmark_group("read");
    group.bench_function("index a sealed block from its ends", |b| b.iter(|| black_box(read_sealed(&path).expect("it is read"))));
    group.bench_function("recover a block of which all is indexed", |b| {
        b.iter(|| black_box(recover(&path, bytes).expect("it is recovered")))
    });
    let cache = BlockCache::new(root.clone());
    group.bench_function("a slice of 2 MB from an open block", |b| {
        b.iter(|| black_box(cache.slice(&info, 10_000..2_010_000).expect("it is there")));
    });
    group.throughput(Throughput::Bytes(bytes));
    group.sample_size(20);
    group.bench_function("verify a block", |b| b.iter(|| black_box(scan(&path, 0).expect("it is read"))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    targets = store
}
criterion_main!(benches);
