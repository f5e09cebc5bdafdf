//! The model's calendar: months as the time library counts them, nothing of the product's.

use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use retroview::media::Timestamp;

pub const HOUR_US: i64 = 3_600_000_000;
pub const DAY_US: i64 = 24 * HOUR_US;
/// No zone that the histories use sets its clock back by more, and so what local clocks show later than this is later.
const SET_BACK_MAX_QUARTERS: i64 = 8;
/// February is that much shorter than the longest month: so many days in a row can have the same day three months ago.
const SAME_DAY_MAX: i64 = 4;

fn local(t: Timestamp, zone: &TimeZone) -> Zoned {
    jiff::Timestamp::from_microsecond(t.as_micros()).expect("a moment of this century").to_zoned(zone.clone())
}

fn moment(t: &Zoned) -> Timestamp {
    Timestamp::from_micros(t.timestamp().as_microsecond())
}

/// Where a window of so many months begins at `now`: the earliest that is ever said of it from `now` on, since what has
/// left does not come back. It steps back only when local clocks are set back, on a quarter of an hour, and at midnights
/// at the end of a month: looking at those is enough.
pub fn window_start(months: u32, zone: &TimeZone, now: Timestamp) -> Timestamp {
    let mut moments = vec![now];
    let quarter_us = HOUR_US / 4;
    let next_quarter = now.as_micros().div_euclid(quarter_us) + 1;
    moments.extend((0..SET_BACK_MAX_QUARTERS).map(|i| Timestamp::from_micros((next_quarter + i) * quarter_us)));
    let today = local(now, zone);
    if today.day() + i8::try_from(SAME_DAY_MAX).expect("small") > 28 {
        let midnights = (1..=SAME_DAY_MAX).filter_map(|days| today.checked_add(Span::new().days(days)).ok()?.start_of_day().ok());
        moments.extend(midnights.map(|midnight| moment(&midnight)));
    }
    moments.into_iter().map(|t| literally(months, zone, t)).min().expect("now is one of them")
}

/// So many months ago, and never fewer than thirty days for each.
fn literally(months: u32, zone: &TimeZone, now: Timestamp) -> Timestamp {
    let ago = local(now, zone).checked_sub(Span::new().months(months)).expect("this century");
    moment(&ago).min(now.saturating_add_micros(-i64::from(months) * 30 * DAY_US))
}

/// So many months later.
pub fn months_after(start: Timestamp, months: u32, zone: &TimeZone) -> Timestamp {
    moment(&local(start, zone).checked_add(Span::new().months(months)).expect("this century"))
}

/// For drawings and logs.
pub fn show(t: Timestamp) -> String {
    let seconds = local(t, &TimeZone::UTC).strftime("%F %T").to_string();
    let rest = t.as_micros().rem_euclid(1_000_000);
    if rest == 0 { seconds } else { format!("{seconds}+{rest}µs") }
}
