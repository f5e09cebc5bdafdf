//! Gaps inside a commit: they end where footage begins, and never overlap it or one another.

use sqlx::SqliteConnection;

use super::super::DbResult;
use super::error::sql;
use crate::media::{Gap, GapCause, TimeRange, Timestamp};

type Row = (i64, Option<i64>, i64, String);

fn read((start, end, cause, detail): Row) -> Gap {
    let cause = u8::try_from(cause).map_or(GapCause::Unknown, GapCause::from_code);
    Gap { start: Timestamp(start), end: end.map(Timestamp), cause, detail }
}

async fn last_before(conn: &mut SqliteConnection, key: i64, before: Timestamp) -> DbResult<Option<Gap>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT start_us, end_us, cause, detail FROM gaps WHERE stream_key = ? AND start_us < ? ORDER BY start_us DESC LIMIT 1",
    )
    .bind(key)
    .bind(before.as_micros())
    .fetch_optional(conn)
    .await
    .map_err(sql("look for a gap"))?;
    Ok(row.map(read))
}

async fn insert(conn: &mut SqliteConnection, key: i64, gap: &Gap) -> DbResult<()> {
    sqlx::query("INSERT INTO gaps (stream_key, start_us, end_us, cause, detail) VALUES (?, ?, ?, ?, ?)")
        .bind(key)
        .bind(gap.start.as_micros())
        .bind(gap.end.map(Timestamp::as_micros))
        .bind(i64::from(gap.cause.code()))
        .bind(&gap.detail)
        .execute(conn)
        .await
        .map_err(sql("store a gap"))?;
    Ok(())
}

async fn delete(conn: &mut SqliteConnection, key: i64, start: Timestamp) -> DbResult<()> {
    sqlx::query("DELETE FROM gaps WHERE stream_key = ? AND start_us = ?")
        .bind(key)
        .bind(start.as_micros())
        .execute(conn)
        .await
        .map_err(sql("remove a gap"))?;
    Ok(())
}

async fn set_end(conn: &mut SqliteConnection, key: i64, start: Timestamp, end: Timestamp) -> DbResult<()> {
    if end <= start {
        return delete(conn, key, start).await;
    }
    sqlx::query("UPDATE gaps SET end_us = ? WHERE stream_key = ? AND start_us = ?")
        .bind(end.as_micros())
        .bind(key)
        .bind(start.as_micros())
        .execute(conn)
        .await
        .map_err(sql("end a gap"))?;
    Ok(())
}

/// Footage now lies in `range`: what gaps say of it is no longer true.
pub(super) async fn make_way(conn: &mut SqliteConnection, key: i64, range: TimeRange) -> DbResult<()> {
    let mut before = range.end();
    // Each round removes a gap or ends: as many rounds as gaps lie in the range.
    while let Some(gap) = last_before(conn, key, before).await? {
        if gap.end.is_some_and(|end| end <= range.start()) {
            return Ok(());
        }
        set_end(conn, key, gap.start, range.start()).await?;
        if gap.end.is_none_or(|end| end > range.end()) {
            insert(conn, key, &Gap { start: range.end(), ..gap.clone() }).await?;
        }
        before = gap.start;
    }
    Ok(())
}

/// See [`super::super::IndexChange::GapOpened`].
pub(super) async fn open(conn: &mut SqliteConnection, key: i64, start: Timestamp, cause: GapCause, detail: &str) -> DbResult<()> {
    let footage_end = last_footage_end(conn, key).await?;
    let mut start = footage_end.map_or(start, |end| start.max(end));
    if let Some(last) = last_before(conn, key, Timestamp::MAX).await? {
        match last.end {
            Some(end) => start = start.max(end),
            None if start <= last.start || last.cause == cause => {
                return replace_cause(conn, key, last.start, cause, detail).await;
            }
            None => set_end(conn, key, last.start, start).await?,
        }
    }
    insert(conn, key, &Gap { start, end: None, cause, detail: detail.to_string() }).await
}

async fn replace_cause(conn: &mut SqliteConnection, key: i64, start: Timestamp, cause: GapCause, detail: &str) -> DbResult<()> {
    sqlx::query("UPDATE gaps SET cause = ?, detail = ? WHERE stream_key = ? AND start_us = ?")
        .bind(i64::from(cause.code()))
        .bind(detail)
        .bind(key)
        .bind(start.as_micros())
        .execute(conn)
        .await
        .map_err(sql("change a gap's cause"))?;
    Ok(())
}

/// See [`super::super::IndexChange::GapClosed`].
pub(super) async fn close(conn: &mut SqliteConnection, key: i64, end: Timestamp) -> DbResult<()> {
    match last_before(conn, key, Timestamp::MAX).await? {
        Some(Gap { start, end: None, .. }) => set_end(conn, key, start, end).await,
        _ => Ok(()),
    }
}

/// See [`super::super::IndexChange::GapAdded`]: fills what is neither footage nor gap yet.
pub(super) async fn add(conn: &mut SqliteConnection, key: i64, gap: &Gap) -> DbResult<()> {
    let Some(end) = gap.end else { return open(conn, key, gap.start, gap.cause, &gap.detail).await };
    let mut cursor = gap.start;
    while cursor < end {
        // Where the next thing begins that is already known, and where it ends.
        let (from, to) = next_known(conn, key, cursor).await?.unwrap_or((end, end));
        let until = from.min(end);
        if until > cursor {
            insert(conn, key, &Gap { start: cursor, end: Some(until), ..gap.clone() }).await?;
        }
        cursor = to;
    }
    Ok(())
}

/// The first footage or gap that reaches past `t`.
async fn next_known(conn: &mut SqliteConnection, key: i64, t: Timestamp) -> DbResult<Option<(Timestamp, Timestamp)>> {
    let row: Option<(i64, Option<i64>)> = sqlx::query_as(
        "SELECT start_us, end_us FROM (
             SELECT * FROM (SELECT start_us, end_us FROM extents
                 WHERE stream_key = ?1 AND start_us <= ?2 ORDER BY start_us DESC LIMIT 1)
             UNION ALL SELECT * FROM (SELECT start_us, end_us FROM extents
                 WHERE stream_key = ?1 AND start_us > ?2 ORDER BY start_us LIMIT 1)
             UNION ALL SELECT * FROM (SELECT start_us, end_us FROM gaps
                 WHERE stream_key = ?1 AND start_us <= ?2 ORDER BY start_us DESC LIMIT 1)
             UNION ALL SELECT * FROM (SELECT start_us, end_us FROM gaps
                 WHERE stream_key = ?1 AND start_us > ?2 ORDER BY start_us LIMIT 1))
         WHERE end_us IS NULL OR end_us > ?2 ORDER BY start_us LIMIT 1",
    )
    .bind(key)
    .bind(t.as_micros())
    .fetch_optional(conn)
    .await
    .map_err(sql("look for room for a gap"))?;
    Ok(row.map(|(start, end)| (Timestamp(start), end.map_or(Timestamp::MAX, Timestamp))))
}

async fn last_footage_end(conn: &mut SqliteConnection, key: i64) -> DbResult<Option<Timestamp>> {
    let end: Option<i64> = sqlx::query_scalar("SELECT end_us FROM extents WHERE stream_key = ? ORDER BY start_us DESC LIMIT 1")
        .bind(key)
        .fetch_optional(conn)
        .await
        .map_err(sql("look for the end of the footage"))?;
    Ok(end.map(Timestamp))
}

/// Gaps inside `range`, in time order.
pub(super) async fn list(readers: &sqlx::SqlitePool, key: i64, range: TimeRange, limit: u32) -> DbResult<Vec<Gap>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT start_us, end_us, cause, detail FROM gaps
         WHERE stream_key = ?1 AND start_us < ?3 AND (end_us IS NULL OR end_us > ?2)
           AND start_us >= coalesce(
               (SELECT start_us FROM gaps WHERE stream_key = ?1 AND start_us <= ?2 ORDER BY start_us DESC LIMIT 1), ?2)
         ORDER BY start_us LIMIT ?4",
    )
    .bind(key)
    .bind(range.start().as_micros())
    .bind(range.end().as_micros())
    .bind(limit)
    .fetch_all(readers)
    .await
    .map_err(sql("list gaps"))?;
    Ok(rows.into_iter().map(read).collect())
}
