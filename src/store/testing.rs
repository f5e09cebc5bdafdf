//! Small footage for tests: boxes of the right shape around bytes that no player would play.

use bytes::Bytes;

use super::{BlockWriter, MediaRoot, NewBlock, NewSegment};
use crate::media::{AccountId, BlockId, BlockInfo, RunId, RunInfo, SegmentEntry, StreamId, Timestamp, VideoTrack};

pub(crate) const T0: Timestamp = Timestamp(1_777_816_800_000_000);

pub(crate) fn root() -> (tempfile::TempDir, MediaRoot) {
    let dir = tempfile::tempdir().unwrap();
    let root = MediaRoot::open_or_create(&dir.path().join("media"), None).unwrap();
    (dir, root)
}

pub(crate) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (8 + body.len() as u32).to_be_bytes().to_vec();
    out.extend_from_slice(kind);
    out.extend_from_slice(body);
    out
}

pub(crate) fn stream(name: &str) -> StreamId {
    name.parse().unwrap()
}

pub(crate) fn run_info(stream: &StreamId, start: Timestamp, ordinal: u64) -> RunInfo {
    let salt = stream.as_str().bytes().fold(u128::from(ordinal), |h, b| h * 31 + u128::from(b));
    RunInfo {
        id: RunId::new(start, salt),
        stream: stream.clone(),
        start,
        ordinal,
        video: Some(VideoTrack { codec: "avc1.64001f".into(), width: 1920, height: 1080, fps_num: 25, fps_den: 1 }),
        audio: None,
        init: Bytes::from([boxed(b"ftyp", b"iso5\0\0\0\0"), boxed(b"moov", b"not really")].concat()),
        gaps_before: Vec::new(),
        import_key: None,
    }
}

/// `moof mdat` with `n` bytes that depend on `seed`.
pub(crate) fn media(seed: u64, n: usize) -> Vec<u8> {
    let body: Vec<u8> = (0..n as u64).map(|i| ((seed + 1).wrapping_mul(i + 7).wrapping_mul(0x9e37_79b9) >> 8) as u8).collect();
    [boxed(b"moof", &body[..n / 4]), boxed(b"mdat", &body[n / 4..])].concat()
}

pub(crate) fn writer(root: &MediaRoot, run: &RunInfo, start: Timestamp, first_sequence: u64) -> (BlockWriter, BlockInfo) {
    let id = BlockId::new(start, u128::from(first_sequence) << 8 | u128::from(run.ordinal));
    let new = NewBlock { account: AccountId::main(), id, start, first_sequence, run };
    let w = BlockWriter::create(root, &new).unwrap();
    let info = w.block_info(&AccountId::main(), id, run);
    (w, info)
}

/// Appends and syncs one segment of `seconds`.
pub(crate) fn append(w: &mut BlockWriter, seconds: u32) -> SegmentEntry {
    try_append(w, seconds, 300).unwrap()
}

pub(crate) fn try_append(w: &mut BlockWriter, seconds: u32, bytes: usize) -> super::StoreResult<SegmentEntry> {
    let sequence = w.next_sequence();
    let (video, audio) = (media(sequence, bytes), media(sequence + 1000, bytes / 6));
    let (a, b) = video.split_at(bytes / 2);
    let entry = w.append(&NewSegment {
        start: w.next_start(),
        wall_us: seconds * 1_000_000,
        media_us: seconds * 1_000_000 - 40,
        keyframe_bytes: (bytes / 3) as u32,
        independent: true,
        sequence,
        video: &[a, b],
        audio: &[&audio],
    })?;
    w.sync()?;
    Ok(entry)
}
