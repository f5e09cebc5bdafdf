//! Writing numbers and times into a playlist. By hand instead of by `write!`, because a playlist of a day has
//! 43,000 numbers in it.

use crate::media::Timestamp;

/// Decimal digits of `n`.
pub(super) fn push_u64(out: &mut String, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[at..]).expect("digits are ASCII"));
}

/// Microseconds as seconds: `4`, `4.004`, `0.000001`. No zeros at the end: they would be a fifth of a playlist.
pub(super) fn push_seconds(out: &mut String, us: u64) {
    push_u64(out, us / 1_000_000);
    let mut fraction = us % 1_000_000;
    if fraction == 0 {
        return;
    }
    let mut digits = *b".000000";
    for place in digits[1..].iter_mut().rev() {
        *place = b'0' + (fraction % 10) as u8;
        fraction /= 10;
    }
    let len = digits.iter().rposition(|d| *d != b'0').map_or(0, |last| last + 1);
    out.push_str(std::str::from_utf8(&digits[..len]).expect("digits are ASCII"));
}

/// `#EXT-X-PROGRAM-DATE-TIME` to the millisecond, which is what players read.
pub(super) fn push_program_date_time(out: &mut String, t: Timestamp) {
    out.push_str("#EXT-X-PROGRAM-DATE-TIME:");
    out.push_str(&t.to_rfc3339(3));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_written_in_full_and_no_longer() {
        for (us, text) in [
            (0, "0"),
            (1, "0.000001"),
            (4_000_000, "4"),
            (4_004_000, "4.004"),
            (3_999_989, "3.999989"),
            (10_100_000, "10.1"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            let mut out = String::new();
            push_seconds(&mut out, us);
            assert_eq!(out, text);
        }
    }
}
