//! Exports.

use async_trait::async_trait;
use sqlx::{Row, sqlite::SqliteRow};

use super::super::{DbError, DbResult, ExportEnd, ExportFile, ExportFormat, ExportRow, ExportRows, ExportState, NewExport};
use super::error::{damaged, json, parse, signed, sql, unsigned};
use super::{SqliteDb, audit};
use crate::audit::Event;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

macro_rules! select_exports {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, streams, start_us, end_us, format, note, made_by, created_us, state, started_us, done_bytes, total_bytes,
                    error, file_name, size_bytes, sha256, expires_us FROM exports ",
            $rest
        )
    };
}

#[async_trait]
impl ExportRows for SqliteDb {
    async fn add_export(&self, new: &NewExport, account_max: u32, event: Event) -> DbResult<()> {
        let step = "write down an export";
        let mut tx = self.write().await?;
        let to_do: i64 = sqlx::query_scalar("SELECT count(*) FROM exports WHERE state IN ('waiting', 'running') AND account = ?")
            .bind(new.account.as_str())
            .fetch_one(&mut *tx)
            .await
            .map_err(sql(step))?;
        if to_do >= i64::from(account_max) {
            return Err(DbError::TooMany { what: "exports under way", max: u64::from(account_max) });
        }
        sqlx::query(
            "INSERT INTO exports (id, account, streams, start_us, end_us, format, note, made_by, created_us, state, total_bytes)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?)",
        )
        .bind(&new.id)
        .bind(new.account.as_str())
        .bind(serde_json::json!(new.streams).to_string())
        .bind(new.range.start().as_micros())
        .bind(new.range.end().as_micros())
        .bind(new.format.as_str())
        .bind(&new.note)
        .bind(&new.made_by)
        .bind(new.created_at.as_micros())
        .bind(signed(new.total_bytes))
        .execute(&mut *tx)
        .await
        .map_err(sql(step))?;
        audit::append(&mut tx, event).await?;
        tx.commit().await.map_err(sql(step))
    }

    async fn export(&self, id: &str) -> DbResult<Option<ExportRow>> {
        let row = sqlx::query(select_exports!("WHERE id = ?")).bind(id).fetch_optional(&self.readers).await;
        row.map_err(sql("read an export"))?.as_ref().map(read_export).transpose()
    }

    async fn exports(&self, account: &AccountId, made_by: Option<&str>, before: Option<&str>, limit: u32) -> DbResult<Vec<ExportRow>> {
        let rows = sqlx::query(select_exports!(
            "WHERE account = ?1 AND (?2 IS NULL OR made_by = ?2) AND (?3 IS NULL OR n < (SELECT n FROM exports WHERE id = ?3))
             ORDER BY n DESC LIMIT ?4"
        ))
        .bind(account.as_str())
        .bind(made_by)
        .bind(before)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("list exports"))?;
        rows.iter().map(read_export).collect()
    }

    async fn begin_export(&self, now: Timestamp) -> DbResult<Option<ExportRow>> {
        let step = "begin an export";
        let waiting: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM exports WHERE state = 'waiting')")
            .fetch_one(&self.readers)
            .await
            .map_err(sql(step))?;
        // Looked for without the writer, which recording needs, as long as there is nothing to do.
        if !waiting {
            return Ok(None);
        }
        let mut tx = self.write().await?;
        let begun: Option<String> = sqlx::query_scalar(
            "UPDATE exports SET state = 'running', started_us = ?, done_bytes = 0
             WHERE n = (SELECT n FROM exports WHERE state = 'waiting' ORDER BY n LIMIT 1) RETURNING id",
        )
        .bind(now.as_micros())
        .fetch_optional(&mut *tx)
        .await
        .map_err(sql(step))?;
        tx.commit().await.map_err(sql(step))?;
        match begun {
            Some(id) => self.export(&id).await,
            None => Ok(None),
        }
    }

    async fn restart_exports(&self) -> DbResult<u64> {
        let step = "take up exports again";
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE exports SET state = 'waiting', done_bytes = 0 WHERE state = 'running'")
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        tx.commit().await.map_err(sql(step))?;
        Ok(done.rows_affected())
    }

    async fn note_export(&self, id: &str, done_bytes: u64, total_bytes: u64) -> DbResult<bool> {
        let step = "note how far an export has come";
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE exports SET done_bytes = ?2, total_bytes = ?3 WHERE id = ?1 AND state = 'running'")
            .bind(id)
            .bind(signed(done_bytes))
            .bind(signed(total_bytes))
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        tx.commit().await.map_err(sql(step))?;
        Ok(done.rows_affected() > 0)
    }

    async fn end_export(&self, id: &str, end: &ExportEnd, expires_at: Timestamp, events: Vec<Event>) -> DbResult<bool> {
        let step = "end an export";
        let (state, error, file) = match end {
            ExportEnd::Done(file) => (ExportState::Done, None, Some(file)),
            ExportEnd::Failed(why) => (ExportState::Failed, Some(why), None),
            ExportEnd::Cancelled => (ExportState::Cancelled, None, None),
        };
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE exports SET state = ?2, error = ?3, file_name = ?4, size_bytes = ?5, sha256 = ?6, expires_us = ?7,
                                done_bytes = CASE WHEN ?2 = 'done' THEN total_bytes ELSE done_bytes END
             WHERE id = ?1 AND state IN ('waiting', 'running')",
        )
        .bind(id)
        .bind(state.as_str())
        .bind(error)
        .bind(file.map(|f| &f.name))
        .bind(file.map(|f| signed(f.size_bytes)))
        .bind(file.map(|f| &f.sha256))
        .bind(expires_at.as_micros())
        .execute(&mut *tx)
        .await
        .map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        for event in events {
            audit::append(&mut tx, event).await?;
        }
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn withdraw_export(&self, id: &str, why: &str, event: Event) -> DbResult<bool> {
        let step = "take back an export";
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE exports SET state = 'failed', error = ?2, file_name = NULL, size_bytes = NULL, sha256 = NULL
             WHERE id = ?1 AND file_name IS NOT NULL",
        )
        .bind(id)
        .bind(why)
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

    async fn remove_export(&self, id: &str, event: Event) -> DbResult<bool> {
        let step = "remove an export";
        let mut tx = self.write().await?;
        let done = sqlx::query("DELETE FROM exports WHERE id = ? AND state NOT IN ('waiting', 'running')")
            .bind(id)
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

    async fn exports_due(&self, now: Timestamp, limit: u32) -> DbResult<Vec<ExportRow>> {
        let rows = sqlx::query(select_exports!("WHERE expires_us <= ? ORDER BY expires_us LIMIT ?"))
            .bind(now.as_micros())
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("look for exports whose time is up"))?;
        rows.iter().map(read_export).collect()
    }

    async fn exports_with_file(&self, after: &str, limit: u32) -> DbResult<Vec<ExportRow>> {
        let rows = sqlx::query(select_exports!("WHERE file_name IS NOT NULL AND id > ? ORDER BY id LIMIT ?"))
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("list exports with a file"))?;
        rows.iter().map(read_export).collect()
    }

    async fn export_bytes(&self, without: &str) -> DbResult<u64> {
        let sum: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(CASE WHEN state = 'running' THEN total_bytes ELSE coalesce(size_bytes, 0) END), 0) FROM exports WHERE id <> ?",
        )
        .bind(without)
        .fetch_one(&self.readers)
        .await
        .map_err(sql("add up exports"))?;
        unsigned("a sum", sum)
    }

    async fn exports_to_do(&self) -> DbResult<u64> {
        let count = sqlx::query_scalar("SELECT count(*) FROM exports WHERE state IN ('waiting', 'running')");
        let count: i64 = count.fetch_one(&self.readers).await.map_err(sql("count exports"))?;
        unsigned("a count", count)
    }

    async fn erasure_since(&self, stream: &StreamId, range: TimeRange, since: Timestamp) -> DbResult<bool> {
        let Some(key) = self.find_key(stream).await? else { return Ok(false) };
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM erasures WHERE account = ?1 AND (stream_key IS NULL OR stream_key = ?2)
                              AND start_us < ?4 AND end_us > ?3 AND asked_us >= ?5)",
        )
        .bind(key.account.as_str())
        .bind(key.key)
        .bind(range.start().as_micros())
        .bind(range.end().as_micros())
        .bind(since.as_micros())
        .fetch_one(&self.readers)
        .await
        .map_err(sql("look for erasures"))
    }
}

fn read_export(row: &SqliteRow) -> DbResult<ExportRow> {
    let what = "an export";
    let time = |name: &str| row.get::<Option<i64>, _>(name).map(Timestamp);
    let state: String = row.get("state");
    let format = match row.get::<String, _>("format").as_str() {
        "mp4" => ExportFormat::Mp4,
        "archive" => ExportFormat::Archive,
        other => return Err(damaged(what, format!("of an unknown format, `{other}`"))),
    };
    let file = match (row.get::<Option<String>, _>("file_name"), row.get::<Option<String>, _>("sha256")) {
        (Some(name), Some(sha256)) => {
            let size_bytes = unsigned(what, row.get::<Option<i64>, _>("size_bytes").unwrap_or_default())?;
            Some(ExportFile { name, size_bytes, sha256 })
        }
        _ => None,
    };
    Ok(ExportRow {
        export: NewExport {
            id: row.get("id"),
            account: parse("account", &row.get::<String, _>("account"))?,
            streams: json(what, &row.get::<String, _>("streams"))?,
            range: TimeRange::new(Timestamp(row.get("start_us")), Timestamp(row.get("end_us"))).map_err(|e| damaged(what, e))?,
            format,
            note: row.get("note"),
            made_by: row.get("made_by"),
            created_at: Timestamp(row.get("created_us")),
            total_bytes: unsigned(what, row.get("total_bytes"))?,
        },
        state: ExportState::ALL
            .into_iter()
            .find(|s| s.as_str() == state)
            .ok_or_else(|| damaged(what, format!("in an unknown state, `{state}`")))?,
        started_at: time("started_us"),
        done_bytes: unsigned(what, row.get("done_bytes"))?,
        error: row.get("error"),
        file,
        expires_at: time("expires_us"),
    })
}
