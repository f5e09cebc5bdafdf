//! Records blocks as a worker does: real files, of a few bytes a segment.

use bytes::Bytes;
use retroview::media::{AccountId, BlockId, BlockInfo, BlockState, RunId, RunInfo, SegmentEntry, StreamId, Timestamp};
use retroview::store::{BlockWriter, MediaRoot, NewBlock, NewSegment};

use crate::Outcome;
use crate::model::{Erased, Segment};

/// One block file.
pub struct Shot {
    pub info: BlockInfo,
    pub entries: Vec<SegmentEntry>,
    pub segments: Vec<Segment>,
}

/// What is to be recorded.
pub struct Script<'a> {
    pub account: &'a AccountId,
    pub id: BlockId,
    pub start: Timestamp,
    pub first_sequence: u64,
    pub segments: u64,
    pub segment_us: u32,
}

pub fn run(stream: &StreamId, start: Timestamp, ordinal: u64, random: u128) -> RunInfo {
    RunInfo {
        id: RunId::new(start, random),
        stream: stream.clone(),
        start,
        ordinal,
        video: None,
        audio: None,
        init: Bytes::from_static(b"\0\0\0\x08ftyp\0\0\0\x08moov"),
        gaps_before: Vec::new(),
        import_key: None,
    }
}

/// What players get of the segment: boxes of the right shape around bytes that are nobody else's.
fn media(id: BlockId, sequence: u64) -> Vec<u8> {
    let words = format!("{id} {sequence}");
    let size = u32::try_from(8 + words.len()).expect("short").to_be_bytes();
    [&b"\0\0\0\x08moof"[..], &size, b"mdat", words.as_bytes()].concat()
}

/// Writes the block's segments, durably. Sealed, unless `torn`: then the process died while it wrote the next one.
pub fn shoot(root: &MediaRoot, run: &RunInfo, script: &Script<'_>, torn: bool) -> Outcome<Shot> {
    let new = NewBlock { account: script.account.clone(), id: script.id, start: script.start, first_sequence: script.first_sequence, run };
    let mut writer = BlockWriter::create(root, &new)?;
    let mut info = writer.block_info(script.account, script.id, run);
    let (mut entries, mut segments) = (Vec::new(), Vec::new());
    for _ in 0..script.segments {
        let sequence = writer.next_sequence();
        let body = media(script.id, sequence);
        let start = writer.next_start();
        entries.push(writer.append(&NewSegment {
            start,
            wall_us: script.segment_us,
            media_us: script.segment_us,
            keyframe_bytes: 8,
            independent: true,
            sequence,
            video: &[&body],
            audio: &[],
        })?);
        segments.push(Segment { start, end: writer.next_start(), erased: Erased::No, body });
    }
    writer.sync()?;
    if torn {
        let path = writer.path().to_path_buf();
        drop(writer);
        let mut bytes = std::fs::read(&path)?;
        bytes.extend_from_slice(b"\0\0\0\x60uuid");
        std::fs::write(&path, bytes)?;
    } else {
        let sealed = writer.seal(None)?;
        (info.size_bytes, info.checksum, info.state) = (sealed.size_bytes, Some(sealed.checksum), BlockState::Sealed);
    }
    Ok(Shot { info, entries, segments })
}
