//! Shares.

use async_trait::async_trait;
use sqlx::{Row, sqlite::SqliteRow};

use super::super::{DbError, DbResult, ShareRow, ShareRows};
use super::error::{damaged, hash_bytes, json, parse, sql, unsigned};
use super::{SqliteDb, audit};
use crate::audit::Event;
use crate::media::{AccountId, TimeRange, Timestamp};

macro_rules! select_shares {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, hash, cookie_hash, streams, start_us, end_us, download, note, made_by, created_us, expires_us, revoked_us,
                    revoked_by, opens, last_used_us FROM shares ",
            $rest
        )
    };
}

#[async_trait]
impl ShareRows for SqliteDb {
    async fn add_share(&self, share: &ShareRow, account_max: u32, events: Vec<Event>) -> DbResult<()> {
        let step = "keep a share";
        let mut tx = self.write().await?;
        let good: i64 = sqlx::query_scalar("SELECT count(*) FROM shares WHERE account = ? AND revoked_us IS NULL AND expires_us > ?")
            .bind(share.account.as_str())
            .bind(share.created_at.as_micros())
            .fetch_one(&mut *tx)
            .await
            .map_err(sql(step))?;
        if good >= i64::from(account_max) {
            return Err(DbError::TooMany { what: "shares", max: u64::from(account_max) });
        }
        sqlx::query(
            "INSERT INTO shares (id, account, hash, cookie_hash, streams, start_us, end_us, download, note, made_by, created_us, expires_us)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&share.id)
        .bind(share.account.as_str())
        .bind(&share.hash[..])
        .bind(&share.cookie_hash[..])
        .bind(serde_json::json!(share.streams).to_string())
        .bind(share.range.start().as_micros())
        .bind(share.range.end().as_micros())
        .bind(share.download)
        .bind(&share.note)
        .bind(&share.made_by)
        .bind(share.created_at.as_micros())
        .bind(share.expires_at.as_micros())
        .execute(&mut *tx)
        .await
        .map_err(sql(step))?;
        for event in events {
            audit::append(&mut tx, event).await?;
        }
        tx.commit().await.map_err(sql(step))
    }

    async fn share(&self, id: &str) -> DbResult<Option<ShareRow>> {
        let row = sqlx::query(select_shares!("WHERE id = ?")).bind(id).fetch_optional(&self.readers).await;
        row.map_err(sql("read a share"))?.as_ref().map(read_share).transpose()
    }

    async fn share_by_hash(&self, hash: &[u8; 32]) -> DbResult<Option<ShareRow>> {
        let row = sqlx::query(select_shares!("WHERE hash = ?")).bind(&hash[..]).fetch_optional(&self.readers).await;
        row.map_err(sql("look up a share"))?.as_ref().map(read_share).transpose()
    }

    async fn share_by_cookie(&self, cookie_hash: &[u8; 32]) -> DbResult<Option<ShareRow>> {
        let row = sqlx::query(select_shares!("WHERE cookie_hash = ?")).bind(&cookie_hash[..]).fetch_optional(&self.readers).await;
        row.map_err(sql("look up a share"))?.as_ref().map(read_share).transpose()
    }

    async fn shares(&self, account: &AccountId, made_by: Option<&str>, before: Option<&str>, limit: u32) -> DbResult<Vec<ShareRow>> {
        let rows = sqlx::query(select_shares!(
            "WHERE account = ?1 AND (?2 IS NULL OR made_by = ?2) AND (?3 IS NULL OR n < (SELECT n FROM shares WHERE id = ?3))
             ORDER BY n DESC LIMIT ?4"
        ))
        .bind(account.as_str())
        .bind(made_by)
        .bind(before)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("list shares"))?;
        rows.iter().map(read_share).collect()
    }

    async fn revoke_share(&self, id: &str, by: &str, now: Timestamp, event: Event) -> DbResult<bool> {
        let step = "revoke a share";
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE shares SET revoked_us = ?2, revoked_by = ?3 WHERE id = ?1 AND revoked_us IS NULL")
            .bind(id)
            .bind(now.as_micros())
            .bind(by)
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut tx, event).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn count_share_opening(&self, id: &str, now: Timestamp) -> DbResult<()> {
        let step = "count the opening of a share";
        let mut tx = self.write().await?;
        sqlx::query("UPDATE shares SET opens = opens + 1, last_used_us = ?2 WHERE id = ?1")
            .bind(id)
            .bind(now.as_micros())
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        tx.commit().await.map_err(sql(step))
    }

    async fn touch_share(&self, id: &str, used_at: Timestamp) -> DbResult<()> {
        let step = "note the use of a share";
        let mut tx = self.write().await?;
        sqlx::query("UPDATE shares SET last_used_us = ?2 WHERE id = ?1")
            .bind(id)
            .bind(used_at.as_micros())
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        tx.commit().await.map_err(sql(step))
    }
}

fn read_share(row: &SqliteRow) -> DbResult<ShareRow> {
    let what = "a share";
    let time = |name: &str| row.get::<Option<i64>, _>(name).map(Timestamp);
    Ok(ShareRow {
        id: row.get("id"),
        account: parse("account", &row.get::<String, _>("account"))?,
        hash: hash_bytes(what, &row.get::<Vec<u8>, _>("hash"))?,
        cookie_hash: hash_bytes(what, &row.get::<Vec<u8>, _>("cookie_hash"))?,
        streams: json(what, &row.get::<String, _>("streams"))?,
        range: TimeRange::new(Timestamp(row.get("start_us")), Timestamp(row.get("end_us"))).map_err(|e| damaged(what, e))?,
        download: row.get("download"),
        note: row.get("note"),
        made_by: row.get("made_by"),
        created_at: Timestamp(row.get("created_us")),
        expires_at: Timestamp(row.get("expires_us")),
        revoked: Option::zip(row.get::<Option<String>, _>("revoked_by"), time("revoked_us")),
        opens: unsigned(what, row.get("opens"))?,
        last_used_at: time("last_used_us"),
    })
}
