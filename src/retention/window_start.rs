//! Calendar arithmetic: where a window of whole months begins.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::media::{Timestamp, Window};

/// A month counts at least this much, so that February shortens no window.
const MONTH_DAYS_MIN: i64 = 30;
/// Year 9999: the calendar ends some hours before our last moment, and no zone may lead beyond it.
const CALENDAR_END_US: i64 = 253_370_764_800_000_000;
pub(super) const DAY_US: i64 = 86_400_000_000;

/// The moment before which nothing is kept at `now`; `None`: everything is.
///
/// `N` months back on the calendar of `zone`, same time of day, the day clamped to the month's last, and never fewer than
/// 30·N days of 24 hours. Read literally that moves back at times: on 28 to 31 May three months ago is 28 February four
/// times over, and an hour is met twice when summer time ends. Footage would leave and come back, or be gone when it should.
/// So the answer is the least of all that follow: of a repeated day or hour the last one counts.
pub fn window_start(window: Window, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let Window::Months(months) = window else { return None };
    let days = now.saturating_add_micros(-i64::from(months).saturating_mul(MONTH_DAYS_MIN * DAY_US));
    // What lies outside the calendar lies before all footage.
    let calendar = months_back(months, zone, now).unwrap_or(Timestamp::MIN);
    Some(days.min(calendar).max(Timestamp::MIN))
}

fn months_back(months: u32, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let local = least_local_from(zone, now)?;
    let index = i64::from(local.year()) * 12 + i64::from(local.month()) - 1 - i64::from(months);
    let first = Date::new(i16::try_from(index.div_euclid(12)).ok()?, i8::try_from(index.rem_euclid(12) + 1).ok()?, 1).ok()?;
    let last_day = first.days_in_month();
    let repeated = local.day() >= last_day && local.day() < local.date().days_in_month();
    let date = Date::new(first.year(), first.month(), local.day().min(last_day)).ok()?;
    // Tomorrow is the same day there, from midnight on.
    let there = if repeated { date.to_datetime(jiff::civil::Time::midnight()) } else { date.to_datetime(local.time()) };
    instant(zone, there)
}

/// The least that local clocks show at `now` or later: they are set back at times.
fn least_local_from(zone: &TimeZone, now: Timestamp) -> Option<DateTime> {
    let now = jiff::Timestamp::from_microsecond(now.as_micros().min(CALENDAR_END_US)).ok()?;
    let local = zone.to_datetime(now);
    let Some(next) = zone.following(now).next() else { return Some(local) };
    Some(local.min(next.offset().to_datetime(next.timestamp())))
}

/// When clocks showed `there`: the first time where they did twice, the moment they were set forward where never.
fn instant(zone: &TimeZone, there: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(there);
    let skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let later = ambiguous.compatible().ok()?;
    let at = if skipped { zone.preceding(later + jiff::SignedDuration::from_nanos(1)).next()?.timestamp() } else { later };
    Some(Timestamp::from_micros(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }
    fn at(zone: &TimeZone, text: &str) -> Timestamp {
        let local: DateTime = text.parse().unwrap();
        Timestamp::from_micros(zone.to_timestamp(local).unwrap().as_microsecond())
    }
    fn start(name: &str, months: u32, now: &str) -> String {
        let zone = zone(name);
        let start = window_start(Window::Months(months), &zone, at(&zone, now)).unwrap();
        jiff::Timestamp::from_microsecond(start.as_micros()).unwrap().to_zoned(zone).datetime().to_string()
    }

    #[test]
    fn months_are_counted_on_the_calendar() {
        for (zone, months, now, expected) in [
            ("UTC", 3, "2026-11-23T12:00:00", "2026-08-23T12:00:00"),
            ("UTC", 6, "2026-11-23T12:00:00", "2026-05-23T12:00:00"),
            // Over the turn of the year, and many of them.
            ("UTC", 3, "2026-01-15T08:00:00", "2025-10-15T08:00:00"),
            ("UTC", 120, "2026-01-15T08:00:00", "2016-01-15T08:00:00"),
            // Never fewer than 30·N days: February is short.
            ("UTC", 1, "2026-03-15T12:00:00", "2026-02-13T12:00:00"),
            ("UTC", 1, "2024-03-15T12:00:00", "2024-02-14T12:00:00"),
            ("UTC", 3, "2026-04-30T12:00:00", "2026-01-30T12:00:00"),
            // The day is clamped; of repeated days the last one counts.
            ("UTC", 3, "2026-05-27T18:00:00", "2026-02-26T18:00:00"),
            ("UTC", 3, "2026-05-28T18:00:00", "2026-02-27T18:00:00"),
            ("UTC", 3, "2026-05-30T18:00:00", "2026-02-28T00:00:00"),
            ("UTC", 3, "2026-05-31T18:00:00", "2026-02-28T18:00:00"),
            ("UTC", 3, "2026-06-01T00:00:00", "2026-03-01T00:00:00"),
            ("UTC", 6, "2024-08-29T18:00:00", "2024-02-29T00:00:00"),
            ("UTC", 6, "2024-08-31T18:00:00", "2024-02-29T18:00:00"),
            ("UTC", 6, "2026-12-31T18:00:00", "2026-06-30T18:00:00"),
            ("UTC", 6, "2026-12-30T18:00:00", "2026-06-30T00:00:00"),
            // The same time of day, though summer time lies between.
            ("Europe/Paris", 3, "2026-05-15T12:00:00", "2026-02-14T11:00:00"),
            ("Europe/Paris", 6, "2026-07-20T12:00:00", "2026-01-20T12:00:00"),
            ("America/New_York", 6, "2026-12-10T23:30:00", "2026-06-10T23:30:00"),
            // 02:30 was skipped on 29 March 2026: the moment the clocks went forward.
            ("Europe/Paris", 6, "2026-09-29T02:30:00", "2026-03-29T03:00:00"),
            // 02:30 came twice on 25 October 2026: the first.
            ("Europe/Paris", 6, "2027-04-25T02:30:00", "2026-10-25T02:30:00"),
        ] {
            assert_eq!(start(zone, months, now), expected, "{months} months before {now} in {zone}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_moves_nothing_back() {
        let paris = zone("Europe/Paris");
        // 00:45Z is 02:45 for the first time.
        let now: jiff::Timestamp = "2026-10-25T00:45:00Z".parse().unwrap();
        let start = window_start(Window::Months(3), &paris, Timestamp::from_micros(now.as_microsecond())).unwrap();
        assert_eq!(start, at(&paris, "2026-07-25T02:00:00"));
    }

    #[test]
    fn unlimited_has_no_start_and_a_long_window_begins_at_the_epoch() {
        let now = Timestamp::from_secs(1_777_816_800);
        assert_eq!(window_start(Window::Unlimited, &TimeZone::UTC, now), None);
        for months in [12 * 56, 12 * 3000, u32::MAX] {
            let early = window_start(Window::Months(months), &TimeZone::UTC, now).unwrap();
            assert!(early < Timestamp::from_secs(86_400 * 365), "{early}");
        }
        assert!(window_start(Window::Months(1), &TimeZone::UTC, Timestamp::MAX).unwrap() < Timestamp::MAX);
    }

    const ZONES: [&str; 9] = [
        "UTC",
        "Europe/Paris",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Africa/Casablanca",
        "America/Sao_Paulo",
        "Pacific/Kiritimati",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn the_start_never_moves_back(zone_n in 0..ZONES.len(), months in 1u32..14, from_s in 946_684_800i64..1_900_000_000, by_us in 0i64..4 * DAY_US) {
            let zone = zone(ZONES[zone_n]);
            let (a, b) = (Timestamp::from_secs(from_s), Timestamp::from_secs(from_s).saturating_add_micros(by_us));
            let start = |t| window_start(Window::Months(months), &zone, t).unwrap();
            prop_assert!(start(a) <= start(b), "{} then {}", start(a), start(b));
        }

        #[test]
        fn no_window_is_shorter_than_thirty_days_a_month_or_much_longer_than_thirty_one(
            zone_n in 0..ZONES.len(), months in 1u32..14, from_s in 946_684_800i64..1_900_000_000
        ) {
            let now = Timestamp::from_secs(from_s);
            let length = now.micros_since(window_start(Window::Months(months), &zone(ZONES[zone_n]), now).unwrap());
            prop_assert!(length >= i64::from(months) * 30 * DAY_US);
            // Three clamped days, and a day that a zone crossing the date line has or has not.
            prop_assert!(length <= (i64::from(months) * 31 + 5) * DAY_US, "{} days", length / DAY_US);
        }

        #[test]
        fn the_literal_reading_is_never_undercut(months in 1i32..14, from_s in 946_684_800i64..1_900_000_000, zone_n in 0..ZONES.len()) {
            let zone = zone(ZONES[zone_n]);
            let now = Timestamp::from_secs(from_s);
            let there = jiff::Timestamp::from_microsecond(now.as_micros()).unwrap().to_zoned(zone.clone());
            let literal = there.checked_sub(jiff::Span::new().months(months)).unwrap().timestamp().as_microsecond();
            prop_assert!(window_start(Window::Months(months.unsigned_abs()), &zone, now).unwrap().as_micros() <= literal);
        }
    }
}
