//! The boxes of a block file, byte by byte. Pure: no I/O.
//!
//! ```text
//! ftyp moov                          the run's init segment
//! uuid RetroviewBlockHd              whose footage this is: account, block, run (JSON), checksums
//! uuid RetroviewSegment  moof mdat  [moof mdat]      one segment: 80-byte header, video, audio
//! uuid RetroviewSegment  moof mdat  [moof mdat]
//! …
//! uuid RetroviewSegment  free          an erased segment: its header says so, zeros fill its place
//! uuid RetroviewPicture              once sealed, where there are any: small pictures (see `thumbnails`)
//! uuid RetroviewTrailer              once sealed: segment table, length of the pictures, why the run ended, checksum, footer
//! ```
//!
//! All numbers are big-endian, as in the rest of MP4. Players skip `uuid` boxes (ISO/IEC 14496-12 §4.2), so
//! the file opens anywhere. The user types are readable on purpose: a hex dump explains itself.
//!
//! Every byte of the file is under some checksum or has one allowed value, so one flipped bit anywhere is
//! found: the init segment and the block header by the header's sums, a segment's header by its own, its
//! media by the sum in its header, pictures and trailer by their own, the footer by comparison.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::media::{AccountId, BlockId, BlockInfo, BlockState, GapCause, RunInfo, SegmentEntry, SegmentTable, Timestamp};

/// Size of the segment header box.
pub const SEGMENT_HEADER_BYTES: usize = SegmentEntry::HEADER_BYTES as usize;
/// The last bytes of a sealed file: trailer box size, format version, magic.
pub const FOOTER_BYTES: usize = 16;
/// Newest version of the boxes below. A reader refuses what is newer than itself.
pub const FORMAT_VERSION: u32 = 3;
/// What is written as long as nothing is erased and there are no pictures. Version 2 is a segment header or a trailer that speaks of
/// erased segments: what knows version 1 only would take zeros for footage, and refuses it instead.
const FORMAT_VERSION_PLAIN: u32 = 1;
const FORMAT_VERSION_ERASED: u32 = 2;
/// A trailer with pictures before it: what knows less would take them for damage.
const FORMAT_VERSION_PICTURES: u32 = 3;
/// No init segment, header or trailer is larger. It bounds what a reader allocates for a foreign file; the
/// largest real one is the trailer of a block of ten thousand segments (150 KB).
pub const BOX_BYTES_MAX: usize = 16 << 20;

const FOOTER_MAGIC: &[u8; 8] = b"RVSEALED";
const TYPE_HEADER: &[u8; 16] = b"RetroviewBlockHd";
const TYPE_SEGMENT: &[u8; 16] = b"RetroviewSegment";
const TYPE_TRAILER: &[u8; 16] = b"RetroviewTrailer";
/// size, `uuid`, user type.
pub(super) const UUID_BOX: usize = 24;

const TLV_TABLE: u32 = 1;
const TLV_RUN_END: u32 = 2;
const TLV_CHECKSUM: u32 = 3;
/// Nothing: keeps a trailer as long as the one before it.
const TLV_PADDING: u32 = 4;
/// Length of the box of small pictures, u32.
const TLV_PICTURES: u32 = 5;

/// Tag and length.
const TLV_HEAD: usize = 8;

/// What of a box is not as a writer leaves it.
pub type What = &'static str;

/// The box before each segment's media.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    pub start: Timestamp,
    pub sequence: u64,
    pub entry: SegmentEntry,
    /// XXH3-64 of the media bytes, video then audio.
    pub media_xxh3: u64,
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut b = [0u8; SEGMENT_HEADER_BYTES];
        b[0..4].copy_from_slice(&(SEGMENT_HEADER_BYTES as u32).to_be_bytes());
        b[4..8].copy_from_slice(b"uuid");
        b[8..24].copy_from_slice(TYPE_SEGMENT);
        b[24] = if self.entry.erased { FORMAT_VERSION_ERASED } else { FORMAT_VERSION_PLAIN } as u8;
        b[25] = u8::from(self.entry.independent) | u8::from(self.entry.erased) << 1;
        b[28..36].copy_from_slice(&self.start.as_micros().to_be_bytes());
        b[36..40].copy_from_slice(&self.entry.wall_us.to_be_bytes());
        b[40..44].copy_from_slice(&self.entry.media_us.to_be_bytes());
        b[44..48].copy_from_slice(&self.entry.video_bytes.to_be_bytes());
        b[48..52].copy_from_slice(&self.entry.audio_bytes.to_be_bytes());
        b[52..56].copy_from_slice(&self.entry.keyframe_bytes.to_be_bytes());
        b[56..64].copy_from_slice(&self.sequence.to_be_bytes());
        b[64..72].copy_from_slice(&self.media_xxh3.to_be_bytes());
        let sum = xxh3_64(&b[..72]) as u32;
        b[72..76].copy_from_slice(&sum.to_be_bytes());
        b
    }

    /// # Errors
    /// Says what is wrong with bytes that are no segment header; never panics.
    pub fn decode(b: &[u8]) -> Result<Self, What> {
        let b: &[u8; SEGMENT_HEADER_BYTES] =
            b.get(..SEGMENT_HEADER_BYTES).and_then(|b| b.try_into().ok()).ok_or("segment header cut off")?;
        if b[..24] != Self::needle() {
            return Err("no segment header");
        }
        if u32_at(b, 72) != xxh3_64(&b[..72]) as u32 || b[76..] != [0; 4] {
            return Err("segment header does not match its checksum");
        }
        if u32::from(b[24]) > FORMAT_VERSION {
            return Err("segment of a newer format");
        }
        let entry = SegmentEntry {
            wall_us: u32_at(b, 36),
            media_us: u32_at(b, 40),
            video_bytes: u32_at(b, 44),
            audio_bytes: u32_at(b, 48),
            keyframe_bytes: u32_at(b, 52),
            independent: b[25] & 1 == 1,
            erased: b[25] & 2 == 2,
        };
        check_entry(&entry)?;
        Ok(SegmentHeader { start: Timestamp(u64_at(b, 28) as i64), sequence: u64_at(b, 56), entry, media_xxh3: u64_at(b, 64) })
    }

    /// The first bytes of every segment header: what a search for segments behind damage looks for.
    pub fn needle() -> [u8; UUID_BOX] {
        let mut b = [0u8; UUID_BOX];
        b[0..4].copy_from_slice(&(SEGMENT_HEADER_BYTES as u32).to_be_bytes());
        b[4..8].copy_from_slice(b"uuid");
        b[8..24].copy_from_slice(TYPE_SEGMENT);
        b
    }
}

/// What every entry in a table must be; sums of them are used as offsets.
pub(super) fn check_entry(e: &SegmentEntry) -> Result<(), What> {
    let media = u64::from(e.video_bytes) + u64::from(e.audio_bytes);
    if e.wall_us == 0 || media == 0 || media > u64::from(u32::MAX / 2) || e.keyframe_bytes > e.video_bytes {
        return Err("segment of impossible size or duration");
    }
    Ok(())
}

/// Whose footage a block file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    pub account: AccountId,
    pub block: BlockId,
    pub start: Timestamp,
    pub first_sequence: u64,
    /// With its init segment.
    pub run: RunInfo,
}

#[derive(Serialize, Deserialize)]
struct HeaderJson {
    account: AccountId,
    block: BlockId,
    start: Timestamp,
    first_sequence: u64,
    init_xxh3: u64,
    run: RunInfo,
}

impl BlockHeader {
    /// Init segment and header box: all that stands before the first segment.
    ///
    /// # Errors
    /// The init segment is not one, or larger than [`BOX_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, What> {
        if init_len(&self.run.init)? != Some(self.run.init.len()) {
            return Err("init segment is not exactly `ftyp moov`");
        }
        let json = HeaderJson {
            account: self.account.clone(),
            block: self.block,
            start: self.start,
            first_sequence: self.first_sequence,
            init_xxh3: xxh3_64(&self.run.init),
            run: self.run.clone(),
        };
        let json = serde_json::to_vec(&json).map_err(|_| "run cannot be written as JSON")?;
        let size = UUID_BOX + 8 + json.len() + 8;
        if size > BOX_BYTES_MAX {
            return Err("block header too large");
        }
        let mut out = Vec::with_capacity(self.run.init.len() + size);
        out.extend_from_slice(&self.run.init);
        let at = out.len();
        put_uuid(&mut out, size, TYPE_HEADER);
        out.extend_from_slice(&FORMAT_VERSION_PLAIN.to_be_bytes());
        out.extend_from_slice(&(json.len() as u32).to_be_bytes());
        out.extend_from_slice(&json);
        let sum = xxh3_64(&out[at..]);
        out.extend_from_slice(&sum.to_be_bytes());
        Ok(out)
    }

    /// Reads from the first bytes of a file. `Ok(Err(n))`: at least `n` bytes are needed.
    ///
    /// # Errors
    /// Says what is wrong; never panics.
    pub fn decode(b: &[u8]) -> Result<Result<(BlockHeader, u64), usize>, What> {
        let Some(init_len) = init_len(b)? else { return Ok(Err((b.len() * 4).max(16 << 10))) };
        let Some(head) = b.get(init_len..init_len + UUID_BOX + 8) else { return Ok(Err(init_len + UUID_BOX + 8)) };
        let size = u32_at(head, 0) as usize;
        if &head[4..8] != b"uuid" || &head[8..24] != TYPE_HEADER || !(UUID_BOX + 16..=BOX_BYTES_MAX).contains(&size) {
            return Err("no block header after the init segment");
        }
        let Some(boxed) = b.get(init_len..init_len + size) else { return Ok(Err(init_len + size)) };
        if u64_at(boxed, size - 8) != xxh3_64(&boxed[..size - 8]) {
            return Err("block header does not match its checksum");
        }
        if u32_at(boxed, 24) > FORMAT_VERSION {
            return Err("block of a newer format");
        }
        if u32_at(boxed, 28) as usize != size - UUID_BOX - 16 {
            return Err("block header of odd length");
        }
        let json: HeaderJson = serde_json::from_slice(&boxed[32..size - 8]).map_err(|_| "block header does not hold a run")?;
        if json.init_xxh3 != xxh3_64(&b[..init_len]) {
            return Err("init segment does not match its checksum");
        }
        let mut run = json.run;
        run.init = Bytes::copy_from_slice(&b[..init_len]);
        let header = BlockHeader { account: json.account, block: json.block, start: json.start, first_sequence: json.first_sequence, run };
        Ok(Ok((header, (init_len + size) as u64)))
    }

    /// The row for this file.
    pub fn block_info(&self, first_offset: u64, table: SegmentTable, sealed: Option<Sealed>) -> BlockInfo {
        let media: u64 = table.entries().iter().map(|e| u64::from(e.stored_bytes())).sum();
        BlockInfo {
            id: self.block,
            account: self.account.clone(),
            stream: self.run.stream.clone(),
            run: self.run.id,
            start: self.start,
            state: if sealed.is_some() { BlockState::Sealed } else { BlockState::Open },
            first_offset,
            first_sequence: self.first_sequence,
            size_bytes: sealed.map_or(first_offset + media, |s| s.size_bytes),
            checksum: sealed.map(|s| s.checksum),
            table,
        }
    }
}

/// What sealing a block tells the index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// Length of the file, trailer included.
    pub size_bytes: u64,
    /// XXH3-64 over the segments' checksums in order.
    pub checksum: u64,
}

/// Why nothing follows the last segment of a block; written when a run ends there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunEnd {
    pub cause: GapCause,
    #[serde(default)]
    pub detail: String,
}

/// The end of a sealed file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trailer {
    pub table: SegmentTable,
    /// `None` when the run goes on in another block.
    pub end: Option<RunEnd>,
    pub checksum: u64,
    /// Length of the box of small pictures between the last segment and this; 0: there is none.
    pub pictures_bytes: u32,
}

impl Trailer {
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(None)
    }

    /// The same, `size` bytes long: it takes the place of another. `None`: it does not fit.
    pub fn encode_to(&self, size: usize) -> Option<Vec<u8>> {
        let plain = self.encode();
        match size.checked_sub(plain.len())? {
            0 => Some(plain),
            more => Some(self.encode_with(Some(more.checked_sub(TLV_HEAD)?))),
        }
    }

    fn encode_with(&self, padding: Option<usize>) -> Vec<u8> {
        let version = self.version();
        let mut body = version.to_be_bytes().to_vec();
        put_tlv(&mut body, TLV_TABLE, &self.table.pack());
        if self.pictures_bytes > 0 {
            put_tlv(&mut body, TLV_PICTURES, &self.pictures_bytes.to_be_bytes());
        }
        if let Some(end) = &self.end {
            let json = serde_json::to_vec(end).expect("a cause and a text are always JSON");
            put_tlv(&mut body, TLV_RUN_END, &json);
        }
        put_tlv(&mut body, TLV_CHECKSUM, &self.checksum.to_be_bytes());
        if let Some(padding) = padding {
            put_tlv(&mut body, TLV_PADDING, &vec![0; padding]);
        }
        let size = UUID_BOX + body.len() + 8 + FOOTER_BYTES;
        let mut out = Vec::with_capacity(size);
        put_uuid(&mut out, size, TYPE_TRAILER);
        out.extend_from_slice(&body);
        let sum = xxh3_64(&out);
        out.extend_from_slice(&sum.to_be_bytes());
        out.extend_from_slice(&(size as u32).to_be_bytes());
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(FOOTER_MAGIC);
        out
    }

    fn version(&self) -> u32 {
        match self.table.entries().iter().any(|e| e.erased) {
            _ if self.pictures_bytes > 0 => FORMAT_VERSION_PICTURES,
            true => FORMAT_VERSION_ERASED,
            false => FORMAT_VERSION_PLAIN,
        }
    }

    /// The size of the trailer box that a file ending in `footer` has; `None` when it is not sealed.
    pub fn size_from_footer(footer: &[u8]) -> Option<usize> {
        let f = footer.get(footer.len().checked_sub(FOOTER_BYTES)?..)?;
        let size = u32_at(f, 0) as usize;
        (&f[8..] == FOOTER_MAGIC && (UUID_BOX + 4 + 8 + FOOTER_BYTES..=BOX_BYTES_MAX).contains(&size)).then_some(size)
    }

    /// # Errors
    /// Says what is wrong with bytes that are not exactly one trailer box; never panics.
    pub fn decode(b: &[u8]) -> Result<Trailer, What> {
        let size = Self::size_from_footer(b).ok_or("no trailer")?;
        if size != b.len() || u32_at(b, 0) as usize != size || &b[4..8] != b"uuid" || &b[8..24] != TYPE_TRAILER {
            return Err("no trailer");
        }
        let end = size - FOOTER_BYTES - 8;
        if u64_at(b, end) != xxh3_64(&b[..end]) {
            return Err("trailer does not match its checksum");
        }
        if u32_at(b, 24) != u32_at(b, size - 12) {
            return Err("trailer and footer disagree");
        }
        if u32_at(b, 24) > FORMAT_VERSION {
            return Err("block of a newer format");
        }
        let (mut table, mut run_end, mut checksum, mut pictures_bytes) = (None, None, None, 0);
        let mut rest = &b[28..end];
        while !rest.is_empty() {
            let (tag, body) = take_tlv(&mut rest).ok_or("trailer section cut off")?;
            match tag {
                TLV_TABLE => table = Some(SegmentTable::unpack(body).map_err(|_| "trailer's segment table is damaged")?),
                TLV_RUN_END => run_end = Some(serde_json::from_slice(body).map_err(|_| "trailer's run end is damaged")?),
                TLV_CHECKSUM => checksum = Some(body.try_into().map(u64::from_be_bytes).map_err(|_| "trailer's checksum is damaged")?),
                TLV_PICTURES => {
                    pictures_bytes = body.try_into().map(u32::from_be_bytes).map_err(|_| "trailer's length of pictures is damaged")?;
                }
                // Sections of later versions.
                _ => {}
            }
        }
        let table = table.ok_or("trailer without a segment table")?;
        table.entries().iter().try_for_each(check_entry)?;
        Ok(Trailer { table, end: run_end, checksum: checksum.ok_or("trailer without a checksum")?, pictures_bytes })
    }
}

/// Sums up a block: over its segments' checksums, in order.
#[derive(Clone, Default)]
pub struct BlockChecksum(Xxh3);

impl std::fmt::Debug for BlockChecksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}

impl BlockChecksum {
    pub fn add(&mut self, media_xxh3: u64) {
        self.0.update(&media_xxh3.to_be_bytes());
    }
    pub fn value(&self) -> u64 {
        self.0.digest()
    }
}

/// Length of `ftyp moov` (with anything libavformat puts between); `None` when `b` ends before `moov` does.
fn init_len(b: &[u8]) -> Result<Option<usize>, What> {
    let mut at = 0usize;
    loop {
        let Some(head) = b.get(at..at + 8) else { return Ok(None) };
        let size = u32_at(head, 0) as usize;
        if !(8..=BOX_BYTES_MAX).contains(&size) || (at == 0 && &head[4..8] != b"ftyp") || &head[4..8] == b"uuid" {
            return Err("no init segment at the start");
        }
        at += size;
        if at > BOX_BYTES_MAX {
            return Err("init segment too large");
        }
        if &head[4..8] == b"moov" {
            return Ok((at <= b.len()).then_some(at));
        }
    }
}

pub(super) fn put_uuid(out: &mut Vec<u8>, size: usize, kind: &[u8; 16]) {
    out.extend_from_slice(&(size as u32).to_be_bytes());
    out.extend_from_slice(b"uuid");
    out.extend_from_slice(kind);
}

fn put_tlv(out: &mut Vec<u8>, tag: u32, body: &[u8]) {
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(body);
}

fn take_tlv<'a>(rest: &mut &'a [u8]) -> Option<(u32, &'a [u8])> {
    let head = rest.get(..8)?;
    let len = u32_at(head, 4) as usize;
    let body = rest.get(8..8usize.checked_add(len)?)?;
    *rest = &rest[8 + len..];
    Some((u32_at(head, 0), body))
}

pub(super) fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}
pub(super) fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from(u32_at(b, at)) << 32 | u64::from(u32_at(b, at + 4))
}
