//! How much is stored, day by day: what was, and what will be if everything goes on as it does.
//!
//! A day (UTC) is written down once it is over, by [`Retention::settle_storage`]. The first time, days before are worked out from the
//! rows of blocks, those that are gone included; from then on each day goes on from the one before, so that imports of old footage
//! count on the day they came.
//!
//! The forecast takes for each stream the mean of what its last days added, and lets go what its window passes over, a grace later.
//! Holds are left out of it: nobody knows when they are released.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::{AccountRules, Held, Judge};
use super::rules::{AccountPlans, Decided, Plans};
use super::window_start::DAY_US;
use super::{Retention, RetentionResult};
use crate::db::{StorageChanges, StorageDay, StreamRow, StreamTotals};
use crate::media::{AccountId, StreamId, Timestamp};

/// Days that are worked out from rows at first, and that can be asked for: two years and a bit.
pub const DAYS_MAX: i64 = 800;
/// A month of weekends and holidays; what a stream did before tells little about what it will do.
const MEAN_DAYS: i64 = 28;
/// How far ahead. A quarter is how long disks take to be ordered; errors add up beyond it.
const AHEAD_DAYS: i64 = 90;
/// Of a stream's first day so much must have passed before it says anything about the next.
const FIRST_DAY_MIN_US: i64 = 600_000_000;

/// One day (UTC).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StorageDay)]
pub struct DayOfStorage {
    #[schema(example = "2026-11-01")]
    pub day: String,
    /// At its end; of today: now.
    pub stored_bytes: u64,
    pub added_bytes: u64,
    /// Swept and erased.
    pub removed_bytes: u64,
}

/// What one stream takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StreamStorage)]
pub struct StreamStorage {
    #[schema(value_type = String)]
    pub stream: StreamId,
    pub stored_bytes: u64,
    /// The mean of its last days, at most 28; 0 while it is paused.
    pub bytes_per_day: u64,
}

/// What will be stored at the end of a day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StorageForecastDay)]
pub struct DayAhead {
    #[schema(example = "2026-12-01")]
    pub day: String,
    pub stored_bytes: u64,
}

/// What is stored of an account, or of the whole installation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Storage {
    /// The last is today, as far as it has come.
    pub days: Vec<DayOfStorage>,
    /// Those of which something is stored or comes, the largest first.
    pub streams: Vec<StreamStorage>,
    /// From tomorrow on, 90 days; empty while nothing is known of a pace.
    pub forecast: Vec<DayAhead>,
}

/// A stream's part in the forecast.
struct Pace {
    stored: u64,
    per_day: u64,
    /// What its footage of each day takes.
    added: BTreeMap<i64, u64>,
    /// For each day from today on: footage of days before this one is deleted by its end. `None`: everything stays.
    deleted_before: Vec<Option<i64>>,
}

fn day_of(t: Timestamp) -> i64 {
    t.as_micros().div_euclid(DAY_US)
}

fn start_of(day: i64) -> Timestamp {
    Timestamp::from_micros(day.saturating_mul(DAY_US))
}

fn name_of(day: i64) -> String {
    start_of(day).to_rfc3339(0)[..10].to_owned()
}

impl Retention {
    /// Writes down the days that are over and not written down yet. Gives the number of streams that had some.
    ///
    /// # Errors
    /// The database does not answer. Streams that were written down stay so.
    pub async fn settle_storage(&self, now: Timestamp) -> RetentionResult<u64> {
        let (today, mut settled) = (day_of(now), 0);
        for row in self.db().streams(true).await? {
            let last = self.db().last_storage_day(&row.id).await?;
            let from = last.map_or(today - DAYS_MAX, |last| last.day + 1);
            if from >= today {
                continue;
            }
            let changes = self.db().storage_changes(&row.id, from).await?;
            let stored = self.db().totals(&row.id).await?.bytes;
            let days = days_over(last, &changes, stored, from, today);
            if !days.is_empty() {
                self.db().put_storage_days(&row.id, &days).await?;
                settled += 1;
            }
        }
        Ok(settled)
    }

    /// Of one account, or of everybody.
    ///
    /// # Errors
    /// An account that does not exist; the database does not answer.
    pub async fn storage(&self, account: Option<&AccountId>, days: i64, now: Timestamp) -> RetentionResult<Storage> {
        if let Some(account) = account {
            self.accounts.account(account).await?;
        }
        let today = day_of(now);
        let mut totals = self.db().all_totals().await?;
        let mut streams: Vec<(StreamRow, StreamTotals)> = Vec::new();
        for row in self.db().streams(true).await?.into_iter().filter(|row| account.is_none_or(|a| row.account == *a)) {
            let totals = totals.remove(&row.id).unwrap_or_default();
            streams.push((row, totals));
        }
        let paces = self.paces(account, &streams, now).await?;
        let stored: u64 = paces.iter().map(|p| p.stored).sum();
        let mut history = self.db().storage_sums(account, today - days.clamp(1, DAYS_MAX)).await?;
        let removed = self.db().removed_since(account, start_of(today)).await?;
        let yesterday = history.last().map_or(0, |d| d.stored_bytes);
        history.push(StorageDay {
            day: today,
            stored_bytes: stored,
            added_bytes: (stored + removed).saturating_sub(yesterday),
            removed_bytes: removed,
        });
        let mut of_streams: Vec<StreamStorage> = streams
            .into_iter()
            .zip(&paces)
            .map(|((row, _), pace)| StreamStorage { stream: row.id, stored_bytes: pace.stored, bytes_per_day: pace.per_day })
            .filter(|s| s.stored_bytes > 0 || s.bytes_per_day > 0)
            .collect();
        of_streams.sort_by_key(|s| std::cmp::Reverse((s.stored_bytes, s.bytes_per_day)));
        Ok(Storage { days: history.into_iter().map(shown).collect(), streams: of_streams, forecast: forecast(&paces, today) })
    }

    async fn paces(
        &self,
        account: Option<&AccountId>,
        streams: &[(StreamRow, StreamTotals)],
        now: Timestamp,
    ) -> RetentionResult<Vec<Pace>> {
        let mut rules: BTreeMap<AccountId, (AccountRules, Vec<Option<i64>>)> = BTreeMap::new();
        for (row, _) in streams {
            if !rules.contains_key(&row.account) {
                let of_account = AccountPlans(self.accounts.clone()).rules(&row.account).await?;
                let deleted = self.deleted_before(&of_account, None, now);
                rules.insert(row.account.clone(), (of_account, deleted));
            }
        }
        let today = day_of(now);
        // Nothing older can be deleted during the forecast that is not deleted by now.
        let oldest = rules.values().filter_map(|(_, deleted)| deleted.first().copied().flatten()).min();
        let from = oldest.unwrap_or(today).min(today - MEAN_DAYS).max(today - DAYS_MAX);
        let mut added: BTreeMap<StreamId, BTreeMap<i64, u64>> = BTreeMap::new();
        for (stream, day, bytes) in self.db().storage_added(account, from).await? {
            added.entry(stream).or_default().insert(day, bytes);
        }
        let mut paces = Vec::new();
        for (row, totals) in streams {
            let added = added.remove(&row.id).unwrap_or_default();
            let (of_account, deleted) = &rules[&row.account];
            let decided = Decided::of(self.db(), &row.id).await?;
            let deleted_before = match decided.cap_at(now) {
                Some(_) => self.deleted_before(of_account, Some(&decided), now),
                None => deleted.clone(),
            };
            let idle = row.paused || row.removed_at.is_some();
            let per_day = if idle { 0 } else { per_day(&added, totals, now) };
            paces.push(Pace { stored: totals.bytes, per_day, added, deleted_before });
        }
        Ok(paces)
    }

    fn deleted_before(&self, rules: &AccountRules, decided: Option<&Decided>, now: Timestamp) -> Vec<Option<i64>> {
        let grace_us = i64::try_from(self.settings.grace.as_micros()).unwrap_or(i64::MAX);
        let cap = decided.and_then(|d| d.cap_at(now));
        let at = |ahead: i64| {
            let then = if ahead == 0 { now } else { start_of(day_of(now) + ahead + 1) };
            let judge = Judge::at(then.saturating_add_micros(-grace_us), rules, cap, Held::default());
            judge.window_start().map(day_of)
        };
        (0..=AHEAD_DAYS).map(at).collect()
    }
}

fn shown(day: StorageDay) -> DayOfStorage {
    let StorageDay { day, stored_bytes, added_bytes, removed_bytes } = day;
    DayOfStorage { day: name_of(day), stored_bytes, added_bytes, removed_bytes }
}

/// The days `from..today`, told from the end: what is stored now less what came since, plus what went since.
fn days_over(last: Option<StorageDay>, changes: &StorageChanges, stored_now: u64, from: i64, today: i64) -> Vec<StorageDay> {
    let of = |map: &BTreeMap<i64, u64>, day: i64| map.get(&day).copied().unwrap_or(0);
    let mut stored = stored_now;
    let mut ends = BTreeMap::new();
    for day in (from..today).rev() {
        stored = (stored + of(&changes.removed, day + 1)).saturating_sub(of(&changes.added, day + 1));
        ends.insert(day, stored);
    }
    let mut before = last.map(|last| last.stored_bytes);
    let mut days = Vec::new();
    for (day, stored_bytes) in ends {
        let removed_bytes = of(&changes.removed, day);
        let added_bytes = match before {
            Some(before) => (stored_bytes + removed_bytes).saturating_sub(before),
            None => of(&changes.added, day),
        };
        before = Some(stored_bytes);
        days.push(StorageDay { day, stored_bytes, added_bytes, removed_bytes });
    }
    // A stream of which nothing was stored needs no row to say so.
    days.retain(|d| d.stored_bytes + d.added_bytes + d.removed_bytes > 0);
    days
}

/// The mean of the last days that are over; of a stream's first day, what it comes to.
fn per_day(added: &BTreeMap<i64, u64>, totals: &StreamTotals, now: Timestamp) -> u64 {
    let today = day_of(now);
    let recent = added.range(today - MEAN_DAYS..today);
    let Some((first, _)) = recent.clone().next() else {
        let Some(first) = totals.first_start else { return 0 };
        let passed = now.micros_since(first);
        let scaled = u128::from(totals.bytes) * DAY_US as u128 / passed.max(1).unsigned_abs() as u128;
        return if (FIRST_DAY_MIN_US..=2 * DAY_US).contains(&passed) { u64::try_from(scaled).unwrap_or(u64::MAX) } else { 0 };
    };
    recent.map(|(_, bytes)| bytes).sum::<u64>() / (today - first).max(1).unsigned_abs()
}

fn forecast(paces: &[Pace], today: i64) -> Vec<DayAhead> {
    if paces.iter().all(|p| p.per_day == 0 && p.added.is_empty()) {
        return Vec::new();
    }
    let mut sums = vec![0u64; usize::try_from(AHEAD_DAYS).expect("it is positive")];
    for pace in paces {
        for (sum, stored) in sums.iter_mut().zip(pace.ahead(today)) {
            *sum = sum.saturating_add(stored);
        }
    }
    sums.into_iter().zip(today + 1..).map(|(stored_bytes, day)| DayAhead { day: name_of(day), stored_bytes }).collect()
}

impl Pace {
    /// What is stored at the end of tomorrow, and so on.
    fn ahead(&self, today: i64) -> impl Iterator<Item = u64> {
        let mut stored = self.stored;
        self.deleted_before.windows(2).map(move |pair| {
            let going = match (pair[0], pair[1]) {
                (Some(from), Some(until)) => (from..until).map(|day| self.footage_of(day, today)).sum(),
                _ => 0,
            };
            stored = stored.saturating_add(self.per_day).saturating_sub(going);
            stored
        })
    }

    fn footage_of(&self, day: i64, today: i64) -> u64 {
        if day >= today { self.per_day } else { self.added.get(&day).copied().unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(added: &[(i64, u64)], removed: &[(i64, u64)]) -> StorageChanges {
        StorageChanges { added: added.iter().copied().collect(), removed: removed.iter().copied().collect() }
    }
    fn rows(days: &[StorageDay]) -> Vec<(i64, u64, u64, u64)> {
        days.iter().map(|d| (d.day, d.stored_bytes, d.added_bytes, d.removed_bytes)).collect()
    }

    #[test]
    fn days_before_the_first_are_told_from_the_rows() {
        // Today is day 4: 50 came, 30 went.
        let changes = changes(&[(1, 100), (2, 60), (4, 50)], &[(3, 40), (4, 30)]);
        let days = days_over(None, &changes, 140, -10, 4);
        assert_eq!(rows(&days), [(1, 100, 100, 0), (2, 160, 60, 0), (3, 120, 0, 40)]);
    }

    #[test]
    fn old_footage_that_is_imported_counts_on_the_day_it_came() {
        let last = StorageDay { day: 2, stored_bytes: 100, ..StorageDay::default() };
        // 10 were recorded on day 3; 500 were imported, of years ago.
        let days = days_over(Some(last), &changes(&[(3, 10)], &[]), 610, 3, 4);
        assert_eq!(rows(&days), [(3, 610, 510, 0)]);
    }

    #[test]
    fn the_pace_is_the_mean_of_the_last_days() {
        let day = |n| start_of(n).saturating_add_micros(1);
        let added = BTreeMap::from([(50, 9000), (80, 100), (81, 0), (82, 200)]);
        assert_eq!(per_day(&added, &StreamTotals::default(), day(84)), 75, "four days, one of them without a row");
        let fresh = StreamTotals { first_start: Some(day(84)), bytes: 1000, ..StreamTotals::default() };
        assert_eq!(per_day(&BTreeMap::new(), &fresh, day(84).saturating_add_micros(DAY_US / 4)), 4000);
        assert_eq!(per_day(&BTreeMap::new(), &fresh, day(84).saturating_add_micros(1000)), 0, "too early to say");
    }

    #[test]
    fn what_the_window_passes_over_goes_day_by_day() {
        // Kept for three days: day by day the oldest goes, first what there is, then what the pace has added.
        let added = BTreeMap::from([(97, 10), (98, 20), (99, 30)]);
        let deleted_before = (0..=AHEAD_DAYS).map(|ahead| Some(97 + ahead)).collect();
        let pace = Pace { stored: 60, per_day: 5, added, deleted_before };
        assert_eq!(pace.ahead(100).take(5).collect::<Vec<_>>(), [55, 40, 15, 15, 15]);
        let days = forecast(&[pace], 100);
        assert_eq!((days.len(), days[0].day.as_str(), days[89].stored_bytes), (90, "1970-04-12", 15));
        let kept = Pace { stored: 60, per_day: 5, added: BTreeMap::new(), deleted_before: vec![None; 91] };
        assert_eq!(forecast(&[kept], 100)[89].stored_bytes, 60 + 90 * 5);
        assert_eq!(forecast(&[], 100), []);
    }
}
