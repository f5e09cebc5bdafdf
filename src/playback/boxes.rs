//! Just enough of ISO/IEC 14496-12 boxes to take an init segment apart and put another together.

use super::PlaybackError;

/// One box: its type and its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mp4Box<'a> {
    pub kind: [u8; 4],
    pub payload: &'a [u8],
    /// Header included.
    pub whole: &'a [u8],
}

pub(super) fn damaged(what: impl Into<String>) -> PlaybackError {
    PlaybackError::Damaged { what: what.into() }
}

/// The boxes that `bytes` consist of.
pub(super) fn children(mut bytes: &[u8]) -> Result<Vec<Mp4Box<'_>>, PlaybackError> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (size, header) = match (be32(bytes, 0), be32(bytes, 8), be32(bytes, 12)) {
            (Some(0), ..) => (bytes.len() as u64, 8),
            (Some(1), Some(high), Some(low)) => ((u64::from(high) << 32) | u64::from(low), 16),
            (Some(size), ..) => (u64::from(size), 8),
            _ => return Err(damaged("a box of an init segment has no header")),
        };
        let size = usize::try_from(size).ok().filter(|s| (header..=bytes.len()).contains(s));
        let size = size.ok_or_else(|| damaged("a box of an init segment is longer than what it lies in"))?;
        let (whole, rest) = bytes.split_at(size);
        found.push(Mp4Box { kind: [whole[4], whole[5], whole[6], whole[7]], payload: &whole[header..], whole });
        bytes = rest;
    }
    Ok(found)
}

/// The one box of this type among `bytes`.
pub(super) fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Result<Mp4Box<'a>, PlaybackError> {
    let found = children(bytes)?.into_iter().find(|b| &b.kind == kind);
    found.ok_or_else(|| damaged(format!("an init segment has no `{}` box", String::from_utf8_lossy(kind))))
}

/// `child` of `child` of …
pub(super) fn descend<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Result<Mp4Box<'a>, PlaybackError> {
    let (last, parents) = path.split_last().ok_or_else(|| damaged("no path"))?;
    let mut inside = bytes;
    for kind in parents {
        inside = child(inside, kind)?.payload;
    }
    child(inside, last)
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
#[cfg(test)]
pub(super) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Appends a box whose payload `fill` writes.
pub(super) fn put(out: &mut Vec<u8>, kind: &[u8; 4], fill: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    fill(out);
    let size = u32::try_from(out.len() - at).expect("boxes made here are far below 4 GiB");
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}

/// A full box: version and flags first.
pub(super) fn put_full(out: &mut Vec<u8>, kind: &[u8; 4], version: u8, flags: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    put(out, kind, |out| {
        put32(out, u32::from(version) << 24 | flags);
        fill(out);
    });
}

pub(super) fn put16(out: &mut Vec<u8>, v: u16) {
    out.extend_from_slice(&v.to_be_bytes());
}
pub(super) fn put32(out: &mut Vec<u8>, v: u32) {
    out.extend_from_slice(&v.to_be_bytes());
}
pub(super) fn put64(out: &mut Vec<u8>, v: u64) {
    out.extend_from_slice(&v.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_put_in_is_found_again() {
        let mut out = Vec::new();
        put(&mut out, b"moov", |out| {
            put_full(out, b"mvhd", 1, 2, |out| put64(out, 7));
            put(out, b"trak", |_| {});
        });
        let mvhd = descend(&out, &[b"moov", b"mvhd"]).unwrap();
        assert_eq!((be32(mvhd.payload, 0), be64(mvhd.payload, 4)), (Some(1 << 24 | 2), Some(7)));
        assert!(child(&out, b"mdat").is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = children(&bytes).map(|boxes| boxes.iter().map(|b| b.payload.len()).sum::<usize>());
        }
    }
}
