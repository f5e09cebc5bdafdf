//! Runs, blocks, gaps: reading them, and the door for changes.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row, sqlite::SqliteRow};

use super::super::{DbResult, FootageRows, IndexChange, LastGap, RunExtent, StreamTotals};
use super::error::{damaged, id_bytes, json, parse, sql, unsigned};
use super::{SqliteDb, commit, gaps, recount};
use crate::media::{
    AccountId, BlockId, BlockInfo, BlockState, Gap, GapCause, RunId, RunInfo, SegmentTable, StreamId, TimeRange, Timestamp,
};

/// Some 2 KB each, and far from as many parameters as a statement may have.
const BLOCKS_AT_ONCE: usize = 500;

/// In the order in which [`read_block`] reads them.
macro_rules! block_columns {
    () => {
        "blocks.id, blocks.run, blocks.start_us, blocks.state, blocks.first_offset, blocks.first_sequence, blocks.size_bytes,
         blocks.checksum, blocks.segments"
    };
}

/// Sums and ends of streams: lookups at the ends of indexes, whatever lies between.
macro_rules! totals {
    ($rest:literal) => {
        concat!(
            "SELECT streams.id, blocks, segments, bytes, first.start_us AS first_start, last.end_us AS last_end, last.run AS last_run,
                    first_gap.start_us AS first_gap, gap.start_us AS gap_start, gap.end_us AS gap_end, gap.cause AS gap_cause
             FROM streams
             LEFT JOIN extents first ON first.stream_key = key
                   AND first.start_us = (SELECT min(start_us) FROM extents WHERE stream_key = key)
             LEFT JOIN extents last ON last.stream_key = key
                   AND last.start_us = (SELECT max(start_us) FROM extents WHERE stream_key = key)
             LEFT JOIN gaps first_gap ON first_gap.stream_key = key
                   AND first_gap.start_us = (SELECT min(start_us) FROM gaps WHERE stream_key = key)
             LEFT JOIN gaps gap ON gap.stream_key = key
                   AND gap.start_us = (SELECT max(start_us) FROM gaps WHERE stream_key = key) ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct TotalsRow {
    id: String,
    blocks: i64,
    segments: i64,
    bytes: i64,
    first_start: Option<i64>,
    last_end: Option<i64>,
    last_run: Option<Vec<u8>>,
    first_gap: Option<i64>,
    gap_start: Option<i64>,
    gap_end: Option<i64>,
    gap_cause: Option<i64>,
}

impl TotalsRow {
    fn read(self) -> DbResult<StreamTotals> {
        let run = self.last_run.map(|bytes| id_bytes("run", &bytes).map(RunId::from_bytes)).transpose()?;
        let gap = self.gap_start.map(|start| LastGap {
            start: Timestamp(start),
            end: self.gap_end.map(Timestamp),
            cause: self.gap_cause.and_then(|c| u8::try_from(c).ok()).map_or(GapCause::Unknown, GapCause::from_code),
        });
        Ok(StreamTotals {
            first_start: self.first_start.map(Timestamp),
            first_gap: self.first_gap.map(Timestamp),
            last_end: self.last_end.map(Timestamp),
            last_run: run,
            last_gap: gap,
            blocks: unsigned("stream", self.blocks)?,
            segments: unsigned("stream", self.segments)?,
            bytes: unsigned("stream", self.bytes)?,
        })
    }
}

#[async_trait]
impl FootageRows for SqliteDb {
    async fn commit(&self, changes: &[IndexChange]) -> DbResult<()> {
        let mut tx = self.write().await?;
        commit::apply(&mut tx, changes).await?;
        tx.commit().await.map_err(sql("commit to the index"))
    }

    async fn block(&self, id: BlockId) -> DbResult<Option<BlockInfo>> {
        block_by_id(&self.readers, id).await
    }

    async fn blocks(&self, ids: &[BlockId]) -> DbResult<Vec<BlockInfo>> {
        let mut found = Vec::new();
        for some in ids.chunks(BLOCKS_AT_ONCE) {
            let mut select = QueryBuilder::new(concat!(
                "SELECT ",
                block_columns!(),
                ", streams.id, account FROM blocks JOIN streams ON key = stream_key WHERE blocks.id IN ("
            ));
            commit::push_ids(&mut select, some);
            let rows = select.build().fetch_all(&self.readers).await.map_err(sql("read blocks"))?;
            for row in &rows {
                found.push(read_named_block(row)?);
            }
        }
        Ok(found)
    }

    async fn blocks_in(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<BlockInfo>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        // Blocks of a stream do not overlap: the last one that begins at or before the range is the first that
        // can reach into it.
        let rows = sqlx::query(concat!(
            "SELECT ",
            block_columns!(),
            " FROM blocks
             WHERE stream_key = ?1 AND segment_count > 0 AND start_us < ?3 AND end_us > ?2
               AND start_us >= coalesce((SELECT start_us FROM blocks WHERE stream_key = ?1 AND segment_count > 0
                                         AND start_us <= ?2 ORDER BY start_us DESC LIMIT 1), ?2)
             ORDER BY start_us LIMIT ?4"
        ))
        .bind(key.key)
        .bind(range.start().as_micros())
        .bind(range.end().as_micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look up blocks"))?;
        rows.iter().map(|row| read_block(row, stream, &key.account)).collect()
    }

    async fn open_blocks(&self) -> DbResult<Vec<BlockInfo>> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            block_columns!(),
            ", streams.id, account FROM blocks JOIN streams ON key = stream_key
             WHERE state = 0 ORDER BY blocks.id"
        ))
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for open blocks"))?;
        rows.iter().map(read_named_block).collect()
    }

    async fn blocks_after(&self, after: Option<BlockId>, limit: u32) -> DbResult<Vec<BlockInfo>> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            block_columns!(),
            ", streams.id, account FROM blocks JOIN streams ON key = stream_key
             WHERE blocks.id > ? ORDER BY blocks.id LIMIT ?"
        ))
        .bind(after.map(|id| id.to_bytes().to_vec()).unwrap_or_default())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("walk through the blocks"))?;
        rows.iter().map(read_named_block).collect()
    }

    async fn run(&self, id: RunId) -> DbResult<Option<RunInfo>> {
        let row = sqlx::query(
            "SELECT streams.id, start_us, ordinal, inits.bytes, video, audio, gaps_before, import_key
             FROM runs JOIN streams ON key = stream_key JOIN inits ON sha256 = init WHERE runs.id = ?",
        )
        .bind(&id.to_bytes()[..])
        .fetch_optional(&self.readers)
        .await
        .map_err(sql("read a run"))?;
        row.map(|row| read_run(&row, id)).transpose()
    }

    async fn run_extents(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<RunExtent>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        let rows: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(
            "SELECT run, start_us, end_us FROM extents
             WHERE stream_key = ?1 AND start_us < ?3 AND end_us > ?2
               AND start_us >= coalesce((SELECT start_us FROM extents WHERE stream_key = ?1 AND start_us <= ?2
                                         ORDER BY start_us DESC LIMIT 1), ?2)
             ORDER BY start_us LIMIT ?4",
        )
        .bind(key.key)
        .bind(range.start().as_micros())
        .bind(range.end().as_micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("read what is recorded"))?;
        rows.into_iter().map(read_extent).collect()
    }

    async fn gaps_in(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<Gap>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        gaps::list(&self.readers, key.key, range, limit).await
    }

    async fn neighbours(&self, stream: &StreamId, t: Timestamp) -> DbResult<(Option<Timestamp>, Option<Timestamp>)> {
        let Some(key) = self.find_key(stream).await? else { return Ok((None, None)) };
        let (previous_end, next_start): (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT (SELECT min(end_us, ?2) FROM extents WHERE stream_key = ?1 AND start_us < ?2 ORDER BY start_us DESC LIMIT 1),
                    (SELECT start_us FROM extents WHERE stream_key = ?1 AND start_us > ?2 ORDER BY start_us LIMIT 1)",
        )
        .bind(key.key)
        .bind(t.as_micros())
        .fetch_one(&self.readers)
        .await
        .map_err(sql("look for the nearest footage"))?;
        Ok((previous_end.map(Timestamp), next_start.map(Timestamp)))
    }

    async fn totals(&self, stream: &StreamId) -> DbResult<StreamTotals> {
        let row: Option<TotalsRow> = sqlx::query_as(totals!("WHERE streams.id = ?"))
            .bind(stream.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("add up a stream's footage"))?;
        row.map_or_else(|| Ok(StreamTotals::default()), TotalsRow::read)
    }

    async fn all_totals(&self) -> DbResult<HashMap<StreamId, StreamTotals>> {
        let rows: Vec<TotalsRow> = sqlx::query_as(totals!("")).fetch_all(&self.readers).await.map_err(sql("add up all footage"))?;
        rows.into_iter().map(|row| Ok((parse("stream", &row.id)?, row.read()?))).collect()
    }

    async fn import_extents(&self, stream: &StreamId, key: &str) -> DbResult<Vec<RunExtent>> {
        let Some(stream) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        // A run's extents begin at or after it; few imports share a key, each with few extents.
        let rows: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(
            "SELECT extents.run, extents.start_us, end_us FROM runs
             JOIN extents ON extents.stream_key = runs.stream_key AND extents.run = runs.id
                         AND extents.start_us >= runs.start_us
             WHERE runs.stream_key = ? AND import_key = ? ORDER BY extents.start_us LIMIT 10000",
        )
        .bind(stream.key)
        .bind(key)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for an import"))?;
        rows.into_iter().map(read_extent).collect()
    }

    async fn overlapping_blocks(&self, limit: u32) -> DbResult<Vec<(BlockId, BlockId)>> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT (SELECT earlier.id FROM blocks earlier
                     WHERE earlier.stream_key = later.stream_key AND earlier.segment_count > 0
                       AND earlier.start_us <= later.start_us AND earlier.end_us > later.start_us AND earlier.id != later.id
                     ORDER BY earlier.start_us DESC LIMIT 1) AS earlier_id, later.id
             FROM (SELECT id, stream_key, start_us,
                          max(end_us) OVER (PARTITION BY stream_key ORDER BY start_us, rowid
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS end_before
                   FROM blocks WHERE segment_count > 0) later
             WHERE end_before > later.start_us AND earlier_id IS NOT NULL LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for overlapping blocks"))?;
        let id = |bytes: &[u8]| id_bytes("block", bytes).map(BlockId::from_bytes);
        rows.iter().map(|(earlier, later)| Ok((id(earlier)?, id(later)?))).collect()
    }

    async fn recount(&self, mend: bool) -> DbResult<Vec<StreamId>> {
        recount::recount(self, mend).await
    }

    async fn replace_footage(&self, changes: &[IndexChange]) -> DbResult<()> {
        let mut tx = self.write().await?;
        for statement in [
            "DELETE FROM extents",
            "DELETE FROM gaps",
            "DELETE FROM blocks",
            "DELETE FROM runs",
            "DELETE FROM inits",
            "UPDATE streams SET blocks = 0, segments = 0, bytes = 0",
        ] {
            sqlx::query(statement).execute(&mut *tx).await.map_err(sql("empty the index"))?;
        }
        commit::apply(&mut tx, changes).await?;
        tx.commit().await.map_err(sql("replace the index"))
    }
}

pub(super) async fn block_by_id<'c>(from: impl sqlx::SqliteExecutor<'c>, id: BlockId) -> DbResult<Option<BlockInfo>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        block_columns!(),
        ", streams.id, account FROM blocks JOIN streams ON key = stream_key WHERE blocks.id = ?"
    ))
    .bind(&id.to_bytes()[..])
    .fetch_optional(from)
    .await
    .map_err(sql("read a block"))?;
    row.as_ref().map(read_named_block).transpose()
}

fn read_extent((run, start, end): (Vec<u8>, i64, i64)) -> DbResult<RunExtent> {
    let range = TimeRange::new(Timestamp(start), Timestamp(end)).map_err(|e| damaged("a recorded range", e))?;
    Ok(RunExtent { run: RunId::from_bytes(id_bytes("run", &run)?), range })
}

fn read_named_block(row: &SqliteRow) -> DbResult<BlockInfo> {
    let stream = parse("stream", row.try_get(9).map_err(sql("read a block"))?)?;
    let account = parse("account", row.try_get(10).map_err(sql("read a block"))?)?;
    read_block(row, &stream, &account)
}

fn read_block(row: &SqliteRow, stream: &StreamId, account: &AccountId) -> DbResult<BlockInfo> {
    let bad = |e| sql("read a block")(e);
    let int = |i: usize| row.try_get::<i64, _>(i).map_err(bad);
    let id = BlockId::from_bytes(id_bytes("block", row.try_get(0).map_err(bad)?)?);
    let table = SegmentTable::unpack(row.try_get(8).map_err(bad)?).map_err(|e| damaged("a block", format!("{id}: {e}")))?;
    Ok(BlockInfo {
        id,
        account: account.clone(),
        stream: stream.clone(),
        run: RunId::from_bytes(id_bytes("run", row.try_get(1).map_err(bad)?)?),
        start: Timestamp(int(2)?),
        state: if int(3)? == 0 { BlockState::Open } else { BlockState::Sealed },
        first_offset: unsigned("a block", int(4)?)?,
        first_sequence: unsigned("a block", int(5)?)?,
        size_bytes: unsigned("a block", int(6)?)?,
        checksum: row.try_get::<Option<i64>, _>(7).map_err(bad)?.map(i64::cast_unsigned),
        table,
    })
}

fn read_run(row: &SqliteRow, id: RunId) -> DbResult<RunInfo> {
    let bad = |e| sql("read a run")(e);
    let text = |i: usize| row.try_get::<Option<String>, _>(i).map_err(bad);
    Ok(RunInfo {
        id,
        stream: parse("stream", row.try_get(0).map_err(bad)?)?,
        start: Timestamp(row.try_get(1).map_err(bad)?),
        ordinal: unsigned("a run", row.try_get(2).map_err(bad)?)?,
        init: row.try_get::<Vec<u8>, _>(3).map_err(bad)?.into(),
        video: text(4)?.map(|t| json("a run", &t)).transpose()?,
        audio: text(5)?.map(|t| json("a run", &t)).transpose()?,
        gaps_before: text(6)?.map(|t| json("a run", &t)).transpose()?.unwrap_or_default(),
        import_key: text(7)?,
    })
}
