//! Values that more than one command takes.

use std::time::Duration;

/// `90s`, `15m`, `12h`, `30d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: Option<u64> = text[..at].parse().ok();
    let unit = match &text[at..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    // A hundred years: beyond, sums with timestamps would have to be looked at.
    let seconds = number.zip(unit).and_then(|(n, u)| n.checked_mul(u)).filter(|s| (1..=3_153_600_000).contains(s));
    seconds.map(Duration::from_secs).ok_or_else(|| "1s to 36500d is allowed: a whole number with s, m, h or d, such as 12h".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("30d"), Ok(Duration::from_secs(2_592_000)));
        for wrong in ["", "5", "0s", "-1h", "1.5h", "1w", "99999999999999d"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
