//! What is stored of an account, what has left its window, what is held; and what a change would do.

use serde::Serialize;

use super::forecast::{Amount, WhatIf, forecast, rescued_by};
use super::judge::{AccountRules, Cap, Held, days_gained};
use super::rules::{AccountPlans, Decided, Plans};
use super::{Retention, RetentionError, RetentionResult};
use crate::db::{BlockSums, StreamRow};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp, Window};

/// One stream of an account.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StreamRetention)]
pub struct StreamOverview {
    #[schema(value_type = String)]
    pub stream: StreamId,
    pub removed: bool,
    /// What ended before is not served; null: everything is kept.
    pub window_start_us: Option<i64>,
    pub cap_hours: Option<u32>,
    pub stored: Amount,
    /// Outside the window and not marked yet: what the next run gives up, and what holds keep.
    pub outside: Amount,
    /// Given up, and deleted once the grace is over.
    pub marked: Amount,
    /// The first of it.
    pub next_due_us: Option<i64>,
    /// In blocks that a hold touches.
    pub held: Amount,
}

/// An account's footage.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RetentionOverview)]
pub struct AccountOverview {
    #[schema(value_type = String)]
    pub account: AccountId,
    pub plan: Option<String>,
    pub plan_version: Option<u32>,
    pub window: Window,
    pub zone: String,
    pub streams: Vec<StreamOverview>,
    /// All held footage of the account.
    pub held: Amount,
}

/// What shall be different, for an account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Instead of the plan: one of the catalogue, in the version sold today.
    pub plan: Option<String>,
    /// A cap on all streams that are asked about.
    pub cap_hours: Option<u32>,
    /// A hold that is not there any more.
    pub released: Option<i64>,
    /// Only this stream.
    pub stream: Option<StreamId>,
}

/// What a change would do to one stream.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
pub struct StreamForecast {
    #[schema(value_type = String)]
    pub stream: StreamId,
    /// Would be given up.
    pub leaves: Amount,
    /// Has left the window, is stored still, and would be inside again.
    pub rescued: Amount,
}

/// What a change would do.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RetentionForecast)]
pub struct Forecast {
    #[schema(value_type = String)]
    pub account: AccountId,
    /// The moment that is spoken of.
    pub then_us: i64,
    pub streams: Vec<StreamForecast>,
    pub leaves: Amount,
    pub rescued: Amount,
    /// How many days longer footage would stay; null where there is no end to it, 0 where nothing is gained.
    pub days_gained: Option<i64>,
}

impl Retention {
    /// # Errors
    /// [`RetentionError::Accounts`] for an account that does not exist.
    pub async fn overview(&self, account: &AccountId, now: Timestamp) -> RetentionResult<AccountOverview> {
        let row = self.accounts.account(account).await?;
        let rules = AccountPlans(self.accounts.clone()).rules(account).await?;
        let mut streams = Vec::new();
        for stream in self.streams_of(account).await? {
            streams.push(self.stream_overview(&stream, &rules, now).await?);
        }
        let mut held = Amount::default();
        streams.iter().for_each(|s| held += s.held);
        let plan = rules.history.at(now);
        Ok(AccountOverview {
            account: account.clone(),
            plan: plan.map(|p| p.plan.clone()),
            plan_version: plan.map(|p| p.version),
            window: rules.history.window_at(now),
            zone: row.zone,
            streams,
            held,
        })
    }

    async fn stream_overview(&self, row: &StreamRow, rules: &AccountRules, now: Timestamp) -> RetentionResult<StreamOverview> {
        let db = self.db();
        let decided = Decided::of(db, &row.id).await?;
        let judge = decided.judge_at(rules, now);
        let (marked, next_due) = db.marked_sums(&row.id).await?;
        // From sums that are kept, not from all blocks: an account may have hundreds of streams.
        let totals = db.totals(&row.id).await?;
        let duration_us = db.footage_us(&row.id).await?;
        let stored = Amount { blocks: totals.blocks, segments: totals.segments, bytes: totals.bytes, duration_us };
        let outside = match judge.window_start() {
            // What begins later does not end before.
            Some(from) => match TimeRange::new(Timestamp::MIN, from) {
                Ok(before) => db.sum_blocks(&row.id, before, from).await?,
                Err(_) => BlockSums::default(),
            },
            None => BlockSums::default(),
        };
        Ok(StreamOverview {
            stream: row.id.clone(),
            removed: row.removed_at.is_some(),
            window_start_us: judge.window_start().map(Timestamp::as_micros),
            cap_hours: decided.cap_at(now).map(|cap| cap.hours),
            stored,
            outside: Amount::from(outside).without(marked.into()),
            marked: marked.into(),
            next_due_us: next_due.map(Timestamp::as_micros),
            held: self.held_amount(&row.id, &decided.held_at(now, None)).await?,
        })
    }

    async fn held_amount(&self, stream: &StreamId, held: &Held) -> RetentionResult<Amount> {
        let mut amount = Amount::default();
        // A block that two ranges touch counts once.
        let mut counted_to = Timestamp::MIN;
        for range in held.merged() {
            let Ok(rest) = TimeRange::new(range.start().max(counted_to), range.end()) else { continue };
            let sums = self.db().sum_blocks(stream, rest, Timestamp::MAX).await?;
            counted_to = counted_to.max(sums.last_end.unwrap_or(counted_to));
            amount += sums.into();
        }
        Ok(amount)
    }

    /// What would be given up at `then` if `change` were made, and what it would rescue. Nothing is changed.
    ///
    /// # Errors
    /// An account, plan or stream that does not exist.
    pub async fn forecast(&self, account: &AccountId, then: Timestamp, change: &Change) -> RetentionResult<Forecast> {
        self.accounts.account(account).await?;
        if let Some(hold) = change.released {
            self.hold(account, hold).await?;
        }
        if change.cap_hours == Some(0) {
            return Err(RetentionError::CapHours);
        }
        let rules = AccountPlans(self.accounts.clone()).rules(account).await?;
        let window = match &change.plan {
            Some(name) => Some(self.accounts.catalogue().await?.sold(name).map_err(crate::accounts::AccountsError::from)?.window()),
            None => None,
        };
        let what_if = WhatIf { window, cap: change.cap_hours.map(|hours| Cap { hours }), released: change.released };
        let mut streams = Vec::new();
        for row in self.streams_of(account).await? {
            if change.stream.as_ref().is_some_and(|only| *only != row.id) {
                continue;
            }
            let leaves = forecast(self.db(), &row.id, &rules, then, what_if).await?;
            let rescued = rescued_by(self.db(), &row.id, &rules, then, what_if).await?;
            streams.push(StreamForecast { stream: row.id, leaves, rescued });
        }
        if let Some(only) = change.stream.as_ref().filter(|_| streams.is_empty()) {
            return Err(RetentionError::UnknownStream(only.clone()));
        }
        let (mut leaves, mut rescued) = (Amount::default(), Amount::default());
        streams.iter().for_each(|s| {
            leaves += s.leaves;
            rescued += s.rescued;
        });
        let before = rules.history.window_at(then);
        let gained = days_gained(before, window.unwrap_or(before), &rules.zone, then);
        Ok(Forecast { account: account.clone(), then_us: then.as_micros(), streams, leaves, rescued, days_gained: gained })
    }
}
