//! The audit log: records, chained as they are written.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::super::{AuditQuery, AuditRows, Db, DbResult};
use super::SqliteDb;
use super::audit_search::push_filters;
use super::error::{hash_bytes, json, parse, sql, unsigned};
use crate::audit::{Chain, Event, NOTHING_BEFORE, Record};
use crate::media::{TimeRange, Timestamp};

/// An event that waits for the transaction it belongs to.
pub(super) type Pending = Option<Arc<Mutex<Option<Event>>>>;

#[async_trait]
impl AuditRows for SqliteDb {
    fn recording(&self, event: Event) -> Db {
        Arc::new(SqliteDb { pending: Some(Arc::new(Mutex::new(Some(event)))), ..self.clone() })
    }

    async fn audit(&self, event: Event) -> DbResult<Record> {
        let mut tx = self.write().await?;
        let record = append(&mut tx, event).await?;
        tx.commit().await.map_err(sql("append to the audit log"))?;
        Ok(record)
    }

    async fn audit_head(&self) -> DbResult<Chain> {
        let mut conn = self.readers.acquire().await.map_err(sql("read the end of the audit log"))?;
        head(&mut conn).await
    }

    async fn audit_records(&self, query: &AuditQuery, after: u64, limit: u32) -> DbResult<Vec<Record>> {
        let select = "SELECT n, at_us, account, actor, act, stream, start_us, end_us, details, prev, hash FROM audit WHERE n > ";
        let mut sql_text: QueryBuilder<Sqlite> = QueryBuilder::new(select);
        sql_text.push_bind(i64::try_from(after).unwrap_or(i64::MAX));
        push_filters(&mut sql_text, query);
        sql_text.push(" ORDER BY n LIMIT ").push_bind(limit);
        let rows = sql_text.build().fetch_all(&self.readers).await.map_err(sql("read the audit log"))?;
        rows.iter().map(read_record).collect()
    }

    async fn newest_audit_records(&self, query: &AuditQuery, before: u64, limit: u32) -> DbResult<Vec<Record>> {
        self.newest_records(query, before, limit).await
    }
}

/// Writes the event that waits, if one does, into this transaction.
pub(super) async fn append_pending(conn: &mut SqliteConnection, pending: &Pending) -> DbResult<()> {
    let event = pending.as_ref().and_then(|p| p.lock().unwrap_or_else(PoisonError::into_inner).take());
    match event {
        Some(event) => append(conn, event).await.map(|_| ()),
        None => Ok(()),
    }
}

/// Appends a record inside a transaction that has the write lock.
pub(super) async fn append(conn: &mut SqliteConnection, event: Event) -> DbResult<Record> {
    let before = head(conn).await?;
    let record = Record::append((before.n, before.hash), event);
    let e = &record.event;
    sqlx::query(
        "INSERT INTO audit (n, at_us, account, actor, act, stream, start_us, end_us, details, prev, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(i64::try_from(record.n).unwrap_or(i64::MAX))
    .bind(e.at.as_micros())
    .bind(e.account.as_ref().map(|a| a.as_str().to_owned()))
    .bind(&e.actor)
    .bind(&e.act)
    .bind(e.stream.as_ref().map(|s| s.as_str().to_owned()))
    .bind(e.range.map(|r| r.start().as_micros()))
    .bind(e.range.map(|r| r.end().as_micros()))
    .bind(serde_json::Value::Object(e.details.clone()).to_string())
    .bind(&record.prev[..])
    .bind(&record.hash[..])
    .execute(conn)
    .await
    .map_err(sql("append to the audit log"))?;
    Ok(record)
}

async fn head(conn: &mut SqliteConnection) -> DbResult<Chain> {
    let last: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")
        .fetch_optional(conn)
        .await
        .map_err(sql("read the end of the audit log"))?;
    match last {
        Some((n, hash)) => Ok(Chain { n: unsigned("audit record", n)?, hash: hash_bytes("audit record", &hash)? }),
        None => Ok(Chain { n: 0, hash: NOTHING_BEFORE }),
    }
}

/// Columns in the order in which every statement of this room names them.
pub(super) fn read_record(row: &SqliteRow) -> DbResult<Record> {
    let what = "audit record";
    let account: Option<&str> = row.get(2);
    let stream: Option<&str> = row.get(5);
    let range = match (row.get::<Option<i64>, _>(6), row.get::<Option<i64>, _>(7)) {
        (Some(start), Some(end)) => TimeRange::new(Timestamp(start), Timestamp(end)).ok(),
        _ => None,
    };
    Ok(Record {
        n: unsigned(what, row.get(0))?,
        event: Event {
            at: Timestamp(row.get(1)),
            account: account.map(|a| parse("account", a)).transpose()?,
            actor: row.get(3),
            act: row.get(4),
            stream: stream.map(|s| parse("stream", s)).transpose()?,
            range,
            details: json(what, row.get(8))?,
        },
        prev: hash_bytes(what, row.get(9))?,
        hash: hash_bytes(what, row.get(10))?,
    })
}
