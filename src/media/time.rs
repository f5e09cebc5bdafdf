//! Wall time: one timestamp type, one range type.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall time in microseconds since the Unix epoch, UTC. The default is the epoch.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A text that names no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time: give RFC 3339 (2026-05-03T14:00:00Z), Unix seconds (1777816800.5), or negative seconds relative to now (-60)"
)]
pub struct TimestampError(pub String);

impl Timestamp {
    pub const MICROS_PER_SECOND: i64 = 1_000_000;
    /// Year 9999: the last moment RFC 3339 can write.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999_999);
    /// The epoch. Nothing is recorded before it.
    pub const MIN: Timestamp = Timestamp(0);

    pub fn from_micros(us: i64) -> Self {
        Timestamp(us)
    }
    pub fn as_micros(self) -> i64 {
        self.0
    }
    pub fn from_secs(s: i64) -> Self {
        Timestamp(s.saturating_mul(Self::MICROS_PER_SECOND))
    }
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / Self::MICROS_PER_SECOND as f64
    }
    /// `self - earlier` in microseconds; negative when `earlier` is later.
    pub fn micros_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
    pub fn saturating_add_micros(self, us: i64) -> Self {
        Timestamp(self.0.saturating_add(us))
    }

    /// RFC 3339 with exactly `digits` (0 to 6) decimals, `Z`. Truncates, never rounds up into the next second.
    pub fn to_rfc3339(self, digits: usize) -> String {
        let clamped = self.0.clamp(Self::MIN.0, Self::MAX.0);
        let t = jiff::Timestamp::from_microsecond(clamped).expect("clamped to years 1970..=9999");
        let base = t.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        if digits == 0 {
            return base + "Z";
        }
        let micros = format!("{:06}", clamped.rem_euclid(Self::MICROS_PER_SECOND));
        format!("{base}.{}Z", &micros[..digits.min(6)])
    }

    /// Reads what URLs and the command line take: RFC 3339, Unix seconds with decimals, or negative
    /// seconds relative to `now` (`-0` is now itself, and so is the word `now`).
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, TimestampError> {
        let err = || TimestampError(text.chars().take(64).collect());
        let text = text.trim();
        if text == "now" {
            return Ok(now);
        }
        if let Some(back) = text.strip_prefix('-') {
            let us = parse_decimal_seconds(back).ok_or_else(err)?;
            let t = now.0.checked_sub(us).ok_or_else(err)?;
            return if t < 0 { Err(err()) } else { Ok(Timestamp(t)) };
        }
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            let us = parse_decimal_seconds(text).ok_or_else(err)?;
            return if us > Self::MAX.0 { Err(err()) } else { Ok(Timestamp(us)) };
        }
        // A `+` in a query string arrives as a space when the client did not escape it.
        let repaired = text.replace(' ', "+");
        let t: jiff::Timestamp = repaired.parse().or_else(|_| text.parse()).map_err(|_| err())?;
        let us = t.as_microsecond();
        if us < 0 { Err(err()) } else { Ok(Timestamp(us)) }
    }
}

/// `12`, `12.5`, `.5` in microseconds; digits past the sixth are dropped. No floats: a float loses microseconds.
fn parse_decimal_seconds(text: &str) -> Option<i64> {
    let (whole, frac) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && frac.is_empty() {
        return None;
    }
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(frac) || whole.len() > 12 {
        return None;
    }
    let secs: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut micros = 0i64;
    for i in 0..6 {
        micros = micros * 10 + i64::from(frac.as_bytes().get(i).map_or(0, |b| b - b'0'));
    }
    secs.checked_mul(1_000_000)?.checked_add(micros)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339(6))
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, d: Duration) -> Timestamp {
        self.saturating_add_micros(i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
    }
}
impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// Half-open `[start, end)`; never empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "RangeParts", into = "RangeParts")]
pub struct TimeRange {
    start: Timestamp,
    end: Timestamp,
}

/// A range whose end is not after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range is empty: its end {end} is not after its start {start}")]
pub struct EmptyRange {
    pub start: Timestamp,
    pub end: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct RangeParts {
    start_us: i64,
    end_us: i64,
}
impl TryFrom<RangeParts> for TimeRange {
    type Error = EmptyRange;
    fn try_from(p: RangeParts) -> Result<Self, EmptyRange> {
        TimeRange::new(Timestamp(p.start_us), Timestamp(p.end_us))
    }
}
impl From<TimeRange> for RangeParts {
    fn from(r: TimeRange) -> Self {
        RangeParts { start_us: r.start.0, end_us: r.end.0 }
    }
}

impl TimeRange {
    pub const ALL: TimeRange = TimeRange { start: Timestamp::MIN, end: Timestamp::MAX };

    /// # Errors
    /// [`EmptyRange`] when `end <= start`.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, EmptyRange> {
        if end > start { Ok(TimeRange { start, end }) } else { Err(EmptyRange { start, end }) }
    }
    pub fn start(self) -> Timestamp {
        self.start
    }
    pub fn end(self) -> Timestamp {
        self.end
    }
    /// Always positive.
    pub fn micros(self) -> i64 {
        self.end.0 - self.start.0
    }
    pub fn contains(self, t: Timestamp) -> bool {
        self.start <= t && t < self.end
    }
    pub fn covers(self, other: TimeRange) -> bool {
        self.start <= other.start && other.end <= self.end
    }
    pub fn overlaps(self, other: TimeRange) -> bool {
        self.start < other.end && other.start < self.end
    }
    /// The same time in ranges that do not touch, in order.
    pub fn merged(mut ranges: Vec<TimeRange>) -> Vec<TimeRange> {
        ranges.sort_unstable_by_key(|r| r.start);
        let mut out: Vec<TimeRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match out.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => out.push(range),
            }
        }
        out
    }
    pub fn intersection(self, other: TimeRange) -> Option<TimeRange> {
        TimeRange::new(self.start.max(other.start), self.end.min(other.end)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_777_816_800_000_000);

    #[test]
    fn every_written_form_of_a_moment_reads_back() {
        for (text, us) in [
            ("2026-05-03T14:00:00Z", 1_777_816_800_000_000),
            ("2026-05-03T16:00:00+02:00", 1_777_816_800_000_000),
            ("2026-05-03T16:00:00 02:00", 1_777_816_800_000_000),
            ("1777816800", 1_777_816_800_000_000),
            ("1777816800.000001", 1_777_816_800_000_001),
            ("1777816800.0000019", 1_777_816_800_000_001),
            (".5", 500_000),
            ("-60", 1_777_816_740_000_000),
            ("-0.25", 1_777_816_799_750_000),
            ("now", 1_777_816_800_000_000),
        ] {
            assert_eq!(Timestamp::parse(text, NOW), Ok(Timestamp(us)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "--5",
            "1.2.3",
            "yesterday",
            "99999999999999",
            "-99999999999",
            "1969-12-31T23:59:59Z",
            "2026-13-01T00:00:00Z",
            "1e9",
            "nan",
        ] {
            assert!(Timestamp::parse(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn text_form_truncates_and_reads_back() {
        let t = Timestamp(1_777_816_800_999_999);
        assert_eq!(t.to_rfc3339(3), "2026-05-03T14:00:00.999Z");
        assert_eq!(t.to_rfc3339(0), "2026-05-03T14:00:00Z");
        assert_eq!(Timestamp::parse(&t.to_string(), NOW), Ok(t));
    }

    #[test]
    fn ranges_are_half_open_and_never_empty() {
        let t = Timestamp::from_secs;
        assert!(TimeRange::new(t(5), t(5)).is_err());
        let a = TimeRange::new(t(0), t(5)).unwrap();
        let b = TimeRange::new(t(5), t(9)).unwrap();
        assert!(!a.overlaps(b) && a.intersection(b).is_none());
        assert!(!a.contains(t(5)) && b.contains(t(5)));
    }
}
