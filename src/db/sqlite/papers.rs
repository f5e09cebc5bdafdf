//! Receipts and attestations.

use async_trait::async_trait;
use sqlx::{Row, sqlite::SqliteRow};

use super::super::{DbResult, NewReceipt, PaperRows, ReceiptKind, ReceiptRow};
use super::error::{damaged, parse, sql};
use super::{SqliteDb, audit};
use crate::audit::Event;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

#[async_trait]
impl PaperRows for SqliteDb {
    async fn without_receipt(&self, limit: u32) -> DbResult<Vec<(ReceiptKind, i64)>> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT kind, number FROM (
                 SELECT 'sweep' AS kind, id AS number, finished_us FROM sweeps WHERE finished_us IS NOT NULL
                 UNION ALL SELECT 'erasure', id, finished_us FROM erasures WHERE finished_us IS NOT NULL) AS done
             WHERE NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.kind = done.kind AND receipts.number = done.number)
             ORDER BY finished_us LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for missing receipts"))?;
        rows.into_iter().map(|(kind, number)| Ok((kind_of(&kind)?, number))).collect()
    }

    async fn add_receipts(&self, parts: &[NewReceipt], event: Event) -> DbResult<bool> {
        let step = "keep a receipt";
        let mut tx = self.write().await?;
        for part in parts {
            let done = sqlx::query(
                "INSERT INTO receipts (account, kind, number, part, made_us, document) VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT (kind, number, part) DO NOTHING",
            )
            .bind(part.account.as_str())
            .bind(part.kind.as_str())
            .bind(part.number)
            .bind(part.part)
            .bind(part.made_at.as_micros())
            .bind(&part.document)
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
        }
        audit::append(&mut tx, event).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn receipts(&self, account: Option<&AccountId>, before: Option<i64>, limit: u32) -> DbResult<Vec<ReceiptRow>> {
        let rows = sqlx::query(
            "SELECT id, account, kind, number, part, made_us, '' AS document FROM receipts
             WHERE (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3",
        )
        .bind(account.map(|a| a.as_str().to_owned()))
        .bind(before)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("list receipts"))?;
        rows.iter().map(read_receipt).collect()
    }

    async fn receipt(&self, id: i64) -> DbResult<Option<ReceiptRow>> {
        let row = sqlx::query("SELECT id, account, kind, number, part, made_us, document FROM receipts WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("read a receipt"))?;
        row.as_ref().map(read_receipt).transpose()
    }

    async fn add_attestation(&self, stream: &StreamId, day: &str, made_at: Timestamp, document: &str, event: Event) -> DbResult<()> {
        let step = "keep an attestation";
        let key = self.key(stream).await?.key;
        let mut tx = self.write().await?;
        sqlx::query("INSERT OR REPLACE INTO attestations (stream_key, day, made_us, document) VALUES (?, ?, ?, ?)")
            .bind(key)
            .bind(day)
            .bind(made_at.as_micros())
            .bind(document)
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        audit::append(&mut tx, event).await?;
        tx.commit().await.map_err(sql(step))
    }

    async fn attestation(&self, stream: &StreamId, day: Option<&str>) -> DbResult<Option<String>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(None) };
        sqlx::query_scalar("SELECT document FROM attestations WHERE stream_key = ?1 AND (?2 IS NULL OR day = ?2) ORDER BY day DESC LIMIT 1")
            .bind(key.key)
            .bind(day)
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("read an attestation"))
    }

    async fn swept_span(&self, stream: &StreamId, range: TimeRange) -> DbResult<Option<TimeRange>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(None) };
        let span: (Option<i64>, Option<i64>) =
            sqlx::query_as("SELECT min(start_us), max(end_us) FROM swept WHERE stream_key = ?1 AND start_us < ?3 AND end_us > ?2")
                .bind(key.key)
                .bind(range.start().as_micros())
                .bind(range.end().as_micros())
                .fetch_one(&self.readers)
                .await
                .map_err(sql("look for swept footage"))?;
        Ok(span.0.zip(span.1).and_then(|(start, end)| TimeRange::new(Timestamp(start), Timestamp(end)).ok()))
    }
}

fn kind_of(text: &str) -> DbResult<ReceiptKind> {
    match text {
        "sweep" => Ok(ReceiptKind::Sweep),
        "erasure" => Ok(ReceiptKind::Erasure),
        other => Err(damaged("a receipt", format!("of an unknown kind, `{other}`"))),
    }
}

fn read_receipt(row: &SqliteRow) -> DbResult<ReceiptRow> {
    Ok(ReceiptRow {
        id: row.get("id"),
        receipt: NewReceipt {
            account: parse("account", &row.get::<String, _>("account"))?,
            kind: kind_of(&row.get::<String, _>("kind"))?,
            number: row.get("number"),
            part: row.get("part"),
            made_at: Timestamp(row.get("made_us")),
            document: row.get("document"),
        },
    })
}
