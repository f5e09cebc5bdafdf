//! What is derived from the blocks (extents and sums), counted again.

use sqlx::SqliteConnection;

use super::super::DbResult;
use super::error::{id_bytes, parse, sql};
use super::{SqliteDb, commit, gaps};
use crate::media::{BlockId, StreamId, TimeRange, Timestamp};

/// Row, start, end, run, segments, bytes of footage, and the id where something of the block is erased.
type Row = (i64, i64, i64, Vec<u8>, i64, i64, Option<Vec<u8>>);

/// Rows read at a time.
const BATCH: i64 = 4096;

#[derive(Clone, PartialEq, Eq)]
struct Extent {
    start_us: i64,
    end_us: i64,
    run: [u8; 16],
}

#[derive(PartialEq, Eq, Default)]
struct Derived {
    extents: Vec<Extent>,
    blocks: i64,
    segments: i64,
    bytes: i64,
}

pub(super) async fn recount(db: &SqliteDb, mend: bool) -> DbResult<Vec<StreamId>> {
    let streams: Vec<(i64, String)> =
        sqlx::query_as("SELECT key, id FROM streams ORDER BY id").fetch_all(&db.readers).await.map_err(sql("list the streams"))?;
    let mut different = Vec::new();
    for (key, id) in streams {
        // One stream at a time: nobody waits for the writer long.
        let mut tx = if mend { db.write().await? } else { db.readers.begin().await.map_err(sql("begin to read"))? };
        let (counted, stored) = (count(&mut tx, key).await?, stored(&mut tx, key).await?);
        if counted == stored {
            continue;
        }
        different.push(parse("stream", &id)?);
        if mend {
            store(&mut tx, key, &counted).await?;
            tx.commit().await.map_err(sql("commit the recount"))?;
        }
    }
    Ok(different)
}

async fn count(conn: &mut SqliteConnection, key: i64) -> DbResult<Derived> {
    let mut out = Derived::default();
    let (mut after_start, mut after_row) = (i64::MIN, i64::MIN);
    loop {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT rowid, start_us, end_us, run, segment_count, size_bytes - erased_bytes, CASE WHEN erased_bytes > 0 THEN id END FROM blocks
             WHERE stream_key = ?1 AND segment_count > 0 AND (start_us, rowid) > (?2, ?3) ORDER BY start_us, rowid LIMIT ?4",
        )
        .bind(key)
        .bind(after_start)
        .bind(after_row)
        .bind(BATCH)
        .fetch_all(&mut *conn)
        .await
        .map_err(sql("count blocks"))?;
        let Some(last) = rows.last() else { return Ok(out) };
        (after_start, after_row) = (last.1, last.0);
        for (_, start_us, end_us, run, segments, bytes, erased) in rows {
            out.blocks += 1;
            out.segments += segments;
            out.bytes += bytes;
            let run = id_bytes("run", &run)?;
            let kept = match erased {
                None => vec![(start_us, end_us)],
                Some(id) => {
                    let kept = commit::kept_ranges(conn, BlockId::from_bytes(id_bytes("block", &id)?)).await?;
                    kept.into_iter().map(|r| (r.start().as_micros(), r.end().as_micros())).collect()
                }
            };
            kept.into_iter().for_each(|(start_us, end_us)| join(&mut out.extents, Extent { start_us, end_us, run }));
        }
    }
}

/// Appends to the last extent where the run goes on; the earlier block wins where two overlap.
fn join(extents: &mut Vec<Extent>, mut new: Extent) {
    if let Some(last) = extents.last_mut() {
        new.start_us = new.start_us.max(last.end_us);
        if new.start_us == last.end_us && new.run == last.run {
            last.end_us = last.end_us.max(new.end_us);
            return;
        }
    }
    if new.start_us < new.end_us {
        extents.push(new);
    }
}

async fn stored(conn: &mut SqliteConnection, key: i64) -> DbResult<Derived> {
    let (blocks, segments, bytes) = sqlx::query_as("SELECT blocks, segments, bytes FROM streams WHERE key = ?")
        .bind(key)
        .fetch_one(&mut *conn)
        .await
        .map_err(sql("read a stream's sums"))?;
    let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as("SELECT start_us, end_us, run FROM extents WHERE stream_key = ? ORDER BY start_us")
        .bind(key)
        .fetch_all(conn)
        .await
        .map_err(sql("read what is recorded"))?;
    let extents = rows
        .into_iter()
        .map(|(start_us, end_us, run)| Ok(Extent { start_us, end_us, run: id_bytes("run", &run)? }))
        .collect::<DbResult<_>>()?;
    Ok(Derived { extents, blocks, segments, bytes })
}

async fn store(conn: &mut SqliteConnection, key: i64, derived: &Derived) -> DbResult<()> {
    let step = "store the recount";
    sqlx::query("UPDATE streams SET blocks = ?, segments = ?, bytes = ? WHERE key = ?")
        .bind(derived.blocks)
        .bind(derived.segments)
        .bind(derived.bytes)
        .bind(key)
        .execute(&mut *conn)
        .await
        .map_err(sql(step))?;
    sqlx::query("DELETE FROM extents WHERE stream_key = ?").bind(key).execute(&mut *conn).await.map_err(sql(step))?;
    for e in &derived.extents {
        sqlx::query("INSERT INTO extents (stream_key, start_us, end_us, run) VALUES (?, ?, ?, ?)")
            .bind(key)
            .bind(e.start_us)
            .bind(e.end_us)
            .bind(&e.run[..])
            .execute(&mut *conn)
            .await
            .map_err(sql(step))?;
        if let Ok(range) = TimeRange::new(Timestamp(e.start_us), Timestamp(e.end_us)) {
            gaps::make_way(conn, key, range).await?;
        }
    }
    Ok(())
}
