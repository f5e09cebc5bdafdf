//! Accounts, plans, subscriptions, the ledger.

use async_trait::async_trait;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::super::{
    AccountRow, AccountRows, DbError, DbResult, LedgerLine, PlanRef, PlanRow, PlanSince, SubscriptionChange, SubscriptionRow,
    WrittenRequest,
};
use super::SqliteDb;
use super::error::{damaged, json, parse, signed, sql, unsigned};
use crate::media::{AccountId, Timestamp};

macro_rules! select_accounts {
    ($rest:literal) => {
        concat!("SELECT id, name, zone, language, created_us, release_needs_second FROM accounts ", $rest)
    };
}

#[async_trait]
impl AccountRows for SqliteDb {
    async fn add_account(&self, account: &AccountRow, first: &SubscriptionChange) -> DbResult<()> {
        let step = "store an account";
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO accounts (id, name, zone, language, created_us, release_needs_second) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(account.id.as_str())
        .bind(&account.name)
        .bind(&account.zone)
        .bind(&account.language)
        .bind(account.created_at.as_micros())
        .bind(account.release_needs_second)
        .execute(&mut *tx)
        .await
        .map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Err(DbError::Exists { what: "account", id: account.id.to_string() });
        }
        let row = &first.row;
        sqlx::query(
            "INSERT INTO subscriptions (account, plan, plan_version, start_us, term_months, renews, settled_terms, version)
             VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        )
        .bind(account.id.as_str())
        .bind(&row.plan.name)
        .bind(row.plan.version)
        .bind(row.start.as_micros())
        .bind(row.term_months)
        .bind(row.renews)
        .bind(row.settled_terms)
        .execute(&mut *tx)
        .await
        .map_err(sql(step))?;
        append(&mut tx, &account.id, first).await?;
        tx.commit().await.map_err(sql(step))
    }

    async fn change_account(&self, account: &AccountRow) -> DbResult<()> {
        let step = "change an account";
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE accounts SET name = ?, zone = ?, language = ?, release_needs_second = ? WHERE id = ?")
            .bind(&account.name)
            .bind(&account.zone)
            .bind(&account.language)
            .bind(account.release_needs_second)
            .bind(account.id.as_str())
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Err(missing(&account.id));
        }
        tx.commit().await.map_err(sql(step))
    }

    async fn account(&self, id: &AccountId) -> DbResult<Option<AccountRow>> {
        let row = sqlx::query(select_accounts!("WHERE id = ?"))
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("read an account"))?;
        row.as_ref().map(read_account).transpose()
    }

    async fn accounts(&self) -> DbResult<Vec<AccountRow>> {
        let rows = sqlx::query(select_accounts!("ORDER BY id")).fetch_all(&self.readers).await.map_err(sql("list the accounts"))?;
        rows.iter().map(read_account).collect()
    }

    async fn add_plan(&self, plan: &PlanRow) -> DbResult<()> {
        let step = "store a plan";
        let mut tx = self.write().await?;
        let done = sqlx::query("INSERT INTO plans (name, version, definition, created_us) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(&plan.plan.name)
            .bind(plan.plan.version)
            .bind(&plan.definition)
            .bind(plan.created_at.as_micros())
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Err(DbError::Exists { what: "plan", id: format!("{} {}", plan.plan.name, plan.plan.version) });
        }
        tx.commit().await.map_err(sql(step))
    }

    async fn added_plans(&self) -> DbResult<Vec<PlanRow>> {
        let rows: Vec<(String, i64, String, i64)> =
            sqlx::query_as("SELECT name, version, definition, created_us FROM plans ORDER BY name, version")
                .fetch_all(&self.readers)
                .await
                .map_err(sql("list the plans"))?;
        let read = |(name, version, definition, created_us)| {
            Ok(PlanRow { plan: plan_ref(name, version)?, definition, created_at: Timestamp(created_us) })
        };
        rows.into_iter().map(read).collect()
    }

    async fn subscription(&self, account: &AccountId) -> DbResult<Option<SubscriptionRow>> {
        let mut conn = self.readers.acquire().await.map_err(sql("read a subscription"))?;
        subscription(&mut conn, account).await
    }

    async fn change_subscription(&self, change: &SubscriptionChange) -> DbResult<SubscriptionRow> {
        let step = "change a subscription";
        let row = &change.row;
        let mut tx = self.write().await?;
        let stored = subscription(&mut tx, &row.account).await?.ok_or_else(|| missing(&row.account))?;
        if stored.version != row.version {
            return Err(changed(&row.account));
        }
        let last: Option<i64> = sqlx::query_scalar("SELECT max(from_us) FROM plan_history WHERE account = ?")
            .bind(row.account.as_str())
            .fetch_one(&mut *tx)
            .await
            .map_err(sql(step))?;
        let mut before = last.map_or(Timestamp::MIN, Timestamp);
        for since in &change.history {
            if since.from < before {
                return Err(changed(&row.account));
            }
            before = since.from;
        }
        sqlx::query(
            "UPDATE subscriptions SET plan = ?, plan_version = ?, start_us = ?, term_months = ?, renews = ?, settled_terms = ?, scheduled_plan = ?,
                 scheduled_version = ?, scheduled_us = ?, version = version + 1 WHERE account = ?",
        )
        .bind(&row.plan.name)
        .bind(row.plan.version)
        .bind(row.start.as_micros())
        .bind(row.term_months)
        .bind(row.renews)
        .bind(row.settled_terms)
        .bind(row.scheduled.as_ref().map(|s| s.plan.name.as_str()))
        .bind(row.scheduled.as_ref().map(|s| s.plan.version))
        .bind(row.scheduled.as_ref().map(|s| s.from.as_micros()))
        .bind(row.account.as_str())
        .execute(&mut *tx)
        .await
        .map_err(sql(step))?;
        append(&mut tx, &row.account, change).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(SubscriptionRow { version: stored.version + 1, ..row.clone() })
    }

    async fn plan_history(&self, account: &AccountId) -> DbResult<Vec<PlanSince>> {
        let rows: Vec<(i64, String, i64)> =
            sqlx::query_as("SELECT from_us, plan, plan_version FROM plan_history WHERE account = ? ORDER BY from_us, n")
                .bind(account.as_str())
                .fetch_all(&self.readers)
                .await
                .map_err(sql("read an account's plans"))?;
        let read = |(from, name, version)| Ok(PlanSince { from: Timestamp(from), plan: plan_ref(name, version)? });
        rows.into_iter().map(read).collect()
    }

    async fn ledger(&self, account: &AccountId) -> DbResult<Vec<LedgerLine>> {
        let rows: Vec<(i64, i64, String, String, String)> =
            sqlx::query_as("SELECT at_us, amount_minor, currency, kind, details FROM ledger WHERE account = ? ORDER BY n")
                .bind(account.as_str())
                .fetch_all(&self.readers)
                .await
                .map_err(sql("read an account's ledger"))?;
        let read = |(at, amount_minor, currency, kind, details): (i64, i64, String, String, String)| {
            Ok(LedgerLine { at: Timestamp(at), amount_minor, currency, kind, details: json("ledger", &details)? })
        };
        rows.into_iter().map(read).collect()
    }

    async fn written_requests(&self, account: &AccountId) -> DbResult<Vec<WrittenRequest>> {
        let rows: Vec<(i64, String, String, String)> =
            sqlx::query_as("SELECT at_us, actor, act, words FROM written_requests WHERE account = ? ORDER BY n")
                .bind(account.as_str())
                .fetch_all(&self.readers)
                .await
                .map_err(sql("read an account's requests"))?;
        Ok(rows.into_iter().map(|(at, actor, act, words)| WrittenRequest { at: Timestamp(at), actor, act, words }).collect())
    }

    async fn used(&self, account: &AccountId, grant: &str, period: Timestamp) -> DbResult<u64> {
        let used: Option<i64> = sqlx::query_scalar("SELECT used FROM usage WHERE account = ? AND grant_key = ? AND period_us = ?")
            .bind(account.as_str())
            .bind(grant)
            .bind(period.as_micros())
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("read what is used"))?;
        unsigned("usage", used.unwrap_or(0))
    }

    async fn count_use(&self, account: &AccountId, grant: &str, period: Timestamp, limit: Option<u64>) -> DbResult<Option<u64>> {
        let step = "count a use";
        let mut tx = self.write().await?;
        let used: i64 = sqlx::query_scalar(
            "INSERT INTO usage (account, grant_key, period_us, used) VALUES (?, ?, ?, 1)
             ON CONFLICT (account, grant_key, period_us) DO UPDATE SET used = used + 1 RETURNING used",
        )
        .bind(account.as_str())
        .bind(grant)
        .bind(period.as_micros())
        .fetch_one(&mut *tx)
        .await
        .map_err(sql(step))?;
        if limit.is_some_and(|limit| used > signed(limit)) {
            // Not committed: neither counted nor recorded.
            return Ok(None);
        }
        tx.commit().await.map_err(sql(step))?;
        unsigned("usage", used).map(Some)
    }
}

/// What only ever grows: history, ledger, requests.
async fn append(conn: &mut SqliteConnection, account: &AccountId, change: &SubscriptionChange) -> DbResult<()> {
    for since in &change.history {
        sqlx::query("INSERT INTO plan_history (account, from_us, plan, plan_version) VALUES (?, ?, ?, ?)")
            .bind(account.as_str())
            .bind(since.from.as_micros())
            .bind(&since.plan.name)
            .bind(since.plan.version)
            .execute(&mut *conn)
            .await
            .map_err(sql("append to an account's plans"))?;
    }
    for line in &change.ledger {
        sqlx::query("INSERT INTO ledger (account, at_us, amount_minor, currency, kind, details) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(account.as_str())
            .bind(line.at.as_micros())
            .bind(line.amount_minor)
            .bind(&line.currency)
            .bind(&line.kind)
            .bind(line.details.to_string())
            .execute(&mut *conn)
            .await
            .map_err(sql("append to the ledger"))?;
    }
    if let Some(request) = &change.request {
        sqlx::query("INSERT INTO written_requests (account, at_us, actor, act, words) VALUES (?, ?, ?, ?, ?)")
            .bind(account.as_str())
            .bind(request.at.as_micros())
            .bind(&request.actor)
            .bind(&request.act)
            .bind(&request.words)
            .execute(&mut *conn)
            .await
            .map_err(sql("keep a request"))?;
    }
    Ok(())
}

async fn subscription(conn: &mut SqliteConnection, account: &AccountId) -> DbResult<Option<SubscriptionRow>> {
    let row = sqlx::query(
        "SELECT plan, plan_version, start_us, term_months, renews, settled_terms, scheduled_plan, scheduled_version, scheduled_us, version
         FROM subscriptions WHERE account = ?",
    )
    .bind(account.as_str())
    .fetch_optional(conn)
    .await
    .map_err(sql("read a subscription"))?;
    let Some(row) = row else { return Ok(None) };
    let scheduled = match row.get::<Option<String>, _>("scheduled_plan") {
        Some(name) => Some(PlanSince { from: Timestamp(row.get("scheduled_us")), plan: plan_ref(name, row.get("scheduled_version"))? }),
        None => None,
    };
    Ok(Some(SubscriptionRow {
        account: account.clone(),
        plan: plan_ref(row.get("plan"), row.get("plan_version"))?,
        start: Timestamp(row.get("start_us")),
        term_months: u32::try_from(row.get::<i64, _>("term_months")).map_err(|e| damaged("subscription", e))?,
        renews: row.get("renews"),
        settled_terms: u32::try_from(row.get::<i64, _>("settled_terms")).map_err(|e| damaged("subscription", e))?,
        scheduled,
        version: unsigned("subscription", row.get("version"))?,
    }))
}

fn read_account(row: &SqliteRow) -> DbResult<AccountRow> {
    Ok(AccountRow {
        id: parse("account", &row.get::<String, _>("id"))?,
        name: row.get("name"),
        zone: row.get("zone"),
        language: row.get("language"),
        created_at: Timestamp(row.get("created_us")),
        release_needs_second: row.get("release_needs_second"),
    })
}

fn plan_ref(name: String, version: i64) -> DbResult<PlanRef> {
    Ok(PlanRef { name, version: u32::try_from(version).map_err(|e| damaged("plan", e))? })
}

fn missing(account: &AccountId) -> DbError {
    DbError::Missing { what: "account", id: account.to_string() }
}

fn changed(account: &AccountId) -> DbError {
    DbError::Changed { what: "subscription of", id: account.to_string() }
}
