//! RFC 6381 codec strings, read from the sample descriptions of an init segment.
//!
//! Sources: ISO/IEC 14496-15 §5.4 (avc), annex E (hevc); AV1 in ISOBMFF §5; RFC 6381 §3.3 (mp4a).

/// The `CODECS` entries of an init segment.
pub(super) struct CodecStrings {
    pub video: Option<String>,
    pub audio: Option<String>,
}

/// `None` when the boxes are not what a muxer writes.
pub(super) fn read(init: &[u8]) -> Option<CodecStrings> {
    let moov = find(init, b"moov")?;
    let mut strings = CodecStrings { video: None, audio: None };
    for trak in boxes(moov).filter(|(kind, _)| kind == b"trak").map(|(_, body)| body) {
        let stbl = find(find(find(trak, b"mdia")?, b"minf")?, b"stbl")?;
        // Full box, entry count, then the entries.
        let (kind, entry) = boxes(find(stbl, b"stsd")?.get(8..)?).next()?;
        match &kind {
            b"avc1" => strings.video = Some(avc(find(entry.get(78..)?, b"avcC")?)?),
            b"hvc1" => strings.video = Some(hevc(find(entry.get(78..)?, b"hvcC")?)?),
            b"av01" => strings.video = Some(av1(find(entry.get(78..)?, b"av1C")?)?),
            b"mp4a" => strings.audio = Some(mp4a(find(entry.get(28..)?, b"esds")?)?),
            b"Opus" => strings.audio = find(entry.get(28..)?, b"dOps").map(|_| "opus".to_owned()),
            _ => return None,
        }
    }
    Some(strings)
}

/// Boxes one after another; stops at the first that does not fit.
fn boxes(mut data: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = u32::from_be_bytes(data.get(..4)?.try_into().ok()?) as usize;
        let kind: [u8; 4] = data.get(4..8)?.try_into().ok()?;
        let body = data.get(8..size)?;
        data = data.get(size..)?;
        Some((kind, body))
    })
}

fn find<'a>(data: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(data).find(|(k, _)| k == kind).map(|(_, body)| body)
}

fn avc(config: &[u8]) -> Option<String> {
    let p = config.get(1..4)?;
    Some(format!("avc1.{:02x}{:02x}{:02x}", p[0], p[1], p[2]))
}

fn hevc(config: &[u8]) -> Option<String> {
    let profile = config.get(1)?;
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    // The compatibility flags are written in reverse bit order.
    let compatibility = u32::from_be_bytes(config.get(2..6)?.try_into().ok()?).reverse_bits();
    let level = config.get(12)?;
    let mut text = format!("hvc1.{space}{}.{compatibility:X}.{tier}{level}", profile & 0x1f);
    let constraints = config.get(6..12)?;
    let used = constraints.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..used] {
        text.push_str(&format!(".{byte:X}"));
    }
    Some(text)
}

fn av1(config: &[u8]) -> Option<String> {
    let (a, b) = (config.get(1)?, config.get(2)?);
    let (profile, level) = (a >> 5, a & 0x1f);
    let tier = if b & 0x80 == 0 { 'M' } else { 'H' };
    let depth = match (b & 0x40 != 0, b & 0x20 != 0) {
        (true, true) => 12,
        (true, false) => 10,
        _ => 8,
    };
    Some(format!("av01.{profile}.{level:02}{tier}.{depth:02}"))
}

/// `esds`: ES descriptor > decoder config (object type) > decoder specific info (audio object type).
fn mp4a(esds: &[u8]) -> Option<String> {
    let mut es = descriptor(esds.get(4..)?, 0x03)?;
    let flags = es.get(2)?;
    let mut skip = 3;
    skip += if flags & 0x80 != 0 { 2 } else { 0 };
    skip += if flags & 0x40 != 0 { 1 + usize::from(*es.get(skip)?) } else { 0 };
    skip += if flags & 0x20 != 0 { 2 } else { 0 };
    es = es.get(skip..)?;
    let config = descriptor(es, 0x04)?;
    match config.first()? {
        0x40 => {
            let specific = descriptor(config.get(13..)?, 0x05)?;
            let (a, b) = (u32::from(*specific.first()?), u32::from(*specific.get(1)?));
            let kind = if a >> 3 == 31 { 32 + ((a & 7) << 3 | b >> 5) } else { a >> 3 };
            Some(format!("mp4a.40.{kind}"))
        }
        // MPEG audio. Browsers compare these as text, in this spelling.
        kind => Some(format!("mp4a.{kind:02X}")),
    }
}

/// Content of the descriptor at the start of `data`, which must have this tag.
fn descriptor(data: &[u8], tag: u8) -> Option<&[u8]> {
    if *data.first()? != tag {
        return None;
    }
    let mut len = 0usize;
    for at in 1..=4 {
        let byte = *data.get(at)?;
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return data.get(at + 1..at + 1 + len);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_follow_the_configuration_records() {
        assert_eq!(avc(&[1, 0x64, 0x00, 0x1f]).unwrap(), "avc1.64001f");
        let hvcc = [1, 0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        assert_eq!(hevc(&hvcc).unwrap(), "hvc1.1.6.L93.B0");
        assert_eq!(av1(&[0x81, 0x04, 0x0c, 0]).unwrap(), "av01.0.04M.08");
        assert_eq!(av1(&[0x81, 0x08, 0x4c, 0]).unwrap(), "av01.0.08M.10");
    }

    #[test]
    fn damaged_boxes_give_nothing() {
        assert!(read(b"").is_none());
        assert!(read(&[0, 0, 0, 16, b'm', b'o', b'o', b'v', 0, 0, 0, 99, b't', b'r', b'a', b'k']).is_some_and(|s| s.video.is_none()));
        assert!(mp4a(&[0, 0, 0, 0, 3, 0x80, 0x80]).is_none());
    }
}
