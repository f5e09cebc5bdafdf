//! Erasures on request.

use async_trait::async_trait;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::super::{DbError, DbResult, ErasedBlock, ErasureRow, ErasureRows, NewErasure};
use super::error::{damaged, id_bytes, parse, signed, sql, unsigned};
use super::{SqliteDb, audit, commit, gaps};
use crate::audit::Event;
use crate::media::{AccountId, BlockId, BlockInfo, Gap, GapCause, Segment, StreamId, TimeRange, Timestamp};

macro_rules! select_erasures {
    ($rest:literal) => {
        concat!(
            "SELECT erasures.id, erasures.account, streams.id AS stream, start_us, end_us, reason, asked_by, actor, asked_us, finished_us,
                    (SELECT count(*) FROM erased WHERE erasure = erasures.id) AS erased_blocks,
                    (SELECT coalesce(sum(segment_count), 0) FROM erased WHERE erasure = erasures.id) AS erased_segments,
                    (SELECT coalesce(sum(size_bytes), 0) FROM erased WHERE erasure = erasures.id) AS erased_bytes
             FROM erasures LEFT JOIN streams ON key = stream_key ",
            $rest
        )
    };
}

macro_rules! select_erased {
    ($rest:literal) => {
        concat!(
            "SELECT erasure, block, account, streams.id AS stream, start_us, end_us, whole, segment_count, size_bytes, checksum, hidden_us,
                    gone_us FROM erased JOIN streams ON key = stream_key ",
            $rest
        )
    };
}

#[async_trait]
impl ErasureRows for SqliteDb {
    async fn add_erasure(&self, new: &NewErasure, now: Timestamp, event: Event) -> DbResult<ErasureRow> {
        let step = "write down an erasure";
        let mut tx = self.write().await?;
        let streams = streams_of(&mut tx, new).await?;
        let held = holds_over(&mut tx, &streams, new.range, now).await?;
        if !held.is_empty() {
            return Err(DbError::Held { holds: held });
        }
        let stream_key = new.stream.as_ref().and(streams.first().copied());
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO erasures (account, stream_key, start_us, end_us, reason, asked_by, actor, asked_us)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(new.account.as_str())
        .bind(stream_key)
        .bind(new.range.start().as_micros())
        .bind(new.range.end().as_micros())
        .bind(&new.reason)
        .bind(&new.asked_by)
        .bind(&new.actor)
        .bind(now.as_micros())
        .fetch_one(&mut *tx)
        .await
        .map_err(sql(step))?;
        audit::append(&mut tx, event.with("erasure", id)).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(ErasureRow { id, erasure: new.clone(), asked_at: now, finished_at: None, blocks: 0, segments: 0, bytes: 0 })
    }

    async fn erasure(&self, id: i64) -> DbResult<Option<ErasureRow>> {
        let found = sqlx::query(select_erasures!("WHERE erasures.id = ?")).bind(id).fetch_optional(&self.readers).await;
        found.map_err(sql("read an erasure"))?.as_ref().map(read_erasure).transpose()
    }

    async fn erasures(&self, account: Option<&AccountId>, before: Option<i64>, limit: u32) -> DbResult<Vec<ErasureRow>> {
        let rows = sqlx::query(select_erasures!(
            "WHERE (?1 IS NULL OR erasures.account = ?1) AND (?2 IS NULL OR erasures.id < ?2) ORDER BY erasures.id DESC LIMIT ?3"
        ))
        .bind(account.map(|a| a.as_str().to_owned()))
        .bind(before)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("list erasures"))?;
        rows.iter().map(read_erasure).collect()
    }

    async fn unfinished_erasures(&self, limit: u32) -> DbResult<Vec<ErasureRow>> {
        let rows = sqlx::query(select_erasures!("WHERE finished_us IS NULL ORDER BY erasures.id LIMIT ?"))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("look for unfinished erasures"))?;
        rows.iter().map(read_erasure).collect()
    }

    async fn pending_erasures(&self, stream: &StreamId) -> DbResult<Vec<TimeRange>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT start_us, end_us FROM erasures
             WHERE finished_us IS NULL AND account = ?1 AND (stream_key IS NULL OR stream_key = ?2) ORDER BY start_us",
        )
        .bind(key.account.as_str())
        .bind(key.key)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for pending erasures"))?;
        rows.into_iter().map(|(start, end)| range_of("an erasure", start, end)).collect()
    }

    async fn erased_by(&self, erasure: i64, after: Option<BlockId>, limit: u32) -> DbResult<Vec<ErasedBlock>> {
        let rows = sqlx::query(select_erased!("WHERE erasure = ? AND block > ? ORDER BY block LIMIT ?"))
            .bind(erasure)
            .bind(after.map(|id| id.to_bytes().to_vec()).unwrap_or_default())
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("read what an erasure took"))?;
        rows.iter().map(read_erased).collect()
    }

    async fn blocks_to_wipe(&self, hidden_until: Timestamp, limit: u32) -> DbResult<Vec<ErasedBlock>> {
        let rows = sqlx::query(select_erased!(
            "WHERE gone_us IS NULL AND hidden_us <= ?1
               AND NOT EXISTS (SELECT 1 FROM erased AS later WHERE later.block = erased.block AND later.gone_us IS NULL
                               AND later.hidden_us > ?1)
             ORDER BY hidden_us, block LIMIT ?2"
        ))
        .bind(hidden_until.as_micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for bytes to erase"))?;
        rows.iter().map(read_erased).collect()
    }

    async fn wipe_is_due(&self, block: BlockId) -> DbResult<bool> {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM erased WHERE block = ? AND gone_us IS NULL LIMIT 1")
            .bind(&block.to_bytes()[..])
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("look for bytes to erase"))?;
        Ok(found.is_some())
    }

    async fn whole_erased(&self, block: BlockId) -> DbResult<Option<ErasedBlock>> {
        let row = sqlx::query(select_erased!("WHERE block = ? AND whole = 1 LIMIT 1"))
            .bind(&block.to_bytes()[..])
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("look for an erased block"))?;
        row.as_ref().map(read_erased).transpose()
    }

    async fn erased_in(&self, stream: &StreamId, range: TimeRange) -> DbResult<Option<ErasedBlock>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(None) };
        let row = sqlx::query(select_erased!("WHERE stream_key = ?1 AND start_us < ?3 AND end_us > ?2 ORDER BY start_us DESC LIMIT 1"))
            .bind(key.key)
            .bind(range.start().as_micros())
            .bind(range.end().as_micros())
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("look for erased footage"))?;
        row.as_ref().map(read_erased).transpose()
    }

    async fn finish_erasure(&self, id: i64, now: Timestamp, event: Event) -> DbResult<bool> {
        let step = "finish an erasure";
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE erasures SET finished_us = ?2 WHERE id = ?1 AND finished_us IS NULL
               AND NOT EXISTS (SELECT 1 FROM erased WHERE erasure = ?1 AND gone_us IS NULL)",
        )
        .bind(id)
        .bind(now.as_micros())
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
}

async fn streams_of(conn: &mut SqliteConnection, new: &NewErasure) -> DbResult<Vec<i64>> {
    let keys: Vec<i64> = sqlx::query_scalar("SELECT key FROM streams WHERE account = ?1 AND (?2 IS NULL OR id = ?2) ORDER BY key")
        .bind(new.account.as_str())
        .bind(new.stream.as_ref().map(|s| s.as_str().to_owned()))
        .fetch_all(conn)
        .await
        .map_err(sql("look up the streams to erase"))?;
    match &new.stream {
        Some(stream) if keys.is_empty() => Err(DbError::Missing { what: "stream", id: stream.to_string() }),
        _ => Ok(keys),
    }
}

/// Holds active at `now` that touch a segment which `range` touches, on any of the streams.
async fn holds_over(conn: &mut SqliteConnection, streams: &[i64], range: TimeRange, now: Timestamp) -> DbResult<Vec<i64>> {
    let mut found = Vec::new();
    for key in streams {
        let wide = widened(conn, *key, range).await?;
        found.extend(holds_touching(conn, *key, wide, now).await?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

async fn holds_touching(conn: &mut SqliteConnection, key: i64, range: TimeRange, now: Timestamp) -> DbResult<Vec<i64>> {
    sqlx::query_scalar(
        "SELECT holds.id FROM hold_streams JOIN holds ON holds.id = hold
         WHERE stream_key = ?1 AND released_us IS NULL AND (expires_us IS NULL OR expires_us > ?2)
           AND holds.start_us - margin_before_us < ?4 AND holds.end_us + margin_after_us > ?3",
    )
    .bind(key)
    .bind(now.as_micros())
    .bind(range.start().as_micros())
    .bind(range.end().as_micros())
    .fetch_all(conn)
    .await
    .map_err(sql("look for holds"))
}

/// From the start of the first segment that `range` touches to the end of the last.
async fn widened(conn: &mut SqliteConnection, key: i64, range: TimeRange) -> DbResult<TimeRange> {
    let (mut start, mut end) = (range.start(), range.end());
    let last = range.end().saturating_add_micros(-1);
    for t in [range.start(), last] {
        if let Some(segment) = segment_at(conn, key, t).await? {
            (start, end) = (start.min(segment.start()), end.max(segment.end()));
        }
    }
    Ok(TimeRange::new(start, end).unwrap_or(range))
}

async fn segment_at(conn: &mut SqliteConnection, key: i64, t: Timestamp) -> DbResult<Option<TimeRange>> {
    let block: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT id FROM blocks WHERE stream_key = ?1 AND segment_count > 0 AND start_us <= ?2 AND end_us > ?2
         ORDER BY start_us DESC LIMIT 1",
    )
    .bind(key)
    .bind(t.as_micros())
    .fetch_optional(&mut *conn)
    .await
    .map_err(sql("look up a block"))?;
    let Some(id) = block else { return Ok(None) };
    let block = commit::block_in(conn, BlockId::from_bytes(id_bytes("block", &id)?)).await?;
    Ok(block.and_then(|(_, b)| b.segments().map(|s| s.range()).find(|r| r.contains(t))))
}

/// What one change took.
#[derive(Default)]
pub(super) struct Taken {
    pub blocks: u64,
    pub segments: u64,
    pub bytes: u64,
}

/// Flags segments of one block as erased: no row leads to them any more. Passed over are blocks that are still being written, that
/// are gone or that a sweep is deleting, and, as long as a hold touches them, segments at the range's edge.
pub(super) async fn hide(
    conn: &mut SqliteConnection,
    erasure: i64,
    id: BlockId,
    positions: &[u32],
    at: Timestamp,
    taken: &mut Taken,
) -> DbResult<()> {
    let Some((key, mut block)) = commit::block_in(conn, id).await? else { return Ok(()) };
    let going: Vec<Segment> = block.segments().filter(|s| positions.contains(&s.position)).collect();
    let Some(range) = going.first().zip(going.last()).and_then(|(a, b)| TimeRange::new(a.start, b.end()).ok()) else { return Ok(()) };
    if block.checksum.is_none() || is_being_swept(conn, id).await? || !holds_touching(conn, key, range, at).await?.is_empty() {
        return Ok(());
    }
    let before = block.kept_ranges();
    block.table.erase(positions);
    store_table(conn, &block).await?;
    for kept in before {
        commit::remove_footage(conn, key, kept).await?;
    }
    for kept in block.kept_ranges() {
        commit::add_footage(conn, key, &block.stream, block.run.to_bytes(), kept).await?;
    }
    add_gaps(conn, key, &block).await?;
    let bytes: u64 = going.iter().map(|s| u64::from(s.entry.media_bytes())).sum();
    let whole = block.table.kept() == 0;
    let left_bytes = if whole { block.size_bytes - block.table.erased_bytes() } else { 0 };
    commit::take_sums(conn, key, u64::from(whole), going.len() as u64, bytes + left_bytes).await?;
    if whole {
        // There is nothing left to judge.
        sqlx::query("DELETE FROM marks WHERE block = ?")
            .bind(&id.to_bytes()[..])
            .execute(&mut *conn)
            .await
            .map_err(sql("take a mark off"))?;
    }
    write_down(conn, erasure, key, &block, range, going.len() as u64, bytes, at).await?;
    taken.blocks += 1;
    taken.segments += going.len() as u64;
    taken.bytes += bytes;
    Ok(())
}

/// The time of a block's erased segments, as far as nothing else is known of it.
pub(super) async fn add_gaps(conn: &mut SqliteConnection, key: i64, block: &BlockInfo) -> DbResult<()> {
    for range in block.erased_ranges() {
        let gap = Gap { start: range.start(), end: Some(range.end()), cause: GapCause::Erased, detail: String::new() };
        gaps::add(conn, key, &gap).await?;
    }
    Ok(())
}

async fn is_being_swept(conn: &mut SqliteConnection, id: BlockId) -> DbResult<bool> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM marks WHERE block = ? AND sweep IS NOT NULL")
        .bind(&id.to_bytes()[..])
        .fetch_optional(conn)
        .await
        .map_err(sql("look for a sweep"))?;
    Ok(found.is_some())
}

async fn store_table(conn: &mut SqliteConnection, block: &BlockInfo) -> DbResult<()> {
    sqlx::query("UPDATE blocks SET segments = ?, segment_count = ?, erased_bytes = ? WHERE id = ?")
        .bind(block.table.pack())
        .bind(signed(block.table.kept() as u64))
        .bind(signed(block.table.erased_bytes()))
        .bind(&block.id.to_bytes()[..])
        .execute(conn)
        .await
        .map_err(sql("hide what is erased"))?;
    Ok(())
}

#[allow(clippy::too_many_arguments)] // one row, column by column
async fn write_down(
    conn: &mut SqliteConnection,
    erasure: i64,
    key: i64,
    block: &BlockInfo,
    range: TimeRange,
    segments: u64,
    bytes: u64,
    at: Timestamp,
) -> DbResult<()> {
    // The same erasure may come back to a block: for what a hold had kept at its edge.
    sqlx::query(
        "INSERT INTO erased (erasure, block, stream_key, start_us, end_us, whole, segment_count, size_bytes, checksum, hidden_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (erasure, block) DO UPDATE SET start_us = min(start_us, ?4), end_us = max(end_us, ?5), whole = ?6,
             segment_count = segment_count + ?7, size_bytes = size_bytes + ?8, hidden_us = ?10, gone_us = NULL",
    )
    .bind(erasure)
    .bind(&block.id.to_bytes()[..])
    .bind(key)
    .bind(range.start().as_micros())
    .bind(range.end().as_micros())
    .bind(i64::from(block.table.kept() == 0))
    .bind(signed(segments))
    .bind(signed(bytes))
    .bind(block.checksum.map(u64::cast_signed))
    .bind(at.as_micros())
    .execute(conn)
    .await
    .map_err(sql("write down what is erased"))?;
    Ok(())
}

/// The bytes of a block's erased segments are not there any more: with `checksum` the rest of it is, without nothing is.
pub(super) async fn gone(
    conn: &mut SqliteConnection,
    id: BlockId,
    checksum: Option<u64>,
    hidden_until: Timestamp,
    at: Timestamp,
) -> DbResult<()> {
    let step = "write down that bytes are erased";
    match checksum {
        Some(checksum) => {
            sqlx::query("UPDATE blocks SET checksum = ? WHERE id = ?")
                .bind(checksum.cast_signed())
                .bind(&id.to_bytes()[..])
                .execute(&mut *conn)
                .await
                .map_err(sql(step))?;
        }
        None => commit::forget_block(conn, id).await?,
    }
    sqlx::query("UPDATE erased SET gone_us = ? WHERE block = ? AND gone_us IS NULL AND hidden_us <= ?")
        .bind(at.as_micros())
        .bind(&id.to_bytes()[..])
        .bind(hidden_until.as_micros())
        .execute(conn)
        .await
        .map_err(sql(step))?;
    Ok(())
}

/// An erasure that is not finished and touches `range` on one of the streams.
pub(super) async fn pending_over(conn: &mut SqliteConnection, stream_key: i64, range: TimeRange) -> DbResult<Option<i64>> {
    sqlx::query_scalar(
        "SELECT erasures.id FROM erasures JOIN streams ON streams.account = erasures.account
         WHERE finished_us IS NULL AND key = ?1 AND (stream_key IS NULL OR stream_key = ?1) AND start_us < ?3 AND end_us > ?2 LIMIT 1",
    )
    .bind(stream_key)
    .bind(range.start().as_micros())
    .bind(range.end().as_micros())
    .fetch_optional(conn)
    .await
    .map_err(sql("look for pending erasures"))
}

fn range_of(what: &'static str, start: i64, end: i64) -> DbResult<TimeRange> {
    TimeRange::new(Timestamp(start), Timestamp(end)).map_err(|e| damaged(what, e))
}

fn read_erasure(row: &SqliteRow) -> DbResult<ErasureRow> {
    let what = "an erasure";
    let stream: Option<String> = row.get("stream");
    Ok(ErasureRow {
        id: row.get("id"),
        erasure: NewErasure {
            account: parse("account", &row.get::<String, _>("account"))?,
            stream: stream.map(|s| parse("stream", &s)).transpose()?,
            range: range_of(what, row.get("start_us"), row.get("end_us"))?,
            reason: row.get("reason"),
            asked_by: row.get("asked_by"),
            actor: row.get("actor"),
        },
        asked_at: Timestamp(row.get("asked_us")),
        finished_at: row.get::<Option<i64>, _>("finished_us").map(Timestamp),
        blocks: unsigned(what, row.get("erased_blocks"))?,
        segments: unsigned(what, row.get("erased_segments"))?,
        bytes: unsigned(what, row.get("erased_bytes"))?,
    })
}

fn read_erased(row: &SqliteRow) -> DbResult<ErasedBlock> {
    let what = "an erased block";
    Ok(ErasedBlock {
        erasure: row.get("erasure"),
        block: BlockId::from_bytes(id_bytes(what, &row.get::<Vec<u8>, _>("block"))?),
        account: parse("account", &row.get::<String, _>("account"))?,
        stream: parse("stream", &row.get::<String, _>("stream"))?,
        range: range_of(what, row.get("start_us"), row.get("end_us"))?,
        whole: row.get::<i64, _>("whole") != 0,
        segments: unsigned(what, row.get("segment_count"))?,
        bytes: unsigned(what, row.get("size_bytes"))?,
        checksum: row.get::<Option<i64>, _>("checksum").map(i64::cast_unsigned),
        hidden_at: Timestamp(row.get("hidden_us")),
        gone_at: row.get::<Option<i64>, _>("gone_us").map(Timestamp),
    })
}
