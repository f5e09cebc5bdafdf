//! What pages about retention show: what leaves next, what the next run would do, what of the promised window is there.

use std::collections::BTreeMap;

use serde::Serialize;

use super::attest::{known_window, spans_of, tally_of};
use super::forecast::{Amount, leaving_by};
use super::judge::{AccountRules, Held, Judge, leaves_at};
use super::rules::{AccountPlans, Decided, Plans};
use super::window_start::DAY_US;
use super::{Retention, RetentionResult};
use crate::db::{StreamRow, StreamTotals};
use crate::media::{AccountId, GapCause, StreamId, TimeRange, Timestamp};

/// What of one stream leaves its window next.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
pub struct StreamExpiry {
    #[schema(value_type = String)]
    pub stream: StreamId,
    /// When the oldest footage that is served leaves; null: never, as far as is decided.
    pub next_leaves_us: Option<i64>,
    /// What leaves within each day of the answer, in their order. Holds keep what they touch of it.
    pub days: Vec<Amount>,
}

/// What leaves within the next days.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
pub struct Expiry {
    #[schema(value_type = String)]
    pub account: AccountId,
    pub now_us: i64,
    /// Ends of the days: 24 hours from now, and so on.
    pub day_ends_us: Vec<i64>,
    /// Those of which something leaves, the soonest first.
    pub streams: Vec<StreamExpiry>,
}

/// What the next run would do with one account, if nothing stopped it.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
pub struct AccountAhead {
    #[schema(value_type = String)]
    pub account: AccountId,
    /// Would be given up, and deleted after the grace.
    pub gives_up: Amount,
    /// The streams of it.
    #[schema(value_type = BTreeMap<String, Amount>)]
    pub streams: BTreeMap<StreamId, Amount>,
    /// Given up before: the grace of all this is over or not; `deletes` is what is due now.
    pub marked: Amount,
    /// Would be deleted for good, as far as no hold or longer window keeps it after all.
    pub deletes: Amount,
}

/// What the next run would do, if nothing stopped it.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RetentionAhead)]
pub struct Ahead {
    /// Those with something to give up or to delete.
    pub accounts: Vec<AccountAhead>,
    pub gives_up: Amount,
    pub deletes: Amount,
}

/// What of one stream's promised window is there.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
pub struct StreamKept {
    #[schema(value_type = String)]
    pub stream: StreamId,
    pub removed: bool,
    /// What is promised begins here; null: everything is kept.
    pub window_start_us: Option<i64>,
    /// From here on every moment has to be accounted for: the window's start, or the first that was ever recorded; null: nothing was.
    pub known_from_us: Option<i64>,
    /// Of it there is footage.
    pub present_us: i64,
    /// Of it lies in gaps, by cause.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub gaps_us: BTreeMap<&'static str, i64>,
    /// Given up under what applied then, before the window became longer.
    pub pruned_us: i64,
    /// Neither footage nor a gap with a cause: should be 0.
    pub unexplained_us: i64,
    /// The answer's range in equal parts: how much of each is there, in per mille.
    pub present: Vec<u16>,
    /// The cause that takes most of each part that is not all there; null: none is known.
    #[schema(value_type = Vec<Option<GapCause>>)]
    pub causes: Vec<Option<GapCause>>,
}

/// Promised windows against what is there, one page of an account's streams.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RetentionKept)]
pub struct Kept {
    #[schema(value_type = String)]
    pub account: AccountId,
    /// The range that `present` divides: the same for all streams of the answer.
    pub start_us: i64,
    pub end_us: i64,
    pub streams: Vec<StreamKept>,
    /// For `after`; null: there are no more.
    #[schema(value_type = Option<String>)]
    pub next: Option<StreamId>,
}

/// Which part of an account's streams, and how fine.
#[derive(Clone, Debug)]
pub struct KeptQuery {
    pub after: Option<StreamId>,
    /// Streams in the answer.
    pub limit: usize,
    pub parts: usize,
    /// Only this stream.
    pub stream: Option<StreamId>,
}

impl Retention {
    async fn streams_with_totals(&self, account: &AccountId) -> RetentionResult<Vec<(StreamRow, StreamTotals)>> {
        let mut totals = self.db().all_totals().await?;
        let rows = self.streams_of(account).await?.into_iter();
        Ok(rows.map(|row| (totals.remove(&row.id).unwrap_or_default(), row)).map(|(totals, row)| (row, totals)).collect())
    }

    /// What leaves the windows of the account's streams within so many days.
    ///
    /// # Errors
    /// An account that does not exist; the database does not answer.
    pub async fn expiry(&self, account: &AccountId, days: i64, now: Timestamp) -> RetentionResult<Expiry> {
        self.accounts.account(account).await?;
        let rules = AccountPlans(self.accounts.clone()).rules(account).await?;
        let ends: Vec<Timestamp> = (1..=days).map(|n| now.saturating_add_micros(n * DAY_US)).collect();
        let mut streams = Vec::new();
        for (row, totals) in self.streams_with_totals(account).await? {
            let decided = Decided::of(self.db(), &row.id).await?;
            let starts: Vec<Option<Timestamp>> =
                std::iter::once(&now).chain(&ends).map(|t| window_start_at(&rules, &decided, *t)).collect();
            let last = starts.last().copied().flatten();
            // Most streams of an account that is not full yet are over here, without a look at their blocks.
            if totals.first_start.is_none() || last.is_none_or(|last| totals.first_start >= Some(last)) {
                continue;
            }
            let days = self.leaving_between(&row.id, &starts).await?;
            if days.iter().any(|amount| amount.blocks > 0) {
                let next_leaves_us = self.next_leaves(&row.id, starts[0], &rules, &decided, now).await?.map(Timestamp::as_micros);
                streams.push(StreamExpiry { stream: row.id, next_leaves_us, days });
            }
        }
        streams.sort_by_key(|s| s.next_leaves_us.unwrap_or(i64::MAX));
        Ok(Expiry {
            account: account.clone(),
            now_us: now.as_micros(),
            day_ends_us: ends.into_iter().map(Timestamp::as_micros).collect(),
            streams,
        })
    }

    async fn leaving_between(&self, stream: &StreamId, starts: &[Option<Timestamp>]) -> RetentionResult<Vec<Amount>> {
        let mut days = Vec::new();
        for pair in starts.windows(2) {
            let (from, until) = (pair[0].unwrap_or(Timestamp::MIN), pair[1]);
            let range = until.and_then(|until| TimeRange::new(from, until).ok());
            days.push(match range {
                // What ends in it leaves in it.
                Some(range) => Amount::from(self.db().sum_blocks(stream, range, range.end()).await?),
                None => Amount::default(),
            });
        }
        Ok(days)
    }

    async fn next_leaves(
        &self,
        stream: &StreamId,
        window_start: Option<Timestamp>,
        rules: &AccountRules,
        decided: &Decided,
        now: Timestamp,
    ) -> RetentionResult<Option<Timestamp>> {
        let from = window_start.unwrap_or(Timestamp::MIN);
        let Ok(served) = TimeRange::new(from, Timestamp::MAX) else { return Ok(None) };
        let first = self.db().blocks_in(stream, served, 2).await?.into_iter().find(|b| b.end() > from);
        Ok(first.and_then(|block| leaves_at(block.end(), now, rules, decided.cap_at(now))))
    }

    /// What the next run would do, whatever stops it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ahead(&self, now: Timestamp) -> RetentionResult<Ahead> {
        let mut ahead = Ahead { accounts: Vec::new(), gives_up: Amount::default(), deletes: Amount::default() };
        let totals = self.db().all_totals().await?;
        let mut stored: BTreeMap<AccountId, Vec<StreamId>> = BTreeMap::new();
        for row in self.db().streams(true).await? {
            if totals.get(&row.id).is_some_and(|t| t.blocks > 0) {
                stored.entry(row.account).or_default().push(row.id);
            }
        }
        for (account, streams) in stored {
            let of_account = self.account_ahead(account, streams, now).await?;
            ahead.gives_up += of_account.gives_up;
            ahead.deletes += of_account.deletes;
            if of_account.gives_up.blocks + of_account.deletes.blocks > 0 {
                ahead.accounts.push(of_account);
            }
        }
        Ok(ahead)
    }

    async fn account_ahead(&self, account: AccountId, stored: Vec<StreamId>, now: Timestamp) -> RetentionResult<AccountAhead> {
        let rules = AccountPlans(self.accounts.clone()).rules(&account).await?;
        let (mut gives_up, mut marked, mut deletes) = (Amount::default(), Amount::default(), Amount::default());
        let mut streams = BTreeMap::new();
        for stream in stored {
            let judge = Decided::of(self.db(), &stream).await?.judge_at(&rules, now);
            let amount = leaving_by(self.db(), &stream, &judge).await?;
            marked += self.db().marked_sums(&stream).await?.0.into();
            deletes += self.db().due_sums(&stream, now).await?.into();
            if amount.blocks > 0 {
                gives_up += amount;
                streams.insert(stream, amount);
            }
        }
        Ok(AccountAhead { account, gives_up, streams, marked, deletes })
    }

    /// Promised windows against what is there.
    ///
    /// # Errors
    /// An account or stream that does not exist; the database does not answer.
    pub async fn kept(&self, account: &AccountId, query: &KeptQuery, now: Timestamp) -> RetentionResult<Kept> {
        self.accounts.account(account).await?;
        if let Some(stream) = &query.stream {
            let row = self.stream(stream).await?;
            if row.account != *account {
                return Err(super::RetentionError::UnknownStream(stream.clone()));
            }
        }
        let rules = AccountPlans(self.accounts.clone()).rules(account).await?;
        let all =
            self.streams_with_totals(account).await?.into_iter().filter(|(row, _)| query.stream.as_ref().is_none_or(|s| *s == row.id));
        let mut rest: Vec<(StreamRow, StreamTotals)> =
            all.filter(|(row, _)| query.after.as_ref().is_none_or(|after| row.id > *after)).collect();
        rest.sort_by(|a, b| a.0.id.cmp(&b.0.id));
        let more = rest.len() > query.limit;
        rest.truncate(query.limit);
        let mut decided = Vec::new();
        for (row, _) in &rest {
            decided.push(Decided::of(self.db(), &row.id).await?);
        }
        let starts = rest.iter().zip(&decided).map(|((_, totals), decided)| window_start_at(&rules, decided, now).or(totals.first_start));
        let start = starts.flatten().min().unwrap_or(now.saturating_add_micros(-DAY_US)).min(now.saturating_add_micros(-1));
        let range = TimeRange::new(start, now).expect("it begins before now");
        let next = rest.last().map(|(row, _)| row.id.clone()).filter(|_| more);
        let mut streams = Vec::new();
        for ((row, _), decided) in rest.into_iter().zip(decided) {
            streams.push(self.stream_kept(row, &rules, &decided, range, query.parts).await?);
        }
        Ok(Kept { account: account.clone(), start_us: start.as_micros(), end_us: now.as_micros(), streams, next })
    }

    async fn stream_kept(
        &self,
        row: StreamRow,
        rules: &AccountRules,
        decided: &Decided,
        range: TimeRange,
        parts: usize,
    ) -> RetentionResult<StreamKept> {
        let now = range.end();
        let known = known_window(self.db(), &row.id, rules, now).await?;
        let tally = match known {
            Some(known) => tally_of(self.db(), &row.id, rules, known).await?,
            None => super::attest::Tally::default(),
        };
        let promised = window_start_at(rules, decided, now);
        let shown = TimeRange::new(promised.map_or(range.start(), |p| p.max(range.start())), now).ok();
        let spans = match shown {
            Some(shown) => spans_of(self.db(), &row.id, shown).await?,
            None => Vec::new(),
        };
        let (present, causes) = divided(range, parts, &spans);
        Ok(StreamKept {
            stream: row.id,
            removed: row.removed_at.is_some(),
            window_start_us: promised.map(Timestamp::as_micros),
            known_from_us: known.map(|known| known.start().as_micros()),
            present_us: tally.present_us,
            gaps_us: tally.gaps_us,
            pruned_us: tally.pruned_us,
            unexplained_us: tally.unexplained_us,
            present,
            causes,
        })
    }
}

fn window_start_at(rules: &AccountRules, decided: &Decided, t: Timestamp) -> Option<Timestamp> {
    Judge::at(t, rules, decided.cap_at(t), Held::default()).window_start()
}

/// Footage (`None`) and gaps, in equal parts of the range: how much of each is footage, in per mille, and what takes most of the rest.
fn divided(range: TimeRange, parts: usize, spans: &[(TimeRange, Option<GapCause>)]) -> (Vec<u16>, Vec<Option<GapCause>>) {
    let parts = parts.max(1);
    let edge = |i: usize| {
        let us = i128::from(range.micros()) * i as i128 / parts as i128;
        range.start().saturating_add_micros(i64::try_from(us).unwrap_or(i64::MAX))
    };
    let mut present_us = vec![0i64; parts];
    let mut gaps_us: Vec<BTreeMap<u8, i64>> = vec![BTreeMap::new(); parts];
    for (span, cause) in spans {
        let Some(span) = span.intersection(range) else { continue };
        let part_of = |t: Timestamp| {
            let us = i128::from(t.micros_since(range.start())) * parts as i128 / i128::from(range.micros());
            usize::try_from(us).unwrap_or(0).min(parts - 1)
        };
        for part in part_of(span.start())..=part_of(span.end().saturating_add_micros(-1)) {
            let Some(here) = TimeRange::new(edge(part), edge(part + 1)).ok().and_then(|p| p.intersection(span)) else { continue };
            match cause {
                None => present_us[part] += here.micros(),
                Some(cause) => *gaps_us[part].entry(cause.code()).or_default() += here.micros(),
            }
        }
    }
    let length = |part: usize| edge(part + 1).micros_since(edge(part)).max(1);
    // A part that lacks a moment is not all there: it is rounded down.
    let present: Vec<u16> = (0..parts).map(|i| u16::try_from(present_us[i].min(length(i)) * 1000 / length(i)).unwrap_or(1000)).collect();
    let most = |gaps: &BTreeMap<u8, i64>| gaps.iter().max_by_key(|(_, us)| **us).map(|(code, _)| GapCause::from_code(*code));
    let causes = present.iter().zip(&gaps_us).map(|(present, gaps)| if *present == 1000 { None } else { most(gaps) }).collect();
    (present, causes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(a: i64, b: i64) -> TimeRange {
        TimeRange::new(Timestamp::from_secs(a), Timestamp::from_secs(b)).unwrap()
    }

    #[test]
    fn parts_say_how_much_is_there_and_what_is_missing_most() {
        let spans = [
            (range(0, 15), None),
            (range(15, 18), Some(GapCause::Paused)),
            (range(18, 24), Some(GapCause::DiskFull)),
            (range(24, 60), None),
        ];
        let (present, causes) = divided(range(-10, 40), 5, &spans);
        assert_eq!(present, [0, 1000, 500, 600, 1000]);
        assert_eq!(causes, [None, None, Some(GapCause::Paused), Some(GapCause::DiskFull), None]);
        assert_eq!(divided(range(0, 1), 3, &[]).0, [0, 0, 0]);
        // An hour in years: no part is lost to rounding.
        let (present, _) = divided(range(0, 1000), 7, &[(range(0, 1000), None)]);
        assert_eq!(present, [1000; 7]);
    }
}
