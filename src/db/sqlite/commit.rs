//! Index changes, applied one after the other inside one transaction.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::super::{DbError, DbResult, IndexChange};
use super::error::{id_bytes, signed, sql};
use super::{audit, erasures, footage, gaps, retention, streams};
use crate::media::{BlockId, BlockInfo, BlockState, RunInfo, SegmentEntry, SegmentTable, StreamId, TimeRange, Timestamp};

pub(super) async fn apply(conn: &mut SqliteConnection, changes: &[IndexChange]) -> DbResult<()> {
    let mut rest = changes;
    while let Some((change, mut more)) = rest.split_first() {
        match change {
            IndexChange::RunStarted(run) => start_run(conn, run).await?,
            IndexChange::BlockOpened(info) | IndexChange::BlockIndexed(info) => put_block(conn, info).await?,
            IndexChange::SegmentAppended { block, entry } => {
                // Neighbouring segments of one block (an import, a recovery) go in together.
                let mut entries = vec![*entry];
                while let Some((IndexChange::SegmentAppended { block: b, entry }, after)) = more.split_first() {
                    if b != block {
                        break;
                    }
                    entries.push(*entry);
                    more = after;
                }
                append_segments(conn, *block, entries).await?;
            }
            IndexChange::BlockSealed { block, size_bytes, checksum } => seal_block(conn, *block, *size_bytes, *checksum).await?,
            IndexChange::GapOpened { stream, start, cause, detail } => {
                let key = key_of(conn, stream).await?;
                gaps::open(conn, key, *start, *cause, detail).await?;
            }
            IndexChange::GapClosed { stream, end } => {
                let key = key_of(conn, stream).await?;
                gaps::close(conn, key, *end).await?;
            }
            IndexChange::GapAdded { stream, gap } => {
                let key = key_of(conn, stream).await?;
                gaps::add(conn, key, gap).await?;
            }
            IndexChange::BlockForgotten { block } => forget_block(conn, *block).await?,
            IndexChange::BlocksSwept { sweep, blocks, finished, event } => {
                retention::keep_receipt(conn, *sweep, blocks).await?;
                forget_blocks(conn, blocks).await?;
                retention::finish(conn, *sweep, *finished).await?;
                audit::append(conn, (**event).clone()).await?;
            }
            IndexChange::SegmentsErased { erasure, blocks, at, event } => {
                let mut taken = erasures::Taken::default();
                for (block, positions) in blocks {
                    erasures::hide(conn, *erasure, *block, positions, *at, &mut taken).await?;
                }
                if taken.blocks > 0 {
                    let event = (**event).clone().with("blocks", taken.blocks).with("segments", taken.segments).with("bytes", taken.bytes);
                    audit::append(conn, event).await?;
                }
            }
            IndexChange::ErasedBytesGone { blocks, hidden_until, at, event } => {
                for (block, checksum) in blocks {
                    erasures::gone(conn, *block, *checksum, *hidden_until, *at).await?;
                }
                audit::append(conn, (**event).clone()).await?;
            }
            IndexChange::Announced => streams::bump_generation(conn).await?,
        }
        rest = more;
    }
    Ok(())
}

async fn key_of(conn: &mut SqliteConnection, stream: &StreamId) -> DbResult<i64> {
    let key: Option<i64> = sqlx::query_scalar("SELECT key FROM streams WHERE id = ?")
        .bind(stream.as_str())
        .fetch_optional(conn)
        .await
        .map_err(sql("look up a stream"))?;
    key.ok_or_else(|| DbError::Missing { what: "stream", id: stream.to_string() })
}

/// Starting a run that is known changes nothing: recovery and rebuild meet it in every one of its blocks.
async fn start_run(conn: &mut SqliteConnection, run: &RunInfo) -> DbResult<()> {
    use sha2::Digest;
    let step = "store a run";
    let key = key_of(conn, &run.stream).await?;
    let init_hash = sha2::Sha256::digest(&run.init).to_vec();
    sqlx::query("INSERT INTO inits (sha256, bytes) VALUES (?, ?) ON CONFLICT (sha256) DO NOTHING")
        .bind(&init_hash)
        .bind(&run.init[..])
        .execute(&mut *conn)
        .await
        .map_err(sql(step))?;
    let json = |v: serde_json::Value| if v.is_null() { None } else { Some(v.to_string()) };
    let gaps_before = if run.gaps_before.is_empty() { None } else { json(serde_json::json!(run.gaps_before)) };
    sqlx::query(
        "INSERT INTO runs (id, stream_key, start_us, ordinal, init, video, audio, gaps_before, import_key)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    )
    .bind(&run.id.to_bytes()[..])
    .bind(key)
    .bind(run.start.as_micros())
    .bind(signed(run.ordinal))
    .bind(&init_hash)
    .bind(json(serde_json::json!(run.video)))
    .bind(json(serde_json::json!(run.audio)))
    .bind(gaps_before)
    .bind(&run.import_key)
    .execute(&mut *conn)
    .await
    .map_err(sql(step))?;
    sqlx::query("UPDATE streams SET next_run_ordinal = max(next_run_ordinal, ?) WHERE key = ?")
        .bind(signed(run.ordinal + 1))
        .bind(key)
        .execute(conn)
        .await
        .map_err(sql(step))?;
    Ok(())
}

/// A whole row at once; takes the place of the row with the same id.
async fn put_block(conn: &mut SqliteConnection, info: &BlockInfo) -> DbResult<()> {
    let step = "store a block";
    let key = key_of(conn, &info.stream).await?;
    let run_known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM runs WHERE id = ?")
        .bind(&info.run.to_bytes()[..])
        .fetch_optional(&mut *conn)
        .await
        .map_err(sql(step))?;
    if run_known.is_none() {
        return Err(DbError::Missing { what: "run", id: info.run.to_string() });
    }
    forget_block(conn, info.id).await?;
    for range in info.kept_ranges() {
        add_footage(conn, key, &info.stream, info.run.to_bytes(), range).await?;
    }
    erasures::add_gaps(conn, key, info).await?;
    sqlx::query(
        "INSERT INTO blocks (id, stream_key, run, start_us, end_us, state, first_offset, first_sequence, size_bytes,
                             checksum, segment_count, segments, erased_bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&info.id.to_bytes()[..])
    .bind(key)
    .bind(&info.run.to_bytes()[..])
    .bind(info.start.as_micros())
    .bind(info.end().as_micros())
    .bind(i64::from(info.state == BlockState::Sealed))
    .bind(signed(info.first_offset))
    .bind(signed(info.first_sequence))
    .bind(signed(info.size_bytes))
    .bind(info.checksum.map(u64::cast_signed))
    .bind(signed(info.table.kept() as u64))
    .bind(info.table.pack())
    .bind(signed(info.table.erased_bytes()))
    .execute(&mut *conn)
    .await
    .map_err(sql(step))?;
    let footage_bytes = info.size_bytes.saturating_sub(info.table.erased_bytes());
    let sums = match info.table.kept() as u64 {
        0 => Sums::default(),
        kept => Sums { blocks: 1, segments: signed(kept), bytes: signed(footage_bytes) },
    };
    // Erased segments keep their numbers.
    add_sums(conn, key, sums, info.first_sequence + info.table.len() as u64).await
}

async fn append_segments(conn: &mut SqliteConnection, block: BlockId, entries: Vec<SegmentEntry>) -> DbResult<()> {
    let table = SegmentTable::from_entries(entries);
    let count = table.len() as i64;
    let stored: i64 = table.entries().iter().map(|e| i64::from(e.stored_bytes())).sum();
    // `||` makes text of two blobs, byte for byte; the cast makes it a blob again.
    let row: Option<(i64, Vec<u8>, i64, i64, i64, i64)> = sqlx::query_as(
        "UPDATE blocks SET segments = CAST(segments || ?2 AS BLOB), segment_count = segment_count + ?3,
                           end_us = end_us + ?4, size_bytes = size_bytes + ?5
         WHERE id = ?1 AND state = 0
         RETURNING stream_key, run, end_us, segment_count, first_sequence, size_bytes",
    )
    .bind(&block.to_bytes()[..])
    .bind(table.pack())
    .bind(count)
    .bind(table.wall_us())
    .bind(stored)
    .fetch_optional(&mut *conn)
    .await
    .map_err(sql("store segments"))?;
    let (key, run, end_us, segment_count, first_sequence, size_bytes) =
        row.ok_or_else(|| DbError::Missing { what: "open block", id: block.to_string() })?;
    let range = TimeRange::new(Timestamp(end_us - table.wall_us()), Timestamp(end_us))
        .map_err(|e| DbError::Damaged { what: "a segment", detail: e.to_string() })?;
    add_footage_of(conn, key, id_bytes("run", &run)?, range).await?;
    let first = segment_count == count;
    let sums = Sums { blocks: i64::from(first), segments: count, bytes: if first { size_bytes } else { stored } };
    add_sums(conn, key, sums, (first_sequence + segment_count).unsigned_abs()).await
}

async fn seal_block(conn: &mut SqliteConnection, block: BlockId, size_bytes: u64, checksum: u64) -> DbResult<()> {
    let step = "seal a block";
    let before: Option<(i64, i64, i64)> = sqlx::query_as("SELECT stream_key, size_bytes, segment_count FROM blocks WHERE id = ?")
        .bind(&block.to_bytes()[..])
        .fetch_optional(&mut *conn)
        .await
        .map_err(sql(step))?;
    let (key, old_size, segments) = before.ok_or_else(|| DbError::Missing { what: "block", id: block.to_string() })?;
    sqlx::query("UPDATE blocks SET state = 1, size_bytes = ?, checksum = ? WHERE id = ?")
        .bind(signed(size_bytes))
        .bind(checksum.cast_signed())
        .bind(&block.to_bytes()[..])
        .execute(&mut *conn)
        .await
        .map_err(sql(step))?;
    let grown = if segments > 0 { signed(size_bytes) - old_size } else { 0 };
    add_sums(conn, key, Sums { bytes: grown, ..Sums::default() }, 0).await
}

/// See [`forget_blocks`].
pub(super) async fn forget_block(conn: &mut SqliteConnection, block: BlockId) -> DbResult<()> {
    forget_blocks(conn, &[block]).await
}

/// Forgetting what is not there is no error: repair and rebuild may be repeated. A sweep forgets many that follow one another,
/// so that statements count: two for all of them, and for each stream one look at its extents and one at its sums.
async fn forget_blocks(conn: &mut SqliteConnection, blocks: &[BlockId]) -> DbResult<()> {
    let mut streams: BTreeMap<i64, Forgotten> = BTreeMap::new();
    for row in about(conn, blocks).await? {
        let kept = match row.erased_bytes {
            0 => TimeRange::new(Timestamp(row.start_us), Timestamp(row.end_us)).into_iter().collect(),
            _ => kept_ranges(conn, BlockId::from_bytes(id_bytes("block", &row.id)?)).await?,
        };
        if row.segment_count > 0 {
            let stream = streams.entry(row.stream_key).or_default();
            stream.kept.extend(kept);
            stream.sums.blocks -= 1;
            stream.sums.segments -= row.segment_count;
            stream.sums.bytes += row.erased_bytes - row.size_bytes;
        }
    }
    let mut delete = QueryBuilder::new("DELETE FROM blocks WHERE id IN (");
    push_ids(&mut delete, blocks);
    delete.build().execute(&mut *conn).await.map_err(sql("forget blocks"))?;
    for (key, stream) in streams {
        for range in TimeRange::merged(stream.kept) {
            remove_footage(conn, key, range).await?;
        }
        add_sums(conn, key, stream.sums, 0).await?;
    }
    Ok(())
}

/// What a stream loses.
#[derive(Default)]
struct Forgotten {
    kept: Vec<TimeRange>,
    sums: Sums,
}

/// A block without its table.
#[derive(sqlx::FromRow)]
struct About {
    id: Vec<u8>,
    stream_key: i64,
    start_us: i64,
    end_us: i64,
    segment_count: i64,
    size_bytes: i64,
    erased_bytes: i64,
}

async fn about(conn: &mut SqliteConnection, blocks: &[BlockId]) -> DbResult<Vec<About>> {
    let mut select =
        QueryBuilder::new("SELECT id, stream_key, start_us, end_us, segment_count, size_bytes, erased_bytes FROM blocks WHERE id IN (");
    push_ids(&mut select, blocks);
    select.build_query_as().fetch_all(conn).await.map_err(sql("look up blocks to forget"))
}

/// What follows `IN (`. Callers stay far below SQLite's limit of 32,766 parameters.
pub(super) fn push_ids(query: &mut QueryBuilder<Sqlite>, blocks: &[BlockId]) {
    let mut list = query.separated(", ");
    for block in blocks {
        list.push_bind(block.to_bytes().to_vec());
    }
    query.push(")");
}

pub(super) async fn kept_ranges(conn: &mut SqliteConnection, block: BlockId) -> DbResult<Vec<TimeRange>> {
    Ok(block_in(conn, block).await?.map(|(_, info)| info.kept_ranges()).unwrap_or_default())
}

/// A block as this transaction sees it, and the key of its stream.
pub(super) async fn block_in(conn: &mut SqliteConnection, id: BlockId) -> DbResult<Option<(i64, BlockInfo)>> {
    let step = "read a block";
    let key: Option<i64> = sqlx::query_scalar("SELECT stream_key FROM blocks WHERE id = ?")
        .bind(&id.to_bytes()[..])
        .fetch_optional(&mut *conn)
        .await
        .map_err(sql(step))?;
    let Some(key) = key else { return Ok(None) };
    Ok(footage::block_by_id(conn, id).await?.map(|info| (key, info)))
}

/// Footage goes while its block stays, or, with `blocks`, the last of a block's.
pub(super) async fn take_sums(conn: &mut SqliteConnection, key: i64, blocks: u64, segments: u64, bytes: u64) -> DbResult<()> {
    add_sums(conn, key, Sums { blocks: -signed(blocks), segments: -signed(segments), bytes: -signed(bytes) }, 0).await
}

#[derive(Default)]
struct Sums {
    blocks: i64,
    segments: i64,
    bytes: i64,
}

async fn add_sums(conn: &mut SqliteConnection, key: i64, sums: Sums, next_sequence: u64) -> DbResult<()> {
    sqlx::query(
        "UPDATE streams SET blocks = blocks + ?, segments = segments + ?, bytes = bytes + ?,
                            next_sequence = max(next_sequence, ?) WHERE key = ?",
    )
    .bind(sums.blocks)
    .bind(sums.segments)
    .bind(sums.bytes)
    .bind(signed(next_sequence))
    .bind(key)
    .execute(conn)
    .await
    .map_err(sql("add up a stream's footage"))?;
    Ok(())
}

/// [`add_footage`] where the stream's name is only needed for an error.
async fn add_footage_of(conn: &mut SqliteConnection, key: i64, run: [u8; 16], range: TimeRange) -> DbResult<()> {
    let Err(existing) = extend(conn, key, run, range).await? else { return gaps::make_way(conn, key, range).await };
    let name: String =
        sqlx::query_scalar("SELECT id FROM streams WHERE key = ?").bind(key).fetch_one(conn).await.map_err(sql("look up a stream"))?;
    Err(DbError::Overlap { stream: super::error::parse("stream", &name)?, new: range, existing })
}

pub(super) async fn add_footage(conn: &mut SqliteConnection, key: i64, stream: &StreamId, run: [u8; 16], range: TimeRange) -> DbResult<()> {
    match extend(conn, key, run, range).await? {
        Ok(()) => gaps::make_way(conn, key, range).await,
        Err(existing) => Err(DbError::Overlap { stream: stream.clone(), new: range, existing }),
    }
}

/// Makes `range` part of the run's extents; the inner error is what it would overlap.
async fn extend(conn: &mut SqliteConnection, key: i64, run: [u8; 16], range: TimeRange) -> DbResult<Result<(), TimeRange>> {
    let step = "extend the recorded range";
    let (start_us, end_us) = (range.start().as_micros(), range.end().as_micros());
    // Extents are disjoint, so the last one that begins before our end or at it is the only one that can overlap
    // us; one that begins at our end continues us.
    let near: Vec<(i64, i64, Vec<u8>)> =
        sqlx::query_as("SELECT start_us, end_us, run FROM extents WHERE stream_key = ? AND start_us <= ? ORDER BY start_us DESC LIMIT 2")
            .bind(key)
            .bind(end_us)
            .fetch_all(&mut *conn)
            .await
            .map_err(sql(step))?;
    let mut after = None;
    let mut before = None;
    for (s, e, r) in near {
        if s == end_us {
            after = (r == run).then_some(e);
        } else if e > start_us {
            return Ok(Err(TimeRange::new(Timestamp(s), Timestamp(e)).unwrap_or(range)));
        } else {
            before = before.or((e == start_us && r == run).then_some(s));
            break;
        }
    }
    if after.is_some() {
        delete_extent(conn, key, end_us).await?;
    }
    let end_us = after.unwrap_or(end_us);
    let statement = match before {
        Some(_) => "UPDATE extents SET end_us = ?3 WHERE stream_key = ?1 AND start_us = ?2 AND run = ?4",
        None => "INSERT INTO extents (stream_key, start_us, end_us, run) VALUES (?1, ?2, ?3, ?4)",
    };
    sqlx::query(statement).bind(key).bind(before.unwrap_or(start_us)).bind(end_us).bind(&run[..]).execute(conn).await.map_err(sql(step))?;
    Ok(Ok(()))
}

/// Takes a range out of the extents it lies in. Rows that someone changed by hand may not cover it: what is there goes.
pub(super) async fn remove_footage(conn: &mut SqliteConnection, key: i64, range: TimeRange) -> DbResult<()> {
    let step = "take a range out of what is recorded";
    let (start_us, end_us) = (range.start().as_micros(), range.end().as_micros());
    // Extents are disjoint: the last one that begins before the range, or with it, is the first that can reach into it.
    let over: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT start_us, end_us, run FROM extents WHERE stream_key = ?1 AND start_us < ?3 AND end_us > ?2
           AND start_us >= coalesce((SELECT max(start_us) FROM extents WHERE stream_key = ?1 AND start_us <= ?2), ?2)",
    )
    .bind(key)
    .bind(start_us)
    .bind(end_us)
    .fetch_all(&mut *conn)
    .await
    .map_err(sql(step))?;
    for (s, e, run) in over {
        delete_extent(conn, key, s).await?;
        for (from, to) in [(s, start_us), (end_us, e)] {
            if from < to {
                sqlx::query("INSERT INTO extents (stream_key, start_us, end_us, run) VALUES (?, ?, ?, ?)")
                    .bind(key)
                    .bind(from)
                    .bind(to)
                    .bind(&run)
                    .execute(&mut *conn)
                    .await
                    .map_err(sql(step))?;
            }
        }
    }
    Ok(())
}

async fn delete_extent(conn: &mut SqliteConnection, key: i64, start_us: i64) -> DbResult<()> {
    sqlx::query("DELETE FROM extents WHERE stream_key = ? AND start_us = ?")
        .bind(key)
        .bind(start_us)
        .execute(conn)
        .await
        .map_err(sql("change the recorded range"))?;
    Ok(())
}
