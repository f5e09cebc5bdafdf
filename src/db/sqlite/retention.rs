//! Caps, marks, sweeps, and where the enforcer stands.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row, SqliteConnection, sqlite::SqliteRow};

use super::super::{
    BlockBrief, BlockSums, CapRow, DbResult, MarkRow, NewMark, RetentionRows, RetentionState, SweepRow, SweepSummary, SweptRow,
};
use super::error::{damaged, id_bytes, json, parse, signed, sql, unsigned};
use super::holds::block_is_held;
use super::{SqliteDb, audit, commit, holds};
use crate::audit::{Event, acts};
use crate::media::{AccountId, BlockId, StreamId, TimeRange, Timestamp};

macro_rules! select_marks {
    ($rest:literal) => {
        concat!(
            "SELECT blocks.id AS block, streams.id AS stream, account, start_us, end_us, size_bytes - erased_bytes AS size_bytes,
                    segment_count, checksum, marked_us, due_us, rule, sweep
             FROM marks JOIN blocks ON blocks.id = block JOIN streams ON key = blocks.stream_key ",
            $rest
        )
    };
}

macro_rules! select_swept {
    ($rest:literal) => {
        concat!(
            "SELECT block, streams.id AS stream, account, start_us, end_us, size_bytes, segment_count, checksum, marked_us, due_us,
                    rule, sweep FROM swept JOIN streams ON key = stream_key ",
            $rest
        )
    };
}

macro_rules! block_sums {
    () => {
        "count(*) AS blocks, total(segment_count) AS segments, total(size_bytes) AS bytes, total(end_us - start_us) AS duration,
         max(end_us) AS last_end"
    };
}

impl SqliteDb {
    async fn summary_of(&self, sweep: SweepRow) -> DbResult<SweepSummary> {
        let step = "add up a sweep";
        let rows = sqlx::query(concat!(
            "SELECT streams.id AS stream, min(start_us) AS first_start, ",
            block_sums!(),
            " FROM swept JOIN streams ON key = stream_key WHERE sweep = ? GROUP BY stream_key ORDER BY streams.id"
        ));
        let rows = rows.bind(sweep.id).fetch_all(&self.readers).await.map_err(sql(step))?;
        let mut streams = Vec::new();
        let mut range: Option<TimeRange> = None;
        for row in &rows {
            let sums = read_sums(row)?;
            let (first, last) = (Timestamp(row.get("first_start")), sums.last_end.unwrap_or(Timestamp::MIN));
            let (first, last) = range.map_or((first, last), |r| (first.min(r.start()), last.max(r.end())));
            range = TimeRange::new(first, last).ok().or(range);
            streams.push((parse("stream", row.get("stream"))?, sums));
        }
        let receipts = sqlx::query_scalar("SELECT id FROM receipts WHERE kind = 'sweep' AND number = ? ORDER BY part").bind(sweep.id);
        let receipts = receipts.fetch_all(&self.readers).await.map_err(sql(step))?;
        Ok(SweepSummary { sweep, streams, range, receipts })
    }
}

#[async_trait]
impl RetentionRows for SqliteDb {
    async fn set_cap(&self, stream: &StreamId, hours: Option<u32>, by: &str, now: Timestamp, event: Event) -> DbResult<()> {
        let key = self.key(stream).await?.key;
        let mut tx = self.write().await?;
        sqlx::query("INSERT OR REPLACE INTO caps (stream_key, from_us, hours, set_by) VALUES (?, ?, ?, ?)")
            .bind(key)
            .bind(now.as_micros())
            .bind(hours)
            .bind(by)
            .execute(&mut *tx)
            .await
            .map_err(sql("set a cap"))?;
        audit::append(&mut tx, event).await?;
        tx.commit().await.map_err(sql("set a cap"))
    }

    async fn caps(&self, stream: &StreamId) -> DbResult<Vec<CapRow>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        let rows: Vec<(i64, Option<u32>, String)> =
            sqlx::query_as("SELECT from_us, hours, set_by FROM caps WHERE stream_key = ? ORDER BY from_us")
                .bind(key.key)
                .fetch_all(&self.readers)
                .await
                .map_err(sql("read a stream's caps"))?;
        Ok(rows.into_iter().map(|(from, hours, set_by)| CapRow { from: Timestamp(from), hours, set_by }).collect())
    }

    async fn unmarked_until(&self, stream: &StreamId, until: Timestamp, after: Timestamp, limit: u32) -> DbResult<Vec<BlockBrief>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        let rows = sqlx::query(
            "SELECT id AS block, ?5 AS stream, ?6 AS account, start_us, end_us, size_bytes - erased_bytes AS size_bytes, segment_count,
                    checksum FROM blocks
             WHERE stream_key = ?1 AND segment_count > 0 AND state = 1 AND start_us > ?3 AND start_us < ?2 AND end_us <= ?2
               AND NOT EXISTS (SELECT 1 FROM marks WHERE block = blocks.id)
             ORDER BY start_us LIMIT ?4",
        )
        .bind(key.key)
        .bind(until.as_micros())
        .bind(after.as_micros())
        .bind(limit)
        .bind(stream.as_str())
        .bind(key.account.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for footage to judge"))?;
        rows.iter().map(read_brief).collect()
    }

    async fn mark(&self, marks: &[NewMark], now: Timestamp, event: Event) -> DbResult<Vec<BlockId>> {
        let mut tx = self.write().await?;
        let mut marked = Vec::new();
        for mark in marks {
            let done = sqlx::query(concat!(
                "INSERT INTO marks (block, stream_key, marked_us, due_us, rule)
                 SELECT id, stream_key, ?1, ?3, ?4 FROM blocks WHERE id = ?2 AND state = 1 AND NOT ",
                block_is_held!(),
                " ON CONFLICT (block) DO NOTHING"
            ))
            .bind(now.as_micros())
            .bind(&mark.block.to_bytes()[..])
            .bind(mark.due_at.as_micros())
            .bind(mark.rule.to_string())
            .execute(&mut *tx)
            .await
            .map_err(sql("mark a block"))?;
            if done.rows_affected() > 0 {
                marked.push(mark.block);
            }
        }
        if marked.is_empty() {
            return Ok(marked);
        }
        audit::append(&mut tx, event.with("blocks", marked.len())).await?;
        tx.commit().await.map_err(sql("mark blocks"))?;
        Ok(marked)
    }

    async fn unmark(&self, blocks: &[BlockId], event: Event) -> DbResult<u64> {
        self.take_marks_off(None, blocks, event).await
    }

    async fn spare(&self, sweep: i64, blocks: &[BlockId], event: Event) -> DbResult<u64> {
        self.take_marks_off(Some(sweep), blocks, event).await
    }

    async fn marks(&self, after: Option<BlockId>, limit: u32) -> DbResult<Vec<MarkRow>> {
        let rows = sqlx::query(select_marks!("WHERE block > ? ORDER BY block LIMIT ?"))
            .bind(after.map(|id| id.to_bytes().to_vec()).unwrap_or_default())
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("read marks"))?;
        rows.iter().map(read_mark).collect()
    }

    async fn mark_of(&self, block: BlockId) -> DbResult<Option<MarkRow>> {
        let found = sqlx::query(select_marks!("WHERE block = ?")).bind(&block.to_bytes()[..]).fetch_optional(&self.readers).await;
        found.map_err(sql("read a mark"))?.as_ref().map(read_mark).transpose()
    }

    async fn begin_sweep(&self, now: Timestamp, limit: u32) -> DbResult<Option<(SweepRow, Vec<MarkRow>)>> {
        let mut tx = self.write().await?;
        let mut begun = None;
        // Each turn without a sweep takes marks off, so it ends.
        while let Some(account) = first_due(&mut tx, now).await? {
            let sweep = take_due(&mut tx, account, now, limit).await?;
            let rescued = holds::rescue_from(&mut tx, sweep.id, now).await?;
            if rescued > 0 {
                let event = Event::system(now, acts::RETENTION_RESCUED).of_account(&sweep.account);
                audit::append(&mut tx, event.with("blocks", rescued).with("by", "hold")).await?;
            }
            let marks = left_of(&mut tx, sweep.id).await?;
            if !marks.is_empty() {
                begun = Some((sweep, marks));
                break;
            }
            let forget = sqlx::query("DELETE FROM sweeps WHERE id = ?").bind(sweep.id);
            forget.execute(&mut *tx).await.map_err(sql("take a sweep back"))?;
        }
        tx.commit().await.map_err(sql("begin a sweep"))?;
        Ok(begun)
    }

    async fn unfinished_sweeps(&self) -> DbResult<Vec<(SweepRow, Vec<MarkRow>)>> {
        let rows = sqlx::query("SELECT id, account, begun_us, finished_us FROM sweeps WHERE finished_us IS NULL ORDER BY id")
            .fetch_all(&self.readers)
            .await
            .map_err(sql("look for unfinished sweeps"))?;
        let mut conn = self.readers.acquire().await.map_err(sql("look for unfinished sweeps"))?;
        let mut found = Vec::new();
        for row in &rows {
            let sweep = read_sweep(row)?;
            let left = left_of(&mut conn, sweep.id).await?;
            found.push((sweep, left));
        }
        Ok(found)
    }

    async fn sweeps(&self, account: Option<&AccountId>, limit: u32) -> DbResult<Vec<SweepRow>> {
        let rows =
            sqlx::query("SELECT id, account, begun_us, finished_us FROM sweeps WHERE ?1 IS NULL OR account = ?1 ORDER BY id DESC LIMIT ?2")
                .bind(account.map(|a| a.as_str().to_owned()))
                .bind(limit)
                .fetch_all(&self.readers)
                .await
                .map_err(sql("list sweeps"))?;
        rows.iter().map(read_sweep).collect()
    }

    async fn sweep(&self, id: i64) -> DbResult<Option<SweepRow>> {
        let found =
            sqlx::query("SELECT id, account, begun_us, finished_us FROM sweeps WHERE id = ?").bind(id).fetch_optional(&self.readers).await;
        found.map_err(sql("read a sweep"))?.as_ref().map(read_sweep).transpose()
    }

    async fn sweep_summaries(&self, account: Option<&AccountId>, before: Option<i64>, limit: u32) -> DbResult<Vec<SweepSummary>> {
        let rows = sqlx::query(
            "SELECT id, account, begun_us, finished_us FROM sweeps WHERE id < ?2 AND (?1 IS NULL OR account = ?1) ORDER BY id DESC LIMIT ?3",
        )
        .bind(account.map(|a| a.as_str().to_owned()))
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("list sweeps"))?;
        let mut found = Vec::new();
        for row in &rows {
            found.push(self.summary_of(read_sweep(row)?).await?);
        }
        Ok(found)
    }

    async fn swept_by(&self, sweep: i64) -> DbResult<Vec<SweptRow>> {
        let rows = sqlx::query(select_swept!("WHERE sweep = ? ORDER BY stream_key, start_us")).bind(sweep).fetch_all(&self.readers).await;
        rows.map_err(sql("read a receipt"))?.iter().map(read_swept).collect()
    }

    async fn marked_sums(&self, stream: &StreamId) -> DbResult<(BlockSums, Option<Timestamp>)> {
        let Some(key) = self.find_key(stream).await? else { return Ok((BlockSums::default(), None)) };
        let row = sqlx::query(concat!(
            "SELECT min(due_us) AS due, ",
            block_sums!(),
            " FROM marks JOIN blocks ON blocks.id = block WHERE marks.stream_key = ? AND sweep IS NULL"
        ));
        let row = row.bind(key.key).fetch_one(&self.readers).await.map_err(sql("add up what is marked"))?;
        Ok((read_sums(&row)?, row.get::<Option<i64>, _>("due").map(Timestamp)))
    }

    async fn due_sums(&self, stream: &StreamId, now: Timestamp) -> DbResult<BlockSums> {
        let Some(key) = self.find_key(stream).await? else { return Ok(BlockSums::default()) };
        let row = sqlx::query(concat!(
            "SELECT ",
            block_sums!(),
            " FROM marks JOIN blocks ON blocks.id = block WHERE sweep IS NULL AND due_us <= ?2 AND marks.stream_key = ?1"
        ));
        let row = row.bind(key.key).bind(now.as_micros()).fetch_one(&self.readers).await;
        read_sums(&row.map_err(sql("add up what is due"))?)
    }

    async fn footage_us(&self, stream: &StreamId) -> DbResult<i64> {
        let Some(key) = self.find_key(stream).await? else { return Ok(0) };
        let sum = sqlx::query_scalar("SELECT coalesce(sum(end_us - start_us), 0) FROM extents WHERE stream_key = ?").bind(key.key);
        sum.fetch_one(&self.readers).await.map_err(sql("add up a stream's time"))
    }

    async fn marked_in(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<(TimeRange, Timestamp)>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        // From the marks to their blocks, as in `rescue`.
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "SELECT blocks.start_us, blocks.end_us, due_us FROM marks CROSS JOIN blocks ON blocks.id = block
             WHERE marks.stream_key = ?1 AND blocks.start_us < ?3 AND blocks.end_us > ?2 ORDER BY blocks.start_us LIMIT ?4",
        )
        .bind(key.key)
        .bind(range.start().as_micros())
        .bind(range.end().as_micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for what is marked"))?;
        let marked = rows.into_iter().filter_map(|(start, end, due)| {
            let range = TimeRange::new(Timestamp(start), Timestamp(end)).ok()?;
            Some((range, Timestamp(due)))
        });
        Ok(marked.collect())
    }

    async fn sum_blocks(&self, stream: &StreamId, range: TimeRange, ended_by: Timestamp) -> DbResult<BlockSums> {
        let Some(key) = self.find_key(stream).await? else { return Ok(BlockSums::default()) };
        // As in `swept_in`: blocks last an hour at most.
        let row = sqlx::query(concat!(
            "SELECT ",
            block_sums!(),
            " FROM blocks WHERE stream_key = ?1 AND segment_count > 0 AND start_us < ?3 AND start_us > ?2 - 7200000000 AND end_us > ?2
               AND end_us <= ?4"
        ));
        let row = row.bind(key.key).bind(range.start().as_micros()).bind(range.end().as_micros()).bind(ended_by.as_micros());
        read_sums(&row.fetch_one(&self.readers).await.map_err(sql("add up blocks"))?)
    }

    async fn swept_in(&self, stream: &StreamId, range: TimeRange) -> DbResult<Option<SweptRow>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(None) };
        // Blocks last an hour at most: without that bound all that ever was before would be walked through.
        let row = sqlx::query(select_swept!(
            "WHERE stream_key = ?1 AND start_us < ?3 AND start_us > ?2 - 7200000000 AND end_us > ?2 ORDER BY start_us DESC LIMIT 1"
        ));
        let row = row.bind(key.key).bind(range.start().as_micros()).bind(range.end().as_micros());
        let row = row.fetch_optional(&self.readers).await.map_err(sql("look for swept footage"))?;
        row.as_ref().map(read_swept).transpose()
    }

    async fn retention_state(&self) -> DbResult<RetentionState> {
        let row: (Option<i64>, Option<i64>, Option<String>, Option<String>) =
            sqlx::query_as("SELECT last_run_us, stopped_us, stopped_why, confirmed FROM retention_state")
                .fetch_one(&self.readers)
                .await
                .map_err(sql("read where retention stands"))?;
        let (last_run, stopped_us, why, confirmed) = row;
        let read = |text: Option<String>| text.map(|text| json("the state of retention", &text)).transpose();
        Ok(RetentionState {
            last_run: last_run.map(Timestamp),
            stopped: stopped_us.map(Timestamp).zip(read(why)?),
            confirmed: match read(confirmed)? {
                None => Vec::new(),
                Some(serde_json::Value::Array(stops)) => stops,
                Some(other) => return Err(damaged("the state of retention", format!("{other} is no list of stops"))),
            },
        })
    }

    async fn note_run(&self, now: Timestamp) -> DbResult<()> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE retention_state SET last_run_us = ?, stopped_us = NULL, stopped_why = NULL, confirmed = NULL")
            .bind(now.as_micros())
            .execute(&mut *tx)
            .await
            .map_err(sql("note a retention run"))?;
        tx.commit().await.map_err(sql("note a retention run"))
    }

    async fn ask_run(&self, now: Timestamp) -> DbResult<()> {
        let mut tx = self.write().await?;
        let asked = sqlx::query("UPDATE retention_state SET run_asked_us = max(coalesce(run_asked_us, 0), ?)").bind(now.as_micros());
        asked.execute(&mut *tx).await.map_err(sql("ask for a run"))?;
        tx.commit().await.map_err(sql("ask for a run"))
    }

    async fn run_asked(&self) -> DbResult<Option<Timestamp>> {
        let asked: Option<i64> =
            sqlx::query_scalar("SELECT run_asked_us FROM retention_state WHERE run_asked_us > coalesce(run_answered_us, -1)")
                .fetch_optional(&self.readers)
                .await
                .map_err(sql("look whether a run is asked for"))?;
        Ok(asked.map(Timestamp))
    }

    async fn answer_run(&self, asked: Timestamp, report: &serde_json::Value) -> DbResult<()> {
        let mut tx = self.write().await?;
        let answered = sqlx::query("UPDATE retention_state SET run_answered_us = ?, run_answer = ?");
        let answered = answered.bind(asked.as_micros()).bind(report.to_string());
        answered.execute(&mut *tx).await.map_err(sql("answer who asked for a run"))?;
        tx.commit().await.map_err(sql("answer who asked for a run"))
    }

    async fn answered_run(&self, asked: Timestamp) -> DbResult<Option<serde_json::Value>> {
        let answer: Option<String> = sqlx::query_scalar("SELECT run_answer FROM retention_state WHERE run_answered_us >= ?")
            .bind(asked.as_micros())
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("look for the answer to a run"))?
            .flatten();
        answer.map(|text| json("the answer to a run", &text)).transpose()
    }

    async fn stop_retention(&self, why: &serde_json::Value, now: Timestamp, event: Event) -> DbResult<bool> {
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE retention_state SET stopped_us = ?1, stopped_why = ?2 WHERE stopped_why IS NOT ?2")
            .bind(now.as_micros())
            .bind(why.to_string())
            .execute(&mut *tx)
            .await
            .map_err(sql("stop retention"))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut tx, event).await?;
        tx.commit().await.map_err(sql("stop retention"))?;
        Ok(true)
    }

    async fn confirm_retention(&self, event: Event) -> DbResult<bool> {
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE retention_state SET confirmed = json_insert(coalesce(confirmed, '[]'), '$[#]', json(stopped_why)),
                                        stopped_us = NULL, stopped_why = NULL WHERE stopped_why IS NOT NULL",
        )
        .execute(&mut *tx)
        .await
        .map_err(sql("confirm retention"))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut tx, event).await?;
        tx.commit().await.map_err(sql("confirm retention"))?;
        Ok(true)
    }

    async fn save_forecast(&self, account: &AccountId, made_at: Timestamp, bytes: u64) -> DbResult<()> {
        let step = "save a forecast";
        const WEEK_US: i64 = 7 * 86_400_000_000;
        let mut tx = self.write().await?;
        sqlx::query("INSERT OR REPLACE INTO retention_forecasts (account, made_us, bytes) VALUES (?, ?, ?)")
            .bind(account.as_str())
            .bind(made_at.as_micros())
            .bind(signed(bytes))
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        sqlx::query("DELETE FROM retention_forecasts WHERE account = ? AND made_us < ?")
            .bind(account.as_str())
            .bind(made_at.saturating_add_micros(-WEEK_US).as_micros())
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        tx.commit().await.map_err(sql(step))
    }

    async fn forecast_before(&self, account: &AccountId, t: Timestamp) -> DbResult<Option<(Timestamp, u64)>> {
        let row: Option<(i64, i64)> = sqlx::query_as(
            "SELECT made_us, bytes FROM retention_forecasts WHERE account = ? AND made_us <= ? ORDER BY made_us DESC LIMIT 1",
        )
        .bind(account.as_str())
        .bind(t.as_micros())
        .fetch_optional(&self.readers)
        .await
        .map_err(sql("read a forecast"))?;
        row.map(|(made, bytes)| Ok((Timestamp(made), unsigned("a forecast", bytes)?))).transpose()
    }
}

impl SqliteDb {
    /// Marks that belong to this sweep, or to none.
    async fn take_marks_off(&self, sweep: Option<i64>, blocks: &[BlockId], event: Event) -> DbResult<u64> {
        let mut tx = self.write().await?;
        let mut count = 0;
        for block in blocks {
            let done = sqlx::query("DELETE FROM marks WHERE block = ? AND sweep IS ?").bind(&block.to_bytes()[..]).bind(sweep);
            count += done.execute(&mut *tx).await.map_err(sql("take a mark off"))?.rows_affected();
        }
        if count > 0 {
            audit::append(&mut tx, event.with("blocks", count)).await?;
            tx.commit().await.map_err(sql("take marks off"))?;
        }
        Ok(count)
    }
}

/// Copies blocks that this sweep has taken into its receipt. Those that are not marked for it are left out: they were done before.
pub(super) async fn keep_receipt(conn: &mut SqliteConnection, sweep: i64, blocks: &[BlockId]) -> DbResult<()> {
    let mut copy = QueryBuilder::new(
        "INSERT INTO swept (sweep, block, stream_key, start_us, end_us, size_bytes, segment_count, checksum, marked_us, due_us, rule)
         SELECT sweep, blocks.id, blocks.stream_key, start_us, end_us, size_bytes - erased_bytes, segment_count, checksum, marked_us,
                due_us, rule FROM marks JOIN blocks ON blocks.id = block WHERE sweep = ",
    );
    copy.push_bind(sweep).push(" AND block IN (");
    commit::push_ids(&mut copy, blocks);
    copy.push(" ON CONFLICT DO NOTHING").build().execute(conn).await.map_err(sql("write a receipt"))?;
    Ok(())
}

pub(super) async fn finish(conn: &mut SqliteConnection, sweep: i64, finished: Option<Timestamp>) -> DbResult<()> {
    let Some(finished) = finished else { return Ok(()) };
    sqlx::query("UPDATE sweeps SET finished_us = ? WHERE id = ?")
        .bind(finished.as_micros())
        .bind(sweep)
        .execute(conn)
        .await
        .map_err(sql("finish a sweep"))?;
    Ok(())
}

/// The account whose mark has been due the longest.
async fn first_due(conn: &mut SqliteConnection, now: Timestamp) -> DbResult<Option<AccountId>> {
    let account: Option<String> = sqlx::query_scalar(
        "SELECT account FROM marks JOIN streams ON key = stream_key WHERE sweep IS NULL AND due_us <= ? ORDER BY due_us LIMIT 1",
    )
    .bind(now.as_micros())
    .fetch_optional(conn)
    .await
    .map_err(sql("look for what is due"))?;
    account.map(|account| parse("account", &account)).transpose()
}

/// A new sweep, with what it takes.
async fn take_due(conn: &mut SqliteConnection, account: AccountId, now: Timestamp, limit: u32) -> DbResult<SweepRow> {
    let step = "begin a sweep";
    let id: i64 = sqlx::query_scalar("INSERT INTO sweeps (account, begun_us) VALUES (?, ?) RETURNING id")
        .bind(account.as_str())
        .bind(now.as_micros())
        .fetch_one(&mut *conn)
        .await
        .map_err(sql(step))?;
    sqlx::query(
        "UPDATE marks SET sweep = ?1 WHERE block IN (
             -- A cross join keeps its order: that of the index, which ends at the limit instead of sorting all that is due.
             SELECT block FROM marks CROSS JOIN streams ON key = stream_key WHERE sweep IS NULL AND due_us <= ?2 AND account = ?3
             -- Of one stream as many as there are: each stream in a sweep is a transaction and a sync of its own.
             ORDER BY due_us, stream_key, block LIMIT ?4)",
    )
    .bind(id)
    .bind(now.as_micros())
    .bind(account.as_str())
    .bind(limit)
    .execute(conn)
    .await
    .map_err(sql(step))?;
    Ok(SweepRow { id, account, begun_at: now, finished_at: None })
}

async fn left_of(conn: &mut SqliteConnection, sweep: i64) -> DbResult<Vec<MarkRow>> {
    let rows = sqlx::query(select_marks!("WHERE sweep = ? ORDER BY blocks.stream_key, start_us")).bind(sweep).fetch_all(conn).await;
    rows.map_err(sql("read what a sweep takes"))?.iter().map(read_mark).collect()
}

/// `total` gives floating numbers: exact up to 2^53, which is 9 PB or 285 years.
fn read_sums(row: &SqliteRow) -> DbResult<BlockSums> {
    let whole = |name: &str| row.get::<f64, _>(name) as u64;
    Ok(BlockSums {
        blocks: unsigned("a count", row.get("blocks"))?,
        segments: whole("segments"),
        bytes: whole("bytes"),
        duration_us: whole("duration").cast_signed(),
        last_end: row.get::<Option<i64>, _>("last_end").map(Timestamp),
    })
}

fn read_brief(row: &SqliteRow) -> DbResult<BlockBrief> {
    let what = "a block";
    Ok(BlockBrief {
        id: BlockId::from_bytes(id_bytes(what, &row.get::<Vec<u8>, _>("block"))?),
        account: parse("account", &row.get::<String, _>("account"))?,
        stream: parse("stream", &row.get::<String, _>("stream"))?,
        range: TimeRange::new(Timestamp(row.get("start_us")), Timestamp(row.get("end_us"))).map_err(|e| damaged(what, e))?,
        size_bytes: unsigned(what, row.get("size_bytes"))?,
        segments: unsigned(what, row.get("segment_count"))?,
        checksum: row.get::<Option<i64>, _>("checksum").map(i64::cast_unsigned),
    })
}

fn read_mark(row: &SqliteRow) -> DbResult<MarkRow> {
    Ok(MarkRow {
        block: read_brief(row)?,
        marked_at: Timestamp(row.get("marked_us")),
        due_at: Timestamp(row.get("due_us")),
        rule: json("a mark", &row.get::<String, _>("rule"))?,
        sweep: row.get("sweep"),
    })
}

fn read_swept(row: &SqliteRow) -> DbResult<SweptRow> {
    let rule = json("a receipt", &row.get::<String, _>("rule"))?;
    Ok(SweptRow {
        sweep: row.get("sweep"),
        block: read_brief(row)?,
        marked_at: Timestamp(row.get("marked_us")),
        due_at: Timestamp(row.get("due_us")),
        rule,
    })
}

fn read_sweep(row: &SqliteRow) -> DbResult<SweepRow> {
    Ok(SweepRow {
        id: row.get("id"),
        account: parse("account", &row.get::<String, _>("account"))?,
        begun_at: Timestamp(row.get("begun_us")),
        finished_at: row.get::<Option<i64>, _>("finished_us").map(Timestamp),
    })
}
