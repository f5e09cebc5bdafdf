//! Days of storage.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::super::{DbResult, StorageChanges, StorageDay, StorageRows};
use super::SqliteDb;
use super::error::{parse, signed, sql, unsigned};
use crate::media::{AccountId, StreamId, Timestamp};

type DayRow = (i64, i64, i64, i64);

fn read_day((day, stored, added, removed): DayRow) -> DbResult<StorageDay> {
    let bytes = |n| unsigned("storage", n);
    Ok(StorageDay { day, stored_bytes: bytes(stored)?, added_bytes: bytes(added)?, removed_bytes: bytes(removed)? })
}

fn by_day(rows: Vec<(i64, i64)>) -> DbResult<BTreeMap<i64, u64>> {
    rows.into_iter().map(|(day, bytes)| Ok((day, unsigned("storage", bytes)?))).collect()
}

/// Of the account, or of everybody: a parameter that is NULL then.
fn account_text(account: Option<&AccountId>) -> Option<String> {
    account.map(|a| a.as_str().to_owned())
}

#[async_trait]
impl StorageRows for SqliteDb {
    async fn last_storage_day(&self, stream: &StreamId) -> DbResult<Option<StorageDay>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(None) };
        let row: Option<DayRow> = sqlx::query_as(
            "SELECT day, stored_bytes, added_bytes, removed_bytes FROM storage_days WHERE stream_key = ? ORDER BY day DESC LIMIT 1",
        )
        .bind(key.key)
        .fetch_optional(&self.readers)
        .await
        .map_err(sql("read days of storage"))?;
        row.map(read_day).transpose()
    }

    async fn put_storage_days(&self, stream: &StreamId, days: &[StorageDay]) -> DbResult<()> {
        let key = self.key(stream).await?.key;
        let mut tx = self.write().await?;
        for day in days {
            sqlx::query(
                "INSERT OR REPLACE INTO storage_days (stream_key, day, stored_bytes, added_bytes, removed_bytes) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(key)
            .bind(day.day)
            .bind(signed(day.stored_bytes))
            .bind(signed(day.added_bytes))
            .bind(signed(day.removed_bytes))
            .execute(&mut *tx)
            .await
            .map_err(sql("write days of storage"))?;
        }
        tx.commit().await.map_err(sql("write days of storage"))
    }

    async fn storage_changes(&self, stream: &StreamId, from_day: i64) -> DbResult<StorageChanges> {
        let Some(key) = self.find_key(stream).await? else { return Ok(StorageChanges::default()) };
        let from_us = from_day.saturating_mul(86_400_000_000);
        // What an erasure took is part of no block's footage any more; what a sweep took was counted without it.
        let added = "SELECT start_us / 86400000000 AS day, sum(bytes) FROM (
                 SELECT start_us, size_bytes - erased_bytes AS bytes FROM blocks WHERE stream_key = ?1 AND segment_count > 0 AND start_us >= ?2
                 UNION ALL SELECT start_us, size_bytes FROM swept WHERE stream_key = ?1 AND start_us >= ?2
                 UNION ALL SELECT start_us, size_bytes FROM erased WHERE stream_key = ?1 AND start_us >= ?2
             ) GROUP BY day";
        let removed = "SELECT at_us / 86400000000 AS day, sum(bytes) FROM (
                 SELECT finished_us AS at_us, size_bytes AS bytes FROM sweeps JOIN swept ON sweep = sweeps.id
                     WHERE finished_us >= ?2 AND stream_key = ?1
                 UNION ALL SELECT hidden_us, size_bytes FROM erased WHERE stream_key = ?1 AND hidden_us >= ?2
             ) GROUP BY day";
        let step = "add up days of storage";
        let ask = async |text: &'static str| {
            let rows: Vec<(i64, i64)> =
                sqlx::query_as(text).bind(key.key).bind(from_us).fetch_all(&self.readers).await.map_err(sql(step))?;
            by_day(rows)
        };
        Ok(StorageChanges { added: ask(added).await?, removed: ask(removed).await? })
    }

    async fn removed_since(&self, account: Option<&AccountId>, since: Timestamp) -> DbResult<u64> {
        let bytes: i64 = sqlx::query_scalar(
            "SELECT coalesce((SELECT sum(size_bytes) FROM sweeps JOIN swept ON sweep = sweeps.id
                              WHERE finished_us >= ?2 AND (?1 IS NULL OR account = ?1)), 0)
                  + coalesce((SELECT sum(size_bytes) FROM erasures JOIN erased ON erasure = erasures.id
                              WHERE hidden_us >= ?2 AND (?1 IS NULL OR account = ?1)), 0)",
        )
        .bind(account_text(account))
        .bind(since.as_micros())
        .fetch_one(&self.readers)
        .await
        .map_err(sql("add up what went"))?;
        unsigned("storage", bytes)
    }

    async fn storage_sums(&self, account: Option<&AccountId>, from_day: i64) -> DbResult<Vec<StorageDay>> {
        let rows: Vec<DayRow> = sqlx::query_as(
            "SELECT day, sum(stored_bytes), sum(added_bytes), sum(removed_bytes) FROM streams JOIN storage_days ON stream_key = key
             WHERE day >= ?2 AND (?1 IS NULL OR account = ?1) GROUP BY day ORDER BY day",
        )
        .bind(account_text(account))
        .bind(from_day)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("read days of storage"))?;
        rows.into_iter().map(read_day).collect()
    }

    async fn storage_added(&self, account: Option<&AccountId>, from_day: i64) -> DbResult<Vec<(StreamId, i64, u64)>> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT id, day, added_bytes FROM streams JOIN storage_days ON stream_key = key
             WHERE day >= ?2 AND (?1 IS NULL OR account = ?1) ORDER BY id, day",
        )
        .bind(account_text(account))
        .bind(from_day)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("read days of storage"))?;
        rows.into_iter().map(|(id, day, bytes)| Ok((parse("stream", &id)?, day, unsigned("storage", bytes)?))).collect()
    }
}
