//! What applies to a stream at a moment, gathered from the rows.

use async_trait::async_trait;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::judge::{AccountRules, Cap, Held, HeldRange, Judge, Prune};
use crate::accounts::{Accounts, AccountsError};
use crate::db::{CapRow, Db, DbError, DbResult, HoldRow};
use crate::media::{AccountId, StreamId, Timestamp};

/// Which plans accounts have.
#[async_trait]
pub trait Plans: Send + Sync {
    /// # Errors
    /// When they cannot be read. An account that nothing is known of is unlimited.
    async fn rules(&self, account: &AccountId) -> DbResult<AccountRules>;
}

/// Nothing is known: everything is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPlans;

#[async_trait]
impl Plans for NoPlans {
    async fn rules(&self, _: &AccountId) -> DbResult<AccountRules> {
        Ok(AccountRules::default())
    }
}

/// Plans as accounts bought them.
#[derive(Clone, Debug)]
pub struct AccountPlans(pub Accounts);

#[async_trait]
impl Plans for AccountPlans {
    async fn rules(&self, account: &AccountId) -> DbResult<AccountRules> {
        let known = async { Ok::<_, AccountsError>((self.0.account(account).await?, self.0.plan_history(account).await?)) };
        let (row, history) = match known.await {
            Ok(known) => known,
            Err(AccountsError::Unknown(_)) => return Ok(AccountRules::default()),
            Err(AccountsError::Db(error)) => return Err(error),
            Err(other) => return Err(DbError::Damaged { what: "an account's plans", detail: other.to_string() }),
        };
        // Months are counted in a zone; in one that this machine does not know, nothing can be given up.
        let zone = TimeZone::get(&row.zone).map_err(|e| DbError::Damaged { what: "an account's time zone", detail: e.to_string() })?;
        Ok(AccountRules { zone, history })
    }
}

/// What people decided about one stream, read once for as many moments as are asked about.
pub(super) struct Decided {
    caps: Vec<CapRow>,
    holds: Vec<HoldRow>,
}

impl Decided {
    pub(super) async fn of(db: &Db, stream: &StreamId) -> DbResult<Decided> {
        Ok(Decided { caps: db.caps(stream).await?, holds: db.holds_on(stream).await? })
    }
    /// The cap that holds, held or will hold at `t`, as far as it is known.
    pub(super) fn cap_at(&self, t: Timestamp) -> Option<Cap> {
        self.caps.iter().rev().find(|c| c.from <= t).and_then(|c| c.hours).map(|hours| Cap { hours })
    }
    /// What is held of the stream at `t`, without the hold `released`.
    pub(super) fn held_at(&self, t: Timestamp, released: Option<i64>) -> Held {
        let active = self.holds.iter().filter(|h| h.active_at(t) && Some(h.id) != released);
        Held::new(active.map(|h| HeldRange { hold: h.id, range: h.kept() }).collect())
    }
    /// For what applied or would apply at `t`.
    pub(super) fn judge_at(&self, rules: &AccountRules, t: Timestamp) -> Judge {
        Judge::at(t, rules, self.cap_at(t), self.held_at(t, None))
    }
    /// For what is about to be done: a hold counts from when it was placed, by whatever clock.
    pub(super) fn judge_now(&self, rules: &AccountRules, now: Timestamp) -> Judge {
        let kept = self.holds.iter().filter(|h| h.keeps_from(now));
        Judge::at(now, rules, self.cap_at(now), Held::new(kept.map(|h| HeldRange { hold: h.id, range: h.kept() }).collect()))
    }
}

/// See [`Decided::judge_at`].
pub(super) async fn judge_at(db: &Db, stream: &StreamId, rules: &AccountRules, t: Timestamp) -> DbResult<Judge> {
    Ok(Decided::of(db, stream).await?.judge_at(rules, t))
}

/// A decision as marks, receipts and the audit log keep it.
pub(super) fn rule_json(prune: Prune, rules: &AccountRules, judge: &Judge, now: Timestamp) -> Value {
    let mut rule = json!(prune);
    if let Some(plan) = rules.history.at(now) {
        rule["plan"] = json!(plan.plan);
        rule["plan_version"] = json!(plan.version);
    }
    rule["window_start_us"] = json!(judge.window_start().map(Timestamp::as_micros));
    rule
}
