//! Holds.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::super::{DbError, DbResult, HoldRow, HoldRows, NewHold, PlacedHold, Release};
use super::error::{damaged, parse, sql, unsigned};
use super::{SqliteDb, audit, erasures};
use crate::audit::Event;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// True of a row `blocks` that a hold active at `?1` touches.
macro_rules! block_is_held {
    () => {
        "EXISTS (SELECT 1 FROM hold_streams JOIN holds ON holds.id = hold WHERE hold_streams.stream_key = blocks.stream_key
                 AND released_us IS NULL AND (expires_us IS NULL OR expires_us > ?1)
                 AND holds.start_us - margin_before_us < blocks.end_us AND holds.end_us + margin_after_us > blocks.start_us)"
    };
}
pub(super) use block_is_held;

macro_rules! select_holds {
    ($rest:literal) => {
        concat!(
            "SELECT holds.id, account, case_name, reason, author, start_us, end_us, margin_before_us, margin_after_us, placed_us,
                    expires_us, release_asked_us, release_asked_by, released_us, released_by FROM holds ",
            $rest
        )
    };
}

#[async_trait]
impl HoldRows for SqliteDb {
    async fn place_hold(&self, new: &NewHold, now: Timestamp, event: Event) -> DbResult<PlacedHold> {
        let step = "place a hold";
        let mut tx = self.write().await?;
        let id = insert(&mut tx, new, now).await?;
        for stream in &new.streams {
            let key = self.key(stream).await?;
            if key.account != new.account {
                return Err(DbError::Missing { what: "stream", id: stream.to_string() });
            }
            if let Some(erasure) = erasures::pending_over(&mut tx, key.key, kept_of(new)).await? {
                return Err(DbError::Erasing { erasure });
            }
            sqlx::query("INSERT INTO hold_streams (stream_key, hold) VALUES (?, ?) ON CONFLICT DO NOTHING")
                .bind(key.key)
                .bind(id)
                .execute(&mut *tx)
                .await
                .map_err(sql(step))?;
        }
        let rescued = rescue(&mut tx, id, now).await?;
        let too_late: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM marks JOIN blocks ON blocks.id = block JOIN hold_streams ON hold_streams.stream_key = blocks.stream_key
             WHERE sweep IS NOT NULL AND hold = ?1 AND blocks.start_us < ?3 AND blocks.end_us > ?2",
        )
        .bind(id)
        .bind(new.range.start().saturating_add_micros(-new.margin_before_us).as_micros())
        .bind(new.range.end().saturating_add_micros(new.margin_after_us).as_micros())
        .fetch_one(&mut *tx)
        .await
        .map_err(sql(step))?;
        audit::append(&mut tx, event.with("hold", id).with("rescued", rescued).with("too_late", too_late)).await?;
        tx.commit().await.map_err(sql(step))?;
        let row = HoldRow { id, hold: new.clone(), placed_at: now, release_asked: None, released: None };
        Ok(PlacedHold { row, rescued, too_late: unsigned("a count", too_late)? })
    }

    async fn release_hold(&self, id: i64, by: &str, two_people: bool, now: Timestamp, event: Event) -> DbResult<Release> {
        let mut tx = self.write().await?;
        let row: Option<(Option<String>, Option<i64>)> = sqlx::query_as("SELECT release_asked_by, released_us FROM holds WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(sql("look up a hold"))?;
        let (asked_by, released) = row.ok_or_else(|| DbError::Missing { what: "hold", id: id.to_string() })?;
        if released.is_some() {
            return Ok(Release::WasReleased);
        }
        let (done, statement) = match asked_by {
            Some(first) if two_people && same_person(&first, by) => return Ok(Release::NeedsAnother),
            None if two_people => (Release::Asked, "UPDATE holds SET release_asked_us = ?2, release_asked_by = ?3 WHERE id = ?1"),
            _ => (Release::Released, "UPDATE holds SET released_us = ?2, released_by = ?3 WHERE id = ?1"),
        };
        sqlx::query(statement).bind(id).bind(now.as_micros()).bind(by).execute(&mut *tx).await.map_err(sql("release a hold"))?;
        audit::append(&mut tx, event.with("hold", id).with("released", done == Release::Released)).await?;
        tx.commit().await.map_err(sql("release a hold"))?;
        Ok(done)
    }

    async fn hold(&self, id: i64) -> DbResult<Option<HoldRow>> {
        let found = sqlx::query(select_holds!("WHERE holds.id = ?")).bind(id).fetch_optional(&self.readers).await;
        match found.map_err(sql("read a hold"))? {
            Some(row) => Ok(self.all_with_streams(&[row]).await?.pop()),
            None => Ok(None),
        }
    }

    async fn holds(&self, account: Option<&AccountId>, after: i64, limit: u32) -> DbResult<Vec<HoldRow>> {
        let rows = sqlx::query(select_holds!("WHERE holds.id > ?1 AND (?2 IS NULL OR account = ?2) ORDER BY holds.id LIMIT ?3"))
            .bind(after)
            .bind(account.map(|a| a.as_str().to_owned()))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("list holds"))?;
        self.all_with_streams(&rows).await
    }

    async fn holds_on(&self, stream: &StreamId) -> DbResult<Vec<HoldRow>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        let rows = sqlx::query(select_holds!("JOIN hold_streams ON hold = holds.id WHERE stream_key = ? ORDER BY holds.id"))
            .bind(key.key)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("list a stream's holds"))?;
        self.all_with_streams(&rows).await
    }
}

impl SqliteDb {
    async fn all_with_streams(&self, rows: &[SqliteRow]) -> DbResult<Vec<HoldRow>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        // One statement for all of them: a stream may have a thousand holds, and every run asks for them.
        let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
        let names: Vec<(i64, String)> = sqlx::query_as(
            "SELECT hold, streams.id FROM hold_streams JOIN streams ON key = stream_key
             WHERE hold IN (SELECT value FROM json_each(?)) ORDER BY hold, streams.id",
        )
        .bind(serde_json::json!(ids).to_string())
        .fetch_all(&self.readers)
        .await
        .map_err(sql("read the streams of holds"))?;
        let mut streams: HashMap<i64, Vec<StreamId>> = HashMap::new();
        for (hold, name) in &names {
            streams.entry(*hold).or_default().push(parse("stream", name)?);
        }
        rows.iter().map(|row| read_hold(row, streams.remove(&row.get("id")).unwrap_or_default())).collect()
    }
}

/// The range with its margins.
fn kept_of(new: &NewHold) -> TimeRange {
    let start = new.range.start().saturating_add_micros(-new.margin_before_us);
    let end = new.range.end().saturating_add_micros(new.margin_after_us);
    TimeRange::new(start, end).unwrap_or(new.range)
}

/// A name typed with another case or another space is the same name.
fn same_person(one: &str, other: &str) -> bool {
    let folded = |name: &str| name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    folded(one) == folded(other)
}

async fn insert(tx: &mut Transaction<'static, Sqlite>, new: &NewHold, now: Timestamp) -> DbResult<i64> {
    sqlx::query_scalar(
        "INSERT INTO holds (account, case_name, reason, author, start_us, end_us, margin_before_us, margin_after_us, placed_us, expires_us)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(new.account.as_str())
    .bind(&new.case)
    .bind(&new.reason)
    .bind(&new.author)
    .bind(new.range.start().as_micros())
    .bind(new.range.end().as_micros())
    .bind(new.margin_before_us)
    .bind(new.margin_after_us)
    .bind(now.as_micros())
    .bind(new.expires_at.map(Timestamp::as_micros))
    .fetch_one(&mut **tx)
    .await
    .map_err(sql("place a hold"))
}

/// Takes the marks off what is held of a new hold's streams and is not being deleted yet.
async fn rescue(conn: &mut SqliteConnection, hold: i64, now: Timestamp) -> DbResult<u64> {
    // From the marks to their blocks: a stream of years has far more blocks than marks.
    let done = sqlx::query(concat!(
        "DELETE FROM marks WHERE sweep IS NULL AND block IN (
             SELECT blocks.id FROM marks CROSS JOIN blocks ON blocks.id = block
             WHERE sweep IS NULL AND marks.stream_key IN (SELECT stream_key FROM hold_streams WHERE hold = ?2) AND ",
        block_is_held!(),
        ")"
    ))
    .bind(now.as_micros())
    .bind(hold)
    .execute(conn)
    .await
    .map_err(sql("rescue what is held"))?;
    Ok(done.rows_affected())
}

/// Takes the marks off what is held of a sweep that has just been put together: nothing of it is deleted yet.
pub(super) async fn rescue_from(conn: &mut SqliteConnection, sweep: i64, now: Timestamp) -> DbResult<u64> {
    let done = sqlx::query(concat!(
        "DELETE FROM marks WHERE block IN (SELECT blocks.id FROM marks JOIN blocks ON blocks.id = block WHERE sweep = ?2 AND ",
        block_is_held!(),
        ")"
    ))
    .bind(now.as_micros())
    .bind(sweep)
    .execute(conn)
    .await
    .map_err(sql("rescue what is held"))?;
    Ok(done.rows_affected())
}

fn read_hold(row: &SqliteRow, streams: Vec<StreamId>) -> DbResult<HoldRow> {
    let time = |name: &str| row.get::<Option<i64>, _>(name).map(Timestamp);
    let by = |name: &str, at| Option::zip(row.get::<Option<String>, _>(name), time(at));
    let range = TimeRange::new(Timestamp(row.get("start_us")), Timestamp(row.get("end_us"))).map_err(|e| damaged("a hold", e))?;
    Ok(HoldRow {
        id: row.get("id"),
        hold: NewHold {
            account: parse("account", &row.get::<String, _>("account"))?,
            streams,
            range,
            margin_before_us: row.get("margin_before_us"),
            margin_after_us: row.get("margin_after_us"),
            case: row.get("case_name"),
            reason: row.get("reason"),
            author: row.get("author"),
            expires_at: time("expires_us"),
        },
        placed_at: Timestamp(row.get("placed_us")),
        release_asked: by("release_asked_by", "release_asked_us"),
        released: by("released_by", "released_us"),
    })
}
