//! AV1 open bitstream units. Source: AV1 specification §5.3; AV1 in ISOBMFF §2.4 (what samples hold).

pub(super) const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

/// Whether a sample must not or need not hold units of this type.
pub(super) fn is_ballast(kind: u8) -> bool {
    matches!(kind, TEMPORAL_DELIMITER | TILE_LIST | PADDING)
}

/// Calls `f` with type and all bytes (header included) of each unit. False when they do not add up; then
/// `f` may have seen units already.
pub(super) fn for_each<'a>(mut data: &'a [u8], mut f: impl FnMut(u8, &'a [u8])) -> bool {
    while let Some(&header) = data.first() {
        let kind = (header >> 3) & 0x0f;
        let has_extension = header & 4 != 0;
        let has_size = header & 2 != 0;
        let mut at = 1 + usize::from(has_extension);
        let len = if has_size {
            let Some((len, bytes)) = data.get(at..).and_then(leb128) else { return false };
            at += bytes;
            at.checked_add(len)
        } else {
            Some(data.len())
        };
        let Some((unit, rest)) = len.and_then(|len| data.split_at_checked(len)) else { return false };
        f(kind, unit);
        data = rest;
    }
    true
}

fn leb128(data: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for (i, byte) in data.iter().take(8).enumerate() {
        value |= usize::from(byte & 0x7f).checked_shl(u32::try_from(i * 7).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_come_with_their_headers() {
        let data = [0x12, 0, 0x0a, 2, 7, 8, 0x32, 1, 9];
        let mut seen = Vec::new();
        assert!(for_each(&data, |k, u| seen.push((k, u.to_vec()))));
        assert_eq!(seen, [(2, vec![0x12, 0]), (1, vec![0x0a, 2, 7, 8]), (6, vec![0x32, 1, 9])]);
        assert!(!for_each(&[0x0a, 9, 1], |_, _| {}));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..100)) {
            for_each(&data, |_, _| {});
        }
    }
}
