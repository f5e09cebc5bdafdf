//! Byte ranges: what a `Range` header asks for (RFC 9110 §14).
//!
//! A header that is not understood is ignored, as the RFC has it, and so the whole is sent. One that is
//! understood but names nothing inside is "not satisfiable". Overlapping ranges are merged, so an answer is never
//! longer than the whole; more than [`RANGES_MAX`] are refused.

use std::ops::Range;

/// Ranges in one request. Players send one, PDF-like readers a handful; more is an attempt to make a server work
/// (CVE-2011-3192). Half would still do; double invites waste.
pub const RANGES_MAX: usize = 16;
/// A header longer than this cannot hold [`RANGES_MAX`] sensible ranges.
const HEADER_CHARS_MAX: usize = 16 * 42;

/// What to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ranges {
    /// No usable `Range`: 200 and everything.
    Whole,
    /// 206; never empty. Each range is inside the length and not empty, none overlap, and they are in the
    /// order asked for unless merging moved them.
    Parts(Vec<Range<u64>>),
    /// 416.
    Unsatisfiable,
}

/// Reads the value of a `Range` header for a representation of `len` bytes.
pub fn parse(header: &str, len: u64) -> Ranges {
    let Some((unit, set)) = header.split_once('=') else { return Ranges::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ranges::Whole;
    }
    if header.len() > HEADER_CHARS_MAX || set.split(',').count() > RANGES_MAX {
        return Ranges::Unsatisfiable;
    }
    let mut parts = Vec::new();
    let mut specs = 0;
    // RFC 9110 §5.6.1: empty list elements are to be ignored.
    for spec in set.split(',').map(|s| s.trim_matches([' ', '\t'])).filter(|s| !s.is_empty()) {
        let Some(part) = parse_spec(spec, len) else { return Ranges::Whole };
        specs += 1;
        parts.extend(part);
    }
    match (specs, parts.is_empty()) {
        (0, _) => Ranges::Whole,
        (_, true) => Ranges::Unsatisfiable,
        _ => Ranges::Parts(merge_overlapping(parts)),
    }
}

/// `None`: not a range. `Some(None)`: a range that holds nothing of `len` bytes.
fn parse_spec(spec: &str, len: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = spec.split_once('-')?;
    let range = match (number(first)?, number(last)?) {
        (None, None) => return None,
        (None, Some(suffix)) => len.saturating_sub(suffix)..len,
        (Some(first), None) => first..len,
        (Some(first), Some(last)) if last < first => return None,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(len),
    };
    Some((range.start < range.end).then_some(range))
}

/// `Some(None)` for nothing; numbers past `u64` are as good as its largest. `None` for anything but digits.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|b| b.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

fn merge_overlapping(parts: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted = parts.clone();
    sorted.sort_unstable_by_key(|r| r.start);
    if sorted.windows(2).all(|w| w[0].end <= w[1].start) {
        return parts;
    }
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for part in sorted {
        match merged.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => merged.push(part),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(header: &str) -> String {
        match parse(header, 1000) {
            Ranges::Whole => "whole".into(),
            Ranges::Unsatisfiable => "416".into(),
            Ranges::Parts(p) => p.iter().map(|r| format!("{}..{}", r.start, r.end)).collect::<Vec<_>>().join(" "),
        }
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (header, expected) in [
            ("bytes=0-0", "0..1"),
            ("bytes=0-499", "0..500"),
            ("bytes=500-", "500..1000"),
            ("bytes=-1", "999..1000"),
            ("bytes=-5000", "0..1000"),
            ("bytes=999-5000", "999..1000"),
            ("bytes=0-99999999999999999999999", "0..1000"),
            ("BYTES=1-2", "1..3"),
            ("bytes= 1-2 ,\t4-5", "1..3 4..6"),
            ("bytes=,1-2,,4-5,", "1..3 4..6"),
            ("bytes=4-5,1-2", "4..6 1..3"),
            ("bytes=0-9,5-19,30-31", "0..20 30..32"),
            ("bytes=0-9,2000-", "0..10"),
            // Nothing of it is there.
            ("bytes=1000-", "416"),
            ("bytes=1000-2000,3000-", "416"),
            ("bytes=-0", "416"),
            ("bytes=99999999999999999999999-", "416"),
            // Not understood, so not there at all.
            ("", "whole"),
            ("bytes", "whole"),
            ("bytes=", "whole"),
            ("bytes=,", "whole"),
            ("bytes=-", "whole"),
            ("bytes=5-4", "whole"),
            ("bytes=0-9,5-4", "whole"),
            ("bytes=a-b", "whole"),
            ("bytes=0x1-0x2", "whole"),
            ("bytes=+1-2", "whole"),
            ("bytes=1 - 2", "whole"),
            ("bytes=--1", "whole"),
            ("bytes=1-2-3", "whole"),
            ("bytes=1.0-2", "whole"),
            ("bytes:0-9", "whole"),
            ("seconds=0-9", "whole"),
        ] {
            assert_eq!(show(header), expected, "{header:?}");
        }
    }

    #[test]
    fn a_flood_of_ranges_is_refused() {
        let many = |n: usize| format!("bytes={}", vec!["0-0"; n].join(","));
        assert_eq!(show(&many(16)), "0..1");
        assert_eq!(show(&many(17)), "416");
        assert_eq!(show(&format!("bytes={}0-0", ",".repeat(5000))), "416");
        assert_eq!(show(&format!("bytes=0-{}", "9".repeat(5000))), "416");
    }

    #[test]
    fn an_empty_representation_has_no_ranges() {
        for header in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
            assert_eq!(parse(header, 0), Ranges::Unsatisfiable, "{header}");
        }
    }

    proptest! {
        #[test]
        fn parts_lie_inside_and_never_overlap(header in "bytes=[-0-9, ]{0,60}", len in 0u64..2000) {
            if let Ranges::Parts(parts) = parse(&header, len) {
                let mut sorted = parts.clone();
                sorted.sort_by_key(|r| r.start);
                prop_assert!(!parts.is_empty() && sorted.iter().all(|r| r.start < r.end && r.end <= len));
                prop_assert!(sorted.windows(2).all(|w| w[0].end <= w[1].start));
            }
        }

        #[test]
        fn no_text_panics(header in "\\PC{0,80}", len in any::<u64>()) {
            let _ = parse(&header, len);
        }
    }
}
