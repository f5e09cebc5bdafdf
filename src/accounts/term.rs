//! Terms and months on the calendar of an account.

use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use super::AccountsError;
use crate::media::{TimeRange, Timestamp};

/// An IANA time zone that exists.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// # Errors
    /// [`AccountsError::Zone`].
    pub fn named(name: &str) -> Result<Self, AccountsError> {
        // "Local" and POSIX strings would mean something else on another machine.
        let known = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b));
        let zone = known.then(|| TimeZone::get(name).ok()).flatten().filter(|z| z.iana_name().is_some());
        zone.map(Zone).ok_or_else(|| AccountsError::Zone(name.chars().take(64).collect()))
    }

    fn at(&self, t: Timestamp) -> Zoned {
        let clamped = t.as_micros().clamp(Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
        jiff::Timestamp::from_microsecond(clamped).expect("clamped to years 1970..=9999").to_zoned(self.0.clone())
    }

    /// So many months later, on the same day, or the month's last when it has no such day. The end of time at most.
    fn months_after(&self, t: Timestamp, months: u32) -> Timestamp {
        let span = Span::new().try_months(months);
        let later = span.and_then(|span| self.at(t).checked_add(span));
        later.map_or(Timestamp::MAX, |z| Timestamp::from_micros(z.timestamp().as_microsecond()).min(Timestamp::MAX))
    }

    /// The calendar month that `t` lies in.
    pub fn month_of(&self, t: Timestamp) -> TimeRange {
        let local = self.at(t);
        let first = local.first_of_month().and_then(|z| z.start_of_day());
        let start = first.map_or(Timestamp::MIN, |z| Timestamp::from_micros(z.timestamp().as_microsecond()));
        TimeRange::new(start, self.months_after(start, 1)).unwrap_or(TimeRange::ALL)
    }
}

/// One term of a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    /// From 0.
    pub number: u32,
    pub range: TimeRange,
}

impl Term {
    /// The term with this number. Counted from the start each time, so that terms from a 31st end on a 31st where there is
    /// one.
    pub fn nth(start: Timestamp, months: u32, zone: &Zone, number: u32) -> Term {
        let begins = |n: u32| if n == 0 { start } else { zone.months_after(start, months.saturating_mul(n)) };
        let range = TimeRange::new(begins(number), begins(number.saturating_add(1)));
        Term { number, range: range.unwrap_or(TimeRange::ALL) }
    }

    /// The term that `t` lies in; the first when `t` is before it.
    pub fn at(start: Timestamp, months: u32, zone: &Zone, t: Timestamp) -> Term {
        let (from, to) = (zone.at(start), zone.at(t));
        let between = (i32::from(to.year()) - i32::from(from.year())) * 12 + i32::from(to.month()) - i32::from(from.month());
        // At most one off: within the last month the day decides.
        let guess = u32::try_from(between).unwrap_or(0) / months.max(1);
        let candidates = guess.saturating_sub(1)..=guess.saturating_add(1);
        let mut terms = candidates.map(|n| Term::nth(start, months, zone, n));
        terms.rfind(|term| term.range.start() <= t).unwrap_or_else(|| Term::nth(start, months, zone, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse(text, Timestamp::MIN).unwrap()
    }

    #[test]
    fn a_zone_is_one_that_exists() {
        for good in ["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert!(Zone::named(good).is_ok(), "{good}");
        }
        for bad in ["", "Mars/Olympus", "local", "../etc/passwd", "EST5EDT4,M3.2.0,M11.1.0", "Europe/Paris ", "é"] {
            assert!(matches!(Zone::named(bad), Err(AccountsError::Zone(_))), "{bad}");
        }
    }

    #[test]
    fn terms_are_calendar_months_of_the_zone_and_keep_their_day() {
        let paris = Zone::named("Europe/Paris").unwrap();
        let ends = |start: &str, months| [0, 1, 2].map(|n| Term::nth(moment(start), months, &paris, n).range.end().to_rfc3339(0));
        // The 31st of January in Paris, then the last of February, then a 31st again; summer time begins in between.
        let expected = ["2026-02-27T23:30:00Z", "2026-03-30T22:30:00Z", "2026-04-29T22:30:00Z"];
        assert_eq!(ends("2026-01-30T23:30:00Z", 1), expected);
        assert_eq!(ends("2024-02-29T12:00:00Z", 12), ["2025-02-28T12:00:00Z", "2026-02-28T12:00:00Z", "2027-02-28T12:00:00Z"]);
    }

    #[test]
    fn every_moment_lies_in_the_term_that_says_so() {
        for (zone, start) in
            [("UTC", "2024-01-31T00:00:00Z"), ("Pacific/Auckland", "2023-12-31T11:59:59Z"), ("America/Halifax", "1970-01-01T00:00:00Z")]
        {
            let (zone, start) = (Zone::named(zone).unwrap(), moment(start));
            for months in [1, 3, 12, 120] {
                let mut before = Term::nth(start, months, &zone, 0);
                for n in 1..60 {
                    let term = Term::nth(start, months, &zone, n);
                    assert_eq!(before.range.end(), term.range.start());
                    let edges = [term.range.start(), term.range.end().saturating_add_micros(-1)];
                    assert_eq!(edges.map(|t| Term::at(start, months, &zone, t)), [term, term]);
                    before = term;
                }
            }
            assert_eq!(Term::at(start, 1, &zone, Timestamp::MIN).number, 0);
        }
    }

    #[test]
    fn a_month_is_the_one_on_the_wall_calendar() {
        let auckland = Zone::named("Pacific/Auckland").unwrap();
        let month = auckland.month_of(moment("2026-01-31T12:00:00Z"));
        assert_eq!([month.start(), month.end()].map(|t| t.to_rfc3339(0)), ["2026-01-31T11:00:00Z", "2026-02-28T11:00:00Z"]);
    }
}
